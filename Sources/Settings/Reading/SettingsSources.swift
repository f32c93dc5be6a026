// Where settings come from: the command line over the settings file over the environment.

import Choosing
import EventLoop
import FastCGI
import Glibc
package import HTTPClient
import Logging

/// All that is wrong with the settings, so that one run tells all.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    /// A sentence each, with file, line and key where there is one.
    package var problems: [String]
    /// All of them, below one another.
    package var description: String { problems.joined(separator: "\n") }

    /// - Parameter problems: a sentence each.
    package init(problems: [String]) { self.problems = problems }
}

/// What the command line sets.
package struct SettingsOptions: Equatable, Sendable {
    var config: String?
    var listen: [String]
    var upstream: String?
    var workers: Int?
    var processes: Int?
    var logLevel: String?
    var logFormat: String?

    /// - Parameters:
    ///   - config: the settings file.
    ///   - listen: addresses; none for those of the file or the environment.
    ///   - upstream: a URL, or `demo`.
    package init(
        config: String? = nil, listen: [String] = [], upstream: String? = nil, workers: Int? = nil, processes: Int? = nil,
        logLevel: String? = nil, logFormat: String? = nil
    ) {
        (self.config, self.listen, self.upstream) = (config, listen, upstream)
        (self.workers, self.processes, self.logLevel, self.logFormat) = (workers, processes, logLevel, logFormat)
    }
}

/// The variables that count where the file says nothing.
enum EnvironmentVariable {
    static let listen = "SLUICE_LISTEN"
    static let authoritiesFile = "SSL_CERT_FILE"
    static let baseURL = "OPENAI_BASE_URL"
    static let key = "OPENAI_API_KEY"
}

/// What all the places say together.
package struct LoadedSettings: Sendable {
    /// Checked.
    package let settings: Settings
    /// The settings file; nil when there is none.
    package let file: String?
    /// Those that it includes.
    package let included: [String]
    /// Whether the demo answers only because nothing names an upstream.
    package let isDemoForWant: Bool
    /// How many credentials have not been looked at, since they are another process's.
    package var assumedCredentialsCount: Int { settings.assumedCredentialsCount }
}

