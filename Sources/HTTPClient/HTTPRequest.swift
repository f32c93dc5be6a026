// What is sent: checked before a byte of it goes out.

package import EventLoop

/// One request to an upstream.
package struct HTTPRequest: Sendable {
    /// `post` alone has a body.
    package var method: HTTPMethod
    /// Absolute, `http` or `https`, already percent-encoded; or `unix:PATH[:TARGET]` for a server on a local socket. User information
    /// in it becomes basic authorization.
    package var url: String
    /// Sent ahead of `headers`, to which all that is said there applies.
    package var common: CommonFields
    /// Sent in this order. `User-Agent` and `Accept` are added unless given. Of the connection and the body's length the client alone
    /// speaks, and it asks for no coding unless `acceptsCompression`: `Host`, `Content-Length`, `Transfer-Encoding`, `Connection` and
    /// their kin are refused.
    package var headers: [(name: String, value: String)]
    /// Sent with `POST` only.
    package var body: HTTPBody
    /// What the body takes of a budget, and what was copied for it: kept for as long as the request is.
    package var memory: (body: MemoryShare?, copy: MemoryShare?)
    /// For name, connection and TLS together, however many addresses are tried.
    package var connectTimeout: Duration
    /// From the start to the last byte, the time that a slow reader takes included.
    package var totalTimeout: Duration
    /// How it is connected.
    package var options: ConnectionOptions
    /// Whether the body may come compressed, as it is then handed over. No answer is read by that, but looked at.
    package var acceptsCompression = false
    /// Whether it is lost with its connection as soon as the server may have read it. Else one that a kept connection has lost without a
    /// word goes out once more, since that may have been dead.
    package var isSentOnce = false

    /// Nothing is checked here: a request that cannot be sent fails when it is started (`HTTPError.invalidRequest`).
    package init(
        _ method: HTTPMethod, _ url: String, common: CommonFields = .none, headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], connectTimeout: Duration, totalTimeout: Duration, options: ConnectionOptions = .standard
    ) {
        self.init(
            method, url, common: common, headers: headers, body: HTTPBody(body), memory: (nil, nil),
            connectTimeout: connectTimeout, totalTimeout: totalTimeout, options: options)
    }

    /// The same with a body of several parts, and what it takes of a budget.
    package init(
        _ method: HTTPMethod, _ url: String, common: CommonFields, headers: [(name: String, value: String)],
        body: HTTPBody, memory: (body: MemoryShare?, copy: MemoryShare?),
        connectTimeout: Duration, totalTimeout: Duration, options: ConnectionOptions
    ) {
        self.method = method
        self.url = url
        self.common = common
        self.headers = headers
        self.body = body
        self.memory = memory
        self.connectTimeout = connectTimeout
        self.totalTimeout = totalTimeout
        self.options = options
    }
}

/// A request that is on its way: whoever looks at it copies none of it.
final class OutgoingRequest {
    let request: HTTPRequest

    init(_ request: consuming HTTPRequest) { self.request = request }
}

/// One or several of a request's header fields.
enum FieldPart {
    case field(name: String, value: String)
    case block(FieldBlock)
    case contentLength(Int)
}

extension HTTPRequest {
    var hasBody: Bool { method == .post }

    /// Whether its answer is of use in no content coding alone.
    var wantsReadableBody: Bool { method != .head && !acceptsCompression }

    /// Calls `body` for the header fields in their order, in any version of HTTP: the request's, then those that the client adds.
    ///
    /// None is about the connection, since `validate()` refuses those (RFC 9113 §8.2.2 does too). Who is asked, a destination knows:
    /// `Host`, `:authority` and what a proxy wants are not among them.
    func forEachField(to url: RequestURL, _ clientFields: ClientFields, _ body: (FieldPart) -> Void) {
        body(.block(common.block))
        var given = common.given
        for header in headers {
            body(.field(name: header.name, value: header.value))
            given.note(header.name)
        }
        if let credentials = url.authorization, !given.hasAuthorization {
            body(.field(name: "Authorization", value: credentials))
        }
        body(.block(clientFields.block(beside: given, acceptsCompression: acceptsCompression)))
        if hasBody { body(.contentLength(self.body.count)) }
    }

    /// What its URL and its fields may have together. Servers take 8 to 32 KiB, and nghttp2 sends no more than 64 KiB.
    private static let headBytesMax = 48 << 10

    /// The size of header fields as HTTP/2 counts it: 32 bytes more than its text for each (RFC 9113 §6.5.2).
    package static func listBytes(of fields: [(name: String, value: String)]) -> Int {
        fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
    }

    /// Refuses what could not be sent as it stands, above all a header that would smuggle in another (RFC 9110 §5.5).
    ///
    /// - Throws: `HTTPError.invalidRequest`. The reason quotes a header's name at most, never a value or the URL.
    func validate() throws(HTTPError) {
        if let problem = common.problem { throw problem }
        for header in headers { try Self.validate(header) }
        guard url.utf8.count + common.listBytes + Self.listBytes(of: headers) <= Self.headBytesMax else {
            throw .invalidRequest(reason: "its head is larger than \(Self.headBytesMax) bytes")
        }
    }

    static func validate(_ header: (name: String, value: String)) throws(HTTPError) {
        guard header.name.utf8Span.span.isToken else {
            throw .invalidRequest(reason: "a header's name is no token")
        }
        guard !header.name.isClientsOwn else {
            throw .invalidRequest(reason: "the header \(header.name) is the client's own")
        }
        guard header.value.utf8Span.span.holdsNoControl else {
            throw .invalidRequest(reason: "the value of header \(header.name) holds a control character")
        }
    }
}

extension String {
    /// Whether it is the name of a field about the connection, the body's length or its coding (RFC 9110 §7.2, §7.6.1, §8.6).
    fileprivate var isClientsOwn: Bool {
        switch utf8.count {
        case 2: isFieldName("te")
        case 4: isFieldName("host")
        case 7: isFieldName("upgrade") || isFieldName("trailer")
        case 10: isFieldName("connection") || isFieldName("keep-alive")
        case 14: isFieldName("content-length")
        case 15: isFieldName("accept-encoding")
        case 16: isFieldName("proxy-connection")
        case 17: isFieldName("transfer-encoding")
        default: false
        }
    }

    /// Whether it is that field name (RFC 9110 §5.1), which is in lower case.
    func isFieldName(_ name: StaticString) -> Bool { utf8Span.span.isEqualIgnoringCase(to: name) }
}
