// The process's log: what is written, how, and where to. All of it may change while it is written to.

import Clock
import EventLoop
import Glibc
import Logging
import Settings
import Synchronization

/// The process has one. Its methods may be called from any thread. Writing a line never waits for whoever reads the log; `flush` and
/// `reconfigure` may wait.
///
///     let log = try Log(settings.log)
///     log.logger.notice("…")              // anything but a request
///     RequestLog(log)                     // requests, one for each worker
///     try log.reconfigure(new.log)        // a generation of settings; on a loop `reconfigureElsewhere`
///     log.reopen()                        // its file has been moved
///     log.flush(within: .seconds(1))      // the end
final class Log: Sendable {
    /// Where the process runs: its variables, its standard error, and the daemons of the system.
    struct Environment: Sendable {
        var variable: @Sendable (String) -> String? = environmentVariable
        var standardError = STDERR_FILENO
        /// systemd's JOURNAL_NATIVE_PROTOCOL.
        var journal = "/run/systemd/journal/socket"
        var syslog = "/dev/log"
        /// How long the same is counted, and not written.
        var repetitionSpan = Duration.seconds(60)
        /// This process's number, where others write to the same log.
        var process: pid_t?
    }

    /// What is in force.
    struct State {
        let settings: Settings.Log
        let form: LogForm
        let output: LogOutput
    }

    private let environment: Environment
    /// Nil while it is made.
    private let state: Mutex<State?>
    /// What is to be in force: its file may be none that can be opened now.
    private let wanted: Mutex<Settings.Log>
    /// One change at a time.
    private let changes = Mutex(())
    private let repetitions: Mutex<Repetitions>
    private let losses = LogLosses()
    private let levelIndex: Atomic<Int>
    private let versionCount = Atomic<Int>(1)
    private static let levels = Logger.Level.allCases

    /// - Parameter wanted: what is tried when the file is to be opened again, where it could not be opened for the start; nil for the
    ///   settings themselves.
    /// - Throws: `SystemError` when a file cannot be opened. A daemon need not be there yet.
    init(
        _ settings: Settings.Log, wanted: Settings.Log? = nil, in environment: Environment = Environment()
    ) throws(SystemError) {
        self.environment = environment
        self.wanted = Mutex(wanted ?? settings)
        repetitions = Mutex(Repetitions(within: environment.repetitionSpan))
        levelIndex = Atomic(Self.index(of: settings.level))
        state = Mutex(nil)
        let first = try opened(settings)
        state.withLock { $0 = first }
    }

    /// For anything but requests.
    var logger: Logger { Logger(label: "sluice", factory: { _ in EventLog(self) }) }

    /// Of the least important lines that are written.
    var level: Logger.Level { Self.levels[levelIndex.load(ordering: .relaxed)] }

    /// Another number after each change.
    var version: Int { versionCount.load(ordering: .acquiring) }

    /// What is in force now.
    var current: State {
        guard let state = state.withLock({ $0 }) else { preconditionFailure("a log that is used has been made") }
        return state
    }

    /// How many lines were lost so far.
    var lostCount: Int { losses.count }

    /// Whether there is somebody who takes lines, as far as that is known.
    var isConnected: Bool { current.output.isConnected }

    // MARK: Changes

    /// Takes other settings: level, form and destination. A file that stays is not opened again.
    ///
    /// It waits for a second at most, for what is on its way to the old destination: to be called where nobody is served.
    ///
    /// - Throws: `SystemError` when a file cannot be opened. Then all stays as it was, until the file is to be opened again.
    func reconfigure(_ settings: Settings.Log) throws(SystemError) {
        wanted.withLock { $0 = settings }
        try takeWanted()
    }

    /// The same on a thread of its own, for whoever must not wait. Where these settings are in force it does nothing.
    ///
    /// - Throws: as `reconfigure`, and `SystemError` when the machine allows no more threads.
    func reconfigureElsewhere(_ settings: Settings.Log) async throws {
        guard current.settings != settings || wanted.withLock({ $0 }) != settings else { return }
        try await runOnThread { [self] in try reconfigure(settings) }
    }

    /// Has in force what is wanted.
    private func takeWanted() throws(SystemError) {
        try changes.withLock { _ throws(SystemError) in try take(wanted.withLock { $0 }) }
    }

    private func take(_ settings: Settings.Log) throws(SystemError) {
        let old = current
        guard settings != old.settings else { return }
        let new = try opened(settings, after: old)
        if !new.output.isConnected { logger.logGoesToNobody() }
        state.withLock { $0 = new }
        levelIndex.store(Self.index(of: settings.level), ordering: .relaxed)
        versionCount.add(1, ordering: .releasing)
        if new.output !== old.output {
            schedule()
            old.output.flush(within: .seconds(1))
            let count = old.output.takeUnwritten()
            if count > 0 { new.output.lose(count) }
        }
    }

