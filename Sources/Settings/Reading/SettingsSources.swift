// Where settings come from: the command line over the settings file over the environment.

import Choosing
import EventLoop
import FastCGI
import Glibc
package import HTTPClient
import Logging

/// What is wrong with the settings, so that one run tells all of it that somebody reads.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    /// Where a mistake was made: for the status that the program ends with. What comes first counts before the others.
    package enum Place: Comparable, Sendable {
        /// A value on the command line is wrong.
        case commandLine
        /// The settings file cannot be read.
        case unreadableFile
        /// What the file, those that it includes or the environment say is wrong.
        case settings
    }

    /// As many are told of.
    package static let problemsMax = 1000

    /// A sentence each, with file, line and key where there is one.
    package var problems: [String]
    /// How many more there are.
    package let moreCount: Int
    /// Of the first of them.
    package let place: Place
    /// The lines, below one another.
    package var description: String { lines.joined(separator: "\n") }
    /// The problems, and behind them how many more there are, if there are more.
    package var lines: [String] { lines(for: problems.count) }

    /// - Parameters:
    ///   - problems: a sentence each.
    ///   - moreCount: how many more there are.
    package init(problems: [String], moreCount: Int = 0, place: Place = .settings) {
        (self.problems, self.moreCount, self.place) = (problems, moreCount, place)
    }

    /// The same of the first problems alone.
    package func lines(for countMax: Int) -> [String] {
        let first = problems.prefix(countMax)
        let more = problems.count - first.count + moreCount
        return first + (more > 0 ? ["… and \(more) more"] : [])
    }
}

/// What the command line sets.
package struct SettingsOptions: Equatable, Sendable {
    var config: String?
    var listen: [String]
    var control: String?
    var upstream: String?
    var workers: Int?
    var processes: Int?
    var logLevel: String?
    var logFormat: String?

    /// - Parameters:
    ///   - config: the settings file.
    ///   - listen: addresses; none for those of the file or the environment.
    ///   - control: the address of the control socket.
    ///   - upstream: a URL, or `demo`.
    package init(
        config: String? = nil, listen: [String] = [], control: String? = nil, upstream: String? = nil, workers: Int? = nil,
        processes: Int? = nil, logLevel: String? = nil, logFormat: String? = nil
    ) {
        (self.config, self.listen, self.control, self.upstream) = (config, listen, control, upstream)
        (self.workers, self.processes, self.logLevel, self.logFormat) = (workers, processes, logLevel, logFormat)
    }
}

/// The variables that count where the file says nothing.
enum EnvironmentVariable {
    static let listen = "SLUICE_LISTEN"
    /// FastCGI 1.0 §3.2 has it.
    static let allowedAddresses = "FCGI_WEB_SERVER_ADDRS"
    static let authoritiesFile = "SSL_CERT_FILE"
    static let stateDirectory = "STATE_DIRECTORY"
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
    /// What may not do what is expected of it, a sentence each.
    package let warnings: [String]
    /// How many credentials have not been looked at, since they are another process's.
    package var assumedCredentialsCount: Int { settings.assumedCredentialsCount }
    /// How many values are taken to be right, since a variable in them is not set.
    package fileprivate(set) var assumedValuesCount = 0
}

