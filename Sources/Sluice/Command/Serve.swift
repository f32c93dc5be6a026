// `sluice serve`: the daemon.

import ArgumentParser
import EventLoop
import FastCGI
import Glibc
import Settings

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer chat completions on a FastCGI socket until SIGTERM or SIGINT.",
        discussion: """
            Without options and settings file the environment is enough: OPENAI_API_KEY is the upstream's key, OPENAI_BASE_URL \
            its URL, and SLUICE_LISTEN the address to listen on. Without a key and a URL a demo answers, with no network.

            Requests and answers together hold at most a quarter of the memory of the machine, or of its control group, unless \
            the settings file says otherwise (limits.memory): bodies above it wait, and then get 503.

            The first SIGTERM, SIGINT or SIGQUIT lets open streams finish, a second one ends at once. SIGHUP or SIGUSR2 reads the \
            settings again: streams go on, the requests that follow get the new ones, and wrong ones change nothing. SIGUSR1 opens \
            a log file again. At the start a wrong option ends it with status 64, a settings file that cannot be read with 66, wrong settings \
            with 78, an address or a log that cannot be had with 73, an address that is not its user's to have with 77.

            With --processes, or supervise in the settings file, a master starts the processes that serve, and another for each that \
            dies; it is to get the signals, which hold for all of them.
            """)

    @OptionGroup var arguments: SettingsArguments

    /// Set by the master alone.
    @Option(name: .customLong("process"), help: .hidden) var place: Int?

    func run() throws {
        // Ahead of all that takes time: keys may be in the environment, and whoever starts it may signal it at once.
        let hidden = HiddenProcess()
        try SignalWatch.block(ServerSignals.waiting)
        if place != nil { return try runForMaster(hidden) }
        let recorder = FileRecorder()
        let loaded = try arguments.load(recorder.access)
        let settings = loaded.settings
        hidden.follow(settings)
        do throws(SettingsError) { try checkFileSizeLimit(for: settings) } catch { throw error.told }
        let log = try openLog(settings.log)
        log.logger.warned(of: loaded.warnings)
        guard settings.hasMaster else {
            let load = loading(processes: settings.processes, file: loaded.file)
            return try reporting(to: log) { try Server.run(settings, log, load: load) }
        }
        let status = try reporting(to: log) {
            try Master.run(settings, log) {
                try recorder.takeRecord(of: settings, startOnly: StartOnlySettings(loaded)).file()
            }
        }
        if status != 0 { throw ExitCode(status) }
    }

    /// Reads the settings again.
    ///
    /// - Parameters:
    ///   - processes: how many there are since the start.
    ///   - startFile: the settings file that there was then.
    func loading(processes: Int, file startFile: String?) -> SettingsLoading {
        let arguments = arguments
        return { files throws(SettingsError) in
            var sources = arguments.sources(files)
            sources.processesInForce = processes
            sources.fileInForce = startFile
            let loaded = try sources.load()
            // The one that is read where none is named need not be there at a start.
            if let startFile, loaded.file == nil {
                throw SettingsError(problems: ["the settings file \(startFile) is gone"])
            }
            return loaded
        }
    }

    /// Tells what has ended it.
    func reporting<Result>(to log: Log, _ run: () throws -> Result) throws -> Result {
        do { return try run() } catch let error as ListenError {
            log.flush(within: .seconds(1))
            writeError("sluice: \(error)")
            throw ExitCode(error.kind.status)
        } catch let error as ExitCode {
            throw error
        } catch let error as SystemError where error.code == EFBIG {
            log.flush(within: .seconds(1))
            writeError(
                "sluice: a file in memory cannot be written (\(error)): raise LimitFSIZE or ulimit -f, which hold for it too")
            throw ExitCode(1)
        } catch {
            log.flush(within: .seconds(1))
            throw Failure(error)
        }
    }

    private func openLog(_ settings: Settings.Log) throws -> Log {
        do throws(SystemError) {
            let log = try Log(settings)
            if !log.isConnected {
                writeError("sluice: nobody takes the log lines yet (log.to); they wait, and are counted when they are too many")
            }
            return log
        } catch {
            writeError("sluice: the log cannot be written (log.to): \(error): \(settings.destination.advice(after: error.code))")
            throw ExitCode(EX_CANTCREAT)
        }
    }
}

extension Settings.Log.Destination {
    /// How to mend that it cannot be written, to follow the kernel's reason.
    fileprivate func advice(after code: Int32) -> String {
        guard case .file(let path) = self else { return "mend that, or let log.to be \"stderr\"" }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        return switch code {
        case ENOENT: "make the folder for Sluice's user (install -d -o \(geteuid()) \(folder)), or name another file"
        case EACCES, EPERM:
            """
            let Sluice's user, \(geteuid()), have the file and its folder (chown \(geteuid()) \(folder)), or name a file that it may \
            write, as in LogsDirectory= of the service
            """
        case EROFS: "name a file in LogsDirectory= of the service, or let it have ReadWritePaths=\(folder)"
        case EISDIR: "name a file in that folder"
        default: "name another file, or let log.to be \"stderr\""
        }
    }
}

extension HiddenProcess {
    /// Stays one, unless the settings say otherwise.
    func follow(_ settings: Settings) { settings.dumpsCore ? show() : forbidCoreDumps() }
}

extension ListenError.Kind {
    /// As sysexits.h has it.
    fileprivate var status: Int32 {
        switch self {
        case .settings: EX_CONFIG
        case .creation: EX_CANTCREAT
        case .permission: EX_NOPERM
        }
    }
}

/// Prints as a plain sentence, without the usage that a wrong option gets.
private struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ error: any Error) { description = "\(error)" }
}
