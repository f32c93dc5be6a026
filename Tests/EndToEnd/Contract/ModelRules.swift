// The contract's rules about models, upstreams and their keys.

import TestSupport

// MARK: Models and upstreams (contract §2)

let modelSettings = """
    default_model = "house"

    [upstreams.stub]
    url = "UPSTREAM"
    key = "sk-stub"
    headers = { HTTP-Referer = "https://example.com", X-Title = "Calls" }
    [upstreams.local]
    kind = "compatible"
    url = "UPSTREAM"
    parameters = { add = ["top_k", "chat_template_kwargs"] }
    [upstreams.open]
    kind = "compatible"
    url = "UPSTREAM"
    parameters = { pass = "all" }
    [upstreams.plain]
    url = "UPSTREAM"
    key = "sk-stub"
    usage = false
    obfuscation = false
    [upstreams.azure]
    kind = "azure"
    url = "UPSTREAM"
    key = "az-key"

    [upstreams.odd]
    kind = "compatible"
    url = "UPSTREAM"
    path = "/think"
    key = "sk-odd"
    auth = "Token"
    parameters.only = ["max_output", "tools", "metadata"]
    roles = { developer = "system", "tool" = "function" }
    [upstreams.header]
    kind = "compatible"
    url = "UPSTREAM"
    key = "sk-header"
    auth = "X-Api-Key"
    [upstreams.token]
    kind = "compatible"
    url = "UPSTREAM"
    key = "sk-token"
    auth = "token:"
    [upstreams.bare]
    kind = "compatible"
    url = "UPSTREAM"
    key = "sk-bare"
    auth = "Authorization:"

    [[models]]
    match = "odd"
    targets = ["odd"]
    rename = { max_tokens = "max_output" }
    set = { top_k = 1 }
    [[models]]
    match = "header"
    targets = ["header"]
    [[models]]
    match = "token"
    targets = ["token"]
    [[models]]
    match = "bare"
    targets = ["bare"]
    [[models]]
    match = "local"
    targets = ["local"]
    [[models]]
    match = "open"
    targets = ["open"]
    [[models]]
    match = "plain"
    targets = ["plain"]
    [[models]]
    match = "azure-*"
    targets = ["azure"]
    [[models]]
    match = "voice"
    targets = [{ upstream = "stub", model = "gpt-4.1-mini" }]
    [[models]]
    match = "thinker"
    targets = [{ upstream = "stub", model = "o4-mini" }]
    [[models]]
    match = "edited"
    targets = ["stub"]
    rename = { max_tokens = "max_output" }
    drop = ["seed"]
    default = { temperature = 0.3, stop = ["END"] }
    set = { service_tier = "priority", user = "fixed" }
    [[models]]
    match = "gpt-*"
    targets = ["stub"]
    [[models]]
    match = "o[1-9]*"
    targets = ["stub"]
    [[models]]
    match = "house"
    targets = ["stub"]
    """

