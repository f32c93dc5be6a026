// The deployment that is looked at, and the URLs and headers by which it is asked.

import Chat
import HTTPClient

/// A deployment by its public URL, with the token that opens it.
struct ProbeTarget: Sendable {
    /// Scheme, host and port.
    let origin: String
    let isSecure: Bool
    /// Whether it is on this machine, so that nobody reads along on the way.
    let isLocal: Bool
    /// Whether it names its port.
    private let hasPort: Bool
    /// The base URL's path, without a slash at its end; empty for none.
    private let basePath: String
    private let token: String?

    /// What cannot be a deployment's URL, in a sentence without the URL.
    struct Problem: Error {
        let reason: String
    }

    private static let ending = Array("/chat/completions".utf8)
    private static let version = Array("/v1".utf8)
    private static let tokenPrefix = Array("/v/".utf8)
    private static let wrongToken = "sluice-probe-wrong-token"

    /// - Parameters:
    ///   - url: a base URL, or that of chat completions.
    ///   - token: nil where the path has it, or none is needed.
    init(_ url: String, token: String?) throws(Problem) {
        let bytes = Array(url.utf8)
        guard url.startsIgnoringCase(with: "https://") || url.startsIgnoringCase(with: "http://") else {
            throw Problem(reason: "the URL must begin with https:// or http://")
        }
        guard !bytes.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else {
            throw Problem(reason: "the URL can have no query and no fragment: callers append to it")
        }
        do throws(HTTPError) { try HTTPRequest.validate(url: url) } catch { throw Problem(reason: "\(error)") }
        isSecure = url.startsIgnoringCase(with: "https://")
        let hostStart = isSecure ? 8 : 7
        let pathStart = bytes[hostStart...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
        guard !bytes[hostStart..<pathStart].contains(UInt8(ascii: "@")) else {
            throw Problem(reason: "the URL can have no user: name the token by SLUICE_TOKEN or --token-file")
        }
        origin = String(decoding: bytes[..<pathStart], as: UTF8.self)
        isLocal = Self.isLocal(bytes[hostStart..<pathStart])
        // An address of IPv6 has colons too, in brackets.
        hasPort = bytes[hostStart..<pathStart].reversed().prefix { $0 != UInt8(ascii: "]") }.contains(UInt8(ascii: ":"))
        let path = try Self.normalised(bytes[pathStart...])
        basePath = String(decoding: Self.base(of: path[...]), as: UTF8.self)
        self.token = token
    }

    private static func isLocal(_ authority: ArraySlice<UInt8>) -> Bool {
        if authority.starts(with: "[".utf8) {
            return authority.prefix { $0 != UInt8(ascii: "]") }.elementsEqual("[::1".utf8)
        }
        var host = authority.prefix { $0 != UInt8(ascii: ":") }
        let numbers = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Int(decimal: $0) ?? -1 }
        if numbers.count == 4, numbers[0] == 127, numbers.allSatisfy((0...255).contains) { return true }
        // A name that is whole already.
        if host.last == UInt8(ascii: ".") { host.removeLast() }
        return String(decoding: host, as: UTF8.self).isEqualIgnoringCase(to: "localhost")
    }

