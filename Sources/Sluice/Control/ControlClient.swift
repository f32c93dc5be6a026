// The client's side of a conversation with a Sluice that runs.

import Clock
import EventLoop
import Glibc

/// Asks a Sluice that runs, and waits for its answer on the calling thread.
struct ControlClient {
    /// How long a Sluice may be silent.
    struct Patience {
        /// Before it says anything.
        let answer: Duration
        /// Then; nil for as long as what is waited for takes.
        let rest: Duration?
    }

    /// Of its control socket.
    let path: String

    /// How long it may take to accept a connection, when many others wait for that.
    private static let connectingTime = Duration.seconds(10)

    /// - Parameter patience: as the command has it unless given.
    /// - Throws: `ControlFailure` when nobody answers, or it was not tried.
    func ask(_ command: ControlCommand, _ patience: Patience? = nil) throws(ControlFailure) -> ControlAnswer {
        let patience = patience ?? command.patience
        let connection = try connect(within: min(patience.answer, Self.connectingTime))
        // Where that fails the answer may be there all the same.
        _ = connection.sendAtOnce(Array("\(command.line)\n".utf8))
        let (bytes, isLate) = Self.answer(over: connection, patience)
        guard let answer = ControlAnswer(bytes: bytes) else {
            throw isLate && bytes.isEmpty && command.isReload ? .notFinished(path) : .noAnswer(path)
        }
        if answer.verdict == .refused { throw .refused(path, answer.lines) }
        return answer
    }

    private func connect(within limit: Duration) throws(ControlFailure) -> Descriptor {
        do throws(SystemError) {
            guard let address = UnixAddress(path: path) else { throw SystemError(path, code: ENAMETOOLONG) }
            return try address.connectedStream(within: limit)
        } catch { throw error.code == EAGAIN ? .noAnswer(path) : .unreachable(path, error) }
    }

    /// What is said up to where the other side closes.
    ///
    /// - Returns: beside it, whether it was silent for too long.
    static func answer(over connection: borrowing Descriptor, _ patience: Patience) -> (bytes: [UInt8], isLate: Bool) {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            switch connection.receive(into: &part) {
            case .bytes(let count): bytes += part.prefix(count)
            case .nothing:
                let limit = bytes.isEmpty ? patience.answer : patience.rest
                guard connection.isReadable(within: limit) else { return (bytes, true) }
            case .endOfFile, .failed: return (bytes, false)
            }
        }
    }
}

/// Why nothing has come of what was asked.
enum ControlFailure: Error {
    case unreachable(_ path: String, SystemError)
    /// The answer to a reload has not come yet.
    case notFinished(_ path: String)
    case noAnswer(_ path: String)
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
                ? "ask as root, or as its user" : "is it running, with this control socket, and not about to end?"
            return ["no Sluice can be asked at unix:\(path): \(error); \(advice)"]
        case .notFinished(let path):
            return ["not finished yet: the Sluice at unix:\(path) reads its settings; its log will say what came of it"]
        case .noAnswer(let path):
            return [
                """
                no answer at unix:\(path): it is no control socket of Sluice, or Sluice stands still, has no descriptors left, or has \
                ended just now
                """
            ]
        case .refused(let path, let reasons): return reasons.map { "the Sluice at unix:\(path) refuses: \($0)" }
        }
    }
}

extension ControlCommand {
    fileprivate var isReload: Bool { self == .reload || self == .reloadAndWait }

    fileprivate var patience: ControlClient.Patience {
        // Files of settings may be slow.
        let answer = isReload ? Master.longestTime : .seconds(10)
        return ControlClient.Patience(answer: answer, rest: self == .stop || self == .reloadAndWait ? nil : .seconds(10))
    }
}
