// Proxies, as the environment names them.

import Glibc

/// A proxy that is spoken to in plain HTTP.
struct Proxy: Hashable, Sendable {
    let host: String
    let port: UInt16
    /// `Proxy-Authorization` (RFC 9110 §11.7.2), when it wants one.
    let authorization: String?

    /// - Parameter text: `[http://][USER:PASSWORD@]HOST[:PORT]`; the port is 1080 unless given, as curl has it.
    /// - Throws: `HTTPError.invalidRequest`, without quoting it: a password may stand in it.
    init(_ text: String) throws(HTTPError) {
        let hasScheme = text.utf8.contains(UInt8(ascii: "/"))
        let url: RequestURL
        do throws(HTTPError) { url = try RequestURL(hasScheme ? text : "http://\(text)") } catch {
            throw .invalidRequest(reason: "the environment names a proxy that is no http:// URL")
        }
        guard !url.origin.isSecure, url.origin.socketPath == nil else {
            throw .invalidRequest(reason: "the environment names a proxy that is spoken to in another way than plain HTTP")
        }
        host = url.origin.host
        port = url.hasPort ? url.origin.port : 1080
        authorization = url.authorization
    }
}

/// Which proxy is asked for which host: the variables that curl looks at (libcurl-env(3)).
struct ProxySettings: Sendable {
    private enum Choice {
        case none, proxy(Proxy), failed(HTTPError)

        /// - Parameter text: a variable's value; an empty one names no proxy.
        init(_ text: String) {
            guard !text.isEmpty else {
                self = .none
                return
            }
            do throws(HTTPError) { self = .proxy(try Proxy(text)) } catch { self = .failed(error) }
        }
    }

    private let plain: Choice
    private let secure: Choice
    /// In lower case, without a leading dot; `*` excepts all.
    private let exceptions: [String]

    /// Read once a process.
    static let environment = ProxySettings { name in unsafe getenv(name).map { unsafe String(cString: $0) } }

    /// - Parameter value: of an environment variable, or `nil`.
    ///
    /// `HTTP_PROXY` in upper case counts too, unless this is a CGI program, whose callers can set it (httpoxy, CVE-2016-5385).
    init(_ value: (String) -> String?) {
        func first(_ names: String...) -> Choice { names.compactMap(value).first.map(Choice.init) ?? .none }
        let isCGI = value("REQUEST_METHOD") != nil
        plain =
            isCGI ? first("http_proxy", "all_proxy", "ALL_PROXY") : first("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
        secure = first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        let list = value("no_proxy") ?? value("NO_PROXY") ?? ""
        exceptions = list.split { $0 == "," || $0 == " " }.map { entry in
            String(decoding: entry.utf8.drop(while: { $0 == UInt8(ascii: ".") }).map { $0.lowercased }, as: UTF8.self)
        }
    }

    /// The proxy for an origin, or `nil` for none. This machine's own servers never need one.
    ///
    /// - Throws: `HTTPError.invalidRequest` when the environment names one that cannot be used.
    func proxy(for origin: Origin) throws(HTTPError) -> Proxy? {
        guard origin.socketPath == nil, !isLocal(origin.host), !isExcepted(origin.host) else { return nil }
        switch origin.isSecure ? secure : plain {
        case .none: return nil
        case .proxy(let proxy): return proxy
        case .failed(let error): throw error
        }
    }

    private func isLocal(_ host: String) -> Bool {
        if host == "localhost" || host.hasSuffix(".localhost") { return true }
        return SocketAddress(numeric: host, port: 0)?.isLoopback == true
    }

    /// A name excepts itself and all names under it.
    private func isExcepted(_ host: String) -> Bool {
        exceptions.contains { $0 == "*" || $0 == host || host.hasSuffix(".\($0)") }
    }
}
