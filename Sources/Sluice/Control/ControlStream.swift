// One conversation with a running Sluice: a line that says what is wanted, and the answer to it.

import EventLoop
import Glibc

/// A connection to or from a control socket, or from a master that asks. The client sends one line, or none where it has asked by another
/// way; the server answers with a `ControlAnswer` and closes.
///
/// What reads or writes without limit waits, and has no place on a loop: `write`, `line` and `answer`. The rest does not.
final class ControlStream: Sendable {
    private let descriptor: Descriptor

    /// What a client may send.
    private static let lineBytesMax = 256

    /// The server's side, whose client is not waited for longer than a few seconds.
    init(accepted descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        limit(SO_RCVTIMEO, seconds: 5)
        limit(SO_SNDTIMEO, seconds: 5)
    }

    /// The client's side.
    ///
    /// - Throws: `SystemError` when nobody listens there.
    init(connectingTo path: String) throws(SystemError) {
        guard let address = UnixAddress(path: path) else { throw SystemError(path, code: ENAMETOOLONG) }
        descriptor = try address.connectedStream()
    }

    /// - Parameter seconds: 0 for as long as it takes.
    private func limit(_ option: Int32, seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        _ = unsafe setsockopt(descriptor.number, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Writes all of it, unless the other side is gone or takes nothing for too long.
    func write(_ text: String) { _ = send(Array(text.utf8)[...]) }

    /// Writes a few words, for which there is room in any case.
    func writeAtOnce(_ text: String) { _ = descriptor.sendAtOnce(Array(text.utf8)) }

    /// Writes all of it, for a caller that must not wait: what does not leave at once, on a thread of its own.
    func writeElsewhere(_ text: String) {
        let rest = send(Array(text.utf8)[...], flags: Int32(MSG_DONTWAIT))
        guard !rest.isEmpty else { return }
        // Without a thread it stays unsaid, and the client has no whole answer.
        do throws(SystemError) { try startThread(named: "control") { _ = self.send(rest) } } catch {}
    }

    /// - Returns: what has not been taken.
    private func send(_ bytes: ArraySlice<UInt8>, flags: Int32 = 0) -> ArraySlice<UInt8> {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor.number, $0.baseAddress, $0.count, flags | Int32(MSG_NOSIGNAL))
            }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { break }
        }
        return rest
    }

    /// Answers that it has not been tried.
    func refuse(_ reason: String) { writeAtOnce(ControlAnswer(.refused, [reason]).text) }

    /// The client's line, without its end; nil when none came in time, or too long a one.
    func line() -> String? {
        var line: [UInt8] = []
        while line.count < Self.lineBytesMax {
            guard case .bytes(let part) = part() else { return nil }
            line += part
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return String(decoding: line[..<end], as: UTF8.self) }
        }
        return nil
    }

    /// The server's answer, up to where it closes.
    ///
    /// - Parameters:
    ///   - seconds: how long it may take to say anything.
    ///   - rest: how long it may be silent then; nil for as long as it takes.
    /// - Returns: what it has said, and whether it was silent for too long.
    func answer(within seconds: Int, restWithin rest: Int?) -> (bytes: [UInt8], isLate: Bool) {
        var bytes: [UInt8] = []
        limit(SO_RCVTIMEO, seconds: seconds)
        while true {
            switch part() {
            case .bytes(let part):
                if bytes.isEmpty { limit(SO_RCVTIMEO, seconds: rest ?? 0) }
                bytes += part
            case .end: return (bytes, false)
            case .late: return (bytes, true)
            }
        }
    }

    /// Waits for what somebody asked for, as long as he is there: then its task is cancelled. On the loop's thread.
    ///
    /// - Throws: `SystemError` when the kernel is out of memory; nothing is waited for then.
    func whileConnected(on loop: EventLoop, _ wait: @escaping @Sendable () async -> Void) async throws(SystemError) {
        let task = Task(executorPreference: loop, operation: wait)
        var watch: Watch?
        do throws(SystemError) {
            // A client that only has nothing more to say is still there.
            watch = try Watch(descriptor.number, for: [], on: loop) { _ in
                watch?.cancel()
                task.cancel()
            }
        } catch {
            task.cancel()
            throw error
        }
        await task.value
        watch?.cancel()
        // Its handler has it.
        watch = nil
    }

    /// Keeps the connection open until the other side closes it, or the process ends. On the loop's thread.
    func stayOpen(on loop: EventLoop) async {
        let departure = Wakeup(on: loop)
        do throws(SystemError) {
            let watch = try Watch(descriptor.number, for: [], on: loop) { _ in departure.wake() }
            await departure.wait()
            watch.cancel()
        } catch {
            // Nobody would hear of it: then until the process ends.
            _ = unsafe Unmanaged.passRetained(self)
        }
    }

    private enum Part {
        case bytes([UInt8])
        case end
        /// Nothing has come in time.
        case late
    }

    private func part() -> Part {
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe read(descriptor.number, &part, part.count)
            if count > 0 { return .bytes(Array(part.prefix(count))) }
            if count == 0 { return .end }
            if errno != EINTR { return errno == EAGAIN ? .late : .end }
        }
    }
}
