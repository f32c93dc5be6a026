/// A member name of at most 16 bytes, packed into two words so that comparing costs two instructions. Escapes are undone:
/// `"\u006dodel"` has the key of `model`. Longer names have keys too, which equal none made from text, and may equal each other.
///
///     "model"     count 5     low  6D 6F 64 65 6C 00 00 00     high  00 00 00 00 00 00 00 00     (the first byte lowest)
struct JSONKey: Hashable, Sendable {
    private var count: Int
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    static let bytesMax = 16

    init(_ text: String) {
        count = text.utf8.count
        precondition(count <= Self.bytesMax, "a key has at most 16 bytes")
        for (index, byte) in text.utf8.enumerated() { put(byte, at: index) }
    }

    /// The key of a text of ASCII, letter by letter: other than that of a string, the compiler works it out.
    @inline(always)
    init<let count: Int>(_ letters: InlineArray<count, Unicode.Scalar>) {
        precondition(count <= Self.bytesMax, "a key has at most 16 bytes")
        self.count = count
        for index in letters.indices { put(UInt8(ascii: letters[index]), at: index) }
    }

    /// The key of the string whose opening quote stands at `start`, if it is plain: it has at most 15 bytes that all stand for
    /// themselves. nil for others, valid or not, and for those at the document's very end.
    @inline(always)
    init?(plainAt start: Int, in document: Span<UInt8>) {
        let first = start &+ 1
        guard first &+ Self.bytesMax <= document.count else { return nil }
        low = document.word(at: first)
        var marks = JSONText.marks(low)
        if marks != 0 {
            low &= Self.bits(below: marks)
            count = marks.trailingZeroBitCount / 8
        } else {
            high = document.word(at: first &+ 8)
            marks = JSONText.marks(high)
            guard marks != 0 else { return nil }
            high &= Self.bits(below: marks)
            count = 8 &+ marks.trailingZeroBitCount / 8
        }
        guard document[first &+ count] == UInt8(ascii: "\"") else { return nil }
    }

    /// Whether the string whose opening quote stands at `start` is this key, in plain letters. One comparison tells: it is for keys of
    /// up to seven letters; of others, and at the document's very end, it says false.
    ///
    ///     document         " r o l e " : x y        start is the first quote's offset
    ///     the word at +1     72 6F 6C 65 22 3A 78 79
    ///     letters            72 6F 6C 65 22 00 00 00     the key and the closing quote
    ///     both << unread              72 6F 6C 65 22     the same: what stands behind the quote has left the word
    @inline(always)
    func stands(at start: Int, in document: Span<UInt8>) -> Bool {
        guard count < 8, start &+ 9 <= document.count else { return false }
        let unread = UInt64(56 &- 8 &* count)
        let letters = low | UInt64(UInt8(ascii: "\"")) << UInt64(8 &* count)
        return document.word(at: start &+ 1) << unread == letters << unread
    }

    /// The bits of the bytes before the first one that is marked in its high bit.
    @inline(always)
    private static func bits(below marks: UInt64) -> UInt64 { ((marks & (0 &- marks)) &- 1) >> 7 }

    /// How many bytes the string of a plain key takes, with its quotes.
    var plainByteCount: Int {
        @inline(always) get { count &+ 2 }
    }

    /// The key of a validated name or string; its range includes the quotes.
    @inline(always)
    init(_ range: Range<Int>, in document: Span<UInt8>) {
        self = JSONKey(plainAt: range.lowerBound, in: document) ?? Self.slowly(range, in: document)
    }

    /// The key of a validated name of 16 bytes or more, one that has escapes, or one at the document's very end.
    static func slowly(_ range: Range<Int>, in document: Span<UInt8>) -> JSONKey {
        guard range.count - 2 <= bytesMax || JSONText.hasEscape(range, in: document) else {
            return JSONKey(count: range.count - 2)
        }
        let text = JSONText.bytes(range, in: document, countMax: bytesMax + 1)
        var key = JSONKey(count: text.count)
        guard text.count <= bytesMax else { return key }
        for (index, byte) in text.enumerated() { key.put(byte, at: index) }
        return key
    }

    private init(count: Int) { self.count = count }

    /// The key of the same name in small letters.
    var inSmallLetters: JSONKey {
        var key = self
        (key.low, key.high) = (Self.smallLetters(low), Self.smallLetters(high))
        return key
    }

    private static func smallLetters(_ word: UInt64) -> UInt64 {
        var word = word
        for shift in stride(from: UInt64(0), to: 64, by: 8) where word >> shift & 0xFF &- 0x41 < 26 { word |= 0x20 << shift }
        return word
    }

    /// Some bits that are the same for the same key, the highest ones the best.
    var hash64: UInt64 { (low ^ high &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count)) &* 0x9E37_79B9_7F4A_7C15 }

    @inline(always)
    private mutating func put(_ byte: UInt8, at index: Int) {
        if index < 8 {
            low |= UInt64(byte) << UInt64(8 * index)
        } else {
            high |= UInt64(byte) << UInt64(8 * index - 64)
        }
    }
}
