// What a single line of HTTP/1 can be (RFC 9112 §4, §5, §7.1).

/// `HTTP/1.1 200 OK`, or as some servers have it, without a reason or the space before it.
struct StatusLine {
    let isHTTP10: Bool
    /// Three digits, of any value.
    let status: Int

    /// - Throws: `HTTPError.malformed`.
    init(_ line: Span<UInt8>) throws(HTTPError) {
        guard line.count == 12 || line.count > 12 && line[12] == 0x20, line.starts(with: "HTTP/1."), line[8] == 0x20,
            line[7] & 0xFE == UInt8(ascii: "0"), let status = line.extracting(9..<12).decimalNumber, line.isFieldValue
        else { throw Self.missing }
        isHTTP10 = line[7] == UInt8(ascii: "0")
        self.status = status
    }

    static let missing = HTTPError.malformed(reason: "no status line")
}

/// `Name: value`.
struct FieldLine {
    /// A token.
    let name: Range<Int>
    let value: Range<Int>

    /// `nil` for a line whose name is no token, such as `X Y: z`: nobody can want it, and the answer is good without it. No colon,
    /// blanks around the name of a field about the body or the connection, a line end within the line, and folded lines are another
    /// matter: they are what hides a length from one reader and not from another (RFC 9112 §5.1, §5.2).
    ///
    /// - Throws: `HTTPError.malformed` for those.
    @inline(__always)
    init?(_ line: Span<UInt8>) throws(HTTPError) {
        let colon = line.tokenPrefixCount
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
            try Self.checkOdd(line)
            return nil
        }
        name = 0..<colon
        value = colon + 1..<line.count
    }

    /// Whether a line whose name is no token may be left out.
    private static func checkOdd(_ line: Span<UInt8>) throws(HTTPError) {
        if !line.isEmpty, line[0].isBlank { throw .malformed(reason: "a folded header line") }
        guard line.isFieldValue else { throw .malformed(reason: "a header line holds a line end or NUL") }
        guard let colon = line.firstColon else { throw .malformed(reason: "a header line without a colon") }
        var start = 0
        while start < colon {
            let word = line.extracting(start..<colon).tokenPrefixCount
            guard !MessageFraming.isAboutMessage(line.extracting(start..<start + word)) else {
                throw .malformed(reason: "the name of a header about the body is no token")
            }
            start += word + 1
        }
    }
}

/// `1f40`, or `1f40;name=value` (RFC 9112 §7.1).
struct ChunkSize {
    /// With extensions and the line's end.
    static let lineBytesMax = 4 << 10
    /// Enough for `MessageFraming.lengthMax`, and for servers that send leading zeros.
    private static let digitsMax = 16

    let bytes: Int

    /// Extensions are skipped, blanks before them too (RFC 9112 §7.1.1).
    ///
    /// - Throws: `HTTPError.malformed`.
    init(_ line: Span<UInt8>) throws(HTTPError) {
        var (size, digits) = (0, 0)
        while digits < min(line.count, Self.digitsMax), let digit = line[digits].hexadecimalDigit {
            size = size &<< 4 | digit
            digits += 1
        }
        guard digits > 0, size >= 0, size <= MessageFraming.lengthMax, Self.isEnd(line, from: digits) else {
            throw .malformed(reason: "no size of a chunk")
        }
        bytes = size
    }

    /// Whether nothing is left but blanks and extensions.
    private static func isEnd(_ line: Span<UInt8>, from start: Int) -> Bool {
        if start == line.count { return true }
        var index = start
        while index < line.count, line[index].isBlank { index += 1 }
        return index == line.count || line[index] == UInt8(ascii: ";") && line.isFieldValue
    }
}

extension Span<UInt8> {
    fileprivate func starts(with text: String) -> Bool {
        let other = text.utf8Span.span
        guard count >= other.count else { return false }
        for index in other.indices where self[index] != other[index] { return false }
        return true
    }

    fileprivate var firstColon: Int? {
        for index in indices where self[index] == UInt8(ascii: ":") { return index }
        return nil
    }
}
