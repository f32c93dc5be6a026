import Chat
import Testing

@Suite struct MessageMembersTests {
    @Test(arguments: [
        // Hume.
        (
            #"[{"role":"user","content":"Hi","time":{"begin":0,"end":1.5e3},"models":{"prosody":{"scores":{"Joy":0.1}}}}]"#,
            #"[{"role":"user","content":"Hi"}]"#
        ),
        (#"[{"time":1,"role":"user"}]"#, #"[{"role":"user"}]"#), (#"[{"role":"user","time":1}]"#, #"[{"role":"user"}]"#),
        (#"[{"x":1,"role":"user","y":[{}],"content":null,"z":{}}]"#, #"[{"role":"user","content":null}]"#),
        // The other messages, and what stands between them, keep their bytes.
        (
            "[ {\"role\" : \"system\"} ,\n{ \"time\" : 1 , \"role\" : \"\\u0075ser\" , \"content\":\"\\/\" }\t, {\"role\":\"user\" } ]",
            "[ {\"role\" : \"system\"} ,\n{\"role\" : \"\\u0075ser\",\"content\":\"\\/\"}\t, {\"role\":\"user\" } ]"
        ),
        (#"[{"role":"a","t":1},{"role":"b","t":1},{"role":"c"}]"#, #"[{"role":"a"},{"role":"b"},{"role":"c"}]"#),
        // A name of more than 16 bytes, one that begins like another, the empty one.
        (#"[{"role":"a","content_and_much_more":1,"tool_calls2":1,"":1,"nam":1}]"#, #"[{"role":"a"}]"#),
        (#"[{"role":"a","\u0074ime":1,"\u0063ontent":"x"}]"#, #"[{"role":"a","\u0063ontent":"x"}]"#),
    ])
    func `what OpenAI does not know of a message stays here`(_ messages: String, expected: String) throws {
        #expect(try upstream("{\"n\":1,\"messages\":\(messages)}") == "{\"n\":1,\"messages\":\(expected)}")
        #expect(try upstream("{\"messages\":\(messages)}") { $0.passesAll = true } == "{\"messages\":\(messages)}")
    }

    /// Whatever the server is, and for a hook too: what the one reads the others read.
    @Test(arguments: [
        (#"[{"role":"a","role":"b"}, {"role":"u" }]"#, #"[{"role":"b"}, {"role":"u" }]"#),
        (#"[{"role":"a","content":"x","name":"n","r\u006fle":"b"}]"#, #"[{"content":"x","name":"n","r\u006fle":"b"}]"#),
        (#"[{"role":"user","content":"benign","Content":"evil"}]"#, #"[{"role":"user","content":"benign"}]"#),
        (#"[{"ROLE":"system","role":"user","\u0043ontent":"evil"}]"#, #"[{"role":"user"}]"#),
        (#"[{"role":"a","tool_calls":[1],"tool_calls":[2],"Tool_Calls":[3]}]"#, #"[{"role":"a","tool_calls":[2]}]"#),
        (#"[ {"role":"a"} ,{"role":"b","content":"","content":[ ]} ]"#, #"[ {"role":"a"} ,{"role":"b","content":[ ]} ]"#),
    ])
    func `of a member that a message has twice the last counts, and none that is another's but for capitals`(
        _ messages: String, expected: String
    ) throws {
        let text = "{\"model\":\"m\",\"messages\":\(messages)}"
        for rule in [MessageRule.known, .allButAddedByHume, .all] {
            #expect(try upstream(text) { $0.messages = rule } == text.replacing(messages, with: expected), "\(rule)")
        }
        #expect(try upstream(text) { $0.passesAll = true } == text.replacing(messages, with: expected))
        let question = try ChatRequest(body: bytes(text), depthMax: 8).hookQuestion(
            .messages, request: "r", client: nil, call: nil, route: "*")
        #expect(String(decoding: Array(question.joined()), as: UTF8.self).contains("\"messages\":\(expected)"))
    }

    @Test func `members that no rule knows are there once too`() throws {
        let messages = #"[{"role":"a","x":1,"prefix":false,"x":2,"prefix":true}]"#
        let expected = #"{"messages":[{"role":"a","x":2,"prefix":true}]}"#
        #expect(try upstream("{\"messages\":\(messages)}") { $0.messages = .allButAddedByHume } == expected)
        #expect(try upstream("{\"messages\":\(messages)}") == #"{"messages":[{"role":"a"}]}"#)
    }

    @Test func `a message of more members than a request may have is none, where any of them may be there twice`() throws {
        let text = { (count: Int) in
            "{\"messages\":[{\"role\":\"a\"\((0..<count).map { ",\"m\($0)\":1" }.joined())}]}"
        }
        #expect(throws: ChatError.self) { _ = try upstream(text(1024)) }
        #expect(try upstream(text(1023)) == #"{"messages":[{"role":"a"}]}"#)
    }

    @Test func `a server that takes all gets no parameter that is another but for capitals`() throws {
        let body = #"{"model":"m","Messages":[{"role":"system"}],"API_KEY":"x","Top_k":1,"messages":[{"role":"user"}]}"#
        let expected = #"{"model":"m","Top_k":1,"messages":[{"role":"user"}]}"#
        #expect(try upstream(body) { $0.passesAll = true } == expected)
    }

    @Test(arguments: [
        (
            #"[{"role":"assistant", "reasoning_content":"x","reasoning_details":[{}],"prefix":true}]"#,
            #"[{"role":"assistant", "reasoning_content":"x","reasoning_details":[{}],"prefix":true}]"#
        ),
        (#"[{"role":"user", "x":1,"time":{},"m\u006fdels":{},"content":"y"}]"#, #"[{"role":"user","x":1,"content":"y"}]"#),
        (
            #"[{"a":1,"time":2},{"a_name_of_twenty_chars":1,"b_name_of_twenty_chars":2}]"#,
            #"[{"a":1},{"a_name_of_twenty_chars":1,"b_name_of_twenty_chars":2}]"#
        ),
    ])
    func `a server of another kind gets all but what is Hume's`(_ messages: String, expected: String) throws {
        let messages = messages.replacing("{\"a", with: "{\"role\":\"r\",\"a")
        let expected = expected.replacing("{\"a", with: "{\"role\":\"r\",\"a")
        #expect(try upstream("{\"messages\":\(messages)}") { $0.messages = .allButAddedByHume } == "{\"messages\":\(expected)}")
    }

    @Test(arguments: ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call"])
    func `what OpenAI knows of a message goes through`(_ name: String) throws {
        let message = "{\"role\":\"user\",\"\(name)\": \"x\" }"
        let same = name == "role" ? "{\"role\": \"x\"}" : message
        #expect(try upstream("{\"messages\":[\(message)]}") == "{\"messages\":[\(same)]}")
        let trimmed = "{\"role\":\"user\",\"\(name)\": \"x\"}"
        let expected = name == "role" ? "{\"role\": \"x\"}" : trimmed
        #expect(try upstream("{\"messages\":[{\"t\":1,\(trimmed.dropFirst())]}") == "{\"messages\":[\(expected)]}")
    }

    @Test(arguments: ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call"])
    func `a name that begins or ends like one of OpenAI's stays here, at any length`(_ name: String) throws {
        var others = [String(name.dropLast()), String(name.dropFirst()), name + "\\u0000", "é" + name]
        for count in 1...20 {
            let more = String(repeating: "_", count: count)
            others += [name + more, more + name]
        }
        for other in others {
            let message = "{\"\(other)\":1,\"role\":\"user\"}"
            #expect(try upstream("{\"messages\":[\(message)]}") == #"{"messages":[{"role":"user"}]}"#, "\(other)")
        }
    }

    @Test(arguments: ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call"])
    func `a name of OpenAI's goes through with an escape for any of its letters`(_ name: String) throws {
        for index in name.indices {
            let escape = "\\u00" + String(name[index].asciiValue!, radix: 16)
            let escaped = name[..<index] + escape + name[name.index(after: index)...]
            let kept = "\"\(escaped)\":\"user\""
            #expect(try upstream("{\"messages\":[{\"t\":1,\"role\":\"x\",\(kept)}]}").hasSuffix("\(kept)}]}"), "\(escaped)")
        }
    }

    @Test(arguments: [
        ("user", true), ("\\u0075ser", true), ("use\\u0072", true), ("\\u0075\\u0073\\u0065\\u0072", true), ("", false),
        ("use", false), ("users", false),
        ("User", false), ("user\\u0000", false), ("us\\\"er", false), ("usér", false), ("user567", false), ("user5678", false),
        ("user56789abcdef", false),
        ("user56789abcdef0", false), ("user56789abcdef01", false), ("assistant", false),
    ])
    func `the user is told by the role, wherever the document ends`(_ role: String, isUser: Bool) throws {
        for count in 0...20 {
            let text = "{\"messages\":[{\"content\":\"Hi\",\"role\":\"\(role)\"}]}" + String(repeating: " ", count: count)
            let request = try ChatRequest(body: Array(text.utf8), depthMax: 8)
            #expect(request.lastUserMessage == (isUser ? "Hi" : nil))
        }
    }

    @Test func `of duplicate messages only the last are looked at`() throws {
        let (old, new) = (#"[{"role":"a","time":1}]"#, #"[{"role":"user"}]"#)
        #expect(try upstream("{\"messages\":\(old),\"messages\":\(new)}") == "{\"messages\":\(new)}")
        #expect(try upstream("{\"messages\":\(new),\"messages\":\(old)}") == #"{"messages":[{"role":"a"}]}"#)
    }

    @Test func `a chat of two thousand messages goes through byte for byte, and so does what is kept of it`() throws {
        let texts = (0..<2_000).map {
            "{\"role\":\"\($0 % 2 == 0 ? "user" : "assistant")\",\"content\":\"message \($0) \\u00e9\""
        }
        let plain = "{\"messages\":[\(texts.map { "\($0)}" }.joined(separator: ", "))]}"
        #expect(try upstream(plain) == plain)
        #expect(
            try upstream("{\"messages\":[\(texts.map { "\($0),\"time\":{\"begin\":1}}" }.joined(separator: ", "))]}") == plain)
    }
}
