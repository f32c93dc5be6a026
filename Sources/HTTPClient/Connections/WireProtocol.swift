// HTTP/1.1 or HTTP/2 on a connection, as the connection sees them.

/// What is spoken over an open connection, and the state of that.
enum WireProtocol {
    case http1(HTTP1), http2(HTTP2)

    func receive(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .http1(let http1): unsafe http1.receive(bytes)
        case .http2(let http2): unsafe http2.receive(bytes)
        }
    }

    /// All that came with one read has been received.
    func settle() {
        switch self {
        case .http1(let http1): http1.settle()
        case .http2(let http2): http2.settle()
        }
    }

    /// The socket takes more.
    func canSend() {
        switch self {
        case .http1(let http1): http1.sendBody()
        case .http2(let http2): http2.flush()
        }
    }

    func ended(isProved: Bool) {
        switch self {
        case .http1(let http1): http1.ended(isProved: isProved)
        case .http2(let http2): http2.lost(nil)
        }
    }

    func lost(_ error: HTTPError) {
        switch self {
        case .http1(let http1): http1.lost(error)
        case .http2(let http2): http2.lost(error)
        }
    }
}
