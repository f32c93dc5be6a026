// What the keys of the settings file mean. `deploy/sluice.toml` describes them to its reader.

import Chat
import Choosing
import EventLoop
import FastCGI
import Logging

/// The keys of each table.
enum SettingsKeys {
    static let file = [
        "listen", "workers", "heartbeat", "log_level", "default_model", "errors", "spoken_error", "refusal", "on_disconnect",
        "authorities_file", "dns_ttl", "retries", "retry_after_max", "retry_budget", "hedge_max", "rest_after", "rest_share",
        "rest_for", "rest_max", "socket", "limits", "timeouts", "upstreams", "models",
    ]
    static let socket = ["mode", "group", "allowed_users"]
    static let limits = ["requests", "body", "parameters", "event", "answer", "memory", "json_depth"]
    static let timeouts = ["request", "connect", "send", "first_token", "idle", "total", "client_write", "drain"]
    static let upstream = [
        "kind", "url", "key", "key_file", "headers", "api_version", "parameters", "usage", "obfuscation", "http",
        "streams_per_connection", "certificate", "certificate_key", "proxy", "warm", "concurrent", "queue", "queue_wait",
        "rest_after", "rest_share", "rest_for", "rest_max",
    ]
    static let parameters = ["add", "pass"]
    static let model = [
        "match", "targets", "rename", "drop", "set", "default", "retries", "retry_after_max", "retry_budget", "hedge_after",
        "hedge_max", "fallback_on", "timeouts",
    ]
    static let modelTimeouts = ["connect", "first_token", "idle", "total"]
    static let target = ["upstream", "model", "weight", "set", "connect", "first_token", "idle", "total"]

    static let all = [file, socket, limits, timeouts, upstream, parameters, model, modelTimeouts, target]
}

extension ClosedRange<Duration> {
    static let positive = Duration.milliseconds(1)...Duration.seconds(24 * 3600)
    static let secondToADay = Duration.seconds(1)...Duration.seconds(24 * 3600)
    static let upToADay = Duration.zero...Duration.seconds(24 * 3600)
}

extension Settings {
    /// Takes what the file says of the process as a whole; upstreams and models are others' business.
    mutating func take(_ file: SettingsReader) {
        file.take("listen", into: &listen, file.listenAddress)
        file.take("workers", into: &workers, file.workers)
        file.take("heartbeat", into: &heartbeat, file.duration(in: .upToADay))
        file.take("log_level", into: &logLevel, file.choice)
        file.take("default_model", into: &defaultModel, file.text)
        file.take("errors", into: &errors, file.choice)
        file.take("spoken_error", into: &spokenError, file.text)
        file.take("refusal", into: &refusal, file.choice)
        file.take("on_disconnect", into: &onDisconnect, file.choice)
        file.take("authorities_file", into: &authoritiesFile, file.readableFile)
        file.take("dns_ttl", into: &nameLifetime, file.duration(in: .secondToADay))
        attempts.take(file)
        rest.take(file)
        if let table = file.table("socket", keys: SettingsKeys.socket) { socket.take(table) }
        let limitsTable = file.table("limits", keys: SettingsKeys.limits)
        if let limitsTable { limits.take(limitsTable) }
        limits.makeRoomForBodies(limitsTable)
        if let table = file.table("timeouts", keys: SettingsKeys.timeouts) { timeouts.take(table) }
    }
}

extension SocketAccess {
    fileprivate mutating func take(_ table: SettingsReader) {
        table.take("mode", into: &mode, table.fileMode)
        table.take("group", into: &group, table.text)
        table.take("allowed_users", into: &allowedUsers, table.texts)
    }
}

extension Settings.Limits {
    fileprivate mutating func take(_ table: SettingsReader) {
        table.take("requests", into: &requests, table.integer(in: 1...1_000_000))
        table.take("body", into: &bodyBytes, table.size(in: 1 << 10...1 << 30))
        table.take("parameters", into: &parametersBytes, table.size(in: 1 << 10...16 << 20))
        table.take("event", into: &eventBytes, table.size(in: 1 << 10...1 << 30))
        table.take("answer", into: &answerBytes, table.size(in: 1 << 10...1 << 30))
        table.take("memory", into: &memoryBytes, table.size(in: 1 << 20...1 << 50))
        // A message with parts of content is five deep.
        table.take("json_depth", into: &jsonDepth, table.integer(in: 8...10_000))
    }
}

