// The upstreams of the settings file: `[upstreams.NAME]`.

import Chat
import Choosing
import HTTPClient

extension SettingsReader {
    /// The file's upstreams; nil when it has no such table.
    ///
    /// - Parameter rest: for those that say nothing else.
    func upstreams(_ rest: RestPlan) -> [UpstreamSettings]? {
        guard let table = table("upstreams", keys: nil) else { return nil }
        if table.members.isEmpty { table.problem("names no upstream; write [upstreams.NAME]") }
        let (fields, keys) = (UpstreamFields(), UpstreamSettings.fields.map(\.key))
        return table.members.compactMap { member in
            table.table(member.node, keys: keys).map { $0.upstream(member.key, rest, fields) }
        }
    }

    /// Made once for all upstreams.
    private struct UpstreamFields {
        let kind = [UpstreamSettings.kindField]
        let url = [UpstreamSettings.urlField]
        let others = UpstreamSettings.otherFields
    }

    private func upstream(_ name: String, _ rest: RestPlan, _ fields: UpstreamFields) -> UpstreamSettings {
        var upstream = UpstreamSettings(name: name, rest: rest)
        if !(1...UpstreamNames.bytesMax).contains(name.utf8.count) || !name.utf8.allSatisfy(\.isInBareKey) {
            problem("must have a name of 1 to \(UpstreamNames.bytesMax) letters, digits, '-' and '_'")
        }
        guard take(fields.kind, into: &upstream).isEmpty else { return upstream }
        guard upstream.kind != .demo else {
            report((fields.url + fields.others).map(\.key), "has no meaning for the demo, which needs no network")
            return upstream
        }
        takeURL(&upstream, fields)
        let isOpenAIs = upstream.isOpenAIs
        upstream.asksForUsage = upstream.kind != .compatible
        upstream.obfuscation = isOpenAIs ? false : nil
        if node("key") == nil, node("key_file") == nil, upstream.kind == .azure || isOpenAIs {
            problem("needs key or key_file: this API answers nobody without one")
        }
        let wrong = take(fields.others, into: &upstream)
        upstream.rest.check(self)
        if node("concurrent") == nil { report(["queue", "queue_wait"], "has no meaning without concurrent: nothing waits") }
        // What is wrong itself does not tell what else has no meaning.
        guard !upstream.url.isEmpty else { return upstream }
        if let node = node("url") { for doubt in upstream.doubtsOfURL { warn(of: doubt, node) } }
        reportCertificate(upstream)
        reportAuthorization(upstream)
        if upstream.isSocket { report(["proxy"], "has no meaning for a unix socket, which is on this machine") }
        if !wrong.contains("http"), !upstream.sharesConnections {
            report(["streams_per_connection"], "has no meaning over HTTP/1.1, where requests share no connection")
        }
        return upstream
    }

    private func takeURL(_ upstream: inout UpstreamSettings, _ fields: UpstreamFields) {
        take(fields.url, into: &upstream)
        guard node("url") == nil else { return }
        if upstream.kind == .openai { upstream.url = Settings.defaultBaseURL } else { problem("needs a url") }
    }

    private func reportCertificate(_ upstream: UpstreamSettings) {
        let (certificate, key) = (node("certificate"), node("certificate_key"))
        switch (certificate, key) {
        case _ where !upstream.usesTLS:
            report(["certificate", "certificate_key"], "has no meaning without TLS: url must begin with https://")
        case (.some, nil): report(["certificate"], "needs certificate_key, its private key")
        case (nil, .some): report(["certificate_key"], "needs certificate, which it is the key of")
        default: break
        }
    }

    private func reportAuthorization(_ upstream: UpstreamSettings) {
        if node("auth") != nil, upstream.key == .none, node("key") == nil, node("key_file") == nil {
            report(["auth"], "has no meaning without key or key_file")
        }
        guard case .header(let name)? = upstream.authorization,
            upstream.headers.contains(where: { $0.name.lowercased() == name.lowercased() })
        else { return }
        report(["auth"], "names a header that headers sets too")
    }

