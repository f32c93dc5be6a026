// How texts become strings of JSON.

extension [UInt8] {
    /// Appends the UTF-8 bytes of `text` as they are.
    package mutating func append(_ text: String) {
        append(text.utf8Span.span)
    }

    /// In half of the instructions that `append(contentsOf: text.utf8)` takes, or those of a slice.
    mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends `text` as a JSON string with its quotes (RFC 8259 §7). U+2028 and U+2029 need no escape in JSON, and no line
    /// break ever comes out: the result fits in one `data:` line.
    package mutating func appendJSONString(_ text: String) {
        append(UInt8(ascii: "\""))
        let bytes = text.utf8Span.span
        if bytes.isPlain {
            append(bytes)
        } else {
            appendEscaped(text)
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends what stands between the quotes.
    mutating func appendEscaped(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case ..<0x20: append("\\u00\(hexadecimal: byte)")
            default: append(byte)
            }
        }
    }

    /// Appends a JSON string, or `null`.
    package mutating func appendJSONString(_ text: String?) {
        guard let text else { return append("null") }
        appendJSONString(text)
    }
}

extension Span<UInt8> {
    /// Whether each byte stands for itself in a JSON string.
    fileprivate var isPlain: Bool {
        var rest = extracting(0...)
        while rest.count >= 8 {
            // None but bytes beyond ASCII are marked that do stand for themselves.
            guard JSONText.marks(rest.word(at: 0)) & ~rest.word(at: 0) == 0 else { return false }
            rest = rest.extracting(8...)
        }
        for index in rest.indices where !rest[index].isPlain { return false }
        return true
    }
}

extension UInt8 {
    /// Whether the byte stands for itself in a JSON string.
    fileprivate var isPlain: Bool { self >= 0x20 && self != UInt8(ascii: "\"") && self != UInt8(ascii: "\\") }
}

extension String.StringInterpolation {
    fileprivate mutating func appendInterpolation(hexadecimal byte: UInt8) {
        appendLiteral(byte < 0x10 ? "0" : "")
        appendLiteral(String(byte, radix: 16))
    }
}
