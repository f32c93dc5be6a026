import Testing

@testable import Chat

/// What a hook is asked, what it may answer, and what becomes of its messages.
@Suite struct HookTests {
    private static let hello = #"{"role":"user","content":"Hello \"you\" é"}"#
    private static let messages =
        #"[ {"role":"system","content":"Be brief."}, \#(hello),{"role":"assistant","content":"Hi"} ]"#

    private func request(_ body: String) throws -> ChatRequest { try ChatRequest(body: bytes(body), depthMax: 64) }

    private func json(_ parts: [ArraySlice<UInt8>]) throws -> String {
        let whole = Array(parts.joined())
        _ = try JSONScanner.validate(whole.span, depthMax: 64)
        return String(decoding: whole, as: UTF8.self)
    }

    // MARK: What it is asked

    @Test func `the question has the user's last message as it came, and whose it is`() throws {
        let chat = try request(#"{"model":"gpt \"4\"","messages":\#(Self.messages),"stream":true}"#)
        #expect(
            try json(chat.hookQuestion(.last, request: "req_1", client: "shop", call: "call-1", route: "a:*")) == #"""
                {"request":"req_1","client":"shop","call":"call-1","model":"gpt \"4\"","route":"a:*","message":\#(Self.hello)}
                """#)
    }

    @Test func `or all messages, and null for what there is not`() throws {
        let chat = try request(#"{"messages":\#(Self.messages)}"#)
        let head = #"{"request":"req_1","client":null,"call":null,"model":null,"route":"*","#
        #expect(
            try json(chat.hookQuestion(.messages, request: "req_1", client: nil, call: nil, route: "*"))
                == head + #""messages":\#(Self.messages)}"#)
        let silent = try request(#"{"messages":[{"role":"system","content":"x"}]}"#)
        #expect(
            try json(silent.hookQuestion(.last, request: "req_1", client: nil, call: nil, route: "*"))
                == head + #""message":null}"#)
    }

    @Test func `a message of parts goes out whole, and none of it is copied`() throws {
        let message =
            #"{"content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"data:x"}}],"role":"user"}"#
        let chat = try request(#"{"messages":[\#(message)]}"#)
        let parts = chat.hookQuestion(.last, request: "r", client: nil, call: nil, route: "*")
        #expect(parts.count == 3 && parts[1].startIndex > 0)
        #expect(parts[1] == bytes(message)[...])
    }

    // MARK: What it answers

    private func messages(of text: String) throws -> HookMessages {
        guard case .putIn(let messages) = try answer(text) else { throw Unexpected() }
        return messages
    }

    private struct Unexpected: Error {}

    private func answer(_ text: String) throws(HookNonsense) -> HookAnswer {
        try HookAnswer(body: bytes(text), depthMax: 16)
    }

    @Test(arguments: [
        "{}", " { } ", #"{"prepend":[]}"#, #"{"prepend":[],"append":[ ]}"#,
        #"{"prepend":null,"append":null,"say":null,"deny":null}"#,
    ]) func `nothing to say is said in several ways`(text: String) throws {
        #expect(try answer(text) == .goOn)
    }

    @Test(
        arguments: [
            (#"{"say":"Good \u0022day\u0022 é"}"#, HookAnswer.say("Good \"day\" é")), (#"{"say":""}"#, .say("")),
            (#"{"\u0073ay":"a","deny":null}"#, .say("a")),
            (#"{"deny":{"status":403,"message":"Not here."}}"#, .deny(status: 403, message: "Not here.")),
            (#"{"deny":{"message":"No.","status":499,"more":1}}"#, .deny(status: 499, message: "No.")),
            (#"{"deny":{}}"#, .deny(status: 403, message: nil)),
            (#"{"deny":{"status":null,"message":""}}"#, .deny(status: 403, message: nil)),
        ] as [(String, HookAnswer)]) func `an answer or a refusal is taken`(text: String, expected: HookAnswer) throws
    {
        #expect(try answer(text) == expected)
    }

    /// What is wrong, and why.
    @Test(
        arguments: [
            ("", HookNonsense.notJSON), ("OK", .notJSON), ("{}{}", .notJSON), (#"{"say":"a"#, .notJSON),
            ("<html></html>", .notJSON), ("\u{FEFF}{}", .notJSON),
            (
                #"{"prepend":[{"role":"user","content":\#(String(repeating: "[", count: 14))\#(String(repeating: "]", count: 14))}]}"#,
                .notJSON
            ),
            ("[]", .notAnObject), ("null", .notAnObject), ("\"say\"", .notAnObject), ("204", .notAnObject),
            (#"{"prepent":[]}"#, .unknownMember), (#"{"Deny":{"status":403}}"#, .unknownMember),
            (#"{"say":"a","say":"b"}"#, .unknownMember), (#"{"say":"a","deny":{},"x":1}"#, .unknownMember),
            (#"{"say":"a","deny":{}}"#, .contradiction), (#"{"say":"a","prepend":[]}"#, .contradiction),
            (#"{"deny":{},"append":[]}"#, .contradiction),
            (#"{"prepend":{}}"#, .notMessages), (#"{"prepend":"a"}"#, .notMessages), (#"{"append":["a"]}"#, .notMessages),
            (#"{"append":[{}]}"#, .notMessages), (#"{"append":[{"role":1}]}"#, .notMessages),
            (#"{"append":[{"role":"user","content":{}}]}"#, .notMessages), (#"{"append":[{"content":"a"}]}"#, .notMessages),
            (#"{"prepend":[{"role":"user","content":"a"},null]}"#, .notMessages),
            (#"{"say":1}"#, .notText), (#"{"say":["a"]}"#, .notText), (#"{"say":{"text":"a"}}"#, .notText),
            (#"{"deny":true}"#, .notDenial), (#"{"deny":403}"#, .notDenial), (#"{"deny":{"status":"403"}}"#, .notDenial),
            (#"{"deny":{"status":399}}"#, .notDenial), (#"{"deny":{"status":500}}"#, .notDenial),
            (#"{"deny":{"status":403.5}}"#, .notDenial), (#"{"deny":{"status":-403}}"#, .notDenial),
            (#"{"deny":{"status":99999999999999999999}}"#, .notDenial), (#"{"deny":{"message":1}}"#, .notDenial),
        ] as [(String, HookNonsense)]) func `nonsense is told by what it is, without a word of it`(
            text: String, reason: HookNonsense
        )
    {
        #expect(throws: reason) { try answer(text) }
    }

    @Test func `so many messages are taken and not one more, ahead and behind together`() throws {
        let message = #"{"role":"user","content":"a"}"#
        let list = { (count: Int) in Array(repeating: message, count: count).joined(separator: ",") }
        let most = try answer(#"{"prepend":[\#(list(40))],"append":[\#(list(24))]}"#)
        #expect(most == .putIn(HookMessages(prepended: bytes(list(40))[...], appended: bytes(list(24))[...])))
        for text in [#"{"prepend":[\#(list(65))]}"#, #"{"prepend":[\#(list(40))],"append":[\#(list(25))]}"#] {
            #expect(throws: HookNonsense.tooManyMessages) { try answer(text) }
        }
        #expect(HookNonsense.tooManyMessages.rawValue.contains("\(HookAnswer.messagesMax)"))
    }

    @Test func `cut off anywhere it is nonsense, and no more`() {
        let whole = bytes(#"{"prepend":[{"role":"system","content":"a\u00e9"}],"append":[{"role":"user","content":null}]}"#)
        for count in whole.indices {
            #expect(throws: HookNonsense.notJSON) { try HookAnswer(body: Array(whole[..<count]), depthMax: 16) }
        }
    }

    // MARK: What becomes of its messages

    private static let (first, second) = (#"{"role":"user","content":"a"}"#, #"{"role":"assistant","content":"b"}"#)
    private static let (system, developer) = (#"{"role":"system","content":"s"}"#, #"{ "content":"d","role":"developer" }"#)
    private static let own = #"{"role":"system","content":"x","name":"n"} , {"role":"user","content":"y"}"#

    /// The caller's messages, and what goes out with some of a hook's ahead and behind.
    @Test(arguments: [
        ("[\(first)]", "[\(own),\(first),\(own)]"),
        ("[ \(first) , \(second) ]", "[\(own), \(first) , \(second) ,\(own)]"),
        ("[\(system),\(first)]", "[\(system),\(own),\(first),\(own)]"),
        ("[ \(system), \(developer), \(first)]", "[ \(system), \(developer),\(own), \(first),\(own)]"),
        ("[\(system)]", "[\(system),\(own),\(own)]"),
        ("[\(first),\(system)]", "[\(own),\(first),\(system),\(own)]"),
    ]) func `they stand behind a leading system's message, and behind all`(own: String, expected: String) throws {
        let body = { (messages: String) in #"{"messages":\#(messages),"model":"m" ,"stream":true}"# }
        var chat = try request(body(own))
        chat.needsUsage = true
        let added = try messages(of: #"{"prepend":[\#(Self.own)],"append":[\#(Self.own)]}"#)
        let changed = try chat.adding(added, depthMax: 64)
        #expect(String(decoding: changed.body, as: UTF8.self) == body(expected))
        #expect(changed.needsUsage && changed.isStreaming && changed.model == "m")
    }

    /// The server's own message takes the place of the caller's instructions, and of no hook's.
    @Test(arguments: [
        ("[\(first)]", "[OWN,\(system),\(first),\(system)]"),
        ("[\(system),\(developer) , \(first)]", "[OWN,\(system),\(first),\(system)]"),
        ("[ \(developer)]", "[OWN,\(system),\(system)]"),
    ]) func `they stay where the server's own message replaces the caller's`(own: String, expected: String) throws {
        var chat = try request(#"{"messages":\#(own),"model":"m"}"#)
        let message = #"{"role":"system","content":"own"}"#
        chat.ownMessage = OwnMessage(json: bytes(message), replaces: true)
        let added = try messages(of: #"{"prepend":[\#(Self.system)],"append":[\#(Self.system)]}"#)
        let body = try chat.adding(added, depthMax: 64).upstreamBody(UpstreamRules())
        #expect(body.bytes == bytes(#"{"messages":\#(expected.replacing("OWN", with: message)),"model":"m"}"#))
    }

    @Test(arguments: [1, 16, 17, 300]) func `they stand behind all of many leading messages of the system`(count: Int) throws {
        let leading = Array(repeating: Self.system, count: count).joined(separator: ",")
        let chat = try request(#"{"messages":[\#(leading),\#(Self.first)]}"#)
        let changed = try chat.adding(messages(of: #"{"prepend":[\#(Self.second)]}"#), depthMax: 64)
        #expect(changed.body == bytes(#"{"messages":[\#(leading),\#(Self.second),\#(Self.first)]}"#))
    }

    @Test(arguments: [
        (#"{"append":[\#(second)]}"#, "[\(system)]", "[OWN,\(second)]"),
        (#"{"prepend":[\#(second)]}"#, "[\(system)]", "[OWN,\(second)]"),
        (#"{"append":[\#(second)]}"#, "[ \(system) , \(first) ]", "[OWN,\(first) ,\(second)]"),
    ]) func `they stand alone behind the server's own message where nothing else is left`(
        answer: String, own: String, expected: String
    ) throws {
        var chat = try request(#"{"messages":\#(own)}"#)
        chat.ownMessage = OwnMessage(json: bytes(Self.developer), replaces: true)
        let body = try chat.adding(messages(of: answer), depthMax: 64).upstreamBody(UpstreamRules())
        #expect(body.bytes == bytes(#"{"messages":\#(expected.replacing("OWN", with: Self.developer))}"#))
    }

    @Test func `they stand alone on one side too, and in the messages that count`() throws {
        let chat = try request(#"{"messages":[1],"model":"m","messages":[\#(Self.first)]}"#)
        for (answer, expected) in [
            (#"{"prepend":[\#(Self.second)]}"#, "\(Self.second),\(Self.first)"),
            (#"{"append":[\#(Self.second)]}"#, "\(Self.first),\(Self.second)"),
        ] {
            let added = try messages(of: answer)
            let changed = try chat.adding(added, depthMax: 64)
            #expect(changed.body == bytes(#"{"messages":[1],"model":"m","messages":[\#(expected)]}"#))
        }
    }

    @Test func `an upstream's rules for messages hold for them too`() throws {
        let chat = try request(#"{"messages":[\#(Self.first)],"model":"m"}"#)
        let text = #"{"append":[{"role":"developer","content":"c","time":1,"extra":2}]}"#
        let added = try messages(of: text)
        var rules = UpstreamRules()
        rules.roles = [RoleRename("developer", to: "system")]
        let body = try chat.adding(added, depthMax: 64).upstreamBody(rules)
        #expect(body.bytes == bytes(#"{"messages":[\#(Self.first),{"role":"system","content":"c"}],"model":"m"}"#))
    }

    @Test func `an answer of Sluice's own in one piece is a completion`() throws {
        let chunks = OwnChunks(id: "req_1", model: "m", systemFingerprint: "s", created: 17)
        #expect(
            chunks.completion(saying: "Good \"day\".")
                == bytes(
                    #"{"id":"req_1","object":"chat.completion","created":17,"model":"m","system_fingerprint":"s","choices":["#
                        + #"{"index":0,"message":{"role":"assistant","content":"Good \"day\".","refusal":null},"finish_reason":"stop"}]}"#
                ))
    }
}
