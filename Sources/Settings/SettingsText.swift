// The settings in force as a settings file: `sluice check --show`.

import Chat
import Choosing
import FastCGI
import HTTPClient
import Logging

extension Settings {
    /// TOML that gives the same settings again, but for keys and headers' values, of which it shows nothing.
    package var text: String {
        let tables = [topText, limits.text, timeouts.text] + upstreams.map(\.text) + models.map(\.text)
        return tables.joined(separator: "\n")
    }

    private var topText: String {
        var text = TOMLText()
        text.append("listen", listen.description)
        text.append("workers", raw: "\(workers)")
        text.append("heartbeat", heartbeat.setting)
        text.append("log_level", logLevel.rawValue)
        if let defaultModel { text.append("default_model", defaultModel) }
        text.append("errors", errors.rawValue)
        if let spokenError { text.append("spoken_error", spokenError) }
        text.append("refusal", refusal.rawValue)
        text.append("on_disconnect", onDisconnect.rawValue)
        if let authoritiesFile { text.append("authorities_file", authoritiesFile) }
        text.append("dns_ttl", nameLifetime.setting)
        text.append(attempts)
        text.append(rest)
        return text.lines + "\n" + socket.text
    }
}

extension SocketAccess {
    fileprivate var text: String {
        var text = TOMLText(header: "[socket]")
        text.append("mode", "0\(String(mode, radix: 8))")
        if let group { text.append("group", group) }
        text.append("allowed_users", allowedUsers)
        return text.lines
    }
}

extension Settings.Limits {
    fileprivate var text: String {
        var text = TOMLText(header: "[limits]")
        text.append("requests", raw: "\(requests)")
        text.append("body", Size.setting(bodyBytes))
        text.append("parameters", Size.setting(parametersBytes))
        text.append("event", Size.setting(eventBytes))
        text.append("answer", Size.setting(answerBytes))
        text.append("memory", Size.setting(memoryBytes))
        text.append("json_depth", raw: "\(jsonDepth)")
        return text.lines
    }
}

extension Settings.Timeouts {
    fileprivate var text: String {
        var text = TOMLText(header: "[timeouts]")
        text.append("request", request.setting)
        text.append("connect", connect.setting)
        text.append("send", send.setting)
        text.append("first_token", firstToken.setting)
        text.append("idle", idle.setting)
        text.append("total", total.setting)
        text.append("client_write", clientWrite.setting)
        text.append("drain", drain.setting)
        return text.lines
    }
}

extension UpstreamSettings {
    private static let mask = "***"

    fileprivate var text: String {
        let path = SettingsPath().appending("upstreams").appending(name)
        var text = TOMLText(header: "[\(path)]")
        text.append("kind", kind.rawValue)
        if kind == .demo { return text.lines }
        text.append("url", url)
        switch key {
        case .none: break
        case .secret: text.append("key", Self.mask)
        case .passthrough: text.append("key", "passthrough")
        }
        if kind == .azure { text.append("api_version", apiVersion) }
        text.append("usage", raw: "\(asksForUsage)")
        if let obfuscation { text.append("obfuscation", raw: "\(obfuscation)") }
        text.append("parameters.add", addedParameters.sorted())
        text.append("parameters.pass", (passesAllParameters ? PassedParameters.all : .openai).rawValue)
        text.append("headers", headers.map { ($0.name, TOMLText.string(Self.mask)) })
        text.append("http", httpVersion.rawValue)
        if sharesConnections { text.append("streams_per_connection", raw: "\(streamsMax)") }
        if let certificate { text.append("certificate", certificate) }
        if let certificateKey { text.append("certificate_key", certificateKey) }
        if !isSocket { text.append("proxy", proxy.setting) }
        text.append("warm", raw: "\(warmCount)")
        if let concurrentMax {
            text.append("concurrent", raw: "\(concurrentMax)")
            text.append("queue", raw: "\(queueMax)")
            text.append("queue_wait", queueWait.setting)
        }
        text.append(rest)
        return text.lines
    }
}

extension ProxyChoice {
    fileprivate var setting: String {
        switch self {
        case .environment: "environment"
        case .direct: "none"
        case .proxy(let proxy): proxy.description
        }
    }
}

