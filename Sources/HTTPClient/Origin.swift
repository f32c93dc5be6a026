// Where requests go: a URL, taken apart.

/// What decides whether two requests may use the same connection.
struct Origin: Hashable, Sendable {
    let isSecure: Bool
    /// What a certificate must be for: a name, or an address without brackets.
    let host: String
    let port: UInt16
    /// A unix socket's path instead of host and port.
    let socketPath: String?

    /// What is connected to when there is no proxy.
    var dialTarget: DialTarget {
        if let socketPath { return .unix(path: socketPath) }
        return .host(host, port: port)
    }

    /// `Host` and `:authority` (RFC 9110 §7.2): with the port unless it is the scheme's own.
    var authority: String {
        if socketPath != nil { return "localhost" }
        return port == Self.defaultPort(isSecure) ? bracketedHost : "\(bracketedHost):\(port)"
    }

    /// The beginning of its URLs.
    var url: String {
        if let socketPath { return "unix:\(socketPath):" }
        return (isSecure ? "https://" : "http://") + authority
    }

    /// Host and port, always both, as `CONNECT` has them (RFC 9110 §9.3.6).
    var hostAndPort: String { "\(bracketedHost):\(port)" }

    /// The zone of an address means something on this machine alone (RFC 6874 §4).
    var hostWithoutZone: String {
        guard let zone = host.utf8.firstIndex(of: UInt8(ascii: "%")) else { return host }
        return String(host[..<zone])
    }

    private var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(hostWithoutZone)]" : host }

    static func defaultPort(_ isSecure: Bool) -> UInt16 { isSecure ? 443 : 80 }
}

/// A request's URL: `http` and `https` (RFC 9110 §4.2), or `unix:PATH[:TARGET]` for a server on a local socket.
struct RequestURL {
    let origin: Origin
    /// Path and query, at least `/`.
    let target: String
    /// `Authorization` from the URL's user information (RFC 7617), if it has any.
    let authorization: String?
    /// Whether it names its port.
    let hasPort: Bool

    /// More than settings and models' names make together.
    static let bytesMax = 16 << 10
    /// Of a name (RFC 1035 §2.3.4).
    private static let hostBytesMax = 255