    /// Opens the file again, where the log is to go to one: another may be at its path by now, or it can be opened by now. That happens
    /// soon, on another thread.
    ///
    /// - Returns: whether it is to go to a file.
    @discardableResult func reopen() -> Bool {
        guard case .file(let path) = wanted.withLock({ $0.destination }) else { return false }
        let state = current
        if case .file(path) = state.settings.destination {
            state.output.reopen(path)
            return true
        }
        do throws(SystemError) {
            try startThread(named: "log") { [self] in
                let failure: SystemError?
                do throws(SystemError) {
                    try takeWanted()
                    failure = nil
                } catch { failure = error }
                logger.logReopened(butFor: failure)
            }
        } catch { logger.logReopened(butFor: error) }
        return true
    }

    /// Whether the file that the log is to go to can be opened: why not, or nil. It is tried on another thread: a disk may be slow.
    func fileFailure() async -> SystemError? {
        guard case .file(let path) = wanted.withLock({ $0.destination }) else { return nil }
        let failure = await resultOnThread { () -> SystemError? in
            do throws(SystemError) { _ = try LogSink(.file(path)) } catch { return error }
            return nil
        }
        return switch failure {
        case .success(let failure): failure
        case .failure(let error): error
        }
    }

    private func opened(_ settings: Settings.Log, after old: State? = nil) throws(SystemError) -> State {
        let form = form(of: settings)
        if let old, old.settings.rotation == settings.rotation, old.settings.destination == settings.destination, old.form == form
        {
            return State(settings: settings, form: form, output: old.output)
        }
        let output = try LogOutput(
            target(of: settings), form, losses: losses,
            onAlarm: { [weak self] in self?.tellRepetitions(at: .current) },
            onReopened: { [weak self] in self?.logger.logReopened(butFor: $0) },
            onFull: { [weak self] in self?.logger.logNotRotated($0) })
        return State(settings: settings, form: form, output: output)
    }

    private func target(of settings: Settings.Log) -> LogTarget {
        switch settings.destination {
        case .standardError: .descriptor(environment.standardError)
        case .journal: .datagrams(environment.journal)
        case .syslog: .datagrams(environment.syslog)
        case .file(let path): .file(path, settings.rotation)
        }
    }

    // MARK: Form

    private func form(of settings: Settings.Log) -> LogForm {
        let process = environment.process.map { Int($0) }
        switch settings.destination {
        // Both have the number of whoever writes.
        case .journal: return LogForm(format: settings.format ?? .text, envelope: .journal)
        case .syslog: return LogForm(format: settings.format ?? .text, envelope: .syslog)
        case .file: return LogForm(format: settings.format ?? .json, process: process)
        case .standardError: break
        }
        let isTerminal = isatty(environment.standardError) == 1
        let format = settings.format ?? (isTerminal ? .text : .json)
        return LogForm(
            format: format, envelope: isJournal ? .level : .none, isColored: isTerminal && format == .text && allowsColors,
            process: process)
    }

    /// https://no-color.org: any value counts, but for an empty one.
    private var allowsColors: Bool {
        (environment.variable("NO_COLOR") ?? "").isEmpty
            && !(environment.variable("TERM") ?? "").utf8.elementsEqual("dumb".utf8)
    }

    /// Whether systemd reads the standard error (systemd.exec(5), `JOURNAL_STREAM`: its device and its inode).
    private var isJournal: Bool {
        guard let stream = environment.variable("JOURNAL_STREAM"),
            let file = FileStatus(environment.standardError)?.identity
        else { return false }
        return stream.utf8.elementsEqual("\(file.device):\(file.inode)".utf8)
    }

    private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }

    // MARK: Lines

    /// Writes what has happened, or counts it, if the same has happened within a minute.
    func write(_ entry: LogEntry) {
        guard entry.isFolded else { return write { entry.append(to: &$0) } }
        let (isWritten, repeated) = repetitions.withLock { $0.note(entry, at: .current) }
        write(repeated)
        if isWritten { write { entry.append(to: &$0) } } else { schedule() }
    }

    /// Writes what is on its way, and what has been counted.
    ///
    /// - Parameter limit: after which it waits no longer.
    func flush(within limit: Duration) {
        tellRepetitions(at: .distantFuture)
        current.output.flush(within: limit)
    }

    private func tellRepetitions(at now: Instant) {
        write(repetitions.withLock { $0.ended(at: now) })
        schedule()
    }

    private func schedule() {
        if let end = repetitions.withLock({ $0.nextEnd }) { current.output.setAlarm(at: end) }
    }

    private func write(_ repeated: [Repetitions.Repeated]) {
        // The level may have changed since.
        for repeated in repeated where repeated.entry.level >= level {
            write { repeated.entry.append(to: &$0, repeated: repeated.count) }
        }
    }

    private func write(_ make: (inout LogLine) -> Void) {
        let state = current
        var line = LogLine(state.form)
        make(&line)
        state.output.write(line.bytes)
    }
}

extension Settings.Log {
    /// What becomes of the log's file when it is full; nil for nothing, and where there is none.
    fileprivate var rotation: LogRotation? {
        guard case .file(let path) = destination, fileBytesMax > 0 else { return nil }
        return LogRotation(path: path, bytesMax: max(fileBytesMax, LogLine.bytesMax), filesCount: filesCount)
    }
}
