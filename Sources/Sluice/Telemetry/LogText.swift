// Text in the log, of which nothing acts on whoever looks at it: no line break, no command of a terminal, no change of direction.

import Chat

extension [UInt8] {
    /// Appends what stands between quotes, with the escapes of JSON (RFC 8259 §7), which those of logfmt are too.
    mutating func appendEscaped(_ text: String) {
        for scalar in text.unicodeScalars {
            if scalar.value == 0x22 || scalar.value == 0x5C { append(UInt8(ascii: "\\")) }
            appendVisible(scalar)
        }
    }

    /// Appends text to its line's end, or to whatever else cannot stand in it.
    mutating func appendVisible(_ text: String) {
        let bytes = text.utf8Span.span
        if bytes.indices.allSatisfy({ bytes[$0].isPlain }) { return append(text) }
        for scalar in text.unicodeScalars { appendVisible(scalar) }
    }

    private mutating func appendVisible(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        case _ where scalar.isHidden:
            append("\\u")
            for shift in [12, 8, 4, 0] { append(Self.digit(UInt8(truncatingIfNeeded: scalar.value >> UInt32(shift)) & 15)) }
        default: append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

extension UInt8 {
    /// Whether the byte stands for itself wherever it is: ASCII that one sees, but for what quotes and escapes are made of.
    fileprivate var isPlain: Bool { 0x20..<0x7F ~= self && self != UInt8(ascii: "\"") && self != UInt8(ascii: "\\") }
}

extension Unicode.Scalar {
    /// Whether one does not see it, and sees something else for it: controls (C0, DEL, C1), line and paragraph separators, marks
    /// and overrides of direction (UAX #9), what has no width, and the byte order mark. The two joiners stay (U+200C, U+200D): Persian
    /// and the languages of India are written with them, and emoji put together.
    fileprivate var isHidden: Bool {
        switch value {
        case ..<0x20, 0x7F...0x9F, 0xAD, 0x061C, 0x200B, 0x200E...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        default: false
        }
    }
}
