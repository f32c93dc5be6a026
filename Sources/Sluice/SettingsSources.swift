// Where settings come from: the command line over the environment.

import FastCGI
import Logging

/// All that is wrong with the settings, so that one run tells all.
struct SettingsError: Error, Equatable, CustomStringConvertible {
    var problems: [String]
    var description: String { problems.joined(separator: "\n") }
}

extension Settings {
    /// - Parameters:
    ///   - environment: looks a variable up; an empty one counts as absent.
    ///   - inheritsSocket: whether descriptor 0 is a listening socket, as spawn-fcgi and lighttpd start a FastCGI program.
    init(
        listen: String?, upstream: String?, workers: Int?, logLevel: String,
        environment: (String) -> String?, inheritsSocket: Bool
    ) throws(SettingsError) {
        var problems: [String] = []
        func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

        let address = listen ?? variable("SLUICE_LISTEN") ?? (inheritsSocket ? "fd:0" : Self.defaultListen)
        var listenAddress = ListenAddress.inherited(0)
        do { listenAddress = try ListenAddress(address) } catch { problems.append(error.description) }

        var target = UpstreamSettings(name: "demo", kind: .demo)
        do {
            target = try UpstreamSettings(
                upstream, baseURL: variable("OPENAI_BASE_URL"), key: variable("OPENAI_API_KEY"))
        } catch {
            problems += error.problems
        }

        let count = workers ?? processorCount()
        if !(1...256).contains(count) { problems.append("--workers takes a number from 1 to 256, not \(count)") }
        let level = Logger.Level(rawValue: logLevel)
        if level == nil {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            problems.append("--log-level takes one of \(known), not '\(logLevel)'")
        }
        guard problems.isEmpty else { throw SettingsError(problems: problems) }
        self.init(
            listen: listenAddress, workers: count, logLevel: level ?? .info, authoritiesFile: variable("SSL_CERT_FILE"),
            upstreams: [target],
            models: [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: target.name)])])
    }
}

extension UpstreamSettings {
    /// - Parameter option: `--upstream`, which goes before the environment's URL; the key comes from the environment alone.
    init(_ option: String?, baseURL: String?, key: String?) throws(SettingsError) {
        if option == "demo" || (option == nil && baseURL == nil && key == nil) {
            self.init(name: "demo", kind: .demo)
            return
        }
        var url = option ?? baseURL ?? Settings.defaultBaseURL
        while url.hasSuffix("/") { url.removeLast() }
        let source = option == nil ? "OPENAI_BASE_URL" : "--upstream"
        guard let scheme = ["https://", "http://"].first(where: url.hasPrefix), url.count > scheme.count else {
            throw SettingsError(problems: ["\(source) takes a URL like \(Settings.defaultBaseURL), or 'demo'"])
        }
        guard !url.dropFirst(scheme.count).prefix(while: { $0 != "/" }).contains("@") else {
            throw SettingsError(problems: ["\(source) must not hold a user name or password; put the key into OPENAI_API_KEY"])
        }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !url.contains(where: { "?#".contains($0) }) else {
            throw SettingsError(problems: ["\(source) must be a plain URL without spaces, '?' and '#'"])
        }
        if url.hasSuffix("/chat/completions") { url.removeLast("/chat/completions".count) }
        self.init(name: "openai", url: url, key: key.map(Key.secret) ?? .none)
    }
}
