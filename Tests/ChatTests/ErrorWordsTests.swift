import TestSupport
import Testing

@testable import Chat

@Suite(.ownThread) struct `Words of an upstream about an error` {
    private func words(_ text: String) throws -> String {
        let error = UpstreamError(body: bytes(#"{"error":{"message":\#(quoted(text))}}"#).span, depthMax: 8)
        return try #require(error?.message)
    }

    @Test(arguments: [
        ("Incorrect API key provided: sk-proj-abcDEF123456789.", "Incorrect API key provided: ***."),
        ("key AIzaSyA1234567890abcdefghij is bad", "key *** is bad"), ("send Bearer abcdef123 here", "send Bearer *** here"),
        ("0123456789abcdef0123456789abcdef", "***"), ("cannot reach http://u:p$w@db:5432/x", "cannot reach http://***@db:5432/x"),
        ("see https://example.com/a@b", "see https://example.com/a@b"), ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", "***.***"),
    ])
    func `hold no keys`(_ text: String, masked: String) throws {
        #expect(try words(text) == masked)
    }

    @Test(arguments: [
        "The ask-me-anything model sk-1 is bearer of news", "request 550e8400-e29b-41d4-a716-446655440000 failed",
        "req_011CSHoEeqs5C35K2UUqR7Fy", "maximum context length is 163840 tokens", "antidisestablishmentarianismandsomemore",
    ])
    func `are left alone otherwise`(_ text: String) throws {
        #expect(try words(text) == text)
    }

    @Test(arguments: [0, 1000, 4060, 4070, 4076, 4090])
    func `hold no part of a key behind blank space without end`(_ count: Int) throws {
        let key = "0123456789abcdef0123456789abcdef"
        for mark in ["", "key "] {
            let words = try? words("x" + String(repeating: " ", count: count) + mark + key + " y")
            #expect(words?.contains("0123") != true, "\(words ?? "")")
        }
    }

    @Test(arguments: [(2, "late"), (15, nil)])
    func `are looked for among some hundred values, and no further`(listsCount: Int, found: String?) throws {
        func list(_ element: String, _ count: Int) -> String {
            "[\(Array(repeating: element, count: count).joined(separator: ","))]"
        }
        let errors = list(list("0", 16), 6)
        let text = #"{"errors":[\#(Array(repeating: errors, count: listsCount).joined(separator: ",")),"late"]}"#
        #expect(UpstreamError(body: bytes(text).span, depthMax: 8)?.message == found)
    }

    @Test func `stand among the first thousand members`() {
        let members = { (count: Int) in String(repeating: #""a":1,"#, count: count) }
        for (count, found) in [(1000, "late"), (1024, nil)] {
            let text = #"{"error":{\#(members(count))"message":"late"}}"#
            #expect(UpstreamError(body: bytes(text).span, depthMax: 8)?.message == found)
        }
    }

    @Test func `hold nothing of a secret, however it is written, also where they are cut`() throws {
        let secret = "ab/cd+ef/gh"
        func error(_ text: String) -> ChatError {
            .upstreamAnswered(
                status: 400, body: bytes(#"{"error":{"message":"\#(text)"}}"#).span,
                key: UpstreamKey(secrets: [bytes("zz"), bytes(secret)]), depthMax: 9)
        }
        #expect(error("bad ab/cd+ef/gh!").message == "bad ***!")
        for text in [#"ab\/cd+ef\/gh"#, #"\u0061b/cd+ef/g\u0068"#] {
            #expect(String(decoding: error("bad \(text)!").body, as: UTF8.self).contains(#""bad ***!""#))
        }
        for count in 1000...1024 {
            let message = error(String(repeating: "x", count: count) + secret + " and more").message
            #expect(message.drop { $0 == "x" }.hasPrefix("***") || message.hasSuffix("x…"), "\(message.suffix(20))")
        }
    }

    @Test(arguments: ["sesame-open", "gzip, sesame-open", "a coding of many more bytes, sesame-open and so on"])
    func `hold nothing of a secret that the upstream gives for its coding`(_ coding: String) {
        let key = UpstreamKey(secrets: [bytes("sesame-open")])
        let error = ChatError.upstreamAnswered(status: 500, body: bytes("").span, coding: coding, key: key, depthMax: 9)
        #expect(!error.message.contains("sesame") && error.message.contains("compressed"), "\(error.message)")
    }

    /// What a caller reads of an error where something went out that is not its own.
    private func withheld(_ error: String, status: Int = 400) -> ChatError {
        var key = UpstreamKey()
        key.withholdsWords = true
        return .upstreamAnswered(status: status, body: bytes(error).span, key: key, depthMax: 9)
    }

    private static let prompt = "Sei höflich. Sag niemandem \"Sesam öffne dich\"."

    @Test(arguments: [
        #"{"error":{"message":"failed for MESSAGE","type":"t","code":"c"}}"#,
        #"{"error":{"message":"bad request","type":"t","code":"c","input":[{"content":"MESSAGE"}]}}"#,
        #"{"error":{"message":"bad","type":"t","code":"c","param":"MESSAGE"}}"#,
        #"{"object":"error","message":"'input': {'content': 'MESSAGE'}","type":"t","code":"c"}"#,
        #"{"error":{"message":"MESSAGE","type":"MESSAGE","code":"MESSAGE"}}"#, #"{"detail":[{"msg":"bad","input":"MESSAGE"}]}"#,
        "<html><body>MESSAGE</body></html>", "MESSAGE", #"["MESSAGE"]"#,
    ])
    func `are not passed on where something went out that is not the caller's`(body: String) {
        for status in [400, 401, 404, 429, 500] {
            let error = withheld(body.replacing("MESSAGE", with: quoted(Self.prompt).dropFirst().dropLast()), status: status)
            let shown = String(decoding: error.body, as: UTF8.self)
            #expect(!shown.contains("niemandem") && !shown.contains("Sesam") && !shown.contains("bad"), "\(body): \(shown)")
            #expect(error.status == (status == 401 || status == 500 ? 503 : status))
        }
    }

    /// Else a caller could find a text out word by word, by errors that quote its guesses.
    @Test func `tell nothing of a guess there, whatever the upstream makes of it`() {
        let rule =
            #"{"error":{"message":"Invalid value: 'GUESS'. Use 'low'.","type":"invalid_request_error","param":"GUESS"}}"#
        let shown = ["the door is swordfish", "the door is trombone"].map { withheld(rule.replacing("GUESS", with: $0)).body }
        #expect(shown[0] == shown[1])
        #expect(String(decoding: shown[0], as: UTF8.self).contains("invalid_request_error"))
    }

    @Test(arguments: ["code", "type"]) func `keep the names by which programs tell errors apart`(member: String) {
        let shown = { (name: String) in
            String(decoding: withheld(#"{"error":{"message":"m","\#(member)":"\#(name)"}}"#).body, as: UTF8.self)
        }
        for name in ["rate_limit_exceeded", "context_length_exceeded", "BadRequestError", "1301", "bad.input"] {
            #expect(shown(name).contains(#""\#(member)":"\#(name)""#), "\(name)")
        }
        for name in [
            "acme-customer-4711", "ACME.customer_4711", "you are Bob", "123456", String(repeating: "a", count: 41), "sk-abc",
            "schlüssel",
        ] { #expect(!shown(name).contains(name), "\(name)") }
    }

    @Test func `keep no name that is a key`() {
        var key = UpstreamKey(secrets: [bytes("swordfish")])
        key.withholdsWords = true
        let body = bytes(#"{"error":{"message":"m","type":"swordfish","code":"bad_swordfish"}}"#)
        let error = ChatError.upstreamAnswered(status: 400, body: body.span, key: key, depthMax: 9)
        #expect(!String(decoding: error.body, as: UTF8.self).contains("swordfish"))
    }

    @Test func `are the caller's to read where nothing but its own has gone out`() throws {
        func hasOwnTexts(_ change: (inout ChatRequest, inout UpstreamRules) throws -> Void) throws -> Bool {
            var rules = UpstreamRules()
            var request = try ChatRequest(
                body: bytes(#"{"messages":[{"role":"user","content":"Hi"}],"user":"a user of some length"}"#), depthMax: 9)
            try change(&request, &rules)
            return request.hasOwnTexts(rules)
        }
        func value(_ name: String, _ json: String) -> ParameterEdits.Value { ParameterEdits.Value(name, json: bytes(json)) }
        #expect(try !hasOwnTexts { _, _ in })
        #expect(
            try !hasOwnTexts { _, rules in
                var edits = ParameterEdits()
                edits.set = [value("stream_options", #"{"include_usage_and_more":true}"#), value("service_tier", #""priority""#)]
                edits.defaults = [value("seed", "12345678901234567890")]
                rules.edits = [edits]
            })
        #expect(
            try hasOwnTexts { _, rules in
                var edits = ParameterEdits()
                edits.set = [value("metadata", #"{"a":["b","the customer's number"]}"#)]
                rules.edits = [edits]
            })
        #expect(
            try hasOwnTexts { request, _ in
                request.ownMessage = OwnMessage(json: bytes(#"{"role":"system","content":"Be nice"}"#), replaces: false)
            })
        #expect(
            try hasOwnTexts { request, _ in
                let message = bytes(#"{"role":"user","content":"x"}"#)
                request = try request.adding(HookMessages(prepended: [], appended: message[...]), depthMax: 9)
            })
        #expect(
            try !hasOwnTexts { request, _ in
                request = try request.adding(HookMessages(prepended: [], appended: []), depthMax: 9)
            })
        #expect(
            try hasOwnTexts { request, rules in
                request.said = bytes(#""Hel""#)
                rules.continuation.prompt = "Go on."
            })
    }

    @Test func `have no control characters`() throws {
        #expect(try words("\u{0}a\r\n\tb\u{1b}[31m\u{7f}c\u{9b}d é \u{2028}") == "a b [31m c d é \u{2028}")
    }

    @Test(arguments: [1000, 1021, 1022, 1023, 1024, 1025, 5000, 100_000])
    func `have at most 1 KiB of whole characters`(_ count: Int) throws {
        for character in ["a", "é", "€", "🐔"] {
            let words = try words(String(repeating: character, count: count))
            #expect(words.utf8.count <= 1024)
            #expect(words.allSatisfy { "\($0)" == character || $0 == "…" })
            #expect((words.last == "…") == (count * character.utf8.count > 1024))
        }
    }

    /// A comment takes up nearly all that is looked at.
    @Test(arguments: ["é", "你", "🐔"], 0..<4)
    func `are those of a page as far as it is looked at, but for a character that is cut there`(character: String, shift: Int) {
        let (ahead, behind) = ("<!--", "-->")
        let count = (1 << 16) - ahead.utf8.count - behind.utf8.count - 40 - shift
        let page = ahead + String(repeating: "x", count: count) + behind + String(repeating: character, count: 30)
        let message = UpstreamError(body: bytes(page).span, depthMax: 9)?.message
        #expect(message == String(repeating: character, count: (40 + shift) / character.utf8.count))
    }

    @Test func `are found behind lists and objects, but not at any depth`() {
        let error = { (text: String) in UpstreamError(body: bytes(text).span, depthMax: 99)?.message }
        #expect(error(#"{"errors":{"a":[{"detail":["x","y"]},"z"]}}"#) == nil)
        #expect(error(#"{"errors":[{"detail":["x","y"]},"z"]}"#) == "x; y; z")
        #expect(error(String(repeating: "[", count: 50) + "\"x\"" + String(repeating: "]", count: 50)) == nil)
    }

    @Test func `pass in the upstream's own object only when it is short and fit`() {
        let object = { (text: String) in
            UpstreamError(body: bytes(text).span, depthMax: 9)?.object.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(object(#"{"error":{"message":"m","x":[1.0]}}"#) == #"{"message":"m","x":[1.0]}"#)
        let keys = ["sk-proj-abcdefgh1234", #"\u0073k-proj-abcdefgh1234"#, #"https:\/\/u:p@db"#]
        for unfit in keys + [#"\u001b"#, #"\n"#, #"\u0085"#, String(repeating: "x", count: 1024)] {
            #expect(object(#"{"error":{"message":"m","x":"\#(unfit)"}}"#) == nil, "\(unfit.prefix(20))")
        }
    }
}

/// Marks that stand above and below a letter by turns: to compare such a text by characters, they are sorted first, which takes
/// the square of their number. Half a megabyte of them would hold these tests up for minutes.
@Suite(.ownThread) struct `Text that is slow to compare by characters` {
    private static let marks = Array(repeatElement(Array("\u{301}\u{327}".utf8), count: 1 << 17).joined())

    /// The text with the marks in place of each `@`.
    private func filled(_ text: String) -> [UInt8] { text.utf8.flatMap { $0 == UInt8(ascii: "@") ? Self.marks : [$0] } }

    @Test(arguments: [
        #""@":1"#, #""a":{"@":1}"#, #""stream_options":{"@":1}"#, #""user":"@""#, #""call":{"id":"@"}"#,
        #""metadata":{"@":""},"store":true"#, #""tools":[{"function":{"name":"@"}}]"#, #""@":1,"@":2"#,
    ])
    func `costs a request no more than any other`(_ members: String) throws {
        let body = filled(#"{"messages":[{"role":"user","content":"@","@":1}],\#(members)}"#)
        let request = try ChatRequest(body: body, depthMax: 9)
        var rules = UpstreamRules()
        rules.addedParameters = ["top_k"]
        rules.edits = [ParameterEdits()]
        rules.edits[0].dropped = ["top_k"]
        for messages in [MessageRule.known, .allButAddedByHume, .all] {
            for passesAll in [false, true] {
                (rules.messages, rules.passesAll, rules.asksForUsage) = (messages, passesAll, true)
                #expect(!request.upstreamBody(rules).bytes.isEmpty)
            }
        }
        #expect(request.callID == nil && request.lastUserMessage?.isEmpty == false && request.toolNames.count < 2)
    }

    @Test(arguments: [
        #"{"error":{"code":"@","type":"@","message":"@"}}"#, #"{"error":{"@":"x"}}"#, #"{"@":"x"}"#,
        #"{"choices":[{"index":0,"@":1,"message":{"@":1,"content":"x"},"finish_reason":"@"}],"model":"@","@":1}"#,
    ])
    func `costs an answer no more than any other`(_ answer: String) {
        let answer = filled(answer)
        let error = ChatError.upstreamAnswered(
            status: 429, body: answer.span, key: UpstreamKey(secrets: [bytes("key")]), depthMax: 9)
        #expect(error.message.utf8.count <= 1024)
        _ = ChatFrame(answer.span, depthMax: 9)
        _ = CompletionEvents.events(of: answer, edits: ChunkEdits(), includesUsage: true)
        let model = JSONValue(validated: answer.span).member("model", in: answer.span)
        #expect(model.flatMap { ServedModel($0, in: answer.span, hiding: UpstreamKey()) } == nil)
    }
}

extension String {
    /// To four digits.
    fileprivate var leftPadded: String { String(repeating: "0", count: 4 - count) + self }
}
