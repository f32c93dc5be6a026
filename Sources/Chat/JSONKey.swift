/// A member name of at most 16 bytes, packed into two words so that comparing costs two instructions. Escapes are undone:
/// `"\u006dodel"` has the key of `model`. Longer names have keys too, which equal none made from text.
struct JSONKey: Hashable, Sendable {
    private var count: Int
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    private static let bytesMax = 16

    init(_ text: String) {
        count = text.utf8.count
        precondition(count <= Self.bytesMax, "a key has at most 16 bytes")
        pack(text)
    }

    /// The key of a validated name or string; its range includes the quotes.
    @inline(__always)
    init(_ range: Range<Int>, in document: Span<UInt8>) {
        count = range.count &- 2
        let start = range.lowerBound &+ 1
        guard count <= Self.bytesMax, start &+ Self.bytesMax <= document.count else {
            self = Self.slowly(range, in: document)
            return
        }
        // A shift by 64 or more gives 0.
        low = document.word(at: start) & ~(UInt64.max << UInt64(8 &* count))
        high = document.word(at: start &+ 8) & ~(UInt64.max << UInt64(max(0, 8 &* count &- 64)))
        if Self.hasBackslash(low) || Self.hasBackslash(high) { self = Self.slowly(range, in: document) }
    }

    /// The key of a name that is long, has escapes, or stands at the document's very end.
    private static func slowly(_ range: Range<Int>, in document: Span<UInt8>) -> JSONKey {
        guard range.count - 2 <= bytesMax || JSONText.hasEscape(range, in: document) else {
            return JSONKey(long: range.count - 2)
        }
        let text = JSONText.decode(range, in: document)
        return text.utf8.count <= bytesMax ? JSONKey(text) : JSONKey(long: text.utf8.count)
    }

    private init(long count: Int) { self.count = count }

    private mutating func pack(_ text: String) {
        for (index, byte) in text.utf8.enumerated() {
            if index < 8 {
                low |= UInt64(byte) << UInt64(8 * index)
            } else {
                high |= UInt64(byte) << UInt64(8 * index - 64)
            }
        }
    }

    @inline(__always)
    private static func hasBackslash(_ word: UInt64) -> Bool {
        let zeros = word ^ UInt64(repeating: UInt8(ascii: "\\"))
        return (zeros &- UInt64(repeating: 1)) & ~zeros & UInt64(repeating: 0x80) != 0
    }
}
