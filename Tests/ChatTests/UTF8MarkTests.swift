import Testing

@testable import Chat

@Suite struct UTF8MarkTests {
    @Test(arguments: [
        ("\u{FEFF}text", "text"), ("\u{FEFF}", ""), ("\u{FEFF}\u{FEFF}text", "\u{FEFF}text"), ("text", "text"), ("", ""),
        ("text\u{FEFF}", "text\u{FEFF}"),
    ]) func `a mark at the front is no part of the text, and one elsewhere is`(text: String, behind: String) {
        let isMarked = UTF8Mark.begins(text.utf8Span.span)
        #expect(isMarked == (text.utf8.count != behind.utf8.count))
        #expect(Array(UTF8Mark.dropped(from: Array(text.utf8))) == Array(behind.utf8))
    }

    @Test(arguments: [[0xEF], [0xEF, 0xBB], [0xEF, 0xBB, 0xBE], [0xFE, 0xFF]])
    func `a part of a mark, or another encoding's, stays`(bytes: [UInt8]) {
        let isMarked = UTF8Mark.begins(bytes.span)
        #expect(!isMarked)
        #expect(Array(UTF8Mark.dropped(from: bytes)) == bytes)
    }
}
