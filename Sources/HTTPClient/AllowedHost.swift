// Which hosts a URL that comes from outside may name.

/// A host that requests may go to whose URLs are somebody else's: a name, every name below one, or an address.
///
/// What a name stands for is the name server's word, as for any other. So it is names of others that are kept out here, and TLS sees to it
/// that whoever answers has the name: an address inside of the network has no certificate for it.
package struct AllowedHost: Equatable, Sendable, CustomStringConvertible {
    /// As settings have it.
    package let description: String
    /// As a URL's own is taken apart; with a dot ahead of it where every name below it is meant.
    private let host: String
    private let port: UInt16

    /// - Parameter text: a name or an address, or `*.NAME` for every name below that, with `:PORT` behind it where that is not 443.
    /// - Returns: nil for what is none. All names are none, and all below a name of one label.
    package init?(_ text: String) {
        let isBelow = text.utf8.starts(with: "*.".utf8)
        let place = String(decoding: text.utf8.dropFirst(isBelow ? 2 : 0), as: UTF8.self)
        guard place.utf8.allSatisfy({ !"/?#@*".utf8.contains($0) }) else { return nil }
        let url: RequestURL
        do throws(HTTPError) { url = try RequestURL("https://\(place)") } catch { return nil }
        let labelsCount = url.origin.host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).count
        guard url.origin.host.hasNoEmptyLabel, !isBelow || labelsCount > 1 && !url.origin.host.isAddress else { return nil }
        (description, port) = (text, url.origin.port)
        host = isBelow ? ".\(url.origin.host)" : url.origin.host
    }

    /// Whether it is the origin's. By bytes: both are in small letters.
    func allows(_ origin: Origin) -> Bool {
        guard origin.port == port, origin.host.hasNoEmptyLabel else { return false }
        let (name, known) = (origin.host.utf8, host.utf8)
        guard known.first == UInt8(ascii: ".") else { return name.elementsEqual(known) }
        // With a label ahead of the dot, or several.
        return name.count > known.count && name.suffix(known.count).elementsEqual(known)
    }
}

extension HTTPRequest {
    /// Why a URL from outside is not asked. It has nothing of that.
    package enum URLRefusal: Error, Equatable { case malformed, notSecure, userinfo, notAllowed }

    /// Whether a request may go to a URL that comes from outside: by TLS, without user information, and to a host that is allowed. It is taken
    /// apart as the request's own will be, so that no other host is asked than was looked at.
    ///
    /// - Returns: what allows it, which a log may have, and the host, which a log may not: with all of the URL it is somebody else's word.
    package static func allowedHost(
        ofForeign url: String, among allowed: [AllowedHost]
    ) throws(URLRefusal) -> (entry: AllowedHost, name: String) {
        let parsed: RequestURL
        do throws(HTTPError) { parsed = try RequestURL(url) } catch { throw .malformed }
        guard parsed.origin.isSecure else { throw .notSecure }
        // Also where there is nothing ahead of it.
        let authority = url.utf8.dropFirst("https://".utf8.count).prefix { !"/?#".utf8.contains($0) }
        guard !authority.contains(UInt8(ascii: "@")) else { throw .userinfo }
        guard let entry = allowed.first(where: { $0.allows(parsed.origin) }) else { throw .notAllowed }
        return (entry, parsed.origin.host)
    }
}

extension HTTPRequest.URLRefusal: CustomStringConvertible {
    /// A phrase for the log.
    package var description: String {
        switch self {
        case .malformed: "it is no URL"
        case .notSecure: "it is not https"
        case .userinfo: "it has a user name or password"
        case .notAllowed: "its host is not allowed"
        }
    }
}

extension String {
    /// Whether something stands between all dots, and ahead of the first and behind the last.
    fileprivate var hasNoEmptyLabel: Bool {
        utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
    }

    /// Whether it is an address, and no name.
    fileprivate var isAddress: Bool { SocketAddress.bytes(ofIP: self) != nil }
}
