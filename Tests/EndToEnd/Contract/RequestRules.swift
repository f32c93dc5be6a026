// The contract's rules about requests.

import TestSupport

// MARK: Paths (contract §1)

let pathRules: [Rule] =
    [
        "/chat/completions", "/v1/chat/completions", "/llm/openai/v1/chat/completions", "/chat/completions/chat/completions",
        "/v/\(RunningServer.token)/chat/completions", "/v/\(RunningServer.token)/v1/chat/completions",
        "/v1/chat/completions?api-version=1&x=%2F", "/v1/chat/completions/", "/v/\(RunningServer.token)/v1/chat/completions/",
        "/v1/chat/completions/?api-version=1",
    ].map { Rule("POST \($0.replacing(RunningServer.token, with: "TOKEN"))", path: $0, upstreamGets: asked()) } + [
        Rule(
            "another path", path: "/v/\(RunningServer.token)/v1/completions",
            callerGets: .error(404, type: "invalid_request_error", code: "unknown_url")),
        Rule(
            "a path that only looks like it", path: "/v/\(RunningServer.token)/xchat/completionsx",
            callerGets: .error(404, type: "invalid_request_error", code: "unknown_url")),
        Rule(
            "GET chat/completions", sends: "", method: "GET",
            callerGets: .error(405, type: "invalid_request_error", code: "method_not_allowed"), callerFields: ["Allow": "POST"]),
        Rule(
            "PUT chat/completions", method: "PUT",
            callerGets: .error(405, type: "invalid_request_error", code: "method_not_allowed"), callerFields: ["Allow": "POST"]),
        Rule(
            "POST models", path: "/v1/models",
            callerGets: .error(405, type: "invalid_request_error", code: "method_not_allowed"),
            callerFields: ["Allow": "GET, HEAD"]),
        Rule(
            "POST models with a slash at the end", path: "/v1/models/",
            callerGets: .error(405, type: "invalid_request_error", code: "method_not_allowed"),
            callerFields: ["Allow": "GET, HEAD"]),
        Rule(
            "GET models without a name in the settings", sends: "", path: "/v1/models", method: "GET",
            callerGets: .json(200, #"{"object":"list","data":[]}"#)),
        Rule(
            "GET models with a slash at the end", sends: "", path: "/v1/models/", method: "GET",
            callerGets: .json(200, #"{"object":"list","data":[]}"#)),
    ]

// MARK: The body (contract §1)

let requestRules: [Rule] =
    [
        Rule(
            "the reference request", sends: String(decoding: referenceCall.body, as: UTF8.self),
            upstreamGets:
                #"{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Tell me a joke"}],"temperature":0.7,"stream":true,"#
                + #""stream_options":{"include_usage":true}}"#),
        Rule("stream true", upstreamGets: asked(), upstreamFields: ["Accept": "text/event-stream"]),
        Rule("stream true with Accept: application/json", fields: [("Accept", "application/json")], upstreamGets: asked()),
        Rule(
            "stream false", sends: whole(#","stream":false"#), upstreamGets: whole(#","stream":false"#),
            upstreamFields: ["Accept": "application/json"]),
        Rule("no stream member", sends: whole(), upstreamGets: whole()),
        Rule(
            "no stream member with Accept: text/event-stream", sends: whole(), fields: [("Accept", "text/event-stream")],
            upstreamGets: whole()),
        Rule("stream null", sends: whole(#","stream":null"#), upstreamGets: whole()),
        Rule(
            "stream as text", sends: whole(#","stream":"true""#),
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "stream")),
        Rule(
            "stream as a number", sends: whole(#","stream":1"#),
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "stream")),
        Rule("no JSON", sends: "Hello", callerGets: .error(400, type: "invalid_request_error", code: "invalid_json")),
        Rule("an empty body", sends: "", callerGets: .error(400, type: "invalid_request_error", code: "invalid_json")),
        Rule(
            "JSON cut short", sends: String(streaming().dropLast()),
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_json")),
        Rule("an array", sends: "[]", callerGets: .error(400, type: "invalid_request_error", code: "invalid_type")),
        Rule(
            "JSON nested too deeply",
            sends: streaming(",\"x\":" + String(repeating: "[", count: 70) + String(repeating: "]", count: 70)),
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_json")),
        Rule(
            "no messages", sends: #"{"model":"m"}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "missing_required_parameter", param: "messages")),
        Rule(
            "messages as text", sends: #"{"model":"m","messages":"Hi"}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "messages")),
        Rule(
            "no message in messages", sends: #"{"model":"m","messages":[]}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "empty_array", param: "messages")),
        Rule(
            "a message that is text", sends: #"{"messages":[\#(hi),"Hi"]}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "messages[1]")),
        Rule(
            "a message without a role", sends: #"{"messages":[{"content":"Hi"}]}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "missing_required_parameter", param: "messages[0].role")),
        Rule(
            "a content that is a number", sends: #"{"messages":[{"role":"user","content":1}]}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "messages[0].content")),
        Rule(
            "a model that is a number", sends: #"{"model":5,"messages":[\#(hi)]}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "model")),
        Rule(
            "a model of 257 bytes", sends: #"{"model":"\#(String(repeating: "m", count: 257))","messages":[\#(hi)]}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "string_above_max_length", param: "model")),
        Rule(
            "max_tokens as text", sends: whole(#","max_tokens":"250""#),
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "max_tokens")),
        Rule(
            "tools as an object", sends: whole(#","tools":{}"#),
            callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "tools")),
        Rule(
            "a webhook event", sends: #"{"message":{"type":"status-update","status":"ended","call":{"id":"c"}}}"#,
            callerGets: .error(400, type: "invalid_request_error", code: "missing_required_parameter", param: "messages")),
    ] + messageRules

/// `messages` go through byte for byte.
private let messageRules: [Rule] =
    [
        ("a content of text", hi),
        ("a content of null", #"{"role":"assistant","content":null}"#),
        ("no content", #"{"role":"assistant"}"#),
        ("text parts", #"{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"text","text":"there"}]}"#),
        (
            "an image",
            #"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;base64,AA==","detail":"low"}}]}"#
        ),
        ("audio", #"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}"#),
        (
            "tool calls and their results",
            #"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}}]},"#
                + #"{"role":"tool","tool_call_id":"c1","content":"{\"b\":2}"},{"role":"user","content":"And?"}"#
        ),
        ("a function's result", #"{"role":"function","name":"f","content":"1"}"#),
        ("the assistant's message last", hi + #",{"role":"assistant","content":"Hello."}"#),
        ("a system message alone", #"{"role":"system","content":"Greet the caller."}"#),
        ("a refusal and audio in the history", #"{"role":"assistant","refusal":"No.","audio":{"id":"a"},"content":null}"#),
        (
            "numbers as they are written",
            #"{"role":"user","content":[{"type":"x","n":[1.0,1e3,-0,123456789012345678901234567890,0.10]}]}"#
        ),
        ("escapes as they are written", #"{"role":"user","content":"\u00e9 \/ \ud83d\ude00 é 🐔 \ud800"}"#),
        ("white space and key order", "{ \"content\" :\"Hi\" ,\n\t\"role\": \"user\" }"),
        ("a role that nobody knows", #"{"role":"narrator","content":"Hi"}"#),
        ("2,000 messages", (0..<2_000).map { #"{"role":"user","content":"\#($0)"}"# }.joined(separator: ",")),
    ].map { name, messages in
        let body = #"{"model":"m","messages":[\#(messages)]}"#
        return Rule("messages: \(name)", sends: body, upstreamGets: body)
    } + [
        Rule(
            "messages: members that OpenAI does not know are dropped",
            sends: #"{"model":"m","messages":[{"role":"user","content":"Hi","time":{"begin":1,"end":2},"models":{}},\#(hi)]}"#,
            upstreamGets: #"{"model":"m","messages":[{"role":"user","content":"Hi"},\#(hi)]}"#)
    ]

// MARK: Platforms (contract §1)

private let vapiCall = #""call":{"id":"4f2c7a1e-vapi","orgId":"o","type":"inboundPhoneCall"}"#

let platformRules: [Rule] = [
    Rule(
        "Vapi, off", sends: streaming(#","temperature":0.5,"max_tokens":250"#),
        upstreamGets: asked(#","temperature":0.5,"max_tokens":250"#)),
    Rule(
        "Vapi, variable",
        sends: streaming(
            #","temperature":0.5,"max_tokens":250,\#(vapiCall),"phoneNumber":{"twilioAuthToken":"t"},"customer":{"number":"+15551234567"},"#
                + #""assistant":{"serverUrlSecret":"s"},"metadata":{"numModelRequestInTurn":1,"user":{"plan":"gold"}}"#),
        upstreamGets: asked(#","temperature":0.5,"max_tokens":250"#)),
    Rule(
        "Vapi, destructured",
        sends: streaming(#",\#(vapiCall),"customer":{},"plan":"gold","userName":"Ada","numModelRequestInTurn":0"#),
        upstreamGets: asked()),
    Rule(
        "Vapi without stream streams", sends: whole(",\(vapiCall)"),
        upstreamGets: #"{"stream":true,"model":"m","messages":[\#(hi)],"stream_options":{"include_usage":true}}"#),
    Rule(
        "Vapi with stream false does not", sends: whole(#","stream":false,\#(vapiCall)"#),
        upstreamGets: whole(#","stream":false"#)),
    Rule(
        "Vapi, the assistant's message last",
        sends: #"{"model":"m","messages":[{"role":"assistant","content":null}],"stream":true,\#(vapiCall)}"#,
        upstreamGets:
            #"{"model":"m","messages":[{"role":"assistant","content":null}],"stream":true,"stream_options":{"include_usage":true}}"#
    ),
    Rule(
        "ElevenLabs",
        sends: streaming(
            #","temperature":0,"max_tokens":5000,"user_id":"u-1","elevenlabs_extra_body":{"a":1},"tools":[{"type":"function","#
                + #""function":{"name":"end_call","parameters":{}}}]"#),
        upstreamGets: asked(
            #","temperature":0,"max_tokens":5000,"user":"u-1","tools":[{"type":"function","function":{"name":"end_call","parameters":{}}}]"#
        )),
    Rule("ElevenLabs with a user", sends: streaming(#","user":"mine","user_id":"u-1""#), upstreamGets: asked(#","user":"mine""#)),
    Rule("ElevenLabs with a number for its user", sends: streaming(#","user_id":1"#), upstreamGets: asked()),
    Rule(
        "Hume",
        sends:
            #"{"messages":[{"role":"user","content":"Hi","time":{"begin":0,"end":900},"models":{"prosody":{"scores":{"Joy":0.5}}}}],"stream":true}"#,
        path: "/chat/completions?custom_session_id=session-1",
        upstreamGets: #"{"messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}"#,
        callerGets: .stream(Chunks.stream(["Hello"]).map { fingerprinted($0, "session-1") }.joined())),
    Rule(
        "Hume, in place of the upstream's fingerprint", path: "/chat/completions?custom_session_id=a%20%22b%22",
        upstreamGets: asked(),
        answer: .stream(
            [
                #"data: {"system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#
                    + "\n\n"
            ]
                + [Chunks.done]),
        callerGets: .stream(
            #"data: {"system_fingerprint":"a \"b\"","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#
                + "\n\n"
                + Chunks.done)),
    Rule(
        "LiveKit", sends: streaming(#","stream_options":{"include_usage":true}"#),
        upstreamGets: streaming(#","stream_options":{"include_usage":true}"#),
        answer: .stream(Chunks.stream(["Hi"]).dropLast() + [Chunks.usage(prompt: 3, completion: 1), Chunks.done])),
    Rule(
        "Agora's content parts",
        sends: #"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"stream":true,"context":{}}"#,
        upstreamGets:
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"stream":true,"stream_options":{"include_usage":true}}"#
    ),
    Rule("Fish Audio's further members", sends: streaming(#","session_id":"s","chunk_length":100"#), upstreamGets: asked()),
]

/// A chunk with the session's id at its end; other events as they are.
func fingerprinted(_ frame: String, _ id: String) -> String {
    frame.hasSuffix("}\n\n") ? "\(frame.dropLast(3)),\"system_fingerprint\":\"\(id)\"}\n\n" : frame
}

// MARK: Parameters (contract §2)

let allParameters =
    #","audio":{},"frequency_penalty":0.1,"function_call":"auto","functions":[{"name":"f"}],"logit_bias":{"1":-1},"logprobs":true,"#
    + #""max_completion_tokens":1,"max_tokens":2,"modalities":["text"],"moderation":{},"n":1,"parallel_tool_calls":true,"prediction":{},"#
    + #""presence_penalty":0,"prompt_cache_key":"k","prompt_cache_options":{},"prompt_cache_retention":"24h","reasoning_effort":"low","#
    + #""response_format":{"type":"text"},"safety_identifier":"s","seed":1,"service_tier":"auto","stop":["a"],"store":false,"temperature":1.0,"#
    + #""tool_choice":"auto","tools":[{"type":"function"}],"top_logprobs":1,"top_p":1,"user":"u","verbosity":"low","web_search_options":{}"#

let parameterRules: [Rule] = [
    Rule("OpenAI's parameters go through", sends: whole(allParameters), upstreamGets: whole(allParameters)),
    Rule("any other is dropped", sends: whole(#","top_k":5,"min_p":0.1,"extra_body":{}"#), upstreamGets: whole()),
    Rule(
        "no body chooses its upstream", sends: whole(#","api_base":"http://evil","base_url":"http://evil","api_key":"k""#),
        upstreamGets: whole()),
    Rule(
        "a name written with escapes is that name", sends: whole(#","\u0073eed":7,"s\u0065ed2":8"#),
        upstreamGets: whole(#","seed":7"#)),
    Rule("of duplicates the last counts", sends: whole(#","seed":1,"seed":2"#), upstreamGets: whole(#","seed":2"#)),
    Rule(
        "metadata with store and strings", sends: whole(#","store":true,"metadata":{"a":"b"}"#),
        upstreamGets: whole(#","store":true,"metadata":{"a":"b"}"#)),
    Rule("metadata without store", sends: whole(#","metadata":{"a":"b"}"#), upstreamGets: whole()),
    Rule("metadata with a number", sends: whole(#","store":true,"metadata":{"a":1}"#), upstreamGets: whole(#","store":true"#)),
    Rule(
        "metadata of 17 strings",
        sends: whole(",\"store\":true,\"metadata\":{" + (0..<17).map { "\"\($0)\":\"\"" }.joined(separator: ",") + "}"),
        upstreamGets: whole(#","store":true"#)),
    Rule(
        "metadata of Vapi's", sends: whole(#","store":true,"metadata":{"a":"b"},"customer":{}"#),
        upstreamGets: whole(#","store":true"#)),
    Rule("empty tools", sends: whole(#","tools":[],"tool_choice":"auto","parallel_tool_calls":true"#), upstreamGets: whole()),
    Rule("empty functions", sends: whole(#","functions":[ ],"function_call":"auto""#), upstreamGets: whole()),
    Rule(
        "tools that are not empty", sends: whole(#","tools":[{}],"tool_choice":"none""#),
        upstreamGets: whole(#","tools":[{}],"tool_choice":"none""#)),
    Rule("usage is asked for", upstreamGets: asked()),
    Rule("usage is not asked for without a stream", sends: whole(#","stream":false"#), upstreamGets: whole(#","stream":false"#)),
    Rule(
        "an explicit no to usage is respected", sends: streaming(#","stream_options":{"include_usage":false}"#),
        upstreamGets: streaming(#","stream_options":{"include_usage":false}"#)),
    Rule(
        "usage joins the caller's stream_options", sends: streaming(#","stream_options":{"include_obfuscation": true}"#),
        upstreamGets: streaming(#","stream_options":{"include_obfuscation": true,"include_usage":true}"#)),
    Rule("stream_options null", sends: streaming(#","stream_options":null"#), upstreamGets: asked()),
    Rule(
        "include_usage as text", sends: streaming(#","stream_options":{"include_usage":"yes"}"#),
        callerGets: .error(400, type: "invalid_request_error", code: "invalid_type", param: "stream_options.include_usage")),
    Rule(
        "headers: our key, and never the caller's", upstreamGets: asked(),
        upstreamFields: ["Authorization": "Bearer sk-stub", "Content-Type": "application/json"]),
    Rule(
        "headers: tracing goes through, no other",
        fields: [
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("X-Client-Request-Id", "mine"),
            ("OpenAI-Organization", "org"), ("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"), ("api-key", "k"),
        ], upstreamGets: asked(),
        upstreamFields: [
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Client-Request-Id": "mine",
            "OpenAI-Organization": nil, "Cookie": nil, "X-Forwarded-For": nil, "api-key": nil,
        ]),
    Rule(
        "the caller's request id", fields: [("X-Request-Id", "req-7")], upstreamGets: asked(),
        upstreamFields: ["X-Client-Request-Id": "req-7"], callerFields: ["X-Request-Id": "req-7"]),
]
