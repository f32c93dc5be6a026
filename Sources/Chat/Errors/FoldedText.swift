// Texts as they are compared to find one in another, however it is written there.

/// The letters and digits of a text as UTF-8, without case, and without escapes of however many levels.
///
/// Of what Unicode calls compatible only letters in full width are the same here; marks that stand by themselves are left out. It takes
/// time in proportion to the text's length.
func foldedBytes(of text: [UInt8]) -> [UInt8] {
    var folded: [UInt8] = []
    folded.reserveCapacity(text.count)
    // Bytes that are none of UTF-8, as an escape may have them, become a character that is no letter.
    for scalar in String(decoding: UnescapedText(text.span).bytes, as: UTF8.self).unicodeScalars {
        append(scalar, to: &folded)
    }
    return folded
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

/// A text with what escapes stand for, as JSON, Python, URLs and HTML have them, in their place; blanks and names of HTML are left out.
private struct UnescapedText {
    private(set) var bytes: [UInt8] = []

    init(_ text: Span<UInt8>) {
        bytes.reserveCapacity(text.count)
        var offset = 0
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "\\"): offset = append(escapeAt: offset, in: text)
            case UInt8(ascii: "%"): offset = append(hexadecimalAt: offset + 1, in: text)
            case UInt8(ascii: "&"): offset = append(referenceAt: offset + 1, in: text)
            case let byte:
                bytes.append(byte)
                offset += 1
            }
        }
    }

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

    /// `#8364;`, `#x20ac;`, `nbsp;`, as they stand behind an ampersand.
    private mutating func append(referenceAt start: Int, in text: Span<UInt8>) -> Int {
        guard let end = (start..<min(start + 9, text.count)).first(where: { text[$0] == UInt8(ascii: ";") }) else { return start }
        guard end > start, text[start] == UInt8(ascii: "#") else { return end + 1 }
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
        case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): return offset + 1
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
        default: return offset
        }
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
