// Texts as they are compared to find one in another, however it is written there.

/// The words of a text, of letters and digits as UTF-8, with a blank between them: without case, and without escapes of however many levels.
///
/// Where a language puts no blanks between its words, each character is one here. Of what Unicode calls compatible only letters in full
/// width are the same; marks that stand by themselves are left out. It takes time in proportion to the text's length.
func foldedWords(of text: [UInt8]) -> [UInt8] {
    var folded: [UInt8] = []
    folded.reserveCapacity(text.count)
    var isAtStart = false
    // Bytes that are none of UTF-8, as an escape may have them, become a character that is no letter.
    for scalar in String(decoding: UnescapedText(text.span).bytes, as: UTF8.self).unicodeScalars {
        let count = folded.count
        if count > 0, isAtStart || scalar.isWord { folded.append(UInt8(ascii: " ")) }
        let start = folded.count
        append(scalar, to: &folded)
        if folded.count > start {
            isAtStart = scalar.isWord
        } else {
            folded.removeLast(start - count)
            isAtStart = isAtStart || !scalar.isInsideWord
        }
    }
    return folded
}

extension Unicode.Scalar {
    /// Whether it is of a script without blanks between words: Thai, Lao, Burmese, Khmer, kana, ideographs.
    fileprivate var isWord: Bool {
        switch value {
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3041...0x30FF, 0x3400...0x9FFF, 0x20000...0x3FFFF: true
        default: false
        }
    }

    /// Whether it parts no words, though it is no letter: an apostrophe, a mark above or below a letter.
    fileprivate var isInsideWord: Bool {
        value == 0x27 || value == 0x2019 || value >= 0x300 && properties.generalCategory == .nonspacingMark
    }
}

private func append(_ scalar: Unicode.Scalar, to folded: inout [UInt8]) {
    switch scalar.value {
    case ..<0x80:
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        if byte.isAlphanumeric() { folded.append(byte.lowercased) }
    // In full width.
    case 0xFF01...0xFF5E:
        let byte = UInt8(truncatingIfNeeded: scalar.value - 0xFEE0)
        if byte.isAlphanumeric() { folded.append(byte.lowercased) }
    // What long texts are full of is not looked up. Cyrillic:
    case 0x0410...0x042F: appendBytes(of: Unicode.Scalar(scalar.value + 0x20) ?? scalar, to: &folded)
    // Small Cyrillic letters; from Hebrew to Burmese, kana, ideographs and Hangul, which have no case.
    case 0x0430...0x044F, 0x0590...0x109F, 0x3041...0x30FF, 0x3400...0x9FFF, 0xAC00...0xD7A3: appendBytes(of: scalar, to: &folded)
    default:
        // By way of the capital letters, as some have no small ones of their own: "ß" is "SS" and "ς" is "Σ" there.
        for capital in scalar.properties.uppercaseMapping.unicodeScalars {
            for letter in capital.properties.lowercaseMapping.unicodeScalars {
                if letter.isASCII {
                    append(letter, to: &folded)
                } else if letter.properties.isAlphabetic {
                    appendBytes(of: letter, to: &folded)
                }
            }
        }
    }
}

private func appendBytes(of scalar: Unicode.Scalar, to bytes: inout [UInt8]) { UTF8.encode(scalar) { bytes.append($0) } }

/// A text with what escapes stand for, as JSON, C, Python, URLs and HTML have them, in their place; a blank for those that are no letter.
private struct UnescapedText {
    private(set) var bytes: [UInt8] = []

