/// The part of a text that has come and is not yet decided on, and how far it has been looked at.
///
/// A look at what has not come yet is noted: whatever was decided by it does not count.
struct SpeechInput: Sendable {
    /// One character, or a byte that is none.
    struct Scalar {
        /// Its code point, a surrogate's too; 0 at the text's end, and what no character has for a byte of no character.
        let value: UInt32
        /// Its bytes; 0 at the text's end.
        let count: Int

        var isSpace: Bool { value.isSpace }
    }

    private(set) var bytes: [UInt8] = []
    private(set) var offset = 0
    /// Whether nothing follows what has come.
    var isLast = false
    /// Whether somebody has looked at what has not come yet.
    private(set) var isShort = false

    /// Whether there is a byte to decide on.
    var hasMore: Bool { offset < bytes.count }

    mutating func append(_ text: [UInt8]) {
        if bytes.isEmpty { bytes = text } else { bytes += text }
    }

    /// The byte so far behind the next one; nil behind the text's end.
    mutating func peek(_ distance: Int = 0) -> UInt8? {
        if offset + distance < bytes.count { return bytes[offset + distance] }
        if !isLast { isShort = true }
        return nil
    }

    /// The next byte, if it has come.
    var next: UInt8? { hasMore ? bytes[offset] : nil }

    mutating func skip(_ count: Int) { offset = min(offset + count, bytes.count) }

    /// Undoes a step.
    mutating func rewind(to start: Int) { (offset, isShort) = (start, false) }

    /// Forgets what has been decided on.
    mutating func discard() {
        bytes.removeFirst(min(offset, bytes.count))
        offset = 0
    }

    /// How much has come and is not decided on.
    var count: Int { bytes.count - offset }

    /// A byte that has come, so far behind the next one.
    subscript(distance: Int) -> UInt8 { bytes[offset + distance] }

    /// The text up to the offset that stood from `start` on.
    func taken(from start: Int) -> ArraySlice<UInt8> { bytes[start..<offset] }
}

// MARK: Looks ahead

extension SpeechInput {
    /// Whether what follows is this text of ASCII small letters and other bytes, with capitals as good.
    mutating func matches(_ text: [UInt8], at distance: Int = 0) -> Bool {
        for index in text.indices {
            guard let byte = peek(distance + index), byte.lowercased == text[index] else { return false }
        }
        return true
    }

    /// How often a byte follows, at most `countMax`.
    mutating func run(of byte: UInt8, at distance: Int = 0, atMost countMax: Int) -> Int {
        var count = 0
        while count < countMax, peek(distance + count) == byte { count += 1 }
        return count
    }

    /// How many blanks follow, at most `countMax`.
    mutating func blanks(at distance: Int = 0, atMost countMax: Int) -> Int {
        var count = 0
        while count < countMax, peek(distance + count)?.isBlank == true { count += 1 }
        return count
    }

    /// The character so far behind. A surrogate is one of its own: the halves of a character may come in two events.
    mutating func scalar(at distance: Int = 0) -> Scalar {
        guard let first = peek(distance) else { return Scalar(value: 0, count: 0) }
        if first < 0x80 { return Scalar(value: UInt32(first), count: 1) }
        let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        var value = UInt32(first) & (0x7F >> UInt32(count))
        let none = Scalar(value: 0x11_0000 + UInt32(first), count: 1)
        guard (0xC2...0xF4).contains(first) else { return none }
        for index in 1..<count {
            guard let byte = peek(distance + index), byte & 0xC0 == 0x80 else { return none }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        // An overlong form, or what lies beyond Unicode.
        guard value >= [0, 0, 0x80, 0x800, 0x10000][count], value < 0x11_0000 else { return none }
        return Scalar(value: value, count: count)
    }

    /// The same, with both halves of a character taken for it.
    mutating func wholeScalar(at distance: Int = 0) -> Scalar {
        let lead = scalar(at: distance)
        guard lead.value & ~0x3FF == 0xD800 else { return lead }
        let trail = scalar(at: distance + lead.count)
        guard trail.value & ~0x3FF == 0xDC00 else { return lead }
        return Scalar(value: 0x10000 + (lead.value & 0x3FF) << 10 + trail.value & 0x3FF, count: lead.count + trail.count)
    }
}

extension UInt32 {
    /// Whether it is white space, or no character at all.
    var isSpace: Bool {
        switch self {
        case 0, 9...13, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    var isASCIIDigit: Bool { self &- 0x30 < 10 }
    var isASCIIWord: Bool { self < 0x80 && UInt8(self).isASCIIWord }

    /// Whether words are made of it: a letter, a digit, or a mark on one.
    var isWord: Bool {
        guard self >= 0x80 else { return isASCIIWord }
        guard let properties = Unicode.Scalar(self)?.properties else { return false }
        if properties.isAlphabetic { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .decimalNumber: return true
        default: return false
        }
    }
}

extension UInt8 {
    /// A capital of ASCII as its small letter.
    var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
    /// Whether it is a letter or a digit of ASCII.
    var isASCIIWord: Bool { isDigit || (self | 0x20) &- 0x61 < 26 }
    var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D }
}
