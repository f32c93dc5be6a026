// Texts in JSON, with surrogates that stand alone kept: their other half may come in the next event.

extension JSONText {
    /// The bytes of a validated string, its escapes undone. A surrogate has the three bytes that it would have in UTF-8 were it a
    /// character.
    static func bytesWithSurrogates(_ range: Range<Int>, in document: Span<UInt8>) -> [UInt8] {
        let end = range.upperBound - 1
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var offset = range.lowerBound + 1
        while offset < end {
            if document[offset] != UInt8(ascii: "\\") {
                text.append(document[offset])
                offset += 1
            } else if document[offset + 1] == UInt8(ascii: "u"), let unit = codeUnit(at: offset + 2, in: document),
                UTF16.isLeadSurrogate(unit) || UTF16.isTrailSurrogate(unit)
            {
                text += [0xED, 0x80 | UInt8(unit >> 6 & 0x3F), 0x80 | UInt8(unit & 0x3F)]
                offset += 6
            } else {
                offset = appendEscape(at: offset, in: document, to: &text)
            }
        }
        return text
    }
}

extension [UInt8] {
    /// Appends such bytes as a JSON string with its quotes.
    mutating func appendJSONString(withSurrogates text: [UInt8]) {
        append(UInt8(ascii: "\""))
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            if byte == 0xED, offset + 2 < text.count, text[offset + 1] >= 0xA0 {
                appendUnit(0xD000 | UInt16(text[offset + 1] & 0x3F) << 6 | UInt16(text[offset + 2] & 0x3F))
                offset += 3
                continue
            }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): self += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): append("\\n")
            case ..<0x20: appendUnit(UInt16(byte))
            default: append(byte)
            }
            offset += 1
        }
        append(UInt8(ascii: "\""))
    }

    private mutating func appendUnit(_ unit: UInt16) {
        append("\\u")
        for shift in [12, 8, 4, 0] as [UInt16] {
            let digit = UInt8(unit >> shift & 0xF)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
