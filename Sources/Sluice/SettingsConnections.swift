// What can be known of the connections to upstreams before there is one: their proxies, and the files that TLS needs.

import HTTPClient

extension Settings {
    /// What is wrong with the proxies that upstreams would be asked through, as sentences without any value of the environment.
    func proxyProblems(_ environment: ProxyEnvironment) -> [String] {
        networkUpstreams.reduce(into: []) { problems, upstream in
            do throws(HTTPError) {
                try upstream.proxy.check(for: upstream.urlPrefix, in: environment)
            } catch {
                problems.appendNew(error.reason)
            }
        }
    }

    /// Reads what connections with TLS need, once for the process.
    ///
    /// - Returns: what is wrong with it, as sentences with the names of files.
    func loadTLS() -> [String] {
        networkUpstreams.filter(\.usesTLS).reduce(into: []) { problems, upstream in
            do throws(HTTPError) {
                try ConnectionOptions(upstream, of: self).loadTLS(authoritiesFile: authoritiesFile)
            } catch {
                problems.appendNew(error.reason)
            }
        }
    }

    private var networkUpstreams: [UpstreamSettings] { upstreams.filter { $0.kind != .demo && !$0.url.isEmpty } }
}

extension [String] {
    /// Several upstreams may share what is wrong.
    fileprivate mutating func appendNew(_ text: String) { if !contains(text) { append(text) } }
}

extension HTTPError {
    /// Of an error at the start, which is no request's.
    fileprivate var reason: String {
        switch self {
        case .invalidRequest(let reason), .tls(let reason): reason
        default: description
        }
    }
}
