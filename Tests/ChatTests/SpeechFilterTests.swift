import TestSupport
import Testing

@testable import Chat

@Suite(.ownThread) struct SpeechFilterTests {
    /// What is said of a text that comes in pieces.
    private func spoken(_ pieces: [ArraySlice<UInt8>], _ parts: SpeechParts) -> [UInt8] {
        var (filter, spoken) = (SpeechFilter(parts), [UInt8]())
        for piece in pieces {
            spoken += filter.take(Array(piece))
            #expect(filter.heldCount <= SpeechFilter.heldBytesMax)
        }
        return spoken + filter.finish()
    }

    @Test func `there are 200 texts and more`() { #expect(SpeechPair.all.count >= 200) }

    @Test(arguments: SpeechPair.all) func `of a text this is said, however it is cut`(_ pair: SpeechPair) {
        let text = bytes(pair.text)
        #expect(String(decoding: spoken([text[...]], pair.parts), as: UTF8.self) == pair.spoken)
        for position in text.indices {
            #expect(
                spoken([text[..<position], text[position...]], pair.parts).elementsEqual(pair.spoken.utf8), "cut at \(position)")
        }
        #expect(spoken(text.indices.map { text[$0...$0] }, pair.parts).elementsEqual(pair.spoken.utf8), "byte by byte")
    }

    @Test func `of any bytes the same is said, however they are cut`() {
        var random = SeededGenerator(seed: 8)
        let halves: [[UInt8]] = [[0xED, 0xA0, 0xBD], [0xED, 0xB8, 0x80], [0xFF], [0xC3], [0xF0, 0x9F]]
        let signs =
            [
                "*", "**", "_", "__", "~~", "~", "`", "```", "\n", " ", "a", "1", ". ", "- ", "# ", "> ", "| ", "|--|", "[", "](",
                ")", "]",
                "http://", "https://", "a.b/", "<think>", "</think>", "[THINK]", "<", ">", "<br>", "&amp;", "&", "\\", "😀",
                "\u{FE0F}",
                "\u{200D}", "\u{20E3}", "❤", "好", "क्", "。", "!", "?", "---", "h", "ht", "\r", "◁think▷", "  ", "\t", "\n=",
                "===\n",
                "[1]", "[^a]", "【4:0†a】", "【", "†", "a@", ":", "*6", "#", "\"", "”", "Å", "à", "words and more ", " ", " ",
                "|\n|-",
                String(repeating: "-", count: 61),
            ].map(bytes) + halves
        for _ in 0..<3000 {
            let parts = SpeechParts(rawValue: UInt8.random(in: 0..<16, using: &random))
            let text = (0..<Int.random(in: 0..<30, using: &random)).flatMap { _ in signs.randomElement(using: &random)! }
            var pieces: [ArraySlice<UInt8>] = []
            var rest = text[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...6, using: &random)
                pieces.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(spoken(pieces, parts) == spoken([text[...]], parts), "\(parts) \(text)")
        }
    }

    @Test func `without a part every byte passes`() {
        for pair in SpeechPair.all { #expect(spoken([bytes(pair.text)[...]], []).elementsEqual(pair.text.utf8)) }
    }

    @Test(arguments: [
        ("Hello!", 0), ("so*", 1), ("so *", 1), ("a_b", 0), ("1.", 0), ("5 <", 1), ("5 < ", 1), ("C:\\", 1), ("see [", 2),
        ("see [x]", 3),
        ("with", 0), (" h", 1), ("go to https:/", 7), ("go to https://a.b", 11), ("go to https://a.b/c.", 1), ("nice ❤", 3),
        ("2", 0), ("😀", 4),
        ("[x](https://a.b/c", 0), ("- ", 1), ("\n- ", 2), ("\n```swift", 8), ("<thin", 5), ("x </thin", 6), ("é", 0), ("好", 0),
        ("\n|--|", 4), ("Hello ", 1), ("so 😀", 4), ("so 😀 ", 0), ("so [1]", 4), ("so\n", 0), ("so\n-", 1), (" *67 for", 7),
        ("【4:0†so", 11),
    ])
    func `no more waits than what is not known yet`(_ text: String, held: Int) {
        var filter = SpeechFilter(.all)
        _ = filter.take(bytes("x"))
        _ = filter.take(bytes(text))
        #expect(filter.heldCount == held)
    }

    @Test func `of a text of one sign alone little waits, however long it is`() {
        for sign in [
            "*", "_", "`", "~", "<", "[", "#", "|", "-", "&", "\\", "(", "h", ">", "!", ".", "]", " ", "*1", "[^a", "【4", "=",
            "😀",
        ] {
            let text = String(repeating: sign, count: 1 << 12)
            #expect(spoken([bytes(text)[...]], .all) == spoken(bytes(text).map { [$0][...] }, .all), "\(sign)")
        }
    }

    @Test(arguments: [63, 64, 65, 66, 67, 127, 128, 129, 300])
    func `of a line of signs nothing is said, however long it is`(_ count: Int) {
        for sign in "-*_=" {
            let text = "Ende.\n" + String(repeating: sign, count: count) + "\n" + String(repeating: sign, count: count)
            #expect(String(decoding: spoken([bytes(text)[...]], .markdown), as: UTF8.self) == "Ende.\n", "\(sign)")
        }
        let dashes = String(repeating: "-", count: count)
        for row in ["|\(dashes)|", "|\(dashes)|:\(dashes):|\(dashes)", "| \(dashes) | - |  \r"] {
            let text = bytes("| a | b |\n\(row)\n| c | d |\n")
            #expect(spoken([text[...]], .markdown).elementsEqual("a, b.\nc, d.\n".utf8), "\(row)")
            #expect(spoken(text.indices.map { text[$0...$0] }, .markdown).elementsEqual("a, b.\nc, d.\n".utf8), "\(row)")
        }
        #expect(spoken([bytes("\(dashes)--- so")[...]], .markdown).suffix(2).elementsEqual("so".utf8))
    }
}
