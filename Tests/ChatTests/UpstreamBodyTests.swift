import Chat
import Testing

@Suite struct UpstreamBodyTests {
    private let messages = #""messages":[{"role":"user","content":"Hi"}]"#

    private func upstream(_ text: String, defaultModel: String? = nil) throws -> String {
        var rules = UpstreamRules()
        rules.defaultModel = defaultModel
        return String(decoding: try parsed(text).upstreamBody(rules), as: UTF8.self)
    }

    @Test func `the reference request goes out without what OpenAI refuses`() throws {
        #expect(
            try upstream(referenceRequest)
                == #"{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Tell me a joke"}],"temperature":0.7,"stream":true}"#
        )
    }

    @Test func `messages go through byte for byte`() throws {
        let messages =
            "[ {\"content\":\"\\u0041\\/ é \\ud83d\\ude00\", \"role\" :\"user\",\"time\":{\"begin\":1.50e+3}},\n\t{\"role\":\"x\",\"role\":\"y\"} ]"
        #expect(
            try upstream("{\"x\":1, \"messages\" : \(messages) , \"seed\": -0.0 }") == "{\"messages\":\(messages),\"seed\":-0.0}")
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
        let text = "{\(messages),\"\(name)\":\(value)}"
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
        (#""tools":[{}],"tools":[]"#, ""),
    ])
    func `empty tools are dropped with what belongs to them`(_ members: String, kept: String) throws {
        #expect(try upstream("{\(messages),\(members)}") == "{\(messages)\(kept)}")
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
        #expect(try upstream("{\(member)\(messages)}", defaultModel: defaultModel) == "\(start)\(messages)}")
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