    /// Tells whoever wants to know what a stream took which upstreams are not asked for it.
    func checkUsage(_ settings: Settings) {
        let areTokensCounted = settings.clients.contains { $0.tokensPerDay != nil }
        let tables = upstreamTables
        for upstream in settings.upstreams {
            guard let only = upstream.onlyParameters, !only.contains("stream_options"), let table = tables[upstream.name],
                let node = table.member("parameters")?.member("only")
            else { continue }
            if areTokensCounted {
                warn(of: "leaves out stream_options, so that tokens_per_day goes by an estimate for answers that stream", node)
            }
            if let node = table.member("usage"), upstream.asksForUsage {
                warn(of: "has no meaning without stream_options in parameters.only", node)
            }
        }
    }

    func path(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let path = try text(node)
        guard UpstreamSettings.isPath(path) else {
            throw SettingsProblem(node, "must be a path like \"/chat/completions\", of ASCII without spaces, '?' and '#'")
        }
        return path
    }

    func authorization(_ node: SettingsNode) throws(SettingsProblem) -> UpstreamSettings.Authorization {
        let text = try text(node)
        let hasColon = text.hasSuffix(":")
        let name = hasColon ? String(text.dropLast()) : text
        guard !name.isEmpty, name.utf8.count <= 64, name.utf8.allSatisfy(\.isTokenByte) else {
            throw SettingsProblem(node, "must be a scheme like \"Token\", or a header's name like \"api-key\" or \"token:\"")
        }
        guard hasColon || name.contains("-") else { return .scheme(name) }
        if let problem = headerNameProblem(name, nil) { throw SettingsProblem(node, problem) }
        return .header(name)
    }

    func roles(_ node: SettingsNode) -> [RoleRename] {
        guard let table = table(node, keys: nil) else { return [] }
        return table.members.compactMap { member in
            checked(member.node, text).map { RoleRename(member.key, to: $0) }
        }
    }

    /// The text may hold a password.
    func proxy(_ node: SettingsNode) throws(SettingsProblem) -> ProxyChoice {
        switch try text(node) {
        case "environment": return .environment
        case "none": return .direct
        case let url:
            do throws(HTTPError) { return .proxy(try Proxy(url)) } catch {
                throw SettingsProblem(
                    node,
                    #"must be "environment", "none", http://HOST:PORT or http://USER:PASSWORD@HOST:PORT (special characters as %XX)"#
                )
            }
        }
    }

    func addedParameters(_ node: SettingsNode) throws(SettingsProblem) -> Set<String> {
        let names = Set(try texts(node))
        if let name = names.intersection(UpstreamRules.withheldNames).min() {
            throw SettingsProblem(node, "cannot hold '\(name)': it never goes out")
        }
        return names
    }

    func apiVersion(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let version = try text(node)
        guard version.utf8.allSatisfy(\.isTokenByte), version.utf8.count <= 64 else {
            throw SettingsProblem(node, "must be like \"2024-10-21\"")
        }
        return version
    }

    func url(_ node: SettingsNode, for kind: UpstreamSettings.Kind) throws(SettingsProblem) -> String {
        kind == .azure ? try resourceURL(node) : try url(node)
    }

    /// As many as servers take.
    private static let urlBytesMax = 8 << 10

    private func url(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let text = try text(node)
        guard text.utf8.count <= Self.urlBytesMax else {
            throw SettingsProblem(node, "has \(text.utf8.count) bytes; it may have \(Self.urlBytesMax)")
        }
        do throws(UpstreamURLError) { return try UpstreamSettings.checkedURL(text) } catch {
            throw SettingsProblem(node, error.description)
        }
    }

    /// The URL of an Azure resource.
    private func resourceURL(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let url = try url(node)
        let scheme = UpstreamSettings.socketScheme
        let path = url.hasPrefix(scheme) ? url.dropFirst(scheme.count).drop { $0 != ":" } : url[...]
        guard !path.split(separator: "/").contains("openai") else {
            throw SettingsProblem(
                node, "must be the resource's own URL, as https://NAME.openai.azure.com; Sluice adds /openai/deployments/…")
        }
        return url
    }

    // MARK: Keys

