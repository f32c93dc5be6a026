// The way through a proxy to a server with TLS, or with HTTP/2 and none (RFC 9110 §9.3.6).

/// One `CONNECT` and its answer.
final class ProxyTunnel {
    enum Progress {
        case wantsMore
        /// After so many of the bytes; the others are the server's.
        case done(Int)
        case failed(HTTPError)
    }

    let request = OutputBuffer()
    private var parser = ResponseParser.forConnect()
    private let hasCredentials: Bool
    private let isSecure: Bool

    init(to origin: Origin, through proxy: Proxy) {
        hasCredentials = proxy.authorization != nil
        isSecure = origin.isSecure
        request.append(utf8: "CONNECT \(origin.hostAndPort) HTTP/1.1\r\nHost: \(origin.hostAndPort)\r\n")
        if let authorization = proxy.authorization { request.append(utf8: "Proxy-Authorization: \(authorization)\r\n") }
        request.append(utf8: "\r\n")
    }

    /// The proxy's answer, or a part of it. A server speaks TLS only when it was spoken to: then what comes behind the answer is a
    /// fault. With HTTP/2 it may be the first to speak (RFC 9113 §3.4).
    func take(_ bytes: UnsafeRawBufferPointer) -> Progress {
        let input = unsafe bytes.assumingMemoryBound(to: UInt8.self).span
        var cursor = 0
        while true {
            switch parser.next(in: input, from: &cursor, keeping: []) {
            case .more: return .wantsMore
            case .head:
                let status = parser.takeHead().status
                guard (200...299).contains(status) else { return .failed(.unreachable(reason: refusal(status))) }
            case .body: return .failed(.unreachable(reason: "the proxy sent more than an answer"))
            case .end:
                guard cursor == input.count || !isSecure else {
                    return .failed(.unreachable(reason: "the proxy sent more than an answer"))
                }
                return .done(cursor)
            case .failed: return .failed(.unreachable(reason: "the proxy's answer is not HTTP"))
            }
        }
    }

    private func refusal(_ status: Int) -> String { Self.refusal(status, hasCredentials: hasCredentials) }

    /// Wrong credentials are 407 (RFC 9110 §15.5.8), but 401 with tinyproxy.
    static func refusal(_ status: Int, hasCredentials: Bool) -> String {
        switch status {
        case 401 where hasCredentials, 407 where hasCredentials: "the proxy refused the user name and password (\(status))"
        case 407: "the proxy wants a user name and password (407)"
        default: "the proxy refused with status \(status)"
        }
    }
}

extension HTTPError {
    /// A dialer's error where it was a proxy that was dialled: it says so, since the server itself was not asked.
    var onWayToProxy: HTTPError {
        switch self {
        case .refused: .unreachable(reason: "the proxy: connection refused")
        case .cannotResolve(let host): .unreachable(reason: "the proxy: cannot resolve \(host)")
        case .unreachable(let reason): .unreachable(reason: "the proxy: \(reason)")
        default: self
        }
    }
}
