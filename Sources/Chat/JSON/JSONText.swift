/// The strings of JSON (RFC 8259 §7): finding their end, decoding, comparing. Ranges include the quotes.
package enum JSONText {
    /// Validates the string whose opening quote stands at `start`.
    /// - Returns: the offset after its closing quote.
    @inline(always)
    static func end(ofStringAt start: Int, in document: Span<UInt8>) throws(JSONError) -> Int {
        // Most names, and many values, end within a word: one look at that is all they need.
        let first = start &+ 1
        guard first &+ 8 <= document.count else { return try end(ofStringFrom: first, in: document) }
        let marks = marks(document.word(at: first))
        guard marks != 0 else { return try end(ofStringFrom: first &+ 8, in: document) }
        let offset = first &+ marks.trailingZeroBitCount / 8
        return document[offset] == UInt8(ascii: "\"") ? offset &+ 1 : try end(ofStringFrom: offset, in: document)
    }

    /// Validates a string from `start` on, which lies behind its opening quote and what else is known to be valid.
    private static func end(ofStringFrom start: Int, in document: Span<UInt8>) throws(JSONError) -> Int {
        var offset = start
        while true {
            offset = end(ofPlainTextAt: offset, in: document)
            guard offset < document.count else { throw JSONError(offset: offset, reason: .unexpectedEnd) }
            if document[offset] == UInt8(ascii: "\"") { return offset &+ 1 }
            offset = try end(ofSpecialAt: offset, in: document)
        }
    }

    /// The offset of the first byte from `start` on that does not stand for itself; the document's end when there is none.
    @inline(always)
    private static func end(ofPlainTextAt start: Int, in document: Span<UInt8>) -> Int {
        // With a span that shrinks, the loop's own condition is the only check of bounds.
        var rest = document.extracting(start...)
        // Behind an escape the next one, or the end, is often near.
        if rest.count >= 8 {
            let marks = marks(rest.word(at: 0))
            guard marks == 0 else { return start &+ marks.trailingZeroBitCount / 8 }
            rest = rest.extracting(8...)
        }
        while rest.count >= 16 {
            if let length = marks(rest.block()).firstMarked { return document.count &- rest.count &+ length }
            rest = rest.extracting(16...)
        }
        var length = 0
        while length < rest.count, rest[length] &- 0x20 < 0x60, rest[length] != UInt8(ascii: "\""),
            rest[length] != UInt8(ascii: "\\")
        {
            length &+= 1
        }
        return document.count &- rest.count &+ length
    }

    /// Validates an escape, or the multi-byte sequences that begin at `start`.
    /// - Returns: the offset of the first byte after them.
    @inline(always)
    private static func end(ofSpecialAt start: Int, in document: Span<UInt8>) throws(JSONError) -> Int {
        switch document[start] {
        case UInt8(ascii: "\\"): try end(ofEscapeAt: start, in: document)
        case 0x80...: try end(ofSequencesAt: start, in: document)
        default: throw JSONError(offset: start, reason: .controlCharacter)
        }
    }

    /// Marks the bytes of a word that do not stand for themselves. The lowest high bit that is set is right, the others may not be.
    @inline(always)
    static func marks(_ word: UInt64) -> UInt64 {
        // The exclusive or swaps quote (0x22) and space (0x20), and moves nothing else across 0x21. Below that are then the quote and
        // the control characters alone, and of those the subtraction borrows, which sets the high bit.
        let quotesAndControls = (word ^ UInt64(repeating: 0x02)) &- UInt64(repeating: 0x21)
        let backslashes = (word ^ UInt64(repeating: UInt8(ascii: "\\"))) &- UInt64(repeating: 1)
        return (word | quotesAndControls | backslashes) & UInt64(repeating: 0x80)
    }

    /// The same for sixteen bytes, each of which is marked rightly.
    @inline(always)
    private static func marks(_ block: SIMD16<UInt8>) -> SIMD16<UInt8> {
        let quotesAndControls = (block ^ SIMD16<UInt8>(repeating: 0x02)) &- SIMD16<UInt8>(repeating: 0x21)
        let backslashes = (block ^ SIMD16<UInt8>(repeating: UInt8(ascii: "\\"))) &- SIMD16<UInt8>(repeating: 1)
        return block | quotesAndControls | backslashes
    }

    @inline(always)
    private static func end(ofEscapeAt start: Int, in document: Span<UInt8>) throws(JSONError) -> Int {
        guard start &+ 1 < document.count else { throw JSONError(offset: start &+ 1, reason: .unexpectedEnd) }
        let letter = document[start &+ 1]
        if isEscapeOfOneByte(letter) { return start &+ 2 }
        guard letter == UInt8(ascii: "u"), codeUnit(at: start &+ 2, in: document) != nil else {
            throw JSONError(offset: start, reason: .badEscape)
        }
        return start &+ 6
    }

    /// Whether it may stand behind a backslash (§7): `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`. A bit for each: what escapes a text
    /// has cannot be foretold, and a wrong guess at a branch costs more.
    @inline(always)
    private static func isEscapeOfOneByte(_ letter: UInt8) -> Bool {
        // The letters below 0x40: " and /. Those from there on, less 0x40: \ (0x5C), b, f, n, r and t (0x62 to 0x74).
        let low: UInt64 = 1 << 0x22 | 1 << 0x2F
        let high: UInt64 = 1 << 0x1C | 1 << 0x22 | 1 << 0x26 | 1 << 0x2E | 1 << 0x32 | 1 << 0x34
        let letters = letter < 0x40 ? low : letter < 0x80 ? high : 0
        return letters >> UInt64(letter & 0x3F) & 1 == 1
    }

    /// The UTF-16 code unit that four hexadecimal digits write.
    static func codeUnit(at start: Int, in document: Span<UInt8>) -> UInt16? {
        guard start &+ 4 <= document.count else { return nil }
        var unit: UInt16 = 0
        for offset in start..<start &+ 4 {
            guard let digit = hexadecimal(document[offset]) else { return nil }
            unit = unit << 4 | digit
        }
        return unit
    }

    static func hexadecimal(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Validates the multi-byte UTF-8 sequences that begin at `start`.
    /// - Returns: the offset of the next ASCII byte.
    private static func end(ofSequencesAt start: Int, in document: Span<UInt8>) throws(JSONError) -> Int {
        var offset = start
        while offset < document.count, document[offset] >= 0x80 {
            let length = sequenceLength(at: offset, in: document)
            guard length > 0 else { throw JSONError(offset: offset, reason: .badUTF8) }
            offset &+= length
        }
        return offset
    }

    /// The length of the multi-byte sequence at `offset`; 0 when RFC 3629 §4 does not allow it: overlong, a surrogate, beyond
    /// U+10FFFF, or cut short.
    @inline(always)
    private static func sequenceLength(at offset: Int, in document: Span<UInt8>) -> Int {
        let first = document[offset]
        guard offset &+ 1 < document.count, isContinuation(document[offset &+ 1]) else { return 0 }
        if first < 0xE0 { return first >= 0xC2 ? 2 : 0 }
        guard offset &+ 2 < document.count, isContinuation(document[offset &+ 2]) else { return 0 }
        let second = document[offset &+ 1]
        if first < 0xF0 {
            let isBad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0)
            return isBad ? 0 : 3
        }
        guard offset &+ 3 < document.count, isContinuation(document[offset &+ 3]) else { return 0 }
        let isBad = first > 0xF4 || (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90)
        return isBad ? 0 : 4
    }

    @inline(always)
    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }
}

