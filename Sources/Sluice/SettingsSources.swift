// Where settings come from: the command line over the settings file over the environment.

import EventLoop
import FastCGI
import Glibc
import Logging

/// All that is wrong with the settings, so that one run tells all.
struct SettingsError: Error, Equatable, CustomStringConvertible {
    var problems: [String]
    var description: String { problems.joined(separator: "\n") }
}

/// What the command line sets.
struct SettingsOptions: Equatable, Sendable {
    var config: String?
    var listen: String?
    var upstream: String?
    var workers: Int?
    var logLevel: String?
}

struct SettingsSources {
    static let defaultFile = "/etc/sluice/sluice.toml"

    var options = SettingsOptions()
    /// Looks a variable up; an empty one counts as absent.
    var environment: (String) -> String?
    /// Whether descriptor 0 is a listening socket, as spawn-fcgi and lighttpd start a FastCGI program.
    var inheritsSocket = false
    /// - Throws: `SystemError`.
    var readFile: (String) throws -> [UInt8]

    /// The settings in force, and the file that they come from; nil when there is none.
    func load() throws(SettingsError) -> (settings: Settings, file: String?) {
        var problems: [String] = []
        let (file, document) = readSettingsFile(&problems)
        var settings = settings(from: file, document, &problems)
        takeOptions(&settings, &problems)
        guard problems.isEmpty else { throw SettingsError(problems: problems) }
        return (settings, file)
    }

    private func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

    // MARK: The file

    /// The file that is named, or the default one if it is there.
    private func readSettingsFile(_ problems: inout [String]) -> (file: String?, document: [UInt8]) {
        let file = options.config ?? Self.defaultFile
        do { return (file, try readFile(file)) } catch {
            let isAbsent = (error as? SystemError)?.code == ENOENT
            if options.config != nil || !isAbsent { problems.append("\(file): cannot be read: \(error)") }
            return (nil, [])
        }
    }

    /// What the file says over the environment's settings.
    private func settings(from file: String?, _ document: [UInt8], _ problems: inout [String]) -> Settings {
        let found = SettingsProblems(file: file ?? "")
        defer { problems += found.sentences }
        let reader = file.flatMap { self.reader($0, document, found) }
        var settings = Settings(listen: .inherited(0), workers: processorCount(), upstreams: [], models: [])
        settings.authoritiesFile = variable("SSL_CERT_FILE")
        if let reader { settings.take(reader) }
        if options.listen != nil || reader?.node("listen") == nil {
            settings.listen = listenAddress(&problems) ?? settings.listen
        }
        takeUpstreams(&settings, reader, &problems)
        return settings
    }

    private func reader(_ file: String, _ document: [UInt8], _ problems: SettingsProblems) -> SettingsReader? {
        let directory = file.contains("/") ? String(file.prefix(upTo: file.lastIndex(of: "/") ?? file.endIndex)) : "."
        let surroundings = SettingsSurroundings(environment: environment, readFile: readFile, directory: directory)
        do {
            return SettingsReader(try SettingsNode(document: document), keys: SettingsKeys.file, surroundings, problems)
        } catch {
            problems.add(error)
            return nil
        }
    }

    private func takeUpstreams(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: inout [String]) {
        if options.upstream == nil, let upstreams = reader?.upstreams() {
            settings.upstreams = upstreams
        } else {
            do {
                settings.upstreams = [
                    try UpstreamSettings(
                        options.upstream, baseURL: variable("OPENAI_BASE_URL"), key: variable("OPENAI_API_KEY"))
                ]
            } catch {
                problems += error.problems
                return
            }
        }
        let names = settings.upstreams.map(\.name)
        if options.upstream == nil, let models = reader?.models(names) {
            settings.models = models
        } else if let first = names.first {
            settings.models = [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: first)])]
            if names.count > 1, reader?.node("models") == nil {
                reader?.problems.add(
                    SettingsProblem("there are several upstreams: add [[models]] to say which models go to which", line: nil))
            }
        }
    }

    // MARK: The command line and the environment

    private func listenAddress(_ problems: inout [String]) -> ListenAddress? {
        let address =
            options.listen ?? variable("SLUICE_LISTEN") ?? (inheritsSocket ? "fd:0" : Settings.defaultListen)
        do { return try ListenAddress(address) } catch {
            problems.append(error.description)
            return nil
        }
    }

    private func takeOptions(_ settings: inout Settings, _ problems: inout [String]) {
        if let count = options.workers {
            settings.workers = count
            if !Settings.workersRange.contains(count) { problems.append("--workers takes a number from 1 to 256, not \(count)") }
        }
        if let name = options.logLevel {
            guard let level = Logger.Level(rawValue: name) else {
                let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                problems.append("--log-level takes one of \(known), not '\(name)'")
                return
            }
            settings.logLevel = level
        }
    }
}

extension UpstreamSettings {
    /// - Parameter option: `--upstream`, which goes before the environment's URL; the key comes from the environment alone.
    init(_ option: String?, baseURL: String?, key: String?) throws(SettingsError) {
        if option == "demo" || (option == nil && baseURL == nil && key == nil) {
            self.init(name: "demo", kind: .demo)
            return
        }
        let url: String
        do { url = try Self.checkedURL(option ?? baseURL ?? Settings.defaultBaseURL) } catch {
            let hint = error == .notHTTP && option != nil ? ", or 'demo'" : ""
            throw SettingsError(problems: ["\(option == nil ? "OPENAI_BASE_URL" : "--upstream") \(error)\(hint)"])
        }
        self.init(name: "openai", url: url, key: key.map(Key.secret) ?? .none)
        if isOpenAIs { obfuscation = false }
    }
}
