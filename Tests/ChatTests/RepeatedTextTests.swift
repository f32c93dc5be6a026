import Testing

@testable import Chat

@Suite struct RepeatedTextTests {
    /// What is new, whatever the pieces are that it comes in.
    private func new(_ text: String, of said: String, piece: Int) -> String {
        var (repeated, new) = (RepeatedText(of: bytes(said)), [UInt8]())
        let text = bytes(text)
        for start in stride(from: 0, to: text.count, by: piece) { new += repeated.take(Array(text[start...].prefix(piece))) }
        return String(decoding: new + repeated.finish(), as: UTF8.self)
    }

    @Test(arguments: [
        // All of it again.
        ("Hello there", "Hello there, you", ", you"), ("Hel", "Hello", "lo"), ("Hello", "Hello", ""), ("a", "ab", "b"),
        // Its end again.
        ("I have found three flights.", "three flights. One is early.", " One is early."),
        ("I have found three flights.", " found three flights. One", " One"), ("Grüße aus Köln an", "aus Köln an Bär", " Bär"),
        // The longest of several.
        ("a fine day, a fine day, ", "a fine day, a fine day, a fine day", "a fine day"),
        // What is nearly the same, is short, or stands in the midst of it.
        ("Hello there", "Hello, you", "Hello, you"), ("Well, no", " no.", " no."),
        ("One two three four", "two three", "two three"),
        ("I have found three flights.", "three flights!", "three flights!"), ("", "Hello", "Hello"), ("Hello", "", ""),
    ])
    func `what a text repeats of the one that it goes on with is left out`(said: String, text: String, rest: String) {
        for piece in [1, 2, 3, 7, 100] { #expect(new(text, of: said, piece: piece) == rest, "pieces of \(piece)") }
    }

    /// As JSON strings.
    @Test(arguments: [
        (#""Hi 😀, at five""#, [#""Hi \ud83d\ude00, at five pm.""#], #"" pm.""#),
        (#""Hi \ud83d\ude00, at five""#, [#""Hi 😀, at ""#, #""five pm.""#], #"" pm.""#),
        (#""Hi 😀, at five""#, [#""Hi \ud83d""#, #""\ude00, at five pm.""#], #"" pm.""#),
        (#""Hi 😀""#, [#""Hi \ud83d""#, #""\ude01 pm.""#], #""Hi \ud83d\ude01 pm.""#),
        (#""Hi 😀""#, [#""Hi 😁""#], #""Hi \ud83d\ude01""#),
    ])
    func `an emoji is the same in its halves`(said: String, texts: [String], rest: String) {
        var (repeated, new) = (RepeatedText(of: text(said)), [UInt8]())
        for piece in texts { new += repeated.take(text(piece)) }
        new += repeated.finish()
        var json: [UInt8] = []
        json.appendJSONString(withSurrogates: new)
        #expect(String(decoding: json, as: UTF8.self) == rest)
    }

    private func text(_ json: String) -> [UInt8] {
        let json = bytes(json)
        return JSONText.bytesWithSurrogates(json.indices, in: json.span)
    }

    @Test func `what is new goes on at once as soon as it is known to be that, and all behind it`() {
        var repeated = RepeatedText(of: bytes("Hello there"))
        #expect(repeated.take(bytes("Hel")) == [] && !repeated.isDecided)
        #expect(repeated.take(bytes("p ")) == bytes("Help ") && repeated.isDecided)
        #expect(repeated.take(bytes("Hello there")) == bytes("Hello there"))
        #expect(repeated.finish() == [])
    }

    @Test func `nothing of the other text is kept once that is decided`() {
        var repeated = RepeatedText(of: bytes("I have found three flights."))
        #expect(repeated.keptCount >= 27)
        #expect(repeated.take(bytes("I have ")) == [] && repeated.keptCount >= 27 + 7)
        #expect(repeated.take(bytes("no")) == bytes("I have no") && repeated.keptCount == 0)
    }

    /// Bytes of which each is like all others fit in the most places.
    @Test func `of a long text its beginning counts, and of its ends those that are not too long`() {
        let same = String(repeating: "a", count: 20_000)
        #expect(new(same + "b", of: same, piece: 4096) == "b")
        #expect(new(String(repeating: "a", count: 512) + "b", of: "b" + same, piece: 100) == "b")
        let longer = String(repeating: "a", count: 513)
        #expect(new(longer + "b", of: "b" + same, piece: 100) == "ab")
    }
}
