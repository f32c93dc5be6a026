// Where a message's body ends, and what its connection is good for afterwards (RFC 9112 §6.3, §9.3).

/// What a head's fields say about the bytes behind it. Collected field by field; fields of other names are none of its business.
struct MessageFraming {
    /// Why no body may be longer: a sum of lengths must stay an exact number, also in JSON and in a server's own arithmetic.
    static let lengthMax = 1 << 53

    /// How the end of a body is told.
    enum BodyLength: Equatable {
        case bytes(Int)
        case chunked
        /// The body lasts as long as the connection.
        case untilClose
    }

    private var contentLength: Int?
    private var hasTransferEncoding = false
    private var isChunked = false
    private var isChunkedTwice = false
    private var hasClose = false
    private var hasKeepAlive = false
    private(set) var contentCoding: ContentCoding?

    /// A coding of the body that is not `identity`: sent although it was refused.
    enum ContentCoding: String { case gzip, deflate, br, zstd, compress, unknown }

    /// Takes note of a field if it is about the body or the connection.
    ///
    /// - Throws: `HTTPError.malformed` for a length that is none, or not the same as before, and for a transfer coding other than
    ///   `chunked`.
    @inline(__always)
    mutating func note(name: Span<UInt8>, value: Span<UInt8>) throws(HTTPError) {
        switch name.count {
        case 10 where name.isEqualIgnoringCase(to: "connection"): try noteConnection(value)
        case 14 where name.isEqualIgnoringCase(to: "content-length"): try noteLengths(value)
        case 16 where name.isEqualIgnoringCase(to: "content-encoding"): try noteContentCodings(value)
        case 17 where name.isEqualIgnoringCase(to: "transfer-encoding"): try noteTransferCodings(value)
        default: break
        }
    }

    /// Whether a field of this name says something about the body or the connection.
    static func isAboutMessage(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 10: name.isEqualIgnoringCase(to: "connection")
        case 14: name.isEqualIgnoringCase(to: "content-length")
        case 16: name.isEqualIgnoringCase(to: "content-encoding")
        case 17: name.isEqualIgnoringCase(to: "transfer-encoding")
        default: false
        }
    }

    private mutating func noteConnection(_ value: Span<UInt8>) throws(HTTPError) {
        try value.forEachMember { option throws(HTTPError) in
            if option.isEqualIgnoringCase(to: "close") { hasClose = true }
            if option.isEqualIgnoringCase(to: "keep-alive") { hasKeepAlive = true }
        }
    }

    /// Some servers and proxies send the field twice, or join the two by a comma (RFC 9110 §8.6).
    private mutating func noteLengths(_ value: Span<UInt8>) throws(HTTPError) {
        try value.forEachMember { digits throws(HTTPError) in
            guard let length = digits.decimalNumber else { throw .malformed(reason: "Content-Length is no number") }
            guard contentLength == nil || contentLength == length else {
                throw .malformed(reason: "Content-Length is given twice, differently")
            }
            contentLength = length
        }
    }

    /// Some servers and proxies both send the field for a body that is chunked once.
    private mutating func noteTransferCodings(_ value: Span<UInt8>) throws(HTTPError) {
        hasTransferEncoding = true
        try value.forEachMember { coding throws(HTTPError) in
            if coding.isEmpty { return }
            guard coding.isEqualIgnoringCase(to: "chunked") else {
                throw .malformed(reason: "another transfer coding than chunked was used")
            }
            if isChunked { isChunkedTwice = true }
            isChunked = true
        }
    }

    private mutating func noteContentCodings(_ value: Span<UInt8>) throws(HTTPError) {
        try value.forEachMember { coding throws(HTTPError) in
            if coding.isEmpty || coding.isEqualIgnoringCase(to: "identity") { return }
            contentCoding = contentCoding ?? ContentCoding(coding)
        }
    }
}

extension MessageFraming {
    /// The length of the body of a response to a request whose responses have bodies (RFC 9112 §6.3).
    ///
    /// - Throws: `HTTPError.malformed` where a transfer coding says nothing certain about the end.
    func bodyLength(status: Int, isHTTP10: Bool) throws(HTTPError) -> BodyLength {
        if status == 204 || status == 304 { return .bytes(0) }
        guard hasTransferEncoding else { return contentLength.map { .bytes($0) } ?? .untilClose }
        guard !isHTTP10 else { throw .malformed(reason: "Transfer-Encoding in a response of HTTP/1.0") }
        guard isChunked else { throw .malformed(reason: "Transfer-Encoding names no coding") }
        return .chunked
    }

    /// Whether the connection may be used again once the body has ended. Two lengths in one head are what request smuggling is made
    /// of: the body is read as chunked, once, and nothing behind it is believed (RFC 9112 §6.3, item 3). Neither is what comes behind a
    /// 204 that speaks of a body, which it may not have (RFC 9110 §8.6): its server may send that all the same.
    func allowsReuse(status: Int, isHTTP10: Bool) -> Bool {
        if status == 204, hasTransferEncoding || contentLength ?? 0 > 0 { return false }
        guard !hasClose, !isChunkedTwice, !(hasTransferEncoding && contentLength != nil) else { return false }
        return !isHTTP10 || hasKeepAlive
    }
}

extension MessageFraming.ContentCoding {
    /// By its registered name or the older one (RFC 9110 §8.4.1).
    fileprivate init(_ name: Span<UInt8>) {
        if name.isEqualIgnoringCase(to: "gzip") || name.isEqualIgnoringCase(to: "x-gzip") {
            self = .gzip
        } else if name.isEqualIgnoringCase(to: "compress") || name.isEqualIgnoringCase(to: "x-compress") {
            self = .compress
        } else if name.isEqualIgnoringCase(to: "deflate") {
            self = .deflate
        } else if name.isEqualIgnoringCase(to: "br") {
            self = .br
        } else {
            self = name.isEqualIgnoringCase(to: "zstd") ? .zstd : .unknown
        }
    }

    /// For an error's text.
    var reason: String {
        let way = self == .unknown ? "in an unknown way" : "with \(rawValue)"
        return "the body is compressed \(way), though Accept-Encoding: identity was sent"
    }
}