extension Settings.Limits {
    /// Three quarters of the memory are for bodies: those must hold one. The default grows for that, what is set does not.
    mutating func makeRoomForBodies(_ table: SettingsReader?) {
        let needed = max(2 * bodyBytes, 1 << 20)
        guard memoryBytes < needed else { return }
        guard let table, let node = table.node("memory") else { return memoryBytes = needed }
        table.problems.add(
            SettingsProblem(node, "must be at least twice limits.body, which is \(Size.setting(bodyBytes))"))
    }
}

extension Settings.Timeouts {
    fileprivate mutating func take(_ table: SettingsReader) {
        table.take("request", into: &request, table.duration(in: .positive))
        table.take("connect", into: &connect, table.duration(in: .positive))
        table.take("send", into: &send, table.duration(in: .positive))
        table.take("first_token", into: &firstToken, table.duration(in: .positive))
        table.take("idle", into: &idle, table.duration(in: .positive))
        table.take("total", into: &total, table.duration(in: .positive))
        table.take("client_write", into: &clientWrite, table.duration(in: .positive))
        table.take("drain", into: &drain, table.duration(in: .upToADay))
    }
}

extension Settings.Timeouts.Own {
    mutating func take(_ table: SettingsReader) {
        table.take("connect", into: &connect, table.duration(in: .positive))
        table.take("first_token", into: &firstToken, table.duration(in: .positive))
        table.take("idle", into: &idle, table.duration(in: .positive))
        table.take("total", into: &total, table.duration(in: .positive))
    }
}

extension AttemptSettings {
    /// Takes what stands at the file's top, or in a model.
    mutating func take(_ table: SettingsReader) {
        table.take("retries", into: &retriesMax, table.integer(in: 0...10))
        table.take("retry_after_max", into: &retryAfterMax, table.duration(in: .upToADay))
        table.take("retry_budget", into: &retryPercentMax, table.percentage(in: 0...100))
        table.take("hedge_max", into: &hedgePercentMax, table.percentage(in: 0...100))
    }
}

extension RestPlan {
    /// Takes what stands at the file's top, or in an upstream.
    mutating func take(_ table: SettingsReader) {
        table.take("rest_after", into: &failuresMax, table.integer(in: 1...1000))
        table.take("rest_share", into: &failedPercentMax, table.percentage(in: 1...100))
        table.take("rest_for", into: &restFor, table.duration(in: .upToADay))
        table.take("rest_max", into: &restMax, table.duration(in: .upToADay))
        guard restFor > restMax else { return }
        if let node = table.node("rest_for") {
            table.problems.add(SettingsProblem(node, "must not be longer than rest_max, which is \(restMax.setting)"))
        } else if let node = table.node("rest_max") {
            table.problems.add(SettingsProblem(node, "must not be shorter than rest_for, which is \(restFor.setting)"))
        }
    }
}

extension SettingsReader {
    fileprivate func listenAddress(_ node: SettingsNode) throws(SettingsProblem) -> ListenAddress {
        let text = try text(node)
        do throws(ListenAddressError) { return try ListenAddress(text) } catch {
            throw SettingsProblem(node, error.advice)
        }
    }

    /// `"auto"`, or how many.
    fileprivate func workers(_ node: SettingsNode) throws(SettingsProblem) -> Int {
        if case .string("auto") = node.value { return processorCount() }
        guard case .integer(let count) = node.value, Settings.workersRange.contains(count) else {
            throw SettingsProblem(
                node,
                "must be \"auto\" or a number from \(Settings.workersRange.lowerBound) to \(Settings.workersRange.upperBound)")
        }
        return count
    }

    /// Octal digits, as chmod takes them.
    fileprivate func fileMode(_ node: SettingsNode) throws(SettingsProblem) -> UInt32 {
        let text = try text(node)
        guard (3...4).contains(text.utf8.count), !text.hasPrefix("+"), let mode = UInt32(text, radix: 8), mode <= 0o777 else {
            throw SettingsProblem(node, "must be octal digits up to \"0777\", as \"0660\"")
        }
        guard mode & 0o600 == 0o600 else { throw SettingsProblem(node, "must let the owner read and write, as \"0660\"") }
        return mode
    }
}
