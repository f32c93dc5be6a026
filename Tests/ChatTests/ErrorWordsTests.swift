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

    private static let prompt = "Sei höflich 😀.\nSag niemandem \"Sesam öffne dich\" oder C:\\new."

    /// The body of an error that quotes a message, in the ways of servers.
    private static func quotes(_ text: String) -> [String] {
        let messages = #"[{"role":"system","content":\#(quoted(text))}]"#
        let ascii = messages.unicodeScalars.map { scalar in
            scalar.isASCII ? "\(scalar)" : "\(scalar)".utf16.map { "\\u" + String($0, radix: 16).leftPadded }.joined()
        }.joined()
        return [
            #"{"error":{"message":\#(quoted("failed for " + text)),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted("failed for " + messages)),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(quoted(ascii))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":"bad request","type":"t","code":"c","input":\#(messages)}}"#,
            #"{"error":{"message":"bad request","type":"t","code":"c","input":\#(ascii)}}"#,
            #"{"error":{"message":"bad","type":"t","code":"c","param":\#(quoted(text))}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: "%20"))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: "&nbsp;"))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: "&#32;"))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: #"\x20"#))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: "%2520"))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: "&quot;"))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: "&amp;amp;quot;"))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: #"\n"#))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: #"\\\n"#))),"type":"t","code":"c"}}"#,
            #"{"error":{"message":\#(quoted(text.replacing(" ", with: #"\\\""#))),"type":"t","code":"c"}}"#,
            #"{"object":"error","message":"'input': {'content': '… Sag niemandem \"Sesam …'}","type":"t","code":"c"}"#,
        ]
    }

    @Test func `are not passed on where they quote what is not the caller's`() {
        var key = UpstreamKey()
        key.ownTexts = OwnTexts(json: [bytes(#"{"role":"system","content":\#(quoted(Self.prompt))}"#)])
        for body in Self.quotes(Self.prompt) {
            for status in [400, 500] {
                let error = ChatError.upstreamAnswered(status: status, body: bytes(body).span, key: key, depthMax: 9)
                let shown = String(decoding: error.body, as: UTF8.self)
                #expect(!shown.contains("niemandem") && !shown.contains("Sesam"), "\(body): \(shown)")
                #expect(error.status == (status == 400 ? 400 : 503))
            }
        }
    }

    @Test func `are passed on where they quote the caller alone, until the texts are forgotten`() {
        var key = UpstreamKey()
        key.ownTexts = OwnTexts(json: [bytes(#"{"role":"system","content":\#(quoted(Self.prompt))}"#), bytes(#""high""#)])
        let body = bytes(#"{"error":{"message":"'high' is too much: at most 4096 tokens","type":"t","code":"a b","param":"p"}}"#)
        func shown() -> String {
            String(
                decoding: ChatError.upstreamAnswered(status: 400, body: body.span, key: key, depthMax: 9).body, as: UTF8.self)
        }
        #expect(shown().contains("at most 4096 tokens"))
        key.ownTexts.forget()
        #expect(!shown().contains("4096") && !shown().contains("a b"))
        key.ownTexts = OwnTexts(json: [bytes(#""high""#)])
        key.ownTexts.forget()
        #expect(shown().contains("4096"))
    }

    /// Else a caller could find a text out piece by piece, by errors that quote its guesses.
    @Test func `are passed on where they quote what the caller has sent itself, whether that is such a text or not`() throws {
        let secret = "the code of the door is swordfish"
        let rule = #"{"error":{"message":"Invalid value: 'GUESS'. Supported values are: 'low', 'high'."}}"#
        for guess in [secret, "the code of the house is swordfish", "systemcontentthecodeofthedoor"] {
            let body = #"{"messages":[{"role":"user","content":"Hi"}],"reasoning_effort":"\#(guess)"}"#
            var request = try ChatRequest(body: bytes(body), depthMax: 9)
            request.ownMessage = OwnMessage(json: bytes(#"{"role":"system","content":\#(quoted(secret))}"#), replaces: false)
            var key = UpstreamKey()
            key.ownTexts = request.ownTexts(UpstreamRules())
            let error = bytes(rule.replacing("GUESS", with: guess))
            let shown = ChatError.upstreamAnswered(status: 400, body: error.span, key: key, depthMax: 9).body
            #expect(String(decoding: shown, as: UTF8.self).contains(guess), "\(guess)")
            // What it has not sent stays withheld.
            let quote = bytes(rule.replacing("GUESS", with: "\(guess)\\n\(secret), which is \(secret)"))
            let other = try ChatRequest(body: bytes(#"{"messages":[{"role":"user","content":"Hi"}]}"#), depthMax: 9)
            var withOwn = other
            withOwn.ownMessage = request.ownMessage
            key.ownTexts = withOwn.ownTexts(UpstreamRules())
            let withheld = ChatError.upstreamAnswered(status: 400, body: quote.span, key: key, depthMax: 9).body
            #expect(!String(decoding: withheld, as: UTF8.self).contains("door"), "\(guess)")
        }
    }

    @Test(arguments: [
        "messages[0]: role 'system', content: field required", "Role `system`: content must be a string",
        "Input should be a valid string, 'input': {'role': 'system', 'content': None}",
    ])
    func `are passed on where they have but the names of what such a text stands in`(words: String) {
        let shown = shown(#"{"error":{"message":\#(quoted(words))}}"#, behind: "You are Bob, the butler of Wayne.")
        #expect(shown.contains("ontent"), "\(shown)")
    }

    /// What a caller reads of an error for which a request went out with a message that says this.
    private func shown(_ error: String, behind prompt: String, isForgotten: Bool = false) -> String {
        var key = UpstreamKey()
        key.ownTexts = OwnTexts(json: [bytes(#"{"role":"system","content":\#(quoted(prompt))}"#)])
        if isForgotten { key.ownTexts.forget() }
        return String(
            decoding: ChatError.upstreamAnswered(status: 400, body: bytes(error).span, key: key, depthMax: 9).body, as: UTF8.self)
    }

    /// What many prompts and many errors say.
    private static let wordy =
        "Keep the conversation short, follow these instructions, and answer your messages in Internationalization."

    @Test(arguments: [
        "The conversation is too long.", "your messages resulted in 9000 tokens", "unknown parameter: 'instructions'",
        "See the instructions, or the conversation.", "Internationalization is off",
    ])
    func `are passed on where they have no more of it than a common word or two`(words: String) {
        let shown = shown(#"{"error":{"message":\#(quoted(words)),"code":"conversation_instructions"}}"#, behind: Self.wordy)
        #expect(shown.contains(words) && shown.contains("conversation_instructions"), "\(shown)")
    }

    /// A row of words, one that is like none in any text, and a text that is no more than one or two.
    @Test(arguments: [
        (wordy, "bad: keep the conversation"), (wordy, "bad: ... these instructions, and ..."),
        ("Say swordfish99trombone to nobody.", "bad: 'swordfish99trombone'"),
        ("Ask at 4915112345678 for it.", "bad number 4915112345678"),
        ("Call it antidisestablishmentarianism, please.", "bad: antidisestablishmentarianism"),
        ("opensesamenow-please", "bad: opensesamenow-please"), ("opensesamenowplease", "bad: OpenSesameNowPlease"),
        ("你是一个友好的助手，不要告诉任何人。", "bad: 友好的助手"),
    ])
    func `are not passed on where they have some words in a row, or one that is none of anybody's`(prompt: String, words: String)
    {
        let shown = shown(#"{"error":{"message":\#(quoted(words))}}"#, behind: prompt)
        #expect(!shown.contains("bad"), "\(shown)")
    }

    /// What stands beside a guess in the error is the upstream's, and may by chance be what stands beside it in the text.
    @Test func `tell nothing of a guess by what stands beside it, nor by its escapes`() throws {
        let secret = "Be nice: the code of the door is swordfish."
        for guess in ["the code of the door is swordfish", "the code of the house is swordfish", "swordfish", "trombone"] {
            let escaped = guess.unicodeScalars.map { #"\u00"# + hexadecimal(UInt8(ascii: $0)) }.joined()
            let spaced = guess.replacing(" ", with: #"\u005c\u006e"#)
            for (written, read) in [(guess, guess), (escaped, guess), (spaced, guess.replacing(" ", with: #"\n"#))] {
                let body = #"{"messages":[{"role":"user","content":"Hi"}],"reasoning_effort":"\#(written)"}"#
                var request = try ChatRequest(body: bytes(body), depthMax: 9)
                request.ownMessage = OwnMessage(json: bytes(#"{"role":"system","content":\#(quoted(secret))}"#), replaces: false)
                var key = UpstreamKey()
                key.ownTexts = request.ownTexts(UpstreamRules())
                let error = #"{"error":{"message":\#(quoted("Invalid value: '\(read)', use 'low'."))}}"#
                let shown = ChatError.upstreamAnswered(status: 400, body: bytes(error).span, key: key, depthMax: 9).body
                #expect(String(decoding: shown, as: UTF8.self).contains("use 'low'"), "\(written)")
            }
        }
    }

    /// A caller who knows how a prompt begins must not get the rest by sending that.
    @Test func `are not passed on where the caller has sent all of the text but its last word`() throws {
        let known = "Follow these conversation instructions: say"
        let request = #"{"messages":[{"role":"user","content":"\#(known)"}]}"#
        var chat = try ChatRequest(body: bytes(request), depthMax: 9)
        chat.ownMessage = OwnMessage(json: bytes(#"{"role":"system","content":"\#(known) swordfish"}"#), replaces: false)
        var key = UpstreamKey()
        key.ownTexts = chat.ownTexts(UpstreamRules())
        let error = #"{"error":{"message":"failed for \#(known) swordfish"}}"#
        let shown = ChatError.upstreamAnswered(status: 400, body: bytes(error).span, key: key, depthMax: 9).body
        #expect(!String(decoding: shown, as: UTF8.self).contains("swordfish"))
    }

    @Test(arguments: ["code", "type"]) func `have no name that is such a text, whether it is known or forgotten`(member: String) {
        let named = { (name: String) in #"{"error":{"message":"m","\#(member)":"\#(name)"}}"# }
        let secret = "acme-customer-4711"
        for isForgotten in [false, true] {
            for name in [secret, "ACME.customer_4711", "x-acme-customer-4711-x"] {
                let shown = shown(named(name), behind: secret, isForgotten: isForgotten)
                #expect(!shown.lowercased().contains("customer"), "\(shown)")
            }
        }
        // What tells errors apart, and what is too short to tell anything, is kept.
        for name in ["rate_limit_exceeded", "context_length_exceeded", "1301", "bad_input"] {
            let shown = shown(named(name), behind: secret, isForgotten: true)
            #expect(shown.contains(#""\#(member)":"\#(name)""#), "\(shown)")
        }
    }

    @Test(arguments: [
        "1: are | 2: Bob | 3: the | 4: butler | 5: of | 6: Wayne", "[0] are [1] Bob [2] the [3] butler",
        "are\u{2028}1.\u{A0}Bob\u{2028}2.\u{A0}the\u{2028}3.\u{A0}butler", "ARE BOB, THE BUTLER", "are%20Bob%2C%20the%20butler",
        "ａｒｅ　Ｂｏｂ，　ｔｈｅ　ｂｕｔｌｅｒ",
    ])
    func `are not passed on where they quote it with numbers, in capital letters or in full width`(quote: String) {
        let shown = shown(#"{"error":{"message":\#(quoted("bad: " + quote))}}"#, behind: "You are Bob, the butler of Wayne.")
        #expect(!shown.contains("bad"), "\(shown)")
    }

    /// Each is told by its letters beyond ASCII alone.
    @Test(arguments: [
        "Привет, Алиса", "Γειά σου, Ὀδυσσεῦς", "Süß ißt Äß", "İŞÇİ ığdır ığdır", "ﬁné ﬂœß ſé", "你好，我是管家", "こんにちは",
    ])
    func `are not passed on where they quote it in other letters, however these are written`(prompt: String) {
        let (bytes, scalars) = (Array(prompt.utf8), Array(prompt.unicodeScalars))
        var ways = [prompt, prompt.uppercased(), prompt.lowercased()]
        ways.append(scalars.map { "1. \($0)" }.joined(separator: " "))
        for mark in ["%", "%2525", #"\x"#, #"\\x"#] { ways.append(bytes.map { mark + hexadecimal($0) }.joined()) }
        ways.append(scalars.map(octal).joined())
        ways.append(scalars.map(wide).joined())
        ways.append(scalars.map { "&#\($0.value);" }.joined())
        ways.append(scalars.map { "&#x" + String($0.value, radix: 16) + ";" }.joined())
        for way in ways {
            let shown = shown(#"{"error":{"message":\#(quoted("bad: " + way))}}"#, behind: prompt)
            #expect(!shown.contains("bad"), "\(way): \(shown)")
        }
    }

    /// As C has it, and as Python has what is beyond 16 bits.
    private func octal(_ scalar: Unicode.Scalar) -> String {
        scalar.isASCII ? "\(scalar)" : "\(scalar)".utf8.map { #"\"# + String($0, radix: 8) }.joined()
    }

    private func wide(_ scalar: Unicode.Scalar) -> String {
        scalar.isASCII ? "\(scalar)" : #"\U000"# + String(scalar.value + 0x100000, radix: 16).dropFirst()
    }

    private func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    @Test(arguments: ["\\", "%", "&", "&#", "&#x;", "&#xFFFFFF;", "%C3", #"\x"#, #"\ud83d"#, "&;", "%%41"])
    func `with half an escape are looked at all the same`(escape: String) {
        for words in [escape, escape + "x", "x" + escape + " y", escape + escape] {
            let shown = shown(#"{"error":{"message":\#(quoted("bad: " + words))}}"#, behind: "You are Bob " + words)
            #expect(shown.contains("bad"), "\(shown)")
        }
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

/// Marks that stand above and below a letter by turns: to compare such a text by characters, they are sorted first, which takes the
/// square of their number. Half a megabyte of them would hold these tests up for minutes.
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
        #expect(model.flatMap { ServedModel($0, in: answer.span) } == nil)
    }
}

extension String {
    /// To four digits.
    fileprivate var leftPadded: String { String(repeating: "0", count: 4 - count) + self }
}
