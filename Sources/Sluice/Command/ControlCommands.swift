// `sluice reload`, `sluice reopen` and `sluice stop`: what is asked of a Sluice that runs.

import ArgumentParser
import EventLoop
import Glibc
import Settings

/// Where the Sluice is that is to be asked.
struct ControlArguments: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "The settings file of the Sluice that runs, which says where it is to be asked. Default: "
                + "\(SettingsSources.defaultFile), or \(SettingsSources.ownFileName) beside this program.",
            valueName: "file"),
        completion: .file())
    var config: String?

    @Option(
        help: ArgumentHelp(
            "The control socket of the Sluice that runs, as unix:PATH. Default: what the settings file says.",
            valueName: "address"))
    var control: String?

    /// Without an option ahead of them: there is no place for any.
    @Argument(help: .hidden) var words: [String] = []

    /// Asks, and waits for the answer.
    ///
    /// - Returns: what came of it.
    /// - Throws: `ExitCode` when nobody answers, or nobody has tried, after telling why.
    func ask(_ command: ControlCommand) throws -> ControlAnswer {
        let client = try client()
        let onWaiting = { if let words = command.waitingWords { writeError("sluice: \(words)") } }
        do throws(ControlFailure) { return try client.ask(command, onWaiting: onWaiting) } catch {
            throw error.told
        }
    }

    /// - Throws: `ExitCode` when nothing says where to ask, after telling why.
    func client() throws -> ControlClient {
        try refuse(words)
        do throws(SettingsError) {
            let sources = SettingsArguments.sources(SettingsOptions(config: config, control: control))
            return ControlClient(path: try sources.controlPath())
        } catch {
            throw error.told
        }
    }
}

extension ControlFailure {
    /// The status to end with, after telling why.
    var told: ExitCode {
        for sentence in sentences { writeError("sluice: \(sentence)") }
        return ExitCode(status)
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the Sluice that runs read its settings again, and tell what is wrong with them, if anything.",
        discussion: """
            Streams go on by the settings that they began with; the requests that follow get the new ones. Wrong settings change \
            nothing: all that is wrong with them is told, and the exit status is 78. Of several processes one that cannot follow is \
            replaced, and named. Without a control socket, send SIGHUP instead and look into the log.
            """)

    @OptionGroup var arguments: ControlArguments

    @Flag(help: "Come back only when the last request is over that began by the settings from before.")
    var wait = false

    func run() throws {
        let answer = try arguments.ask(wait ? .reloadAndWait : .reload)
        for line in answer.lines { writeError("sluice: \(line)") }
        if answer.verdict == .failed { throw ExitCode(EX_CONFIG) }
        guard !wait || answer.isOver else {
            writeError(
                """
                sluice: the settings are in force, but Sluice has not said when the last request from before was over: it has ended, \
                or its log says why
                """)
            throw ExitCode(EX_UNAVAILABLE)
        }
    }
}

struct Reopen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the Sluice that runs open its log file again, as SIGUSR1 does.",
        discussion: """
            For when the file has been moved away: what comes from now on goes to a new one, and no line is lost. The first line there \
            says so; when the file cannot be opened, the old one is written to, why is told, and the exit status is 73. Without a \
            control socket, send SIGUSR1 instead.
            """)

    @OptionGroup var arguments: ControlArguments

    func run() throws {
        let answer = try arguments.ask(.reopenLog)
        for line in answer.lines { writeError("sluice: \(line)") }
        if answer.verdict == .failed { throw ExitCode(EX_CANTCREAT) }
    }
}

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the Sluice that runs end, as SIGTERM does, and come back when it has.",
        discussion: """
            Streams have timeouts.drain to come to their end; no new requests are taken. When Sluice ends otherwise meanwhile, as by a \
            second signal or when it or one of its processes is killed, the exit status is 69. One that is about to end already has no \
            control socket any more: a second SIGTERM ends it at once. One that was told to end at once (--now) and is \
            still there after 30 s is named, with status 69.
            """)

    @OptionGroup var arguments: ControlArguments

    @Flag(help: "Wait for no stream: end at once, as a second SIGTERM does.")
    var now = false

    func run() throws {
        let answer = try arguments.ask(now ? .stopAtOnce : .stop)
        guard now || answer.isOver else {
            writeError(
                """
                sluice: Sluice is gone, but has not said that all requests were over: it or one of its processes was killed, or it \
                ended at once by a second signal; its log says what it can
                """)
            throw ExitCode(EX_UNAVAILABLE)
        }
    }
}

extension ControlCommand {
    /// What there is to say while it waits.
    fileprivate var waitingWords: String? {
        switch self {
        case .reloadAndWait: "the settings are in force; waiting for the requests that began by those from before"
        case .stop, .stopAtOnce:
            "it takes nothing new; waiting for its open requests (timeouts.drain), which a second SIGTERM ends at once"
        case .reload, .reopenLog, .status, .metrics, .clients: nil
        }
    }
}
