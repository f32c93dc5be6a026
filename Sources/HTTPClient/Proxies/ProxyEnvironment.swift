// Proxies, as the environment names them.

import EventLoop

/// Which proxy is asked for which host: the variables that curl looks at (libcurl-env(3)).
package struct ProxyEnvironment: Sendable {
    private enum Entry {
        case absent, proxy(Proxy), unusable(HTTPError)

        init(_ name: String, _ text: String) {
            do throws(HTTPError) { self = .proxy(try Proxy(curlSyntax: text)) } catch {
                // Not its value: a password may stand in it.
                self = .unusable(
                    .invalidRequest(reason: "\(name) names a proxy that cannot be used: only http://HOST:PORT is understood"))
            }
        }
    }

    private let plain: Entry
    private let secure: Entry
    private let exceptions: ProxyExceptions

    /// That of this process, read once.
    package static let current = ProxyEnvironment(environmentVariable)

    /// A lower-case name goes before its upper-case one, and one for the scheme before the one for all.
    ///
    /// `HTTP_PROXY` in upper case counts too, unless this is a CGI program, whose callers can set it (httpoxy, CVE-2016-5385).
    ///
    /// - Parameter value: of a variable, or `nil`; an empty one counts as absent.
    package init(_ value: (String) -> String?) {
        func text(of name: String) -> String? { value(name).flatMap { $0.isEmpty ? nil : $0 } }
        func first(_ names: [String]) -> Entry {
            for name in names { if let text = text(of: name) { return Entry(name, text) } }
            return .absent
        }
        let isCGI = value("REQUEST_METHOD") != nil
        plain = first(["http_proxy"] + (isCGI ? [] : ["HTTP_PROXY"]) + ["all_proxy", "ALL_PROXY"])
        secure = first(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
        exceptions = ProxyExceptions(text(of: "no_proxy") ?? text(of: "NO_PROXY") ?? "")
    }

    /// The proxy for an origin, or `nil` for none.
    ///
    /// - Throws: `HTTPError.invalidRequest` when it cannot be used.
    func proxy(for origin: Origin) throws(HTTPError) -> Proxy? {
        guard !origin.isThisMachine, !exceptions.contain(origin) else { return nil }
        switch origin.isSecure ? secure : plain {
        case .absent: return nil
        case .proxy(let proxy): return proxy
        case .unusable(let error): throw error
        }
    }
}

extension Origin {
    /// By its name (RFC 6761 §6.3) or address.
    fileprivate var isThisMachine: Bool {
        if ProxyExceptions("localhost").contain(self) { return true }
        return SocketAddress(numeric: host, port: 0)?.isLoopback == true
    }
}