extension JSONText {
    /// The text of a validated string, its escapes undone; a lone surrogate becomes U+FFFD.
    package static func decode(_ range: Range<Int>, in document: Span<UInt8>) -> String {
        let inner = range.lowerBound + 1..<range.upperBound - 1
        guard hasEscape(inner, in: document) else { return document.text(in: inner) }
        return String(decoding: bytes(range, in: document), as: UTF8.self)
    }

    /// The bytes of a validated string, its escapes undone, as `decode` has them.
    /// - Parameter countMax: about how many are wanted; a few more may come, and no character is cut by an escape.
    package static func bytes(_ range: Range<Int>, in document: Span<UInt8>, countMax: Int = .max) -> [UInt8] {
        let inner = range.lowerBound + 1..<range.upperBound - 1
        var text: [UInt8] = []
        text.reserveCapacity(min(inner.count, countMax))
        var offset = inner.lowerBound
        while offset < inner.upperBound, text.count < countMax {
            if document[offset] == UInt8(ascii: "\\") {
                offset = appendEscape(at: offset, in: document, to: &text)
            } else {
                text.append(document[offset])
                offset += 1
            }
        }
        return text
    }

    /// Whether a validated member name is `name`, also when it is written with escapes (`"\u006dodel"` is `model`).
    @inline(always)
    package static func isEqual(_ range: Range<Int>, to name: String, in document: Span<UInt8>) -> Bool {
        let key = name.utf8Span.span
        if range.count == key.count &+ 2 {
            var index = 0
            while index < key.count, key[index] == document[range.lowerBound &+ 1 &+ index] { index &+= 1 }
            if index == key.count { return true }
        }
        // An escape takes more bytes than the character for which it stands.
        return range.count > key.count &+ 2 && isEqualUnescaped(range, to: key, in: document)
    }

    private static func isEqualUnescaped(_ range: Range<Int>, to key: Span<UInt8>, in document: Span<UInt8>) -> Bool {
        // No escape is longer than twelve bytes, which stand for four.
        guard range.count &- 2 <= 6 &* key.count, hasEscape(range, in: document) else { return false }
        let text = bytes(range, in: document)
        return text.count == key.count && text.span.isEqual(to: key, at: 0, from: 0, count: key.count)
    }

    static func hasEscape(_ range: Range<Int>, in document: Span<UInt8>) -> Bool {
        for offset in range where document[offset] == UInt8(ascii: "\\") { return true }
        return false
    }

    static func appendEscape(at start: Int, in document: Span<UInt8>, to text: inout [UInt8]) -> Int {
        switch document[start + 1] {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): return appendCodeUnits(at: start, in: document, to: &text)
        default: text.append(document[start + 1])
        }
        return start + 2
    }

    /// Appends the character that `\uXXXX`, or a pair of them, writes.
    private static func appendCodeUnits(at start: Int, in document: Span<UInt8>, to text: inout [UInt8]) -> Int {
        let unit = codeUnit(at: start + 2, in: document) ?? 0xFFFD
        if UTF16.isLeadSurrogate(unit), let trail = trailSurrogate(at: start + 6, in: document) {
            let value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00)
            append(Unicode.Scalar(value), to: &text)
            return start + 12
        }
        append(Unicode.Scalar(UInt32(unit)), to: &text)
        return start + 6
    }

    private static func append(_ scalar: Unicode.Scalar?, to text: inout [UInt8]) {
        UTF8.encode(scalar ?? "\u{FFFD}") { text.append($0) }
    }

    private static func trailSurrogate(at start: Int, in document: Span<UInt8>) -> UInt16? {
        guard start + 6 <= document.count, document[start] == UInt8(ascii: "\\"), document[start + 1] == UInt8(ascii: "u"),
            let unit = codeUnit(at: start + 2, in: document), UTF16.isTrailSurrogate(unit)
        else { return nil }
        return unit
    }
}