    init(_ text: Span<UInt8>) {
        bytes.reserveCapacity(text.count)
        var offset = 0
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "\\"): offset = append(escapeAt: offset, in: text)
            case UInt8(ascii: "%"): offset = append(percentAt: offset, in: text)
            case UInt8(ascii: "&"): offset = append(referenceAt: offset + 1, in: text)
            case let byte:
                bytes.append(byte)
                offset += 1
            }
        }
    }

    /// What may have been escaped itself, more than once: `%2541` for `%41`.
    private mutating func append(percentAt start: Int, in text: Span<UInt8>) -> Int {
        var digits = start + 1
        while text.holds("25", at: digits), digits + 3 < text.count, JSONText.hexadecimal(text[digits + 2]) != nil,
            JSONText.hexadecimal(text[digits + 3]) != nil
        {
            digits += 2
        }
        let end = append(hexadecimalAt: digits, in: text)
        if end == digits { appendBlank() }
        return end
    }

    private mutating func appendBlank() { bytes.append(UInt8(ascii: " ")) }

    /// Two digits for a byte.
    /// - Returns: where what follows begins, which is the start where these are none.
    private mutating func append(hexadecimalAt start: Int, in text: Span<UInt8>) -> Int {
        guard start + 1 < text.count, let high = JSONText.hexadecimal(text[start]),
            let low = JSONText.hexadecimal(text[start + 1])
        else {
            return start
        }
        bytes.append(UInt8(high << 4 | low))
        return start + 2
    }

    /// Those of HTML's names that stand for what other text has a use for, too.
    private static let names = ["quot;", "apos;", "lt;", "gt;", "nbsp;"]

    /// `#8364;`, `#x20ac;`, `nbsp;`, as they stand behind an ampersand, which may have been escaped itself, more than once.
    private mutating func append(referenceAt start: Int, in text: Span<UInt8>) -> Int {
        var start = start
        while text.holds("amp;", at: start) { start += 4 }
        guard text.holds("#", at: start),
            let end = (start..<min(start + 9, text.count)).first(where: { text[$0] == UInt8(ascii: ";") })
        else {
            appendBlank()
            return start + (Self.names.first { text.holds($0, at: start) }?.utf8.count ?? 0)
        }
        let isHexadecimal = start + 1 < end && text[start + 1].lowercased == UInt8(ascii: "x")
        var value: UInt32 = 0
        for offset in start + (isHexadecimal ? 2 : 1)..<end {
            guard let digit = JSONText.hexadecimal(text[offset]), isHexadecimal || digit < 10 else { return end + 1 }
            value = value * (isHexadecimal ? 16 : 10) + UInt32(digit)
        }
        append(scalar: value)
        return end + 1
    }

    /// Backslashes, and what they make of what follows.
    private mutating func append(escapeAt start: Int, in text: Span<UInt8>) -> Int {
        let offset = Self.end(ofBackslashesAt: start, in: text)
        guard offset < text.count else { return offset }
        switch text[offset] {
        case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            appendBlank()
            return offset + 1
        case UInt8(ascii: "0")...UInt8(ascii: "3"): return append(octalAt: offset, in: text)
        case UInt8(ascii: "U"):
            guard let high = JSONText.codeUnit(at: offset + 1, in: text), let low = JSONText.codeUnit(at: offset + 5, in: text)
            else { return offset }
            append(scalar: UInt32(high) << 16 | UInt32(low))
            return offset + 9
        case UInt8(ascii: "x"):
            let end = append(hexadecimalAt: offset + 1, in: text)
            return end == offset + 1 ? offset : end
        case UInt8(ascii: "u"):
            guard let unit = JSONText.codeUnit(at: offset + 1, in: text) else { return offset }
            let next = Self.end(ofBackslashesAt: offset + 5, in: text)
            if UTF16.isLeadSurrogate(unit), next < text.count, text[next] == UInt8(ascii: "u"),
                let trail = JSONText.codeUnit(at: next + 1, in: text), UTF16.isTrailSurrogate(trail)
            {
                append(scalar: 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00))
                return next + 5
            }
            append(scalar: UInt32(unit))
            return offset + 5
        default:
            appendBlank()
            return offset
        }
    }

    /// Three digits for a byte.
    private mutating func append(octalAt start: Int, in text: Span<UInt8>) -> Int {
        guard start + 2 < text.count else { return start }
        let digits = (start..<start + 3).map { text[$0] &- UInt8(ascii: "0") }
        guard digits.allSatisfy({ $0 < 8 }) else { return start }
        bytes.append(digits[0] << 6 | digits[1] << 3 | digits[2])
        return start + 3
    }

    private static func end(ofBackslashesAt start: Int, in text: Span<UInt8>) -> Int {
        var offset = start
        while offset < text.count, text[offset] == UInt8(ascii: "\\") { offset += 1 }
        return offset
    }

    private mutating func append(scalar value: UInt32) {
        if let scalar = Unicode.Scalar(value) { appendBytes(of: scalar, to: &bytes) }
    }
}

extension Span<UInt8> {
    /// Whether these bytes stand there.
    fileprivate func holds(_ text: String, at start: Int) -> Bool {
        isEqual(to: text.utf8Span.span, at: start, from: 0, count: text.utf8.count)
    }
}