private let modelList =
    #"{"object":"list","data":["#
    + ["odd", "header", "token", "bare", "local", "open", "plain", "voice", "thinker", "edited", "house"]
    .map { #"{"id":"\#($0)","object":"model","created":NUMBER,"owned_by":"sluice"}"# }.joined(separator: ",") + "]}"

private func model(_ name: String, _ members: String = "") -> String { #"{"model":"\#(name)","messages":[\#(hi)]\#(members)}"# }

let modelRules: [Rule] = [
    Rule(
        "GET models", sends: "", path: "/v1/models", method: "GET",
        callerGets: .json(200, modelList)),
    Rule("the default model", sends: #"{"messages":[\#(hi)]}"#, upstreamGets: #"{"model":"house","messages":[\#(hi)]}"#),
    Rule(
        "the default for null", sends: #"{"model":null,"messages":[\#(hi)]}"#,
        upstreamGets: #"{"model":"house","messages":[\#(hi)]}"#),
    Rule(
        "a model without a route", sends: model("claude"),
        callerGets: .error(404, type: "invalid_request_error", code: "model_not_found", param: "model")),
    Rule("a pattern", sends: model("gpt-4o"), upstreamGets: model("gpt-4o")),
    Rule("the upstream's own name for a model", sends: model("voice"), upstreamGets: model("gpt-4.1-mini")),
    Rule(
        "headers of the settings", sends: model("gpt-4o"), upstreamGets: model("gpt-4o"),
        upstreamFields: ["HTTP-Referer": "https://example.com", "X-Title": "Calls"]),
    Rule(
        "what Vapi always sends, for gpt-5", sends: model("gpt-5-mini", #","temperature":0.5,"max_tokens":250"#),
        upstreamGets: model("gpt-5-mini", #","max_completion_tokens":250"#)),
    Rule(
        "the same for o3", sends: model("o3", #","temperature":0.5,"max_tokens":250"#),
        upstreamGets: model("o3", #","max_completion_tokens":250"#)),
    Rule(
        "the same for a route that leads to such a model", sends: model("thinker", #","temperature":0.5,"max_tokens":250"#),
        upstreamGets: model("o4-mini", #","max_completion_tokens":250"#)),
    Rule(
        "gpt-5-chat keeps its temperature", sends: model("gpt-5-chat-latest", #","temperature":0.5,"max_tokens":250"#),
        upstreamGets: model("gpt-5-chat-latest", #","temperature":0.5,"max_completion_tokens":250"#)),
    Rule(
        "the new name goes before the old one", sends: model("gpt-5", #","max_tokens":250,"max_completion_tokens":9"#),
        upstreamGets: model("gpt-5", #","max_completion_tokens":9"#)),
    Rule(
        "gpt-4o keeps everything", sends: model("gpt-4o", #","temperature":0.5,"max_tokens":250"#),
        upstreamGets: model("gpt-4o", #","temperature":0.5,"max_tokens":250"#)),
    Rule(
        "rename, drop, default and set", sends: model("edited", #","max_tokens":5,"seed":1,"user":"me""#),
        upstreamGets: model(
            "edited", #","max_output":5,"user":"fixed","temperature":0.3,"stop":["END"],"service_tier":"priority""#)),
    Rule(
        "a default gives way to the caller's value", sends: model("edited", #","temperature":1,"stop":null"#),
        upstreamGets: model("edited", #","temperature":1,"stop":["END"],"service_tier":"priority","user":"fixed""#)),
    Rule(
        "an odd upstream: its path, its scheme, and nothing that it does not know",
        sends: model(
            "odd", #","max_tokens":5,"temperature":1,"seed":1,"stream":true,"stream_options":{"x":1},"metadata":{"a":1}"#),
        upstreamGets: model("odd", #","max_output":5,"stream":true,"metadata":{"a":1},"top_k":1"#), at: "/v1/think",
        upstreamFields: ["Authorization": "Token sk-odd"]),
    Rule(
        "an odd upstream: roles that it knows",
        sends:
            #"{"messages":[{"role":"developer","content":"\u00e9"},\#(hi), {"content":"x","role":"\u0074ool"}],"model":"odd"}"#,
        upstreamGets:
            #"{"messages":[{"role":"system","content":"\u00e9"},\#(hi), {"content":"x","role":"function"}],"model":"odd","top_k":1}"#,
        at: "/v1/think"),
    Rule(
        "a header of its own for the key", sends: model("header"), upstreamGets: model("header"),
        upstreamFields: ["X-Api-Key": "sk-header", "Authorization": nil]),
    Rule(
        "a header of its own without a hyphen", sends: model("token"), upstreamGets: model("token"),
        upstreamFields: ["token": "sk-token", "Authorization": nil]),
    Rule(
        "the key alone in Authorization", sends: model("bare"), upstreamGets: model("bare"),
        upstreamFields: ["Authorization": "sk-bare"]),
    Rule(
        "a compatible upstream: added parameters, no usage option",
        sends: model("local", #","stream":true,"top_k":5,"chat_template_kwargs":{"enable_thinking":false},"x":1"#),
        upstreamGets: model("local", #","stream":true,"top_k":5,"chat_template_kwargs":{"enable_thinking":false}"#),
        upstreamFields: ["Authorization": nil]),
    Rule(
        "a compatible upstream: the caller's usage option",
        sends: model("local", #","stream":true,"stream_options":{"include_usage":true}"#),
        upstreamGets: model("local", #","stream":true,"stream_options":{"include_usage":true}"#)),
    Rule(
        "pass all",
        sends:
            #"{"model":"open","messages":[{"role":"user","content":"Hi","reasoning_content":"r"}],"x":{"y":1},"metadata":{"a":1},"api_base":"http://evil"}"#,
        upstreamGets:
            #"{"model":"open","messages":[{"role":"user","content":"Hi","reasoning_content":"r"}],"x":{"y":1},"metadata":{"a":1}}"#
    ),
    Rule(
        "usage off, obfuscation off", sends: model("plain", #","stream":true"#),
        upstreamGets: model("plain", #","stream":true,"stream_options":{"include_obfuscation":false}"#)),
    Rule(
        "Azure", sends: model("azure-gpt", #","stream":true"#),
        upstreamGets: model("azure-gpt", #","stream":true,"stream_options":{"include_usage":true}"#),
        at: "/v1/openai/deployments/azure-gpt/chat/completions?api-version=2024-10-21",
        upstreamFields: ["api-key": "az-key", "Authorization": nil]),
    Rule(
        "Azure, a deployment that would lead elsewhere", sends: model("azure-/../../x?y#z"),
        upstreamGets: model("azure-/../../x?y#z"),
        at: "/v1/openai/deployments/azure-%2F..%2F..%2Fx%3Fy%23z/chat/completions?api-version=2024-10-21"),
]

// MARK: The caller's key (contract §2)

let passthroughSettings = """
    [upstreams.stub]
    url = "UPSTREAM"
    key = "passthrough"
    """

private let withToken = "/v/\(RunningServer.token)/chat/completions"

let passthroughRules: [Rule] = [
    Rule(
        "goes through", path: withToken, token: "sk-callers", upstreamGets: asked(),
        upstreamFields: ["Authorization": "Bearer sk-callers"]),
    Rule("is missing", path: withToken, token: nil, callerGets: noKey),
    Rule("is no token of the web server's", callerGets: noKey),
    Rule(
        "is no token of the web server's in other letters", fields: [("Authorization", "bEARER  \(RunningServer.token) ")],
        token: nil, callerGets: noKey),
    Rule(
        "is no token of the web server's, with another in the path", path: withToken, token: RunningServer.otherToken,
        callerGets: noKey),
    Rule(
        "is refused by the upstream", path: withToken, token: "sk-callers", upstreamGets: asked(),
        answer: .json(Chunks.error("no", type: "authentication_error", code: "bad_key"), status: 401),
        callerGets: .error(401, type: "authentication_error", code: "bad_key")),
    Rule(
        "may not do that", path: withToken, token: "sk-callers", upstreamGets: asked(),
        answer: .json(Chunks.error("no", type: "permission_error"), status: 403),
        callerGets: .error(403, type: "permission_error", code: nil)),
]

let otherKeyRules: [Rule] = [
    Rule(
        "is the key alone", path: withToken, fields: [("Authorization", "bEARER   sk-callers")], token: nil,
        upstreamGets: asked(), upstreamFields: ["X-Api-Key": "sk-callers", "Authorization": nil]),
    Rule("is of another scheme", path: withToken, fields: [("Authorization", "Basic eDp5")], token: nil, callerGets: noKey),
]

private let noKey = Rule.Outcome.error(401, type: "authentication_error", code: "missing_api_key")
