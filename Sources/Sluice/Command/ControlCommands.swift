// `sluice reload`, `sluice stop` and `sluice status`: what is asked of a Sluice that runs.

import ArgumentParser
import EventLoop
import Glibc
import Settings

/// Where the Sluice is that is to be asked.
struct ControlArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The settings file of the Sluice that runs, which says where it is to be asked. Default: \(SettingsSources.defaultFile).",
            valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "The control socket of the Sluice that runs, as unix:PATH. Default: what the settings file says.",
            valueName: "address"))
    var control: String?

    /// Asks, and waits for the answer.
    ///
    /// - Returns: what came of it.
    /// - Throws: `ExitCode` when nobody answers, or nobody has tried, after telling why.
    func ask(_ command: ControlCommand) throws -> ControlAnswer {
        let path = try path()
        let stream: ControlStream
        do throws(SystemError) { stream = try ControlStream(connectingTo: path) } catch {
            let advice =
                error.code == EACCES
                ? "ask as root, or as its user"
                : "is it running, with this control socket, and not about to end?"
            writeError("sluice: no Sluice can be asked at unix:\(path): \(error); \(advice)")
            throw ExitCode(error.code == EACCES ? EX_NOPERM : EX_UNAVAILABLE)
        }
        stream.write("\(command.line)\n")
        let (bytes, isLate) = stream.answer(within: command.answerSeconds, restWithin: command.restSeconds)
        guard let answer = ControlAnswer(bytes: bytes) else {
            if isLate, bytes.isEmpty, command.isReload {
                writeError(
                    "sluice: not finished yet: the Sluice at unix:\(path) reads its settings; its log will say what came of it"
                )
                throw ExitCode(EX_UNAVAILABLE)
            }
            writeError(
                "sluice: no answer at unix:\(path): it is no control socket of Sluice, or Sluice stands still, has no descriptors left, or has ended just now"
            )
            throw ExitCode(EX_UNAVAILABLE)
        }
        if answer.verdict == .refused {
            for line in answer.lines { writeError("sluice: the Sluice at unix:\(path) refuses: \(line)") }
            throw ExitCode(EX_UNAVAILABLE)
        }
        return answer
    }

    private func path() throws -> String {
        do throws(SettingsError) {
            return try SettingsArguments.sources(SettingsOptions(config: config, control: control)).controlPath()
        } catch {
            throw error.told
        }
    }
}

extension ControlCommand {
    fileprivate var isReload: Bool { self == .reload || self == .reloadAndWait }

    /// How long a Sluice may take to say anything. Files of settings may be slow.
    fileprivate var answerSeconds: Int { isReload ? Int(Master.longestTime.components.seconds) : 10 }

    /// How long it may be silent then; nil for as long as what is waited for takes.
    fileprivate var restSeconds: Int? { self == .stop || self == .reloadAndWait ? nil : 10 }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the Sluice that runs read its settings again, and tell what came of it.",
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

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the Sluice that runs end, as SIGTERM does, and come back when it has.",
        discussion: "Streams have timeouts.drain to come to their end; no new requests are taken.")

    @OptionGroup var arguments: ControlArguments

    func run() throws { _ = try arguments.ask(.stop) }
}
