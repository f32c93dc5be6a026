import TestSupport
import Testing

@testable import Chat

@Suite(.ownThread) struct SpeechEditsTests {
    /// A stream on its way.
    private struct Stream {
        var edits: SpeechEdits
        var reader = ChatFrameReader(depthMax: 8)

        init(_ parts: SpeechParts = .all, isSingle: Bool = true) { edits = SpeechEdits(parts, isSingle: isSingle) }

        /// What goes out for a chunk: itself, or others.
        mutating func take(_ json: String) -> [String] {
            guard case .chunk(let chunk) = reader.read(ChatTests.bytes(json).span),
                let chunks = edits.edited(ChatTests.bytes(json).span, chunk, content: reader.content)
            else { return [json] }
            return chunks.map { String(decoding: $0, as: UTF8.self) }
        }

        mutating func finish() -> [String] { edits.finish().map { String(decoding: $0, as: UTF8.self) } }
    }

    private static func chunk(_ content: String, index: Int = 0) -> String {
        #"{"id":"c","choices":[{"index":\#(index),"delta":{"content":"\#(content)"},"finish_reason":null}],"usage":null}"#
    }

    private static let finish = #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#

    @Test func `a chunk without signs goes on as it is, and so do its odd escapes`() {
        var stream = Stream()
        for text in [
            "Hello", ", w\\u00f6rld", " 5 - 3", "\\n", "\\u4f60\\u597d", "。好", " \\\"x\\\"", "\\/", "!", "isn’t", "क्‍ष",
        ] {
            #expect(stream.take(Self.chunk(text)) == [Self.chunk(text)])
        }
        #expect(stream.take(Self.finish) == [Self.finish])
    }

