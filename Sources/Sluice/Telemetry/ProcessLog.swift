// What is logged of processes, worded once.

import Clock
import EventLoop
import Glibc
import Logging
import Settings

extension Logger {
    func processStarted(_ process: ServingProcess) { debug("a process starts", metadata: process.metadata) }

    func processServes(_ process: ServingProcess) { notice("a process serves", metadata: process.metadata) }

    func processCannotBegin(_ process: ServingProcess, _ failure: SystemError) {
        error(
            "a process cannot be told what it is, and is ended",
            metadata: process.metadata.merging(["reason": "\(failure)"]) { $1 }, source: LogEntry.changeSource)
    }

    func masterKeepsLog(_ failure: any Error) {
        error("the master's log cannot be written (log.to): it goes where it went", metadata: ["reason": "\(failure)"])
    }

    func processNotStarted(_ place: Int, _ failure: any Error, again delay: Duration) {
        error(
            "a process cannot be started",
            metadata: ["place": .stringConvertible(place + 1), "reason": "\(failure)", "again_in": "\(delay.setting)"],
            source: LogEntry.changeSource)
    }

    /// - Parameters:
    ///   - streams: that ended with it.
    ///   - delay: after which there is another; nil when there is none in its place, or one already.
    func processEnded(_ process: ServingProcess, _ end: ProcessEnd, streams: Int, _ life: Duration, again delay: Duration?) {
        var metadata = process.metadata
        switch end {
        case .exited(let status): metadata["status"] = .stringConvertible(Int(status))
        case .killed(let signal): metadata["signal"] = "\(signalName(signal))"
        }
        metadata["streams"] = .stringConvertible(streams)
        metadata["lived"] = .stringConvertible(life)
        if let delay { metadata["again_in"] = "\(delay.setting)" }
        let isInOrder = end == .exited(status: 0) && streams == 0
        log(level: isInOrder ? .notice : .error, "a process has ended", metadata: metadata, source: LogEntry.changeSource)
    }

    /// It was told to by somebody else.
    func processLeaves(_ process: ServingProcess) {
        notice("a process takes nothing new: another one is started", metadata: process.metadata)
    }

    func processHangs(_ process: ServingProcess) {
        error(
            "a process hangs and is ended",
            metadata: process.metadata.merging(["silence": "\(process.watchdog.timeout.setting)"]) { $1 },
            source: LogEntry.changeSource)
    }

    func processCannotFollow(_ process: ServingProcess, _ reason: String) {
        error(
            "a process cannot take the settings and is ended",
            metadata: process.metadata.merging(["reason": "\(reason)"]) { $1 },
            source: LogEntry.changeSource)
    }

    func reloadBroken(_ process: ServingProcess, _ reason: String) {
        error(
            "the settings were not reloaded: those from before hold",
            metadata: process.metadata.merging(["reason": "\(reason)"]) { $1 },
            source: LogEntry.changeSource)
    }

    func reloadHasNobody() {
        error(
            "the settings were not reloaded: those from before hold", metadata: ["reason": "no process serves"],
            source: LogEntry.changeSource)
    }

    func processIsLate(_ process: ServingProcess) {
        error(
            "a process is late with a reload: it goes on with the settings from before", metadata: process.metadata,
            source: LogEntry.changeSource)
    }

    func processHasCaughtUp(_ process: ServingProcess) {
        notice("a process that was late has the settings in force", metadata: process.metadata)
    }

    func cannotAnswer(_ process: ServingProcess) {
        error(
            "a process cannot be asked, and is replaced: is it out of descriptors?", metadata: process.metadata,
            source: LogEntry.changeSource)
    }

    func reloadFollowedByNobody() {
        error(
            "the settings were reloaded, but no process goes by them yet: those that start from now on do",
            source: LogEntry.changeSource)
    }

    func controlWaitUnknown(_ process: ServingProcess) {
        error(
            "whoever waits for requests from before a reload is not told of their end: a process cannot say it",
            metadata: process.metadata)
    }

    /// There are so many that end already that there is no room for another.
    func processMakesRoom(_ process: ServingProcess) {
        error("a process that ends is ended at once: too many end", metadata: process.metadata, source: LogEntry.changeSource)
    }

    func masterFailed(_ reason: String) { critical("the master cannot begin", metadata: ["reason": "\(reason)"]) }

    func endingAtOnceAsAsked() { notice("stopped at once, as the control socket was asked to") }

    func masterIsGone() { error("the master is gone: this process ends") }

    func logGoesToStandardError(_ failure: SystemError) {
        error("the log cannot be written (log.to): it goes to the standard error", metadata: ["reason": "\(failure)"])
    }
}

extension ServingProcess {
    fileprivate var metadata: Logger.Metadata {
        ["place": .stringConvertible(place + 1), "process": .stringConvertible(Int(pid))]
    }
}

extension ProcessEnd {
    /// What the process did.
    var words: String {
        switch self {
        case .exited(let status): "ended with status \(status)"
        case .killed(let signal): "was killed by \(signalName(signal))"
        }
    }
}

/// `SIGKILL`, or the number of one that has no name here.
private func signalName(_ signal: Int32) -> String {
    let names = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT",
        SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGTERM: "SIGTERM", SIGSYS: "SIGSYS",
        SIGXCPU: "SIGXCPU",
    ]
    return names[signal] ?? "\(signal)"
}
