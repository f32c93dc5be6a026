import Chat
import TestSupport
import Testing

/// What goes to the upstream for a request.
func upstream(_ text: String, _ change: (inout UpstreamRules) -> Void = { _ in }) throws -> String {
    var rules = UpstreamRules()
    change(&rules)
    return String(decoding: try parsed(text).upstreamBody(rules).bytes, as: UTF8.self)
}

@Suite(.ownThread) struct UpstreamBodyTests {
    private let messages = #""messages":[{"role":"user","content":"Hi"}]"#

    @Test func `the reference request goes out without what OpenAI refuses`() throws {
        #expect(
            try upstream(referenceRequest)
                == #"{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Tell me a joke"}],"temperature":0.7,"stream":true}"#
        )
    }

    @Test func `messages go through byte for byte`() throws {
        let messages =
            "[ {\"content\":\"\\u0041\\/ é \\ud83d\\ude00\", \"role\" :\"user\",\"audio\":{\"begin\":1.50e+3}},\n\t{\"role\":\"y\"} ]"
        #expect(
            try upstream("{\"x\":1, \"messages\" : \(messages) , \"seed\": -0.0 }") == "{\"messages\":\(messages),\"seed\": -0.0}"
        )
    }

    @Test func `large values are the caller's own bytes, and all else is one with them`() throws {
        let long = String(repeating: "long ", count: 40_000)
        let before = #"{"model":"gpt-4o","custom":1,"seed":1,"#
        let messages = #""messages":[{"role":"user","content":"\#(long)"}]"#
        let tools = #""tools":[{"type":"function","function":{"name":"\#(long)"}}],"temperature":0.5}"#
        let request = try parsed(before + messages + "," + tools)
        var rules = UpstreamRules()
        var edits = ParameterEdits()
        edits.set = [ParameterEdits.Value("top_p", json: [UInt8]("1".utf8))]
        rules.edits = [edits]
        let body = request.upstreamBody(rules)
        let expected = #"{"model":"gpt-4o","seed":1,"# + messages + "," + tools.dropLast() + #","top_p":1}"#
        #expect(String(decoding: body.bytes, as: UTF8.self) == expected)
        #expect(body.copiedCount < 200)
        #expect(body.rest.count == 4)
    }

    @Test func `messages that are changed are copied, and small ones too`() throws {
        let long = String(repeating: "long ", count: 40_000)
        let changed = try parsed(#"{"messages":[{"role":"user","content":"\#(long)","time":1}]}"#).upstreamBody(UpstreamRules())
        #expect(String(decoding: changed.bytes, as: UTF8.self) == #"{"messages":[{"role":"user","content":"\#(long)"}]}"#)
        #expect(changed.copiedCount == changed.bytes.count)
        let small = try parsed(#"{"messages":[{"role":"user","content":"Hi"}]}"#).upstreamBody(UpstreamRules())
        #expect(small.rest.isEmpty)
    }

    @Test(arguments: [
        "audio", "frequency_penalty", "function_call", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
        "modalities",
        "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
        "store",
        "stream", "stream_options", "temperature", "tool_choice", "top_logprobs", "top_p", "user", "verbosity",
        "web_search_options",
    ])
    func `a parameter of OpenAI's goes through`(_ name: String) throws {
        let value = name == "stream" ? "true" : name == "stream_options" ? "{ }" : "1"
        // A choice among tools goes nowhere without them.
        let ofTools = ["tool_choice": "tools", "parallel_tool_calls": "tools", "function_call": "functions"]
        let tools = ofTools[name].map { "\"\($0)\":[{}]," } ?? ""
        let text = "{\(messages),\(tools)\"\(name)\":\(value)}"
        #expect(try upstream(text) == text)
    }

    @Test(arguments: [
        "call", "phoneNumber", "customer", "assistant", "assistantOverrides", "user_id", "elevenlabs_extra_body", "api_base",
        "base_url",
        "custom", "", "Messages", "top_k", "message",
    ])
    func `what is not OpenAI's stays here`(_ name: String) throws {
        #expect(try upstream("{\"\(name)\":[\"secret\"],\(messages),\"\(name)2\":[]}") == "{\(messages)}")
    }

    @Test(arguments: [
        (#""tools":[]"#, ""), (#""tools":[ ]"#, ""), (#""tools":[],"tool_choice":"auto","parallel_tool_calls":true"#, ""),
        (#""tool_choice":"auto","tools":[],"n":1"#, #","n":1"#), (#""functions":[],"function_call":"auto""#, ""),
        (#""tools":[{}],"tool_choice":"auto","functions":[]"#, #","tools":[{}],"tool_choice":"auto""#),
        (
            #""tools":[{"type":"function"}],"parallel_tool_calls":false"#,
            #","tools":[{"type":"function"}],"parallel_tool_calls":false"#
        ),
        (#""tools":[{}],"tools":[]"#, ""), (#""tools":null,"tool_choice":"auto""#, ""), (#""tool_choice":"none""#, ""),
        (#""tools":[],"tool_choice":null"#, ""), (#""functions":null,"function_call":"auto""#, ""),
        (#""function_call":"auto""#, ""),
        (#""parallel_tool_calls":true"#, ""),
    ])
    func `empty tools are dropped with what belongs to them`(_ members: String, kept: String) throws {
        #expect(try upstream("{\(messages),\(members)}") == "{\(messages)\(kept)}")
    }

    @Test func `a choice stays with tools that the settings give`() throws {
        var edits = ParameterEdits()
        edits.set = [.init("tools", json: [UInt8]("[{}]".utf8))]
        let sent = try upstream("{\(messages),\"tool_choice\":\"auto\"}") { $0.edits = [edits] }
        #expect(sent == "{\(messages),\"tool_choice\":\"auto\",\"tools\":[{}]}")
    }

    @Test(arguments: [
        (#""metadata":{"a":"b"},"store":true"#, true), (#""metadata":{},"store":true"#, true), (#""metadata":{"a":"b"}"#, false),
        (#""metadata":{"a":"b"},"store":false"#, false), (#""metadata":{"a":1},"store":true"#, false),
        (#""metadata":{"a":null},"store":true"#, false), (#""metadata":"a","store":true"#, false),
        (#""metadata":{"a":"b"},"store":true,"call":{}"#, false),
        (#""metadata":{"a":"b"},"store":true,"phoneNumber":null"#, false),
        ("\"metadata\":{" + (0..<16).map { "\"k\($0)\":\"v\"" }.joined(separator: ",") + "},\"store\":true", true),
        ("\"metadata\":{" + (0..<17).map { "\"k\($0)\":\"v\"" }.joined(separator: ",") + "},\"store\":true", false),
    ])
    func `metadata goes out only as OpenAI takes it`(_ members: String, isKept: Bool) throws {
        #expect(try upstream("{\(messages),\(members)}").contains("metadata") == isKept)
    }

    @Test(
        arguments: [
            ("", "gpt", #"{"model":"gpt","#), (#""model":null,"#, "gpt", #"{"model":"gpt","#),
            (#""model":"","#, "g\"t", #"{"model":"g\"t","#),
            (#""model":"mine","#, "gpt", #"{"model":"mine","#), ("", nil, "{"), (#""model":null,"#, nil, "{"),
        ] as [(String, String?, String)])
    func `a missing model takes the default`(_ member: String, defaultModel: String?, start: String) throws {
        #expect(try upstream("{\(member)\(messages)}") { $0.defaultModel = defaultModel } == "\(start)\(messages)}")
    }

    @Test(arguments: [#""model":"mine","#, #""model":null,"#, #""model":"","#, "", #""model":"a","model":"b","#])
    func `a model in the settings replaces the caller's`(_ member: String) throws {
        let body = try upstream("{\(member)\(messages)}") { ($0.model, $0.defaultModel) = ("gpt", "other") }
        #expect(body == "{\"model\":\"gpt\",\(messages)}")
    }

    @Test func `added parameters go through, those of the platforms too`() throws {
        let added = #""top_k":5,"call":{"id":"1"},"metadata":{"n":1},"user_id":"u""#
        let request = "{\"stream\":true,\(messages),\(added)"
        let body = try upstream("\(request),\"min_p\":0.5}") { $0.addedParameters = ["top_k", "call", "metadata", "user_id"] }
        #expect(body == "\(request)}")
    }

    @Test func `only the parameters that the settings name go through, and what they set`() throws {
        var edits = ParameterEdits()
        edits.renamed = [.init("max_tokens", to: "limit")]
        edits.set = [.init("top_k", json: bytes("1"))]
        let request = #"{"model":"m","stream":true,\#(messages),"max_tokens":5,"seed":1,"user_id":"u","api_key":"k""#
        let body = try upstream("\(request)}") {
            $0.onlyParameters = ["limit", "user", "api_key"]
            $0.asksForUsage = true
            $0.edits = [edits]
        }
        #expect(body == #"{"model":"m","stream":true,\#(messages),"limit":5,"user":"u","top_k":1}"#)
    }

    @Test func `messages get the roles that the settings give them, and stay as they are else`() throws {
        let request =
            #"{"messages":[ {"role":"user","role":"developer","content":"role"} ,{"content":null,"x":{"role":"developer"},"role":"user"}]}"#
        let body = try upstream(request) {
            $0.roles = [RoleRename("developer", to: "sys\"tem"), RoleRename("use", to: "x")]
            $0.messages = .all
        }
        #expect(
            body
                == #"{"messages":[ {"role":"sys\"tem","content":"role"} ,{"content":null,"x":{"role":"developer"},"role":"user"}]}"#
        )
    }

    @Test(arguments: ["api_base", "base_url", "api_key", "api\\u005fbase"])
    func `a caller never chooses the upstream`(_ name: String) throws {
        var edits = ParameterEdits()
        edits.renamed = [
            .init("api_base", to: "x"), .init("base_url", to: "x"), .init("api_key", to: "x"), .init("y", to: "api_key"),
        ]
        edits.defaults = [.init("api_key", json: bytes("1"))]
        let body = try upstream(#"{"\#(name)":"http://evil",\#(messages),"y":"http://evil"}"#) {
            $0.addedParameters = ["api_base", "base_url", "api_key"]
            $0.passesAll = true
            $0.edits = [edits]
        }
        #expect(body == #"{\#(messages),"y":"http://evil"}"#)
    }

    @Test func `pass all lets every member through, but no empty tools`() throws {
        let request =
            #"{"stream":true,"messages":[{"role":"user","time":{},"content":"Hi"}],"call":{"id":1},"metadata":{"n":1},"":null,"message":{}"#
        let dropped = #""tools":[],"tool_choice":"auto","functions":[ ],"function_call":"auto","api_key":"k""#
        #expect(try upstream("\(request),\(dropped)}") { $0.passesAll = true } == "\(request)}")
    }

    @Test(
        arguments: [
            (#""user_id":"u""#, #","user":"u""#), (#""user_id":"u\u0031","n":1"#, #","user":"u\u0031","n":1"#),
            (#""user":"me","user_id":"u""#, #","user":"me""#), (#""user_id":"u","user":"me""#, #","user":"me""#),
            (#""user":null,"user_id":"u""#, #","user":"u""#), (#""user_id":"u","user":null"#, #","user":"u""#),
            (#""user_id":7"#, ""), (#""user_id":null"#, ""), (#""user_id":{}"#, ""),
            (#""user":null,"user_id":7"#, #","user":null"#),
            (#""user_id":"a","user_id":"b""#, #","user":"b""#),
        ], [false, true])
    func `ElevenLabs' user_id becomes user`(_ row: (String, String), passesAll: Bool) throws {
        #expect(try upstream("{\(messages),\(row.0)}") { $0.passesAll = passesAll } == "{\(messages)\(row.1)}")
    }

    @Test func `a stream that Vapi did not spell out is asked for`() throws {
        #expect(try upstream("{\(messages),\"call\":{}}") == "{\"stream\":true,\(messages)}")
        #expect(try upstream("{\(messages),\"call\":{},\"stream\":null}") == "{\"stream\":true,\(messages)}")
        #expect(try upstream("{\(messages),\"call\":{},\"stream\":false}") == "{\(messages),\"stream\":false}")
    }

    @Test func `of duplicate members only the last goes out, under its plain name`() throws {
        #expect(
            try upstream(#"{"model":"a",\#(messages),"\u006dodel":"b","n":1,"\u006e":2}"#) == #"{\#(messages),"model":"b","n":2}"#
        )
        #expect(try upstream(#"{"messages":[{"role":"system"}],\#(messages)}"#) == "{\(messages)}")
    }
}
