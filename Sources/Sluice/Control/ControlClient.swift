// The client's side of a conversation with a Sluice that runs.

import Clock
import EventLoop
import Glibc
import Settings

/// Asks a Sluice that runs, and waits for its answer on the calling thread.
struct ControlClient {
    /// How long a Sluice may be silent.
    struct Patience {
        /// Before it says anything.
        let answer: Duration
        /// Once more, when it answers others meanwhile; nil for not at all.
        var reading: Duration?
        /// From its first word to its last; nil for as long as what is waited for takes.
        let rest: Duration?
    }

    /// Of its control socket.
    let path: String

    /// How long it may take to accept a connection, when many others wait for that.
    private static let connectingTime = Duration.seconds(10)
    /// More than a Sluice says: all that it tells of each request of each process.
    static let bytesMax = 64 << 20
    /// How long somebody who waits at a terminal wonders whether anything happens.
    private static let unsaidTime = Duration.seconds(1)

    /// - Parameters:
    ///   - patience: as the command has it unless given.
    ///   - onWaiting: called when what was asked for has been done, and what is to be waited for takes longer than a second.
    /// - Throws: `ControlFailure` when nobody answers, or it was not tried.
    func ask(
        _ command: ControlCommand, _ patience: Patience? = nil, onWaiting: () -> Void = {}
    ) throws(ControlFailure) -> ControlAnswer {
        let patience = patience ?? command.patience
        let connection = try connect(within: min(patience.answer, Self.connectingTime))
        // Where that fails the answer may be there all the same.
        _ = connection.sendAtOnce(Array("\(command.line)\n".utf8))
        var (bytes, end) = Self.answer(over: connection, patience, onWaiting: onWaiting)
        if end == .late, bytes.isEmpty, let reading = patience.reading {
            try checkIsAwake(patience, connection.peerProcess)
            let patience = Patience(answer: reading, rest: patience.rest)
            (bytes, end) = Self.answer(over: connection, patience, onWaiting: onWaiting)
            if end == .late, bytes.isEmpty { throw .notFinished(path) }
        }
        if end == .tooLong { throw .tooLong(path) }
        guard let answer = ControlAnswer(bytes: bytes) else {
            throw end == .late ? silence(connection.peerProcess) : .noAnswer(path)
        }
        if answer.verdict == .refused { throw .refused(path, answer.lines) }
        // It has said that it will, and is done only when it is gone.
        if end == .late, command == .stopAtOnce { throw .notEnded(path, connection.peerProcess) }
        return answer
    }

    /// Whether it is there at all for whoever asks, while it reads its settings.
    private func checkIsAwake(_ patience: Patience, _ process: pid_t?) throws(ControlFailure) {
        let connection = try connect(within: min(patience.answer, Self.connectingTime))
        _ = connection.sendAtOnce(Array("\(ControlCommand.status(StatusForm()).line)\n".utf8))
        if !connection.isReadable(within: patience.answer) { throw silence(process) }
    }

    /// Why nobody answers. Of a process that was stopped it is known what to do.
    private func silence(_ process: pid_t?) -> ControlFailure {
        guard let process, process > 1, let state = ProcessState(process), state.isStopped,
            let own = ProcessState(getpid()), state.name == own.name
        else { return .noAnswer(path) }
        return .stopped(path, process)
    }

    private func connect(within limit: Duration) throws(ControlFailure) -> Descriptor {
        do throws(SystemError) {
            guard let address = UnixAddress(path: path) else { throw SystemError(path, code: ENAMETOOLONG) }
            return try address.connectedStream(within: limit)
        } catch { throw error.code == EAGAIN ? .noAnswer(path) : .unreachable(path, error) }
    }

    /// How what is said comes to its end.
    enum End {
        case closed
        /// It was silent for too long, or took too long to say all.
        case late
        /// It has more to say than is taken.
        case tooLong
    }

    /// What is said up to where the other side closes.
    static func answer(
        over connection: borrowing Descriptor, _ patience: Patience, onWaiting: () -> Void = {}
    ) -> (bytes: [UInt8], end: End) {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        var deadline = Instant.current + patience.answer
        var isToldOf = false
        while true {
            switch connection.receive(into: &part) {
            case .bytes(let count):
                if bytes.isEmpty { deadline = patience.rest.map { .current + $0 } ?? .distantFuture }
                bytes += part.prefix(count)
                if bytes.count > bytesMax { return (bytes, .tooLong) }
            case .nothing where deadline == .distantFuture && !isToldOf:
                isToldOf = true
                if !connection.isReadable(within: Self.unsaidTime) { onWaiting() }
            case .nothing:
                let limit = deadline == .distantFuture ? nil : deadline - .current
                guard connection.isReadable(within: limit) else { return (bytes, .late) }
            case .endOfFile, .failed: return (bytes, .closed)
            }
        }
    }
}