extension ModelSettings {
    fileprivate var text: String {
        var text = TOMLText(header: "[[models]]")
        text.append("match", match.description)
        text.append("targets", raw: "[\(targets.map(\.text).joined(separator: ", "))]")
        text.append("rename", edits.renamed.map { ($0.name, TOMLText.string($0.newName)) })
        text.append("drop", edits.dropped.sorted())
        text.append("set", edits.set.map { ($0.name, TOMLText.value(json: $0.json)) })
        text.append("default", edits.defaults.map { ($0.name, TOMLText.value(json: $0.json)) })
        text.append(attempts)
        if let hedgeAfter { text.append("hedge_after", hedgeAfter.setting) }
        if !fallbackOn.isEmpty { text.append("fallback_on", raw: "\(fallbackOn)") }
        text.append("timeouts", timeouts.members)
        return text.lines
    }
}

extension TargetSettings {
    fileprivate var text: String {
        var members = [("upstream", TOMLText.string(upstream))]
        if let model { members.append(("model", TOMLText.string(model))) }
        if let weight { members.append(("weight", "\(weight)")) }
        if !set.isEmpty { members.append(("set", TOMLText.table(set.map { ($0.name, TOMLText.value(json: $0.json)) }))) }
        members += timeouts.members
        return members.count == 1 ? TOMLText.string(upstream) : TOMLText.table(members)
    }
}

extension Settings.Timeouts.Own {
    /// As an inline table's.
    fileprivate var members: [(name: String, value: String)] {
        [("connect", connect), ("first_token", firstToken), ("idle", idle), ("total", total)].compactMap { name, duration in
            duration.map { (name, TOMLText.string($0.setting)) }
        }
    }
}

extension HedgeDelay {
    fileprivate var setting: String {
        switch self {
        case .after(let duration): duration.setting
        case .percentile(let percent): "p\(percent)"
        }
    }
}

/// The lines of one TOML table.
private struct TOMLText {
    private(set) var lines = ""

    init(header: String? = nil) { if let header { lines = "\(header)\n" } }

    mutating func append(_ key: String, raw value: String) { lines += "\(key) = \(value)\n" }

    mutating func append(_ key: String, _ text: String) { append(key, raw: Self.string(text)) }

    mutating func append(_ key: String, _ texts: [String]) {
        append(key, raw: "[\(texts.map(Self.string).joined(separator: ", "))]")
    }

    /// An inline table of values that are TOML already.
    mutating func append(_ key: String, _ members: [(name: String, value: String)]) {
        append(key, raw: Self.table(members))
    }

    mutating func append(_ attempts: AttemptSettings) {
        append("retries", raw: "\(attempts.retriesMax)")
        append("retry_after_max", attempts.retryAfterMax.setting)
        append("retry_budget", Percentage.setting(attempts.retryPercentMax))
        append("hedge_max", Percentage.setting(attempts.hedgePercentMax))
    }

    mutating func append(_ rest: RestPlan) {
        append("rest_after", raw: "\(rest.failuresMax)")
        append("rest_share", Percentage.setting(rest.failedPercentMax))
        append("rest_for", rest.restFor.setting)
        append("rest_max", rest.restMax.setting)
    }

    static func table(_ members: [(name: String, value: String)]) -> String {
        "{\(members.map { "\(key($0.name)) = \($0.value)" }.joined(separator: ", "))}"
    }

    private static func key(_ name: String) -> String {
        let isBare = !name.isEmpty && name.utf8.allSatisfy(\.isInBareKey)
        return isBare ? name : quoted(name)
    }

    /// A string that the settings reader takes as it is, without a variable in it.
    static func string(_ text: String) -> String {
        var escaped = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            escaped += rest[..<dollar]
            rest = rest[dollar...]
            escaped += rest.hasPrefix("${") ? "$$" : "$"
            rest = rest.dropFirst()
        }
        return quoted(escaped + rest)
    }

    /// A basic string. JSON's is one, but for the one control character that JSON takes as it is.
    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.appendJSONString(text)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\u{7F}", omittingEmptySubsequences: false)
            .joined(separator: #"\u007F"#)
    }

    /// A JSON value, which is valid, in one line.
    static func value(json: [UInt8]) -> String {
        let document = json.span
        do { return value(try JSONScanner.validate(document, depthMax: .max), in: document) } catch {
            preconditionFailure("settings hold valid JSON")
        }
    }

    private static func value(_ value: JSONValue, in document: Span<UInt8>) -> String {
        switch value.kind {
        case .object:
            let members = value.members(in: document)
            return table(members.map { (JSONText.decode($0.name, in: document), Self.value($0.value, in: document)) })
        case .array:
            return "[\(value.elements(in: document).map { Self.value($0, in: document) }.joined(separator: ", "))]"
        case .string: return string(JSONText.decode(value.range, in: document))
        default: return document.text(in: value.range)
        }
    }
}
