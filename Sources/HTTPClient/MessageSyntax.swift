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

    /// Folded lines and blanks before the colon are refused: they are what hides a length from one reader and not from another
    /// (RFC 9112 §5.1, §5.2).
    ///
    /// - Throws: `HTTPError.malformed`.
    @inline(__always)
    init(_ line: Span<UInt8>) throws(HTTPError) {
        let colon = line.tokenPrefixCount
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else { throw Self.fault(in: line) }
        name = 0..<colon
        value = colon + 1..<line.count
    }

    private static func fault(in line: Span<UInt8>) -> HTTPError {
        if !line.isEmpty, line[0].isBlank { return .malformed(reason: "a folded header line") }
        guard let colon = line.firstColon else { return .malformed(reason: "a header line without a colon") }
        guard colon > 0, line[colon - 1].isBlank else { return FieldChecker.noToken }
        return .malformed(reason: "white space before a header's colon")
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
