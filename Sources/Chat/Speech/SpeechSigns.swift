// The quick look by which most events go on as they are.

extension SpeechFilter {
    /// Takes a text of a JSON string that has nothing in it to decide on, nor had what stands ahead; it goes on as it is.
    ///
    /// - Parameter text: without the quotes.
    /// - Returns: false, having taken nothing, where more than a quick look is needed.
    mutating func passes(_ text: Range<Int>, in json: Span<UInt8>) -> Bool {
        guard context.line == .inside || !parts.contains(.markdown), context.isPlain, !input.hasMore, !text.isEmpty,
            !hasSign(text, in: json), !mayEndInLink(text, in: json)
        else { return false }
        var start = text.upperBound - 1
        while start > text.lowerBound, json[start] & 0xC0 == 0x80 { start -= 1 }
        let last = Self.scalar(at: start, in: json)
        (context.previous, context.said) = (last, last)
        return true
    }

    private func hasSign(_ text: Range<Int>, in json: Span<UInt8>) -> Bool {
        let (signs, pictures) = (parts.signs, !parts.isDisjoint(with: [.emoji, .think]))
        for offset in text {
            let byte = json[offset]
            if byte < 0x80 {
                if signs.contains(byte) { return true }
            } else if pictures, byte >= 0xC2, Self.scalar(at: offset, in: json).mayBeEmoji {
                return true
            }
        }
        return false
    }

    /// Whether it ends with what may be the beginning of a URL, or of an image.
    private func mayEndInLink(_ text: Range<Int>, in json: Span<UInt8>) -> Bool {
        guard parts.contains(.links) else { return false }
        let last = json[text.upperBound - 1]
        if last == UInt8(ascii: "!") { return true }
        guard Self.scheme.contains(last.lowercased) else { return false }
        for count in 1...min(text.count, Self.scheme.count) {
            let start = text.upperBound - count
            guard json[start].lowercased == Self.scheme[0] else { continue }
            let previous = start > text.lowerBound ? UInt32(json[start - 1]) : context.previous
            if !previous.isASCIIWord, (1..<count).allSatisfy({ Self.mayStand(json[start + $0].lowercased, at: $0) }) {
                return true
            }
        }
        return false
    }

    private static let scheme = [UInt8]("https:".utf8)

    private static func mayStand(_ byte: UInt8, at index: Int) -> Bool {
        byte == scheme[index] || index == 4 && byte == UInt8(ascii: ":")
    }

    /// The character that begins there, in a text that is valid.
    private static func scalar(at offset: Int, in json: Span<UInt8>) -> UInt32 {
        let first = UInt32(json[offset])
        guard first >= 0xC0 else { return first }
        let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard offset + count <= json.count else { return first }
        var value = first & (0x7F >> UInt32(count))
        for index in 1..<count { value = value << 6 | UInt32(json[offset + index] & 0x3F) }
        return value
    }
}

extension SpeechParts {
    /// Bytes of ASCII of which one may be, or begin, something to leave out inside of a line, as they stand in a JSON string.
    fileprivate var signs: ASCIISet {
        var signs = ASCIISet.escapes
        if contains(.think) { signs.formUnion(.thought) }
        if contains(.markdown) { signs.formUnion(.markdown) }
        if contains(.links) { signs.formUnion(.links) }
        return signs
    }
}

/// Some bytes of ASCII, a bit for each.
private struct ASCIISet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    static let escapes = ASCIISet("\\")
    static let thought = ASCIISet("<[")
    static let markdown = ASCIISet("*_~`<&")
    static let links = ASCIISet("[</")

    init(_ bytes: String) {
        for byte in bytes.utf8 {
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte & 63) }
        }
    }

    mutating func formUnion(_ other: ASCIISet) {
        low |= other.low
        high |= other.high
    }

    func contains(_ byte: UInt8) -> Bool { (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1 }
}