    func key(_ node: SettingsNode) throws(SettingsProblem) -> UpstreamSettings.Key {
        if case .string("passthrough") = node.value { return .passthrough }
        if case .string(let text) = node.value, text.hasPrefix("$"), SettingsReader.isVariableName(text.dropFirst()) {
            throw SettingsProblem(node, "begins with '$': a variable is written with braces, as \"${OPENAI_API_KEY}\"")
        }
        let text = try text(node)
        if Self.isCredential(text) { throw SettingsProblem(node, "names a credential: set key_file in its place") }
        return .secret(try checkedKey(text, node))
    }

    /// The first line of a file.
    func keyInFile(_ node: SettingsNode) throws(SettingsProblem) -> UpstreamSettings.Key {
        let file = try file(node)
        if Self.isCredential(file) { return .credential(file) }
        let line = try contents(of: file, for: node).prefix { $0 != UInt8(ascii: "\n") }
        let text = String(decoding: line, as: UTF8.self).trimmed
        guard !text.isEmpty else { throw SettingsProblem(node, "names a file whose first line is empty") }
        let key = try checkedKey(text, node)
        warn(of: Self.doubt(ofKeyFile: key), node)
        if !Self.namesCredential(node) { warnOfReaders(of: file, node) }
        return .secret(key)
    }

    /// As many as a caller's own may have.
    private static let keyBytesMax = 4096

    private func checkedKey(_ key: String, _ node: SettingsNode) throws(SettingsProblem) -> String {
        guard key.utf8.allSatisfy(\.isInKey) else {
            throw SettingsProblem(node, "gives a key with a space, a line break or a character that is not ASCII")
        }
        guard key.utf8.count <= Self.keyBytesMax else {
            throw SettingsProblem(node, "gives a key of \(key.utf8.count) bytes; it may have \(Self.keyBytesMax)")
        }
        if Self.isQuoted(key) { warn(of: "gives a key in quotes, which go out as a part of it: leave them out", node) }
        return key
    }

    // MARK: Headers

    /// More than that many servers refuse.
    private static let headersBytesMax = 16 << 10

    /// - Parameter kind: nil for those of a hook, which has no key but what they say.
    func headers(_ node: SettingsNode, of kind: UpstreamSettings.Kind?) -> [UpstreamSettings.Header] {
        guard let table = table(node, keys: nil) else { return [] }
        var names: Set<String> = []
        let headers = table.members.compactMap { member in
            if !names.insert(member.key.lowercased()).inserted {
                problems.add(SettingsProblem(member.node, "is set twice: header names do not tell upper from lower case"))
            }
            if let problem = headerNameProblem(member.key, kind) { problems.add(SettingsProblem(member.node, problem)) }
            return checked(member.node, headerValue).map { UpstreamSettings.Header(name: member.key, value: $0) }
        }
        let bytes = HTTPRequest.listBytes(of: headers.map { ($0.name, $0.value) })
        if bytes > Self.headersBytesMax {
            problems.add(
                SettingsProblem(
                    node, "has \(bytes) bytes of names and values, with 32 more for each; it may have \(Self.headersBytesMax)"))
        }
        return headers
    }

    private func headerValue(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let value = try text(node)
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), value == value.trimmed else {
            throw SettingsProblem(node, "must be printable ASCII without spaces at its ends")
        }
        return value
    }

    private func headerNameProblem(_ name: String, _ kind: UpstreamSettings.Kind?) -> String? {
        guard !name.isEmpty, name.utf8.allSatisfy(\.isTokenByte) else { return "is no header's name" }
        switch name.lowercased() {
        case "authorization" where kind != nil: return "cannot be set; use key or key_file"
        case "api-key" where kind == .azure: return "cannot be set; use key or key_file"
        case "host": return "cannot be set; it comes from url"
        case "content-type", "content-length", "accept", "accept-encoding", "expect", "x-client-request-id", "traceparent",
            "tracestate":
            return "cannot be set; Sluice sends its own"
        // Of the connection, not of the request (RFC 9110 §7.6.1).
        case "connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "transfer-encoding",
            "upgrade":
            return "cannot be set; it is about the connection, which is Sluice's business"
        default: return nil
        }
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        let start = drop(while: \.isWhitespace)
        return String(start.prefix(start.count - start.reversed().prefix(while: \.isWhitespace).count))
    }
}

extension UInt8 {
    /// Whether it may stand in a key, which goes into a header.
    var isInKey: Bool { self > 0x20 && self < 0x7F }
}
