// The options of the command line that say where settings come from.

import ArgumentParser
import EventLoop
import FastCGI
import Glibc
import HTTPClient
import Settings

/// The options that go over the settings file and the environment.
struct SettingsArguments: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "The settings file. Default: \(SettingsSources.defaultFile), or \(SettingsSources.ownFileName) beside this program; without either "
                + "the environment alone.",
            valueName: "file"),
        completion: .file())
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Where web servers connect: unix:PATH, tcp:HOST:PORT, fd:NUMBER, systemd or systemd:NAME; several times for several. "
                + "Default: a listening socket on descriptor 0 if there is one, else \(Settings.defaultListen).",
            valueName: "address"))
    var listen: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where sluice status, clients, reload, reopen and stop ask, as unix:PATH: a socket for this user and root alone. "
                + "Default: what the settings file says, else none.",
            valueName: "address"))
    var control: String?

    @Option(
        help: ArgumentHelp(
            "The OpenAI-compatible API to forward to, as https://HOST/v1 or unix:/PATH/OF/SOCKET:/v1, or 'demo'; instead of all "
                + "upstreams and models of the settings file. Its key is OPENAI_API_KEY. Default: \(Settings.defaultBaseURL).",
            valueName: "url|demo"))
    var upstream: String?

    @Option(
        help: ArgumentHelp(
            "Threads that serve in each process. Default: one per core that Sluice may use, divided among the processes.",
            valueName: "number"))
    var workers: Int?

    @Option(
        help: ArgumentHelp(
            "Processes that serve. With more than one, a master starts another for each that dies. Default: 1.",
            valueName: "number"))
    var processes: Int?

    @Option(
        help: ArgumentHelp("trace, debug, info, notice, warning, error or critical. Default: info.", valueName: "level"),
        completion: .list(Settings.Log.levels))
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "json, text or logfmt. Default: text on a terminal and for the journal and syslog, else json.", valueName: "format"),
        completion: .list(Settings.Log.Format.allCases.map(\.rawValue)))
    var logFormat: String?

    /// Without an option ahead of them: there is no place for any.
    @Argument(help: .hidden) var words: [String] = []

    /// All that says something about the settings.
    ///
    /// - Parameter files: how files are read.
    func sources(_ files: FileAccess = .real) -> SettingsSources {
        Self.sources(
            SettingsOptions(
                config: config, listen: listen, control: control, upstream: upstream, workers: workers, processes: processes,
                logLevel: logLevel, logFormat: logFormat), files)
    }

    /// - Parameters:
    ///   - options: what the command line sets.
    ///   - files: how files are read.
    static func sources(_ options: SettingsOptions, _ files: FileAccess = .real) -> SettingsSources {
        SettingsSources(
            options: options,
            environment: environmentVariable, inheritsSocket: ListeningSocket.isListening(0), ownFile: ProgramFile.settingsFile,
            distrust: files.distrust, readFile: files.read, listFiles: files.list,
            readTLSFiles: { options, file throws(HTTPError) in try options.loadTLS(authoritiesFile: file) })
    }

    /// - Parameters:
    ///   - files: how files are read.
    ///   - assumesCredentials: whether credentials that are another process's are taken to be there.
    ///   - assumesVariables: whether values with variables that are not set are taken to be right.
    ///   - readFileMode: how files that settings name are looked at; nil where nobody is to look.
    /// - Throws: `ExitCode` when something is wrong, after telling what.
    func load(
        _ files: FileAccess = .real, assumesCredentials: Bool = false, assumesVariables: Bool = false,
        readFileMode: FileModeReader? = nil
    ) throws -> LoadedSettings {
        try refuse(words)
        var sources = sources(files)
        (sources.assumesCredentials, sources.assumesVariables) = (assumesCredentials, assumesVariables)
        sources.readFileMode = readFileMode
        do { return try sources.load() } catch { throw error.told }
    }
}

/// Says of words without an option ahead of them what was meant: a settings file, as other daemons' checks take it. Not before a
/// command runs, since an option that is not known leaves its value behind as such a word, and is to be told first.
func refuse(_ words: [String]) throws {
    guard let word = words.first else { return }
    throw ValidationError("'\(word)' has no option ahead of it; a settings file is named by --config \(word)")
}

extension SettingsError {
    /// The status to end with, after telling all that is wrong.
    var told: ExitCode {
        for line in lines { writeError("sluice: \(line)") }
        switch place {
        case .commandLine: return ExitCode(EX_USAGE)
        case .unreadableFile: return ExitCode(EX_NOINPUT)
        case .settings: return ExitCode(EX_CONFIG)
        }
    }
}
