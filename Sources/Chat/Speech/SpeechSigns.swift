// The quick look by which most events go on as they are.

extension SpeechFilter {
    /// Takes a text of a JSON string that has nothing in it to decide on, nor had what stands ahead; it goes on as it is.
    ///
    /// - Parameter text: without the quotes.
    /// - Returns: false, having taken nothing, where more than a quick look is needed.
    mutating func passes(_ text: Range<Int>, in json: Span<UInt8>) -> Bool {
        guard isInPlainText, !input.hasMore, !text.isEmpty, !hasSign(text, in: json), !mayEndInLink(text, in: json),
            !mayEndInBlank(text, in: json)
        else { return false }
        context.note(text, in: json)
        return true
    }

    /// Says what is next and has come, as far as it is of ASCII and has nothing in it to decide on.
    ///
    /// - Returns: false, having said nothing, where that is not even one byte.
    mutating func takePlain() -> Bool {
        guard isInPlainText else { return false }
        var (count, isInWord) = (0, context.previous.isASCIIWord)
        while count < input.count {
            let byte = input[count]
            if byte == UInt8(ascii: " ") {
                // One that stands ahead of a word is no more than that.
                guard count + 1 < input.count, input[count + 1].isASCIIWord else { break }
            } else if byte <= UInt8(ascii: "!") || byte >= 0x7F || signs.contains(byte) {
                break
            } else if !isInWord, byte.lowercased == Self.scheme[0] {
                break
            }
            isInWord = byte.isASCIIWord
            count += 1
        }
        guard count > 0 else { return false }
        say(plain: count)
        return true
    }

    /// Whether what is next is nothing but a text, unless it is a sign.
    private var isInPlainText: Bool { (context.line == .inside || !parts.contains(.markdown)) && context.isPlain }

    private func hasSign(_ text: Range<Int>, in json: Span<UInt8>) -> Bool {
        let (hasPictures, hasMarks) = (!parts.isDisjoint(with: [.emoji, .think]), parts.contains(.links))
        for offset in text {
            let byte = json[offset]
            if byte < 0x80 {
                if signs.contains(byte) { return true }
            } else if hasPictures, byte >= 0xC2, Self.scalar(at: offset, in: json).mayBeEmoji {
                return true
            } else if hasMarks, byte == 0xE3, Self.scalar(at: offset, in: json) == 0x3010 {
                return true
            }
        }
        return false
    }

    /// Whether what comes next decides on its last blank.
    private func mayEndInBlank(_ text: Range<Int>, in json: Span<UInt8>) -> Bool {
        json[text.upperBound - 1] == UInt8(ascii: " ") && (context.isItem || !parts.isDisjoint(with: [.emoji, .links]))
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
    static func scalar(at offset: Int, in json: Span<UInt8>) -> UInt32 {
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
    var signs: ASCIISet {
        var signs = ASCIISet.escapes
        if contains(.think) { signs.formUnion(.thought) }
        if contains(.markdown) { signs.formUnion(.markdown) }
        if contains(.links) { signs.formUnion(.links) }
        return signs
    }
}

/// Some bytes of ASCII, a bit for each.
struct ASCIISet: Sendable {
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
