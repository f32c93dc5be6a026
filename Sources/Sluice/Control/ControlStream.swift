// One conversation with a running Sluice: a line that says what is wanted, and the answer to it.

import EventLoop
import Glibc

/// A connection to or from a control socket. It waits, so that it has no place on a loop.
///
/// The client sends one line, the server answers with lines of text and closes. The first one is `ok` or `failed`: an end without it is
/// no answer.
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

    /// The side of a client that has been connected by other ways.
    init(asking descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// - Parameter seconds: 0 for as long as it takes.
    private func limit(_ option: Int32, seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        _ = unsafe setsockopt(descriptor.number, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Writes all of it, unless the other side is gone or takes nothing for too long.
    func write(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe send(descriptor.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 { sent += count } else if errno != EINTR { return }
        }
    }

    /// Writes a few words, for which there is room in any case.
    func writeAtOnce(_ text: String) { _ = descriptor.sendAtOnce(Array(text.utf8)) }

    /// Writes all of it on a thread of its own, for a caller that must not wait.
    func writeElsewhere(_ text: String) {
        do throws(SystemError) { try startThread(named: "control") { self.write(text) } } catch { writeAtOnce(text) }
    }

    /// Ends with the process.
    func stayOpen() { _ = unsafe Unmanaged.passRetained(self) }

    /// The client's line, without its end; nil when none came in time, or too long a one.
    func line() -> String? {
        var line: [UInt8] = []
        while line.count < Self.lineBytesMax {
            guard let part = part(), !part.isEmpty else { return nil }
            line += part
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return String(decoding: line[..<end], as: UTF8.self) }
        }
        return nil
    }

    /// The server's answer, up to where it closes.
    ///
    /// - Parameters:
    ///   - seconds: how long it may take to say anything.
    ///   - rest: how long it may be silent then; 0 for as long as it takes.
    func answer(within seconds: Int, restWithin rest: Int = 0) -> String {
        limit(SO_RCVTIMEO, seconds: seconds)
        guard var text = part() else { return "" }
        limit(SO_RCVTIMEO, seconds: rest)
        while let part = part(), !part.isEmpty { text += part }
        return String(decoding: text, as: UTF8.self)
    }

    /// What has come, empty at the end; nil when nothing did in time.
    private func part() -> [UInt8]? {
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe read(descriptor.number, &part, part.count)
            if count >= 0 { return Array(part.prefix(count)) }
            if errno != EINTR { return nil }
        }
    }
}
