// A question to a process, and its answer as it comes.

import Clock
import EventLoop
import Glibc
import Settings

/// What one process was asked. It needs no thread, and whoever lets go of it ends what the process does for it. On the master's loop.
final class ProcessQuestion {
    /// What has come of it.
    enum Outcome: Equatable {
        case answered(ControlAnswer)
        /// The process has let go of the stream without a whole answer: it has ended, or cannot take descriptors. It does not hang.
        case closed
        /// It has more to say than is taken.
        case tooLarge
        /// It has said nothing in time, or does not even take the question for all that it has not taken before.
        case late
        /// The task that waited was cancelled.
        case cancelled
    }

    private let stream: Descriptor
    private let loop: EventLoop
    private let wakeup: Wakeup
    /// When it is not waited for any longer.
    private var deadline: Instant?
    private var watch: Watch?
    private var bytes: [UInt8] = []
    private var hasEnded = false
    /// Whether the process has the question, or may have.
    private var isTaken = true

    /// What is taken of an answer. All that callers can make longer has limits far below it; settings may name any number of targets.
    static let bytesMax = 16 << 20
    static let limitWords = Size.setting(bytesMax)
    /// What is read in one turn.
    private static let turnBytesMax = 256 << 10

    /// - Parameters:
    ///   - pair: the stream for the answer.
    ///   - limit: how long the process may take; nil for as long as it is there.
    ///   - send: hands the process its end of the stream.
    /// - Throws: `SystemError` when this process is out of memory: nothing has been asked then.
    init(
        over pair: LocalSocket.Pair, within limit: Duration?, on loop: EventLoop, send: (Int32) throws(SystemError) -> Void
    ) throws(SystemError) {
        let theirs = pair.1.takeDescriptor()
        stream = pair.0.takeDescriptor()
        (self.loop, wakeup, deadline) = (loop, Wakeup(on: loop), limit.map { .current + $0 })
        watch = try Watch(stream.number, for: .readable, on: loop) { [unowned self] _ in read() }
        do throws(SystemError) { try send(theirs.number) } catch {
            switch error.code {
            case EAGAIN: isTaken = false
            case EPIPE, ECONNRESET: end()
            default: throw error
            }
        }
    }

    deinit { watch?.cancel() }

    /// The process may take as long as it is there.
    func waitWithoutLimit() { deadline = nil }

    /// Waits for what comes of it.
    func outcome() async -> Outcome {
        await loop.withCancellation {
            while !hasEnded, isTaken, !Task.isCancelled, .current < deadline ?? .distantFuture {
                await wakeup.wait(until: deadline)
            }
        } onCancel: { [wakeup] in
            wakeup.wake()
        }
        guard hasEnded, isTaken else { return Task.isCancelled ? .cancelled : .late }
        if bytes.count > Self.bytesMax { return .tooLarge }
        return ControlAnswer(bytes: bytes).map(Outcome.answered) ?? .closed
    }

    private func read() {
        var part = [UInt8](repeating: 0, count: 64 << 10)
        let end = bytes.count + Self.turnBytesMax
        while bytes.count < end {
            switch stream.receive(into: &part) {
            case .bytes(let count): bytes += part.prefix(count)
            case .nothing: return
            case .endOfFile, .failed: return self.end()
            }
            if bytes.count > Self.bytesMax { return self.end() }
        }
    }

    private func end() {
        hasEnded = true
        watch?.cancel()
        watch = nil
        wakeup.wake()
    }
}
