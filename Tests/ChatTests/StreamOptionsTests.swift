import Chat
import Testing

@Suite struct StreamOptionsTests {
    private func options(
        _ members: String, usage: Bool = false, obfuscation: Bool? = nil
    ) throws -> String {
        try upstream(request(members)) { ($0.asksForUsage, $0.obfuscation) = (usage, obfuscation) }
    }

    @Test(
        arguments: [
            // Nothing said: asked for.
            (nil, true, nil, #"{"include_usage":true}"#), (nil, false, false, #"{"include_obfuscation":false}"#),
            (nil, true, false, #"{"include_usage":true,"include_obfuscation":false}"#),
            (nil, false, true, #"{"include_obfuscation":true}"#),
            ("null", true, nil, #"{"include_usage":true}"#), ("{}", true, nil, #"{"include_usage":true}"#),
            ("{ }", true, false, #"{"include_usage":true,"include_obfuscation":false}"#),
            // Said by the caller: respected.
            (#"{"include_usage":false}"#, true, nil, #"{"include_usage":false}"#),
            (#"{ "include_usage" : true }"#, true, nil, #"{ "include_usage" : true }"#),
            (
                #"{"include_obfuscation": true, "include_usage":false }"#, true, false,
                #"{"include_obfuscation": true, "include_usage":false }"#
            ),
            // Merged.
            (#"{ "include_usage" : false }"#, true, false, #"{"include_usage" : false,"include_obfuscation":false}"#),
            (#"{"x":[1.0, 2],"y":"\u0041"}"#, true, nil, #"{"x":[1.0, 2],"y":"\u0041","include_usage":true}"#),
            (#"{"include_usage":null,"x":1}"#, true, nil, #"{"x":1,"include_usage":true}"#),
            (#"{"include\u005fusage":null}"#, true, nil, #"{"include_usage":true}"#),
            (#"{"include_obfuscation":null}"#, true, nil, #"{"include_obfuscation":null,"include_usage":true}"#),
            (#"{"include_usage":true,"include_usage":null}"#, true, nil, #"{"include_usage":true}"#),
            // Upstreams may read the one or the other.
            (#"{"include_usage":false,"x":1,"include_usage":true}"#, true, nil, #"{"x":1,"include_usage":true}"#),
            (
                #"{"include_usage":true,"include_usage":false}"#, true, true,
                #"{"include_usage":false,"include_obfuscation":true}"#
            ),
        ] as [(String?, Bool, Bool?, String)])
    func `a stream is asked for what its caller left open`(
        _ callers: String?, usage: Bool, obfuscation: Bool?, expected: String
    ) throws {
        let members = callers.map { "\"stream\":true,\"stream_options\":\($0)" } ?? "\"stream\":true"
        let body = try options(members, usage: usage, obfuscation: obfuscation)
        #expect(body == request("\"stream\":true,\"stream_options\":\(expected)"))
    }

    /// What is asked of an upstream that may be asked for it, and of one that may not.
    @Test(arguments: [
        (#"{"include_usage":false}"#, #"{"include_usage":true}"#), ("null", #"{"include_usage":true}"#),
        (#"{"include_usage":false,"x":1,"include_usage":false}"#, #"{"x":1,"include_usage":true}"#),
        (#"{"include_usage":true}"#, #"{"include_usage":true}"#),
    ])
    func `usage that somebody needs is asked for though the caller said no`(_ callers: String, expected: String) throws {
        var chat = try parsed(request("\"stream\":true,\"stream_options\":\(callers)"))
        chat.needsUsage = true
        for (asks, options) in [(true, expected), (false, callers)] {
            var rules = UpstreamRules()
            rules.asksForUsage = asks
            let body = String(decoding: chat.upstreamBody(rules).bytes, as: UTF8.self)
            #expect(body == request("\"stream\":true,\"stream_options\":\(options)"))
        }
    }

    @Test(arguments: ["null", "{}", "{ }", #"{"include_usage":null}"#, #"{ "include_usage" : false , "x":1}"#])
    func `without rules they go through as they are`(_ callers: String) throws {
        let body = request("\"stream\":true,\"stream_options\":\(callers)")
        #expect(try upstream(body) == body)
    }

    @Test(arguments: [#""stream":false"#, #""n":1"#, #""stream_options":{"x":1}"#, #""stream":false,"stream_options":null"#])
    func `nothing is asked of an answer that is not streamed`(_ members: String) throws {
        #expect(try options(members, usage: true, obfuscation: false) == request(members))
    }

    @Test func `a stream of Vapi's that is not spelled out is asked too`() throws {
        #expect(
            try options(#""call":{}"#, usage: true)
                == #"{"stream":true,"messages":[{"role":"user","content":"Hi"}],"stream_options":{"include_usage":true}}"#)
    }

    @Test func `pass all changes nothing of it`() throws {
        let body = try upstream(request(#""stream":true"#)) { ($0.passesAll, $0.asksForUsage) = (true, true) }
        #expect(body == request(#""stream":true,"stream_options":{"include_usage":true}"#))
    }
}
