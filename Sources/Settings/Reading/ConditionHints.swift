// What in patterns and conditions was probably meant otherwise. They may be meant as they stand, so that it is a warning.

import Chat

extension SettingsReader {
    /// Tells of what probably fits nothing, or has no effect.
    func warn(of doubt: String?, _ node: SettingsNode) {
        if let doubt { problems.add(SettingsProblem(node, doubt).asWarning) }
    }

    /// The same of the table's own name.
    func warn(ofName doubt: String?) {
        if let doubt { problems.add(SettingsProblem("\(path) \(doubt)", at: place).asWarning) }
    }
}

extension ModelPattern {
    /// What seems to have a meaning in it that it has not; nil for nothing.
    var doubt: String? {
        let bytes = Array(description.utf8)
        if bytes.first == UInt8(ascii: "!") {
            return #"begins with "!", which stands for itself: an entry for what it is to leave out can stand before it"#
        }
        if let sign = signOfExpression(bytes) {
            return
                #"has "\#(sign)" in it, which stands for itself: * ? and [1-9] alone are special, there are no regular expressions"#
        }
        if bytes.contains(UInt8(ascii: "|")) || hasBraces(bytes) {
            let sign = bytes.contains(UInt8(ascii: "|")) ? "|" : "{"
            return #"has "\#(sign)" in it, which stands for itself: each of several patterns has a place of its own"#
        }
        if bytes.contains(UInt8(ascii: "\\")) { return #"has "\" in it, which stands for itself: a "*" itself is written "[*]""# }
        return nil
    }

    /// What a regular expression has, and hardly anything else. A dot and a star are common behind a word: `gpt-4.*`.
    private func signOfExpression(_ bytes: [UInt8]) -> String? {
        switch bytes.first {
        case UInt8(ascii: "^"): return "^"
        case UInt8(ascii: "~"): return "~"
        default: break
        }
        if bytes.count > 1, bytes.last == UInt8(ascii: "$") { return "$" }
        for (place, (byte, next)) in zip(bytes, bytes.dropFirst()).enumerated() {
            let isFirst = place == 0 || !bytes[place - 1].isAlphanumeric(or: "*?]")
            switch (byte, next) {
            case (UInt8(ascii: "."), UInt8(ascii: "*")) where isFirst: return ".*"
            case (UInt8(ascii: "."), UInt8(ascii: "+")) where isFirst: return ".+"
            case (UInt8(ascii: "]"), UInt8(ascii: "+")): return "]+"
            case (UInt8(ascii: "("), UInt8(ascii: "?")): return "(?"
            default: continue
            }
        }
        return nil
    }

    /// As in `gpt-{4o,5}`.
    private func hasBraces(_ bytes: [UInt8]) -> Bool {
        guard let start = bytes.firstIndex(of: UInt8(ascii: "{")), let end = bytes.lastIndex(of: UInt8(ascii: "}")), start < end
        else { return false }
        return bytes[start..<end].contains(UInt8(ascii: ","))
    }
}

extension RequestPath {
    /// What is probably meant by it, where no body is known to have such a member; nil where it may be what it is.
    var doubt: String? {
        let top = Self.plain(names[0])
        if Self.client.contains(top) { return "\(Self.isInBody); did you mean 'client', the web server's name of the caller?" }
        if Self.route.contains(top) {
            return #"\#(Self.isInBody); did you mean name = "…" beside match, for the route that the web server names?"#
        }
        if Self.head.contains(top) || names[0].startsIgnoringCase(with: "http_") {
            return Self.headerDoubt
        }
        if Self.body.contains(top), names.count > 1 {
            return "\(Self.isInBody), which is not named in it; did you mean '\(names.dropFirst().joined(separator: "."))'?"
        }
        if let known {
            return known.hasSameBytes(as: description)
                ? nil : "\(Self.isInBody), compared byte by byte; did you mean '\(known)'?"
        }
        return names[0].utf8.contains(UInt8(ascii: "-")) ? Self.headerDoubt : nil
    }

    private static let isInBody = "is a path into the request's body"
    private static let headerDoubt = "\(isInBody): of headers the web server can make client, or the route's name"
    private static let client: Set<String> = ["client", "clients", "clientname", "sluiceclient"]
    private static let route: Set<String> = ["route", "routes", "routename", "sluiceroute"]
    private static let head: Set<String> = [
        "header", "headers", "cookie", "cookies", "remoteaddr", "authorization", "host", "origin", "referer", "forwarded",
        "traceparent", "tracestate",
    ]
    private static let body: Set<String> = ["body", "json", "payload", "request"]

    /// The path that it is but for capitals, `_` and `-`.
    private var known: String? {
        let plainNames = names.map(Self.plain)
        guard let top = Self.tops.first(where: { Self.plain($0.name) == plainNames[0] }) else { return nil }
        let inner = names.count == 2 ? top.members.first { Self.plain($0) == plainNames[1] } : nil
        return ([top.name] + (inner.map { [$0] } ?? Array(names.dropFirst()))).joined(separator: ".")
    }

    /// What platforms send besides what OpenAI knows, as far as somebody may want to go by it.
    private static let tops: [(name: String, members: [String])] = [
        (
            "call",
            [
                "id", "orgId", "createdAt", "updatedAt", "type", "status", "assistantId", "squadId", "phoneNumberId",
                "customerId",
            ]
        ),
        ("customer", ["id", "number", "name", "email", "externalId", "sipUri"]), ("phoneNumber", ["id", "number", "name"]),
        ("assistant", ["id", "name"]), ("assistantOverrides", []), ("metadata", []), ("user", []),
        ("elevenlabs_extra_body", []), ("service_tier", []), ("reasoning_effort", []), ("safety_identifier", []),
        ("prompt_cache_key", []),
    ]

    /// Without what is easily mistaken.
    private static func plain(_ name: String) -> String {
        name.lowercased().filter { $0 != "_" && $0 != "-" }  // by characters: 64 bytes of ASCII
    }
}
