// What can go wrong between here and an upstream.

/// Why there is no response, or no more of one.
///
/// No text in it holds a URL, a header's value or a byte of a body: it may be logged and shown as it is.
package enum HTTPError: Error, Equatable {
    package enum Deadline: Sendable { case connect, total }

    /// The request was refused here, before anything was sent.
    case invalidRequest(reason: String)
    case cannotResolve(host: String)
    /// Nobody listens there.
    case refused
    /// No connection for another reason: no route, a proxy that says no, a connection reset while it was made.
    case unreachable(reason: String)
    /// The handshake failed, or the certificate is not trusted or is another host's.
    case tls(reason: String)
    case timedOut(Deadline, after: Duration)
    /// The connection ended before the response did, after so many bytes of the body (0: perhaps before its head).
    case cutOff(afterBytes: Int)
    /// What came is not HTTP.
    case malformed(reason: String)
    case headTooLarge(bytesMax: Int)
    /// A response over HTTP/2 was left unread: pausing it would stall the other streams of its connection.
    case readerTooSlow(unreadBytes: Int)
    /// By `Transfer.cancel()`, by cancelling its task, or by `Session.close()`.
    case cancelled
    /// libcurl could not be set up: out of memory or descriptors, or the session is closed.
    case unavailable(reason: String)
}

extension HTTPError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidRequest(let reason): "invalid request: \(reason)"
        case .cannotResolve(let host): "cannot resolve \(host)"
        case .refused: "connection refused"
        case .unreachable(let reason): "unreachable: \(reason)"
        case .tls(let reason): "TLS: \(reason)"
        case .timedOut(.connect, let duration): "no connection within \(duration)"
        case .timedOut(.total, let duration): "not finished within \(duration)"
        case .cutOff(let count): "cut off after \(count) bytes of the body"
        case .malformed(let reason): "malformed response: \(reason)"
        case .headTooLarge(let bytesMax): "response head larger than \(bytesMax) bytes"
        case .readerTooSlow(let count): "reader too slow, \(count) bytes waited"
        case .cancelled: "cancelled"
        case .unavailable(let reason): "HTTP client unavailable: \(reason)"
        }
    }
}