    /// A path as servers read it: with single slashes, without segments of dots, and without escapes of what needs none
    /// (RFC 3986 §6.2.2). What is sent and shown is that, lest a token be there that nobody has seen.
    private static func normalised(_ path: ArraySlice<UInt8>) throws(Problem) -> [UInt8] {
        var (kept, rest): ([UInt8], ArraySlice<UInt8>) = ([], path)
        while let byte = rest.popFirst() {
            let isEscape = byte == UInt8(ascii: "%")
            let escaped = isEscape ? UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) : nil
            if escaped == slash { throw Problem(reason: "the URL's path can have no escaped slash") }
            if let escaped, escaped.isUnreserved {
                kept.append(escaped)
                rest = rest.dropFirst(2)
            } else if byte != slash || kept.last != slash {
                kept.append(byte)
            }
        }
        return withoutDots(kept)
    }

    /// Without slashes at its end, and without what callers append, however often that was done.
    private static func base(of path: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var path = path
        while true {
            while path.last == UInt8(ascii: "/") { path = path.dropLast() }
            guard path.suffix(ending.count).elementsEqual(ending) else { return path }
            path = path.dropLast(ending.count)
        }
    }

    // MARK: The token

    /// The first token of a file with a client in each line, as a sluice.tokens; nil where it has comments and blank lines alone.
    static func token(inFile bytes: [UInt8]) -> String? {
        let blanks = Array(" \t\r".utf8)
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let text = line.drop { blanks.contains($0) }
            guard text.first != UInt8(ascii: "#") else { continue }
            let token = text.prefix { !blanks.contains($0) && $0 != UInt8(ascii: ";") }
            if !token.isEmpty { return String(decoding: token, as: UTF8.self) }
        }
        return nil
    }

    /// The path's token, which stands behind `/v/`; nil where there is none.
    private var pathToken: Substring.UTF8View? {
        let path = basePath.utf8
        guard path.starts(with: Self.tokenPrefix) else { return nil }
        let token = path.dropFirst(Self.tokenPrefix.count).prefix { $0 != UInt8(ascii: "/") }
        return token.isEmpty ? nil : token
    }

    /// Whether a token goes along, and whether by the path alone.
    var hasToken: Bool { token != nil || pathToken != nil }
    var hasTokenInPath: Bool { pathToken != nil }

    /// What goes along with a request.
    enum Credentials: Sendable { case right, wrong, none }

    /// The headers of a request, beside what its body needs.
    func headers(_ credentials: Credentials) -> [(name: String, value: String)] {
        let sent: String?
        switch credentials {
        case .right: sent = token
        case .wrong: sent = pathToken == nil ? Self.wrongToken : nil
        case .none: sent = nil
        }
        return sent.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
    }

    private func path(_ credentials: Credentials) -> String {
        guard let pathToken else { return basePath }
        let rest = basePath.utf8.dropFirst(Self.tokenPrefix.count + pathToken.count)
        return switch credentials {
        case .right: basePath
        case .wrong: "/v/\(Self.wrongToken)" + String(decoding: rest, as: UTF8.self)
        case .none: String(decoding: rest, as: UTF8.self)
        }
    }

    // MARK: URLs

    /// Of chat completions.
    func completions(_ credentials: Credentials = .right) -> String { origin + path(credentials) + "/chat/completions" }

    /// The same with https:// in the place of http://, without a token; nil where that would be another port.
    var completionsOverTLS: String? {
        guard !isSecure, hasPort else { return nil }
        return "https" + String(decoding: completions(.none).utf8.dropFirst("http".utf8.count), as: UTF8.self)
    }

    /// Of the list of models.
    var models: String { origin + basePath + "/models" }

    /// Of the status of the process behind it, with all open requests.
    var status: String { origin + "/sluice/status?json&full" }

    /// The forms of URLs that callers come to when they append to what they were given, each with what it is called.
    var variants: [(name: String, url: String)] {
        let usual = completions()
        let hasVersion = basePath.utf8.suffix(Self.version.count).elementsEqual(Self.version)
        let other = hasVersion ? String(decoding: basePath.utf8.dropLast(Self.version.count), as: UTF8.self) : basePath + "/v1"
        return [
            (hasVersion ? "without /v1" : "with /v1", origin + other + "/chat/completions"),
            ("a slash at its end", usual + "/"),
            ("a base URL with a slash at its end", origin + basePath + "//chat/completions"),
            ("/chat/completions appended twice", usual + "/chat/completions"),
        ]
    }

    /// Where a redirect leads, for people: whole, and without the token.
    func shown(location: String) -> String {
        var bytes = whole(Array(location.utf8))
        if pathToken != nil, let start = bytes.firstRange(of: Self.tokenPrefix)?.upperBound {
            // It may be written otherwise there.
            bytes.replaceSubrange(start..<(bytes[start...].firstIndex(of: Self.slash) ?? bytes.endIndex), with: Self.mask)
        }
        for secret in [token.map { Array($0.utf8) }, pathToken.map(Array.init)] {
            bytes = Self.masking(secret ?? [], in: bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What a reference means at the URL of chat completions (RFC 3986 §5.2.2).
    private func whole(_ reference: [UInt8]) -> [UInt8] {
        if reference.starts(with: "//".utf8) { return Array((isSecure ? "https:" : "http:").utf8) + reference }
        let ends = Array("/?#".utf8)
        // A scheme has its colon ahead of those.
        if reference.prefix(while: { !ends.contains($0) }).contains(UInt8(ascii: ":")) { return reference }
        let base = Array(completions().utf8.dropFirst(origin.utf8.count))
        let path = reference.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        let merged: [UInt8] =
            if path.isEmpty { base } else if path.first == Self.slash { Array(path) } else {
                base[..<(base.lastIndex(of: Self.slash) ?? base.startIndex)] + [Self.slash] + path
            }
        return Array(origin.utf8) + Self.withoutDots(merged) + reference[path.endIndex...]
    }

    /// Without its segments `.` and `..` (RFC 3986 §5.2.4).
    private static func withoutDots(_ path: [UInt8]) -> [UInt8] {
        var kept: [ArraySlice<UInt8>] = []
        let segments = path.dropFirst().split(separator: slash, omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            let (isHere, isAbove) = (segment.elementsEqual(".".utf8), segment.elementsEqual("..".utf8))
            if isAbove { _ = kept.popLast() }
            if !isHere && !isAbove {
                kept.append(segment)
            } else if index == segments.count - 1 {
                kept.append([])
            }
        }
        return kept.flatMap { [slash] + $0 }
    }

    private static let slash = UInt8(ascii: "/")
    private static let mask = Array("TOKEN".utf8)

    private static func masking(_ secret: [UInt8], in bytes: [UInt8], as mask: [UInt8] = mask) -> [UInt8] {
        var (masked, rest): ([UInt8], ArraySlice<UInt8>) = ([], bytes[...])
        while !secret.isEmpty, let range = rest.firstRange(of: secret) {
            masked += rest[..<range.lowerBound] + mask
            rest = rest[range.upperBound...]
        }
        return masked + rest
    }

    /// What stands in no output.
    var secrets: [[UInt8]] { [token.map { Array($0.utf8) }, pathToken.map(Array.init)].compactMap(\.self) }

    /// A shorter token guards nothing, and may stand in words of the probe's own.
    private static let secretBytesMin = 6
    /// Of one that was clipped so much can be left, and no more need be hidden.
    private static let (beginningBytesMin, beginningBytesMax) = (3, 80)

    /// A text without these secrets, and without the beginning of one where it was clipped.
    static func masking(_ secrets: [[UInt8]], in text: String) -> String {
        let ellipsis = Array("…".utf8)
        var bytes = Array(text.utf8)
        for secret in secrets where secret.count >= secretBytesMin {
            bytes = masking(secret, in: bytes)
            for count in stride(from: min(secret.count - 1, beginningBytesMax), through: beginningBytesMin, by: -1) {
                bytes = masking(secret.prefix(count) + ellipsis, in: bytes, as: mask + ellipsis)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The URL of chat completions for people, without a token that is in its path.
    var shown: String {
        guard let pathToken else { return completions() }
        let rest = basePath.utf8.dropFirst(Self.tokenPrefix.count + pathToken.count)
        return origin + "/v/" + String(decoding: Self.mask + rest, as: UTF8.self) + "/chat/completions"
    }
}

extension UInt8 {
    /// Whether it means the same in a URL with and without an escape (RFC 3986 §2.3).
    fileprivate var isUnreserved: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