    /// - Throws: `HTTPError.invalidRequest`. The reason never quotes the URL.
    init(_ text: String) throws(HTTPError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.bytesMax, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalidRequest(reason: "the URL is too long, or holds a byte that must be percent-encoded")
        }
        if let rest = bytes[...].removingPrefix("unix:") {
            self = try RequestURL(socket: rest)
        } else if let rest = bytes[...].removingPrefix("https://") {
            self = try RequestURL(isSecure: true, rest)
        } else if let rest = bytes[...].removingPrefix("http://") {
            self = try RequestURL(isSecure: false, rest)
        } else {
            throw .invalidRequest(reason: "the URL is neither http nor https")
        }
    }

    private init(socket rest: ArraySlice<UInt8>) throws(HTTPError) {
        let path = rest.prefix { $0 != UInt8(ascii: ":") }
        guard path.first == UInt8(ascii: "/"), path.count > 1 else {
            throw .invalidRequest(reason: "the path of the socket is not absolute")
        }
        origin = Origin(isSecure: false, host: "localhost", port: 80, socketPath: String(decoding: path, as: UTF8.self))
        target = Self.target(rest.dropFirst(path.count + 1))
        (authorization, hasPort) = (nil, false)
    }

    private init(isSecure: Bool, _ rest: ArraySlice<UInt8>) throws(HTTPError) {
        let authority = rest.prefix { !"/?#".utf8.contains($0) }
        var place = authority
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            authorization = Self.basicAuthorization(authority[..<at])
            place = authority[(at + 1)...]
        } else {
            authorization = nil
        }
        let (host, port) = try Self.hostAndPort(place)
        hasPort = port != nil
        let number = try port.map { text throws(HTTPError) in try Self.port(text) } ?? Origin.defaultPort(isSecure)
        origin = Origin(isSecure: isSecure, host: host, port: number, socketPath: nil)
        target = Self.target(rest.dropFirst(authority.count))
    }

    /// A user name without a password has an empty one (RFC 7617 §2).
    private static func basicAuthorization(_ userInformation: ArraySlice<UInt8>) -> String? {
        guard !userInformation.isEmpty else { return nil }
        let hasPassword = userInformation.contains(UInt8(ascii: ":"))
        return "Basic " + (userInformation.percentDecoded + (hasPassword ? [] : [UInt8(ascii: ":")])).base64
    }

    /// The host in lower case and without brackets, and the port's digits (RFC 3986 §3.2).
    private static func hostAndPort(_ text: ArraySlice<UInt8>) throws(HTTPError) -> (String, ArraySlice<UInt8>?) {
        let isBracketed = text.first == UInt8(ascii: "[")
        let host = isBracketed ? text.dropFirst().prefix { $0 != UInt8(ascii: "]") } : text.prefix { $0 != UInt8(ascii: ":") }
        var rest = text.dropFirst(host.count)
        if isBracketed {
            guard rest.dropFirst().first == UInt8(ascii: "]") else { throw .invalidRequest(reason: "the URL cannot be parsed") }
            rest = rest.dropFirst(2)
        }
        let isPort = rest.first == UInt8(ascii: ":")
        guard isPort || rest.isEmpty, let known = isBracketed ? address(host) : name(host) else {
            throw .invalidRequest(reason: "the URL cannot be parsed")
        }
        return (known, isPort ? rest.dropFirst() : nil)
    }

    private static func name(_ text: ArraySlice<UInt8>) -> String? {
        guard (1...hostBytesMax).contains(text.count), text.allSatisfy(\.isHostNameByte) else { return nil }
        return String(decoding: text.map(\.lowercased), as: UTF8.self)
    }

    /// An IPv6 address, whose zone begins with `%25` (RFC 6874 §2) or, as it is often written, with a bare `%`.
    private static func address(_ text: ArraySlice<UInt8>) -> String? {
        let digits = text.prefix { $0 != UInt8(ascii: "%") }
        let number = String(decoding: digits.map(\.lowercased), as: UTF8.self)
        guard digits.contains(UInt8(ascii: ":")), SocketAddress(numeric: number, port: 0) != nil else { return nil }
        guard digits.count < text.count else { return number }
        let zone = text[digits.endIndex...].removingPrefix("%25") ?? text[digits.endIndex...].dropFirst()
        guard (1...hostBytesMax).contains(zone.count), zone.allSatisfy(\.isHostNameByte) else { return nil }
        return "\(number)%\(String(decoding: zone, as: UTF8.self))"
    }

    private static func port(_ digits: ArraySlice<UInt8>) throws(HTTPError) -> UInt16 {
        guard digits.first != UInt8(ascii: "+"), let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0 else {
            throw .invalidRequest(reason: "the URL's port is no number from 1 to 65535")
        }
        return port
    }

    /// Path and query as they stand, without the fragment.
    private static func target(_ text: ArraySlice<UInt8>) -> String {
        let target = String(decoding: text.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self)
        return text.first == UInt8(ascii: "/") ? target : "/" + target
    }
}

extension HTTPRequest {
    /// Whether a request can have this URL.
    ///
    /// - Throws: `HTTPError.invalidRequest`. The reason never quotes the URL.
    package static func validate(url: String) throws(HTTPError) { _ = try RequestURL(url) }

    /// Where a URL's server is, for whoever tells of it: its host and port, or its socket's path; nil where it has none.
    package static func server(of url: String) -> (address: String, port: UInt16?)? {
        do throws(HTTPError) {
            let origin = try RequestURL(url).origin
            if let path = origin.socketPath { return (path, nil) }
            return (origin.host, origin.port)
        } catch { return nil }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func removingPrefix(_ prefix: StaticString) -> ArraySlice<UInt8>? {
        let length = prefix.utf8CodeUnitCount
        guard prefix.withUTF8Buffer({ unsafe self.prefix(length).elementsEqual($0) }) else { return nil }
        return dropFirst(length)
    }

    /// RFC 3986 §2.1; what is no escape stays as it is.
    fileprivate var percentDecoded: [UInt8] {
        var decoded: [UInt8] = []
        var index = startIndex
        while index < endIndex {
            if self[index] == UInt8(ascii: "%"), index + 2 < endIndex, let high = self[index + 1].hexadecimalDigit,
                let low = self[index + 2].hexadecimalDigit
            {
                decoded.append(UInt8(high << 4 | low))
                index += 3
            } else {
                decoded.append(self[index])
                index += 1
            }
        }
        return decoded
    }
}

extension [UInt8] {
    /// RFC 4648 §4.
    fileprivate var base64: String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: count, by: 3) {
            let group = self[start..<Swift.min(start + 3, count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? digits[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension UInt8 {
    /// Of a name that can be looked up, or of a zone; an underscore is seen in the names of containers.
    fileprivate var isHostNameByte: Bool {
        isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lowercased) || "-._".utf8.contains(self)
    }
}