/// Why nothing has come of what was asked.
enum ControlFailure: Error {
    case unreachable(_ path: String, SystemError)
    /// The answer to a reload has not come yet, though it answers others.
    case notFinished(_ path: String)
    /// It has taken the connection, or will, and says nothing: somebody has stopped it.
    case stopped(_ path: String, _ process: pid_t)
    case noAnswer(_ path: String)
    /// It was to end at once, and is still there. The process is the one that was asked; nil when it is not known.
    case notEnded(_ path: String, _ process: pid_t?)
    case tooLong(_ path: String)
    case refused(_ path: String, [String])

    /// As sysexits.h has it.
    var status: Int32 {
        if case .unreachable(_, let error) = self, error.code == EACCES { EX_NOPERM } else { EX_UNAVAILABLE }
    }

    var sentences: [String] {
        switch self {
        case .unreachable(let path, let error):
            let advice =
                error.code == EACCES
                ? "ask as root, or as its user"
                : """
                is it running, with this control socket, and not about to end? (kill -TERM ends one at once that is.) Where control has changed in the settings since it was \
                started, it is asked at the former path until a restart: --control unix:FORMER
                """
            return ["no Sluice can be asked at unix:\(path): \(error); \(advice)"]
        case .notFinished(let path):
            return ["not finished yet: the Sluice at unix:\(path) reads its settings; its log will say what came of it"]
        case .stopped(let path, let process):
            return [
                """
                the Sluice at unix:\(path) does not answer: somebody has stopped process \(process) (T in ps -o stat -p \(process)). \
                kill -CONT \(process) lets it go on, and it does what it was asked for; kill -KILL \(process) ends it, with the \
                requests that it answers
                """
            ]
        case .noAnswer(let path):
            return [
                """
                no answer at unix:\(path): that is no control socket of Sluice, but perhaps the one for web servers (listen); or \
                Sluice is too busy, has no descriptors left, or has ended just now
                """
            ]
        case .notEnded(let path, let process):
            let who = process.map { "process \($0)" } ?? "its process, which this one cannot see,"
            let number = process.map { "\($0)" } ?? "PROCESS"
            return [
                """
                the Sluice at unix:\(path) was told to end at once, and has not: \(who) is still there, since somebody has \
                stopped it or the machine holds it up (ps -o stat,wchan -p \(number)). kill -KILL \(number) ends it
                """
            ]
        case .tooLong(let path):
            return [
                """
                the answer at unix:\(path) has more than \(Size.setting(ControlClient.bytesMax)), and is not read to its end: is \
                that a control socket of Sluice?
                """
            ]
        case .refused(let path, let reasons): return reasons.map { "the Sluice at unix:\(path) refuses: \($0)" }
        }
    }
}

/// What the kernel says of a process (proc(5), `stat`).
private struct ProcessState {
    let name: [UInt8]
    /// By a signal, or by whoever traces it.
    let isStopped: Bool

    /// - Returns: nil where it may not be known, or the process is no more.
    init?(_ process: pid_t) {
        do throws(SystemError) {
            let text = try readFile("/proc/\(process)/stat")
            // A name may have anything in it, and stands in brackets ahead of all else that may.
            guard let start = text.firstIndex(of: UInt8(ascii: "(")), let end = text.lastIndex(of: UInt8(ascii: ")")),
                start < end, text.count > end + 2
            else { return nil }
            name = Array(text[(start + 1)..<end])
            isStopped = text[end + 2] == UInt8(ascii: "T") || text[end + 2] == UInt8(ascii: "t")
        } catch { return nil }
    }
}

extension Descriptor {
    /// The process that listens at the other end of this unix socket (unix(7), `SO_PEERCRED`); nil when it is not known, as that
    /// of another container.
    fileprivate var peerProcess: pid_t? {
        // The number of the process, its user and its group.
        var numbers: [Int32] = [0, 0, 0]
        var length = socklen_t(numbers.count * MemoryLayout<Int32>.size)
        guard unsafe getsockopt(number, SOL_SOCKET, SO_PEERCRED, &numbers, &length) == 0, numbers[0] > 0 else { return nil }
        return numbers[0]
    }
}

extension ControlCommand {
    private var isReload: Bool { self == .reload || self == .reloadAndWait }

    fileprivate var patience: ControlClient.Patience {
        // Files of settings may be slow.
        ControlClient.Patience(
            answer: .seconds(10), reading: isReload ? Master.longestTime : nil,
            rest: self == .stop || self == .reloadAndWait ? nil : .seconds(30))
    }
}
