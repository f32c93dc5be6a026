// A response's head field by field, for HTTP/1 and HTTP/2.

/// Checks fields one by one and counts their bytes: those of all heads of a response, or those of a trailer.
struct FieldChecker {
    private var bytes = 0

    /// - Throws: `HTTPError.malformed` for a value with a line end or NUL in it (RFC 9110 §5.5); `.headTooLarge` when there are
    ///   more than `HeadBuilder.bytesMax` bytes in the fields, however many they are.
    @inline(__always)
    mutating func check(name: Span<UInt8>, value: Span<UInt8>) throws(HTTPError) {
        // With no more than a colon and a line feed each, the shortest form that HTTP/1 has.
        bytes += name.count + value.count + 2
        guard bytes <= HeadBuilder.bytesMax else { throw .headTooLarge(bytesMax: HeadBuilder.bytesMax) }
        guard value.isFieldValue else { throw .malformed(reason: "a header's value holds a line end or NUL") }
    }
}

/// Collects a head field by field; HTTP/1 and HTTP/2 share it.
///
/// A good answer is not lost for a field that nobody needs: all fields are looked at for what they say about the body, however many
/// there are in 64 KiB, and of those that are wanted the first 200 are kept.
///
///     builder.begin(status: 200)
///     try builder.add(name: name, value: value, keeping: nil)
///     if try builder.end() { head = builder.take() }
struct HeadBuilder {
    /// All heads of a response together, with status lines and line ends where there are any.
    static let bytesMax = 64 << 10
    /// Interim responses before the final one.
    static let interimsMax = 16
    private static let valueBytesMax = 4 << 10
    private static let headersMax = 200

    private var head = ResponseHead()
    /// What the fields since `begin(status:)` say about the body.
    private(set) var framing = MessageFraming()
    private var checker = FieldChecker()
    private var interims = 0
    private let isBodyWanted: Bool

    /// - Parameter isBodyWanted: false where nobody reads the body, or it may be compressed, so that its coding does not matter.
    init(isBodyWanted: Bool = true) { self.isBodyWanted = isBodyWanted }

    var status: Int { head.status }

    /// A head begins: HTTP/2's `:status`, or HTTP/1's status line.
    mutating func begin(status: Int) {
        head = ResponseHead(status: status)
        framing = MessageFraming()
    }

    /// A field of the head, white space around its value included or not. Its name may be in any case.
    ///
    /// - Parameter kept: the headers that are wanted; all of them when nil.
    /// - Throws: `HTTPError.malformed` for a name that is no token, which HTTP/2 has no use for (RFC 9113 §8.2.1); `.malformed` or
    ///   `.headTooLarge` as `FieldChecker` and `MessageFraming` have them.
    mutating func add(name: Span<UInt8>, value: Span<UInt8>, keeping kept: [HeaderPattern]?) throws(HTTPError) {
        guard name.isToken else { throw .malformed(reason: "a header's name is no token") }
        try add(token: name, value: value, keeping: kept)
    }

    /// As `add(name:value:keeping:)`, for a name that is known to be a token.
    mutating func add(token name: Span<UInt8>, value: Span<UInt8>, keeping kept: [HeaderPattern]?) throws(HTTPError) {
        let value = value.extracting(value.trimmed(value.indices))
        try checker.check(name: name, value: value)
        try framing.note(name: name, value: value)
        guard head.headers.count < Self.headersMax, let name = kept.match(name) else { return }
        if head.headers.isEmpty { head.headers.reserveCapacity(8) }
        head.headers.append((name, value.extracting(first: Self.valueBytesMax).text()))
    }

    /// The head's end. An interim one (1xx) is forgotten.
    ///
    /// - Returns: whether it is the final one.
    /// - Throws: `HTTPError.malformed` for a status out of range, for one too many interim responses, for a change of protocol
    ///   (nobody asks for one) and for an answer in a content coding. What is
    ///   in one and says why there is no answer is left out instead: the status says enough.
    mutating func end() throws(HTTPError) -> Bool {
        switch head.status {
        case 101: throw .malformed(reason: "switched protocols, which nobody asked for")
        case 100...199: try forgetInterim()
        case 200...299: try checkContentCoding()
        case 300...599: head.hasReadableBody = framing.contentCoding == nil
        default: throw .malformed(reason: "no status from 100 to 599")
        }
        return head.status >= 200
    }

    private mutating func forgetInterim() throws(HTTPError) {
        interims += 1
        guard interims <= Self.interimsMax else {
            throw .malformed(reason: "more than \(Self.interimsMax) interim responses")
        }
        head = ResponseHead()
    }

    private func checkContentCoding() throws(HTTPError) {
        guard isBodyWanted, head.status != 204, head.status != 304, let coding = framing.contentCoding else { return }
        throw .malformed(reason: coding.reason)
    }

    /// Hands the head over and keeps no copy: it would be a silent stream's largest possession.
    mutating func take() -> ResponseHead {
        let taken = head
        head = ResponseHead()
        return taken
    }
}

extension [HeaderPattern]? {
    /// The name in lower case if it is wanted.
    fileprivate func match(_ name: Span<UInt8>) -> String? {
        guard let self else { return name.lowercasedText() }
        let firstWord = name.firstWordLowercased
        let patterns = self.span
        for index in patterns.indices {
            if let match = patterns[index].match(name, firstWord) { return match }
        }
        return nil
    }
}
