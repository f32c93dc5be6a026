// Proxies: what one is, and which is asked for an upstream.

/// A proxy that is spoken to in plain HTTP: the only kind that there is a client for.
package struct Proxy: Hashable, Sendable {
    let host: String
    let port: UInt16
    /// `Proxy-Authorization` (RFC 9110 §11.7.2), when it wants one.
    let authorization: String?

    /// - Parameter text: `http://[USER:PASSWORD@]HOST:PORT`; what is no letter, digit or one of `-._~` in user and password is
    ///   percent-encoded.
    /// - Throws: `HTTPError.invalidRequest`, without quoting it: a password may stand in it.
    package init(_ text: String) throws(HTTPError) {
        let url = try RequestURL(text)
        guard url.origin.socketPath == nil, !url.origin.isSecure, url.hasPort, url.target == "/" else {
            throw .invalidRequest(reason: "a proxy's URL is http://HOST:PORT")
        }
        self.init(url, port: url.origin.port)
    }

    /// The value of a variable, as curl takes it: without a scheme it is `http`, without a port 1080, and a path means nothing.
    ///
    /// - Throws: as `init(_:)`.
    init(curlSyntax text: String) throws(HTTPError) {
        let isHTTP = text.lowercased().hasPrefix("http://")
        let url = try RequestURL(isHTTP ? "http://\(text.dropFirst(7))" : text.contains("://") ? text : "http://\(text)")
        guard url.origin.socketPath == nil, !url.origin.isSecure else {
            throw .invalidRequest(reason: "a proxy is spoken to in plain HTTP")
        }
        self.init(url, port: url.hasPort ? url.origin.port : 1080)
    }

    private init(_ url: RequestURL, port: UInt16) {
        host = url.origin.host
        self.port = port
        authorization = url.authorization
    }
}

extension Proxy: CustomStringConvertible {
    /// Its URL, with nothing of user and password.
    package var description: String {
        let origin = Origin(isSecure: false, host: host, port: port, socketPath: nil)
        return "http://\(authorization == nil ? "" : "***@")\(origin.hostAndPort)"
    }
}

/// How the proxy for an upstream is found.
package enum ProxyChoice: Hashable, Sendable {
    /// By the variables that curl looks at; this machine's own servers have none.
    case environment
    /// There is none, whatever the environment says.
    case direct
    /// This one, also for this machine's own servers.
    case proxy(Proxy)
}

extension ProxyChoice {
    /// Which proxy is asked for an origin; a unix socket has none.
    ///
    /// - Throws: `HTTPError.invalidRequest` when the environment names one that cannot be used.
    func proxy(for origin: Origin, in environment: ProxyEnvironment) throws(HTTPError) -> Proxy? {
        guard origin.socketPath == nil else { return nil }
        switch self {
        case .environment: return try environment.proxy(for: origin)
        case .direct: return nil
        case .proxy(let proxy): return proxy
        }
    }

    /// Which proxy is asked for a URL, so that what is wrong with it shows before the first request.
    ///
    /// - Throws: `HTTPError.invalidRequest` when the URL cannot be used, or the proxy that the environment names for it.
    package func asked(for url: String, in environment: ProxyEnvironment) throws(HTTPError) -> Proxy? {
        try proxy(for: try RequestURL(url).origin, in: environment)
    }
}