/// All the places that say something about the settings; `load` puts it together.
package struct SettingsSources {
    /// The settings file that is read when none is named, and need not be there.
    package static let defaultFile = "/etc/sluice/sluice.toml"
    /// What the one beside the program is called, which is read when there is no other.
    package static let ownFileName = "sluice.toml"
    /// The path of that; nil where nobody knows.
    private let ownFile: String?
    /// Why a file beside the program may be somebody's who is not to say where requests go; nil when it is not.
    private let distrust: (_ path: String) -> String?
    private let options: SettingsOptions
    /// Looks a variable up; an empty one counts as absent.
    private let environment: (String) -> String?
    /// Whether descriptor 0 is a listening socket, as spawn-fcgi and lighttpd start a FastCGI program.
    private let inheritsSocket: Bool
    private let readFile: FileReader
    private let listFiles: FileLister
    /// Reads the files of a connection with TLS, and of the authorities.
    let readTLSFiles: (ConnectionOptions, _ authoritiesFile: String?) throws(HTTPError) -> CertificateValidity?
    /// Whether credentials (`credential:NAME`) are taken to be there where they are another process's: those of a service, when
    /// somebody else checks its settings.
    package var assumesCredentials = false
    /// Whether a value is taken to be right that has a variable in it which is not set: it may be a service's.
    package var assumesVariables = false
    /// How files are looked at that settings name, for what may not be wanted of them; nil where nobody is to look.
    package var readFileMode: FileModeReader?
    /// How many processes there are already, which only a start can change; nil at a start.
    package var processesInForce: Int?
    /// The settings file of the start, in whose place no other comes at a reload; nil at a start.
    package var fileInForce: String?
    /// How long the settings file may be.
    var fileBytesMax = SettingsFiles.fileBytesMax

    /// - Parameters:
    ///   - environment: looks a variable up.
    ///   - inheritsSocket: whether descriptor 0 is a listening socket.
    ///   - ownFile: the path of the settings file beside the program.
    ///   - distrust: why that file, which is there, is not to be read; nil when it may be.
    ///   - readFile: reads a whole file.
    ///   - listFiles: lists the files that a pattern matches.
    ///   - readTLSFiles: reads the files of a connection with TLS, and of the authorities, and tells when its own certificate is valid.
    package init(
        options: SettingsOptions = SettingsOptions(), environment: @escaping (String) -> String?, inheritsSocket: Bool = false,
        ownFile: String? = nil, distrust: @escaping (_ path: String) -> String? = { _ in nil }, readFile: @escaping FileReader,
        listFiles: @escaping FileLister,
        readTLSFiles: @escaping (ConnectionOptions, _ authoritiesFile: String?) throws(HTTPError) -> CertificateValidity?
    ) {
        (self.options, self.environment, self.inheritsSocket) = (options, environment, inheritsSocket)
        (self.ownFile, self.distrust) = (ownFile, distrust)
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
        // There may be several, of which the first is for all that Sluice keeps (systemd.exec(5)).
        settings.budgetsFile = variable(EnvironmentVariable.stateDirectory)?.split(separator: ":").first.map { "\($0)/budgets" }
        settings.limits.memoryBytes = MachineMemory(readFile).limit
        if let reader {
            settings.take(reader)
            settings.clients = reader.clients()
            reader.checkStore(of: settings)
        }
        takeListenAddresses(&settings, reader, problems)
        takeAllowedAddresses(&settings, reader, problems)
        let isDemoForWant = takeUpstreams(&settings, reader, problems)
        takeOptions(&settings, problems)
        divide(&settings, reader, problems)
        checkControl(settings, reader, problems)
        checkIdleExit(settings, reader, problems)
        reader?.checkHooks(settings)
        checkProxies(settings, ProxyEnvironment(variable), problems)
        loadTLS(settings, reader, problems)
        if let error = problems.error { throw error }
        let path = file.isThere ? file.path : nil
        settings.upstreamsFile = options.upstream == nil ? path : nil
        var loaded = LoadedSettings(
            settings: settings, file: path, included: file.included, isDemoForWant: isDemoForWant, warnings: problems.warnings)
        loaded.assumedValuesCount = problems.assumedValuesCount
        return loaded
    }

    /// The path of the control socket of a Sluice that was started with these sources, whatever else is wrong with them by now.
    ///
    /// - Throws: `SettingsError` when nothing says where it is.
    package func controlPath() throws(SettingsError) -> String {
        if let path = try controlPathOfOptions() { return path }
        let problems = SettingsProblems()
        let file = settingsFile(problems)
        var settings = Settings(listen: [], workers: 1, upstreams: [], models: [])
        let node = file.reader?.node("control")
        if let reader = file.reader, let node, Settings.controlField.take(reader, node, &settings), let path = settings.control {
            return path
        }
        if let error = problems.error {
            let advice =
                "so nothing says where Sluice is to be asked: mend that, or name its control socket with --control unix:PATH"
            throw SettingsError(problems: error.lines + [advice], place: error.place)
        }
        let advice =
            file.reader == nil
            ? """
            there is no \(places.map(\.path).joined(separator: " and no ")): name the settings file with --config, or the control socket \
            with --control unix:PATH
            """
            : """
            \(file.path) names no control socket: set control = "unix:/run/sluice/sluice/control.sock" in it, in a folder of Sluice's \
            user, and start Sluice again; name the one that it was started with (--control unix:PATH); or send signals
            """
        throw SettingsError(problems: [advice])
    }

    private func controlPathOfOptions() throws(SettingsError) -> String? {
        guard let text = options.control else { return nil }
        do throws(ListenAddressError) { return try ListenAddress.controlPath(text) } catch {
            throw SettingsError(problems: ["--control \(error.advice)"], place: .commandLine)
        }
    }

    private func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

    // MARK: The file

    /// Reads the settings file, and those that it includes.
    ///
    /// - Returns: `isThere` is whether its bytes could be read; there is no reader for what is no TOML either.
    private func settingsFile(
        _ problems: SettingsProblems
    ) -> (path: String, isThere: Bool, included: [String], reader: SettingsReader?) {
        var (path, document): (String, [UInt8]?) = (places[0].path, nil)
        for place in places {
            path = place.path
            let (bytes, isThere) = self.document(of: place, problems)
            document = bytes
            if isThere { break }
        }
        var input = SettingsInput(environment: environment, readFile: readFile, listFiles: listFiles)
        input.readFileMode = readFileMode
        input.assumesCredentials = assumesCredentials
        input.assumesVariables = assumesVariables
        var files = SettingsFiles(SettingsFile(path: path), input, problems)
        let reader = document.flatMap { files.reader($0) }
        return (path, document != nil, files.included, reader)
    }

    /// Where the settings file may be. The first that is there counts.
    private var places: [(path: String, isOwn: Bool)] {
        if let named = options.config { return [(named, false)] }
        var places: [(path: String, isOwn: Bool)] = [(Self.defaultFile, false)]
        if let ownFile { places.append((ownFile, true)) }
        guard let fileInForce else { return places }
        let known = places.filter { $0.path.utf8.elementsEqual(fileInForce.utf8) }
        return known.isEmpty ? places : known
    }

    /// The bytes of a settings file, and whether there is one; a problem when it is there, or is named, and cannot be read.
    private func document(
        of place: (path: String, isOwn: Bool), _ problems: SettingsProblems
    ) -> (bytes: [UInt8]?, isThere: Bool) {
        do throws(SystemError) {
            let document = try readFile(place.path)
            guard document.count <= fileBytesMax else { throw SystemError(place.path, code: EFBIG) }
            if place.isOwn, let reason = distrust(place.path) {
                problems.add("the settings file beside the program is not read: \(place.path) \(reason)", at: .unreadableFile)
                return (nil, true)
            }
            return (document, true)
        } catch {
            if options.config == nil, error.code == ENOENT { return (nil, false) }
            problems.add("the settings file cannot be read: \(error)", at: .unreadableFile)
            return (nil, true)
        }
    }

    // MARK: All over each other

    private func takeListenAddresses(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        guard !options.listen.isEmpty || reader?.node("listen") == nil else { return }
        let (texts, place): ([String], SettingsError.Place) =
            options.listen.isEmpty ? (listenAddressesOfTheEnvironment, .settings) : (options.listen, .commandLine)
        settings.listen = []
        for text in texts {
            do throws(ListenAddressError) {
                let address = try ListenAddress(text)
                if settings.listen.contains(address) { problems.add("listen address '\(text)' is named twice", at: place) }
                settings.listen.append(address)
            } catch {
                problems.add(error.description, at: place)
            }
        }
        if texts.count > Settings.listenRange.upperBound {
            problems.add(
                "there are \(texts.count) listen addresses, and \(Settings.listenRange.upperBound) at most are served", at: place)
        }
    }

    private func checkControl(_ settings: Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        guard let control = settings.control, settings.listen.contains(.unix(control)) else { return }
        let text = "is an address of listen too, where web servers connect"
        if options.control != nil {
            problems.add("--control \(text)", at: .commandLine)
        } else if let node = reader?.node("control") {
            problems.add(SettingsProblem(node, text))
        }
    }

    /// Whoever ends by himself must be started by somebody else.
    private func checkIdleExit(_ settings: Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        guard settings.idleExit > .zero, let node = reader?.node("idle_exit") else { return }
        let own = settings.listen.first { address in
            switch address {
            case .unix, .tcp: true
            case .inherited, .systemd: false
            }
        }
        if let own {
            let text = """
                is for sockets that are passed on, as listen = "systemd" or "fd:0": nobody would start Sluice again when somebody calls \
                at \(own)
                """
            problems.add(SettingsProblem(node, text, needsWhole: true))
        }
        if settings.hasMaster {
            let text = "is for a process without a master, which would stay: leave out processes and supervise, or this"
            problems.add(SettingsProblem(node, text, needsWhole: true))
        }
    }

    /// As `no_proxy` has it, with commas between them. A path with a comma has its place in the settings file.
    private var listenAddressesOfTheEnvironment: [String] {
        guard let list = variable(EnvironmentVariable.listen) else {
            return [inheritsSocket ? "fd:0" : Settings.defaultListen]
        }
        return Self.elements(list)
    }

    /// Of a list with commas, without the spaces around them.
    private static func elements(_ list: String) -> [String] {
        list.split(separator: ",", omittingEmptySubsequences: false).map { element in
            String(element.trimmingPrefix { $0 == " " }.reversed().trimmingPrefix { $0 == " " }.reversed())
        }
    }

    /// Who may connect over TCP. FastCGI has no passwords: where other machines reach a port and nobody says who may, somebody is
    /// told.
    private func takeAllowedAddresses(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        guard reader?.node("allowed_addresses") == nil else { return }
        if let list = variable(EnvironmentVariable.allowedAddresses) {
            do throws(AddressRangeError) {
                var ranges: [AddressRange] = []
                for text in Self.elements(list) { ranges.append(try AddressRange(text)) }
                settings.socket.allowedAddresses = ranges
                let countMax = Settings.allowedAddressesRange.upperBound
                if ranges.count > countMax {
                    problems.add(
                        "\(EnvironmentVariable.allowedAddresses) names \(ranges.count) addresses, and may name \(countMax)")
                }
            } catch {
                problems.add("\(EnvironmentVariable.allowedAddresses): \(error)")
            }
            return
        }
        let open = settings.listen.filter(\.isOpenToOthers)
        guard !open.isEmpty else { return }
        let addresses = open.map(\.description).joined(separator: ", ")
        let text = "names \(addresses), where whoever reaches the port may call: name the web servers in allowed_addresses"
        if options.listen.isEmpty, let node = reader?.node("listen") {
            problems.add(SettingsProblem(node, text).asWarning)
        } else {
            problems.add(warning: "\(options.listen.isEmpty ? EnvironmentVariable.listen : "--listen") \(text)")
        }
    }

    /// - Returns: whether nothing names one, so that the demo answers.
    private func takeUpstreams(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) -> Bool {
        // What the command line names goes before all upstreams and models of the file.
        let reader = options.upstream == nil ? reader : nil
        let named = reader?.upstreams(settings.rest)
        guard let upstreams = named ?? upstreamOfTheEnvironment(settings.rest, problems) else { return false }
        settings.upstreams = upstreams
        let isDemoAlone = named == nil && options.upstream == nil && upstreams.first?.kind == .demo
        settings.models =
            reader?.models(UpstreamNames(upstreams.map(\.name), areNamed: !isDemoAlone), settings.attempts)
            ?? onlyModels(upstreams, settings.attempts, reader)
        reader?.checkCuts(settings)
        reader?.checkUsage(settings)
        reader?.checkDoubts(settings)
        return isDemoAlone
    }

    private func upstreamOfTheEnvironment(_ rest: RestPlan, _ problems: SettingsProblems) -> [UpstreamSettings]? {
        do {
            var upstream = try UpstreamSettings(
                options.upstream, baseURL: variable(EnvironmentVariable.baseURL), key: variable(EnvironmentVariable.key))
            upstream.rest = rest
            let name = options.upstream == nil ? EnvironmentVariable.baseURL : "--upstream"
            for doubt in upstream.doubtsOfURL { problems.add(warning: "\(name) \(doubt)") }
            return [upstream]
        } catch {
            for problem in error.problems { problems.add(problem, at: error.place) }
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
        do throws(SettingsError) { settings.control = try controlPathOfOptions() ?? settings.control } catch {
            for problem in error.problems { problems.add(problem, at: error.place) }
        }
        if let count = number(options.workers, "--workers", in: Settings.workersRange, problems) { settings.workers = count }
        if let count = number(options.processes, "--processes", in: Settings.processesRange, problems) {
            settings.processes = count
        }
        if let level: Logger.Level = choice(options.logLevel, "--log-level", problems) { settings.log.level = level }
        if let format: Settings.Log.Format = choice(options.logFormat, "--log-format", problems) { settings.log.format = format }
    }

    /// What depends on the number of processes, which the command line may have named.
    private func divide(_ settings: inout Settings, _ reader: SettingsReader?, _ problems: SettingsProblems) {
        let count = processesInForce ?? settings.processes
        if settings.workers == 0 { settings.workers = max(1, processorCount() / count) }
        settings.limits.makeRoomForBodies(reader, processes: count)
        let tables = reader?.upstreamTables ?? [:]
        for upstream in settings.upstreams where upstream.concurrentMax ?? .max < count {
            guard let node = tables[upstream.name]?.member("concurrent") else { continue }
            problems.add(SettingsProblem(node, "is shared out among the processes: at least \(count)", needsWhole: true))
        }
    }

    /// What an option says; nil when it is not there, or out of range, which is a problem then.
    private func number(
        _ count: Int?, _ option: String, in range: ClosedRange<Int>, _ problems: SettingsProblems
    ) -> Int? {
        guard let count, !range.contains(count) else { return count }
        problems.add(
            "\(option) takes a number from \(range.lowerBound) to \(range.upperBound), not \(count)", at: .commandLine)
        return nil
    }

    /// What an option names; nil when it is not there, or names nothing, which is a problem then.
    private func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ name: String?, _ option: String, _ problems: SettingsProblems
    ) -> Choice? {
        guard let name else { return nil }
        if let choice = Choice(rawValue: name) { return choice }
        let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        problems.add("\(option) takes one of \(known), not '\(name)'", at: .commandLine)
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
            let hint = error == .notHTTP ? ", or 'demo'" : ""
            throw option == nil
                ? SettingsError(problems: ["\(EnvironmentVariable.baseURL) \(error)"])
                : SettingsError(problems: ["--upstream \(error)\(hint)"], place: .commandLine)
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
