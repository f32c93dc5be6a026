// The URLs of upstreams: which there may be, and what they tell.

import FastCGI
import HTTPClient

extension UpstreamSettings {
    /// `unix:/run/vllm.sock`, or `unix:/run/vllm.sock:/v1` with a path for requests behind the socket's.
    static let socketScheme = "unix:"

    /// A base URL without slashes or the endpoint's own path at its end.
    ///
    /// - Parameter isBase: whether it is one; else it is whole, and stays as it is.
    /// - Throws: `UpstreamURLError`, which does not quote it: a password may stand in it.
    static func checkedURL(_ text: String, isBase: Bool = true) throws(UpstreamURLError) -> String {
        var url = text
        while isBase, url.hasSuffix("/") { url.removeLast() }
        return url.hasPrefix(socketScheme) ? try checkedSocketURL(url, isBase) : try checkedHTTPURL(url, isBase)
    }

    /// A URL as it is shown: whoever knows the path of a webhook, or of some collectors, can often use it.
    static func withoutPath(_ url: String) -> String {
        let isSocket = url.hasPrefix(socketScheme)
        let scheme = isSocket ? socketScheme : url.hasPrefix("https://") ? "https://" : "http://"
        let end = UInt8(ascii: isSocket ? ":" : "/")
        let path = url.utf8.dropFirst(scheme.utf8.count).drop { $0 != end }
        guard path.contains(where: { $0 != end && $0 != UInt8(ascii: "/") }) else { return url }
        return "\(url[..<path.startIndex])\(isSocket ? ":" : "")/***"
    }

    private static func checkedHTTPURL(_ text: String, _ isBase: Bool) throws(UpstreamURLError) -> String {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix), text.count > scheme.count else { throw .notHTTP }
        guard !text.dropFirst(scheme.count).prefix(while: { $0 != "/" }).contains("@") else { throw .userinfo }
        guard isPlain(text) else { throw .notPlain }
        do throws(HTTPError) { try HTTPRequest.validate(url: text) } catch { throw .noPlace }
        let authority = text.dropFirst(scheme.count).prefix { $0 != "/" }
        let path = text[authority.endIndex...]
        return scheme + authority + (isBase ? withoutEndpoint(path) : path)
    }

    private static func checkedSocketURL(_ text: String, _ isBase: Bool) throws(UpstreamURLError) -> String {
        let rest = text.dropFirst(socketScheme.count)
        let (socket, path) = (rest.prefix { $0 != ":" }, rest.drop { $0 != ":" }.dropFirst())
        guard socket.hasPrefix("/"), !socket.hasSuffix("/") else { throw .notAbsolute }
        guard socket.utf8.count <= ListenAddress.pathBytesMax else { throw .socketTooLong }
        guard path.isEmpty || path.hasPrefix("/") else { throw .pathWithoutSlash }
        guard isPlain(text) else { throw .notPlain }
        let base = isBase ? withoutEndpoint(path) : path
        return base.isEmpty ? "\(socketScheme)\(socket)" : "\(socketScheme)\(socket):\(base)"
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !text.contains { "?#".contains($0) }
    }

    /// Whether it can be a URL's path, whole.
    static func isPath(_ text: String) -> Bool { text.hasPrefix("/") && text.utf8.count <= 1024 && isPlain(text) }

    /// A path without slashes or the endpoint's own at its end, however often they stand there.
    private static func withoutEndpoint(_ path: Substring) -> Substring {
        var path = path
        while true {
            if path.hasSuffix("/") {
                path.removeLast()
            } else if path.hasSuffix(defaultPath) {
                path.removeLast(defaultPath.count)
            } else {
                return path
            }
        }
    }
}

extension UpstreamSettings {
    /// Whether it listens on a socket of this machine. Then the URL names no host.
    var isSocket: Bool { url.hasPrefix(Self.socketScheme) }

    /// Whether connections to it are encrypted.
    package var usesTLS: Bool { url.hasPrefix("https://") }

    /// What requests' URLs begin with. A colon ends the path of a socket, also when `url` has nothing behind it.
    package var urlPrefix: String {
        let endsWithSocket = isSocket && !url.dropFirst(Self.socketScheme.count).contains(":")
        return endsWithSocket ? "\(url):" : url
    }

    /// Whether the API is OpenAI's own.
    var isOpenAIs: Bool {
        guard kind == .openai, !isSocket else { return false }
        let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" }
        let host = authority.prefix { $0 != ":" }.lowercased()
        return host == "openai.com" || host.hasSuffix(".openai.com")
    }

    /// Whether requests may share a connection: over HTTP/2, which an upstream without TLS speaks only when it is told to.
    var sharesConnections: Bool {
        switch httpVersion {
        case .auto: usesTLS
        case .http1: false
        case .http2: true
        }
    }
}

/// Why a URL cannot be an API's.
enum UpstreamURLError: Error, CustomStringConvertible {
    case notHTTP, userinfo, notPlain, noPlace, notAbsolute, socketTooLong, pathWithoutSlash

    /// A phrase that follows the setting's name.
    var description: String {
        switch self {
        case .notHTTP: "must be a URL like \(Settings.defaultBaseURL)"
        case .userinfo: "must not hold a user name or password; a key has a setting of its own"
        case .notPlain: "must be a plain URL of ASCII without spaces, '?' and '#'"
        case .noPlace: "must name a host, and as its port, if it has one, a number from 1 to 65535"
        case .notAbsolute: "must name a socket by its absolute path, as unix:/run/vllm.sock"
        case .socketTooLong: "must name a socket by a path of at most \(ListenAddress.pathBytesMax) bytes"
        case .pathWithoutSlash: "must have a path behind the second ':', as unix:/run/vllm.sock:/v1"
        }
    }
}