/// All the places that say something about the settings; `load` puts it together.
package struct SettingsSources {
    /// The settings file that is read when none is named, and need not be there.
    package static let defaultFile = "/etc/sluice/sluice.toml"
    private let options: SettingsOptions
    /// Looks a variable up; an empty one counts as absent.
    private let environment: (String) -> String?
    /// Whether descriptor 0 is a listening socket, as spawn-fcgi and lighttpd start a FastCGI program.
    private let inheritsSocket: Bool
    private let readFile: FileReader
    private let listFiles: FileLister
    /// Reads the files of a connection with TLS, and of the authorities.
    let readTLSFiles: (ConnectionOptions, _ authoritiesFile: String?) throws(HTTPError) -> Void
    /// Whether credentials (`credential:NAME`) are taken to be there where they are another process's: those of a service, when
    /// somebody else checks its settings.
    package var assumesCredentials = false
    /// How many processes there are already, which only a start can change; nil at a start.
    package var processesInForce: Int?

    /// - Parameters:
    ///   - environment: looks a variable up.
    ///   - inheritsSocket: whether descriptor 0 is a listening socket.
    ///   - readFile: reads a whole file.
    ///   - listFiles: lists the files that a pattern matches.
    ///   - readTLSFiles: reads the files of a connection with TLS, and of the authorities.
    package init(
        options: SettingsOptions = SettingsOptions(), environment: @escaping (String) -> String?, inheritsSocket: Bool = false,
        readFile: @escaping FileReader, listFiles: @escaping FileLister,
        readTLSFiles: @escaping (ConnectionOptions, _ authoritiesFile: String?) throws(HTTPError) -> Void
    ) {
        (self.options, self.environment, self.inheritsSocket) = (options, environment, inheritsSocket)
        (self.readFile, self.listFiles, self.readTLSFiles) = (readFile, listFiles, readTLSFiles)
    }

    /// The settings in force, and where they come from.
    ///
    /// - Throws: `SettingsError` with all that is wrong.
    package func load() throws(SettingsError) -> LoadedSettings {
        let problems = SettingsProblems()
        let file = settingsFile(problems)
        let reader = file.reader
        var settings = Settings(listen: [.inherited(0)], workers: 0, upstreams: [], models: [])
        settings.authoritiesFile = variable(EnvironmentVariable.authoritiesFile)
        settings.limits.memoryBytes = MachineMemory(readFile).limit
        if let reader { settings.take(reader) }
        takeListenAddresses(&settings, reader, problems)
        let isDemoForWant = takeUpstreams(&settings, reader, problems)
        takeOptions(&settings, problems)
        divide(&settings, reader, problems)
        if let control = settings.control, settings.listen.contains(.unix(control)), let node = reader?.node("control") {
            problems.add(SettingsProblem(node, "is an address of listen too, where web servers connect"))
        }
        checkProxies(settings, ProxyEnvironment(variable), problems)
        loadTLS(settings, reader, problems)
        guard problems.sentences.isEmpty else { throw SettingsError(problems: problems.sentences) }
        return LoadedSettings(
            settings: settings, file: file.isThere ? file.path : nil, included: file.included, isDemoForWant: isDemoForWant)
    }

    /// The path of the control socket of a Sluice that was started with these sources, whatever else is wrong with them by now.
    ///
    /// - Parameter option: an address that goes before the file's.
    /// - Throws: `SettingsError` when nothing says where it is.
    package func controlPath(option: String?) throws(SettingsError) -> String {
        if let option {
            do throws(ListenAddressError) { return try ListenAddress.controlPath(option) } catch {
                throw SettingsError(problems: ["--control \(error.advice)"])
            }
        }
        let problems = SettingsProblems()
        let file = settingsFile(problems)
        if let reader = file.reader, let node = reader.node("control") {
            var settings = Settings(listen: [], workers: 1, upstreams: [], models: [])
            if Settings.controlField.take(reader, node, &settings), let path = settings.control { return path }
            throw SettingsError(problems: problems.sentences)
        }
        let advice =
            file.reader == nil
            ? "there is no \(file.path): name the settings file with --config, or the control socket with --control"
            : "\(file.path) names no control socket: set control = \"unix:/run/sluice/control.sock\" in it, or send signals"
        throw SettingsError(problems: problems.sentences.isEmpty ? [advice] : problems.sentences)
    }

    private func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

    // MARK: The file

    /// Reads the settings file, and those that it includes.
    ///
    /// - Returns: `isThere` is whether its bytes could be read; there is no reader for what is no TOML either.
    private func settingsFile(
        _ problems: SettingsProblems
    ) -> (path: String, isThere: Bool, included: [String], reader: SettingsReader?) {
        let file = SettingsFile(path: options.config ?? Self.defaultFile)
        var input = SettingsInput(environment: environment, readFile: readFile, listFiles: listFiles)
        input.assumesCredentials = assumesCredentials
        var files = SettingsFiles(file, input, problems)
        let document = document(of: file.path, problems)
        let reader = document.flatMap { files.reader($0) }
        return (file.path, document != nil, files.included, reader)
    }

    /// The bytes of the settings file; nil when none is named, and the default one is not there.
    private func document(of file: String, _ problems: SettingsProblems) -> [UInt8]? {
        do throws(SystemError) {
            let document = try readFile(file)
            guard document.count <= SettingsFiles.fileBytesMax else { throw SystemError(file, code: EFBIG) }
            return document
        } catch {
            if options.config != nil || error.code != ENOENT { problems.add("the settings file cannot be read: \(error)") }
            return nil
        }
    }

    // MARK: All over each other

    private func takeListenAddresses(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        guard !options.listen.isEmpty || reader?.node("listen") == nil else { return }
        let texts = options.listen.isEmpty ? listenAddressesOfTheEnvironment : options.listen
        settings.listen = []
        for text in texts {
            do throws(ListenAddressError) {
                let address = try ListenAddress(text)
                if settings.listen.contains(address) { problems.add("listen address '\(text)' is named twice") }
                settings.listen.append(address)
            } catch {
                problems.add(error.description)
            }
        }
        if texts.count > Settings.listenRange.upperBound {
            problems.add("there are \(texts.count) listen addresses, and \(Settings.listenRange.upperBound) at most are served")
        }
    }

    /// As `no_proxy` has it, with commas between them. A path with a comma has its place in the settings file.
    private var listenAddressesOfTheEnvironment: [String] {
        guard let list = variable(EnvironmentVariable.listen) else {
            return [inheritsSocket ? "fd:0" : Settings.defaultListen]
        }
        return list.split(separator: ",", omittingEmptySubsequences: false).map { address in
            String(address.trimmingPrefix { $0 == " " }.reversed().trimmingPrefix { $0 == " " }.reversed())
        }
    }

    /// - Returns: whether nothing names one, so that the demo answers.
    private func takeUpstreams(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) -> Bool {
        // What the command line names goes before all upstreams and models of the file.
        let reader = options.upstream == nil ? reader : nil
        let named = reader?.upstreams(settings.rest)
        guard let upstreams = named ?? upstreamOfTheEnvironment(settings.rest, problems) else { return false }
        settings.upstreams = upstreams
        settings.models =
            reader?.models(upstreams.map(\.name), settings.attempts) ?? onlyModels(upstreams, settings.attempts, reader)
        return named == nil && options.upstream == nil && upstreams.first?.kind == .demo
    }

    private func upstreamOfTheEnvironment(_ rest: RestPlan, _ problems: SettingsProblems) -> [UpstreamSettings]? {
        do {
            var upstream = try UpstreamSettings(
                options.upstream, baseURL: variable(EnvironmentVariable.baseURL), key: variable(EnvironmentVariable.key))
            upstream.rest = rest
            return [upstream]
        } catch {
            for problem in error.problems { problems.add(problem) }
            return nil
        }
    }

    /// Where all goes when the file says nothing about models.
    private func onlyModels(
        _ upstreams: [UpstreamSettings], _ attempts: AttemptSettings, _ reader: SettingsReader?
    ) -> [ModelSettings] {
        if upstreams.count > 1, let reader, reader.node("models") == nil, let node = reader.node("upstreams") {
            let text = "names several: add [[models]] to say which requests go to which"
            reader.problems.add(SettingsProblem(node, text, needsWhole: true))
        }
        return upstreams.prefix(1).map {
            ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: $0.name)], attempts: attempts)
        }
    }

    private func takeOptions(_ settings: inout Settings, _ problems: SettingsProblems) {
        if let count = options.workers {
            settings.workers = count
            let range = Settings.workersRange
            if !range.contains(count) {
                problems.add("--workers takes a number from \(range.lowerBound) to \(range.upperBound), not \(count)")
            }
        }
        if let count = options.processes {
            settings.processes = count
            let range = Settings.processesRange
            if !range.contains(count) {
                problems.add("--processes takes a number from \(range.lowerBound) to \(range.upperBound), not \(count)")
                settings.processes = 1
            }
        }
        if let level: Logger.Level = choice(options.logLevel, "--log-level", problems) { settings.log.level = level }
        if let format: Settings.Log.Format = choice(options.logFormat, "--log-format", problems) { settings.log.format = format }
    }

    /// What depends on the number of processes, which the command line may have named.
    private func divide(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        let count = processesInForce ?? settings.processes
        if settings.workers == 0 { settings.workers = max(1, processorCount() / count) }
        settings.limits.makeRoomForBodies(reader, processes: count)
        for upstream in settings.upstreams where upstream.concurrentMax ?? .max < count {
            guard let node = reader?.node("upstreams")?.member(upstream.name)?.member("concurrent") else { continue }
            problems.add(SettingsProblem(node, "is shared out among the processes: at least \(count)", needsWhole: true))
        }
    }

    /// What an option names; nil when it is not there, or names nothing, which is a problem then.
    private func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ name: String?, _ option: String, _ problems: SettingsProblems
    ) -> Choice? {
        guard let name else { return nil }
        if let choice = Choice(rawValue: name) { return choice }
        let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        problems.add("\(option) takes one of \(known), not '\(name)'")
        return nil
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
            throw SettingsError(problems: ["\(option == nil ? EnvironmentVariable.baseURL : "--upstream") \(error)\(hint)"])
        }
        guard key?.utf8.allSatisfy(\.isInKey) ?? true else {
            throw SettingsError(problems: [
                "\(EnvironmentVariable.key) has a space, a line break or a character that is not ASCII"
            ])
        }
        self.init(name: "openai", url: url, key: key.map(Key.secret) ?? .none)
        if isOpenAIs { obfuscation = false }
    }
}