    @Test func `a changed one is rewritten in its place, everything else byte for byte`() {
        var stream = Stream()
        let json =
            #" {"id" : "c*", "choices":[ {"index":0,"delta":{"role":"assistant", "content" : "**a\"\u00e9\n\u0001**" ,"x":"*"}}] } "#
        #expect(
            stream.take(json)
                == [
                    #" {"id" : "c*", "choices":[ {"index":0,"delta":{"role":"assistant", "content" : "a\"é\n\u0001" ,"x":"*"}}] } "#
                ])
    }

    @Test func `half a sign waits for the next chunk`() {
        var stream = Stream()
        #expect(stream.take(Self.chunk("It is *")) == [Self.chunk("It is ")])
        #expect(stream.take(Self.chunk("*so*")) == [Self.chunk("so")])
        #expect(stream.take(Self.chunk("* 2 *")) == [Self.chunk(" 2 ")])
        #expect(stream.take(Self.chunk(" 3")) == [Self.chunk("* 3")])
        #expect(stream.take(Self.finish) == [Self.finish])
    }

    @Test func `what has waited goes ahead of the finish, or into it`() {
        var stream = Stream()
        #expect(stream.take(Self.chunk("5 *")) == [Self.chunk("5 ")])
        #expect(
            stream.take(#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#) == [
                Self.chunk("*"),
                #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
            ])
        stream = Stream()
        let last = #"{"choices":[{"index":0,"delta":{"content":"5 *"},"finish_reason":"stop"}]}"#
        #expect(stream.take(last) == [last])
        #expect(stream.finish() == [])
    }

    @Test func `a text that goes on with another one has what was open there still open, and repeats nothing of it`() {
        var stream = Stream()
        #expect(stream.take(Self.chunk("It is **so")) == [Self.chunk("It is so")])
        stream.edits = stream.edits.goingOn(behind: ChatTests.bytes(#""It is **so""#))
        #expect(!stream.edits.hasSpoken)
        #expect(stream.take(Self.chunk("It is **s")) == [Self.chunk("")])
        #expect(!stream.edits.hasSpoken)
        #expect(stream.take(Self.chunk("o far** gone")) == [Self.chunk(" far gone")])
        #expect(stream.edits.hasSpoken)
        #expect(stream.take(Self.chunk("so far")) == [Self.chunk("so far")])
    }

    @Test(arguments: [
        ("See [docs](http://ex", " is ten euros. More", "See docs is ten euros. More"),
        ("Use `foo", " bar. **Bold** text", "Use foo bar. Bold text"),
        ("See http://x.example/a/b", "/c is ten", "See x.example is ten"),
        ("See [the", " page](http://x.example/y) now.", "See the page now."), ("```\\n**a", "** b", "**a** b"),
    ])
    func `a text that goes on with another one is heard, whatever that has left open`(
        first: String, second: String, whole: String
    ) {
        var stream = Stream()
        var chunks = stream.take(Self.chunk(first))
        #expect(!stream.edits.isThinking)
        stream.edits = stream.edits.goingOn(behind: ChatTests.bytes("\"\(first)\""))
        chunks += stream.take(Self.chunk(second)) + stream.take(Self.finish)
        #expect(chunks.map(Self.content).joined() == whole)
    }

    private static func content(of chunk: String) -> String {
        let json = ChatTests.bytes(chunk)
        let choice = JSONValue(validated: json.span).member("choices", in: json.span)?.elements(in: json.span).first
        return choice?.member("delta", in: json.span)?.member("content", in: json.span)?.string(in: json.span) ?? ""
    }

    @Test func `nothing goes on with a text inside a thought`() {
        var stream = Stream()
        for (text, isThinking) in [("Hello. <think>let me", true), (" see</th", true), ("ink> The", false), ("<thi", false)] {
            _ = stream.take(Self.chunk(text))
            #expect(stream.edits.isThinking == isThinking, "\(text)")
        }
    }

    @Test func `a text that goes on without speech stays as it is, but for what may be a repetition: that waits`() {
        let said = ChatTests.bytes(#""Hello there""#)
        var stream = Stream([])
        stream.edits = stream.edits.goingOn(behind: said)
        #expect(stream.take(Self.chunk("Hel")) == [Self.chunk("")])
        #expect(stream.take(Self.finish) == [Self.chunk("Hel"), Self.finish])
        stream = Stream([])
        stream.edits = stream.edits.goingOn(behind: said)
        #expect(stream.take(Self.chunk("Hello")) == [Self.chunk("")])
        #expect(stream.finish() == [Self.chunk("Hello")])
        stream = Stream([])
        stream.edits = stream.edits.goingOn(behind: said)
        for text in [", **you**", "\\n- \\u00e9", "Hello there"] { #expect(stream.take(Self.chunk(text)) == [Self.chunk(text)]) }
        #expect(stream.take(Self.finish) == [Self.finish])
    }

    @Test func `what has waited goes ahead of the end where there is no finish`() {
        var stream = Stream()
        _ = stream.take(Self.chunk("5 *"))
        #expect(stream.finish() == [Self.chunk("*")])
        #expect(stream.finish() == [])
    }

    @Test func `what has waited goes ahead of a tool call, which is never touched`() {
        var stream = Stream()
        let call =
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"a_b_","arguments":"{\"x\":\"**y**\"}"}}]}}]}"#
        #expect(stream.take(call) == [call])
        _ = stream.take(Self.chunk("Wait <"))
        #expect(stream.take(call) == [#"{"choices":[{"index":0,"delta":{"content":"<"},"finish_reason":null}]}"#, call])
        #expect(stream.take(call) == [call])
    }

    @Test func `each choice has a text of its own`() {
        var stream = Stream(isSingle: false)
        _ = stream.take(Self.chunk("a *"))
        #expect(stream.take(Self.chunk("* b", index: 1)) == [Self.chunk("b", index: 1)])
        #expect(stream.take(Self.chunk("*c*")) == [Self.chunk("c")])
        let both =
            #"{"choices":[{"index":1,"delta":{"content":"**x"}},{"index":0,"delta":{"content":"*y"}},{"index":999,"delta":{"content":"*z"}}]}"#
        #expect(
            stream.take(both) == [
                #"{"choices":[{"index":1,"delta":{"content":"x"}},{"index":0,"delta":{"content":"y"}},{"index":999,"delta":{"content":"*z"}}]}"#
            ])
    }

    @Test func `half an emoji in each of two chunks is one`() {
        var stream = Stream()
        #expect(stream.take(Self.chunk(#"Hi \ud83d"#)) == [Self.chunk("Hi")])
        #expect(stream.take(Self.chunk(#"\ude00 you"#)) == [Self.chunk(" you")])
        #expect(stream.take(Self.chunk(#"\ud842"#)) == [Self.chunk("")])
        #expect(stream.take(Self.chunk(#"\udfb7"#)) == [Self.chunk(#"\ud842\udfb7"#)])
        #expect(stream.take(Self.chunk(#"a\ude00b\ud83d"#)) == [Self.chunk(#"a\ude00b"#)])
        #expect(stream.take(Self.finish) == [Self.chunk(#"\ud83d"#), Self.finish])
        var plain = Stream(.markdown)
        #expect(plain.take(Self.chunk(#"Hi \ud83d"#)) == [Self.chunk(#"Hi \ud83d"#)])
    }

    @Test(arguments: [
        #"{"choices":[{"index":0,"delta":{"content":["**a**"]}}]}"#, #"{"choices":[{"index":0,"delta":{"content":null}}]}"#,
        #"{"choices":[{"index":0,"delta":{"content":""}}]}"#, #"{"choices":[{"index":0,"delta":{"reasoning_content":"**a**"}}]}"#,
        #"{"choices":[],"usage":{"prompt_tokens":1}}"#, #"{"choices":[{"index":0,"delta":"**a**"}]}"#, #"{"choices":["**a**"]}"#,
    ]) func `what is no text is never touched`(_ json: String) {
        var stream = Stream()
        #expect(stream.take(json) == [json])
    }

    @Test func `a text too long for one look goes on as it is`() {
        var stream = Stream()
        let json = Self.chunk(String(repeating: "**", count: 40_000))
        #expect(stream.take(json) == [json])
    }

    @Test(arguments: ["delta", "message"])
    func `of many texts at once 64 KiB are looked at, and what is more goes on as it is`(_ member: String) {
        let long = String(repeating: "*a*.", count: 10_000)
        func json(_ texts: [String]) -> String {
            let choices = texts.enumerated().map { #"{"index":\#($0),"\#(member)":{"content":"\#($1)"}}"# }
            return #"{"choices":[\#(choices.joined(separator: ","))]}"#
        }
        let texts = json([long, long, "*b*"])
        let spoken = json([String(repeating: "a.", count: 10_000), long, "b"])
        if member == "message" {
            #expect(String(decoding: SpeechParts.all.spoken(bytes(texts)), as: UTF8.self) == spoken)
        } else {
            var stream = Stream(isSingle: false)
            #expect(stream.take(texts) == [spoken])
            #expect(stream.take(texts) == [spoken])
        }
    }

    @Test(arguments: [
        chunk(String(repeating: "**", count: 40_000)),
        #"{"id":"c","choices":[{"index":0,"delta":{"content":["**x**"]},"finish_reason":null}],"usage":null}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":null,"refusal":"No."},"finish_reason":null}],"usage":null}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x":"\#(String(repeating: "x", count: 8000))"}"#,
    ]) func `what has waited goes ahead of what goes on as it is, in a chunk that is not long`(_ json: String) {
        var stream = Stream()
        _ = stream.take(Self.chunk("5 *"))
        #expect(stream.take(json) == [Self.chunk("*"), json])
    }

    @Test func `the events of any text say together what the whole text says`() throws {
        var random = SeededGenerator(seed: 9)
        for pair in SpeechPair.all {
            var (stream, said, rest) = (Stream(pair.parts), [UInt8](), Array(pair.text.unicodeScalars)[...])
            var chunks: [String] = []
            while !rest.isEmpty {
                let count = Int.random(in: 1...5, using: &random)
                var (text, json) = ("", [UInt8]())
                text.unicodeScalars.append(contentsOf: rest.prefix(count))
                json.appendJSONString(text)
                chunks += stream.take(Self.chunk(String(decoding: json.dropFirst().dropLast(), as: UTF8.self)))
                rest = rest.dropFirst(count)
            }
            for chunk in chunks + stream.take(Self.finish) {
                let json = bytes(chunk)
                let root = try JSONScanner.validate(json.span, depthMax: 8)
                let delta = root.member("choices", in: json.span)?.elements(in: json.span).first?.member("delta", in: json.span)
                said += (delta?.member("content", in: json.span)?.string(in: json.span) ?? "").utf8
            }
            #expect(String(decoding: said, as: UTF8.self) == pair.spoken, "\(pair)")
        }
    }

    @Test(arguments: [
        (
            #"{"choices":[{"message":{"content":"<think>x</think>**a** *"},"x":"*"}],"y":"**z**"}"#,
            #"{"choices":[{"message":{"content":"a *"},"x":"*"}],"y":"**z**"}"#
        ),
        (
            #"{"choices":[{"message":{"content":"\u0061"}},{"message":{"content":"*b*"}}]}"#,
            #"{"choices":[{"message":{"content":"\u0061"}},{"message":{"content":"b"}}]}"#
        ),
        (
            #"{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"arguments":"*a*"}}]}}]}"#,
            #"{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"arguments":"*a*"}}]}}]}"#
        ),
    ]) func `a completion's texts are made fit to be spoken`(_ json: String, spoken: String) {
        #expect(String(decoding: SpeechParts.all.spoken(bytes(json)), as: UTF8.self) == spoken)
        #expect(String(decoding: SpeechParts([]).spoken(bytes(json)), as: UTF8.self) == json)
    }
}
