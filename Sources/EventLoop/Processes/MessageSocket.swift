// What two processes say to each other, and the descriptors that go along.

import CLinux
import Clock
import Glibc
import Synchronization

/// One end of a connection between two processes that carries whole messages (unix(7), `SOCK_SEQPACKET`). Nothing of it
/// waits but `wait`.
package final class MessageSocket: Sendable {
    /// What has come.
    package enum Received {
        case message(String, [PassedDescriptor])
        /// A message of more bytes than one may have, which is left out.
        case tooLong
        case nothing
        /// The other end is gone.
        case end
    }

    private let descriptor: Descriptor
    /// How long the kernel has been out of memory.
    private let shortage = Mutex(Shortage())

    /// The bytes that a message may have.
    package static let bytesMax = 48 << 10
    /// The descriptors that may go along.
    package static let descriptorsMax = Int(PASSED_DESCRIPTORS_MAX)

    /// - Parameter descriptor: of such a socket.
    package init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Both ends of a connection.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    package static func pair() throws(SystemError) -> (MessageSocket, MessageSocket) {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        _ = try SystemError.check("socketpair", unsafe socketpair(AF_UNIX, type, 0, &ends))
        return (MessageSocket(Descriptor(owning: ends[0])), MessageSocket(Descriptor(owning: ends[1])))
    }

    /// Its number, to watch it.
    package var number: Int32 { descriptor.number }

    /// Sends a message, and copies of descriptors.
    ///
    /// - Throws: `SystemError` when the other end is gone, or has not taken what was sent before, or there is more than a message may have.
    package func send(_ message: String, passing descriptors: [Int32] = []) throws(SystemError) {
        let bytes = Array(message.utf8)
        guard bytes.count <= Self.bytesMax, descriptors.count <= Self.descriptorsMax else {
            throw SystemError("sendmsg", code: EMSGSIZE)
        }
        let count = unsafe send_passing(descriptor.number, bytes, bytes.count, descriptors, descriptors.count)
        guard count == bytes.count else { throw SystemError("sendmsg") }
    }

    /// The same, for a message that nobody misses when the other end is gone or stands still.
    ///
    /// - Returns: whether the other end has taken it.
    @discardableResult package func offer(_ message: String, passing descriptors: [Int32] = []) -> Bool {
        do throws(SystemError) { try send(message, passing: descriptors) } catch { return false }
        return true
    }

    /// The next message. Where there was no room for its descriptors they are missing.
    package func receive() -> Received {
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
        var numbers = [Int32](repeating: -1, count: Int(PASSED_DESCRIPTORS_MAX))
        var (passedCount, isCut) = (0, false)
        let count = unsafe receive_passed(descriptor.number, &bytes, bytes.count, &numbers, &passedCount, &isCut)
        guard count >= 0 else { return received(after: errno) }
        shortage.withLock { $0.end() }
        let passed = numbers.prefix(passedCount).map { PassedDescriptor(Descriptor(owning: $0)) }
        if isCut { return .tooLong }
        // An empty message looks like the end.
        if count == 0, isOtherEndGone { return .end }
        return .message(String(decoding: bytes.prefix(count), as: UTF8.self), passed)
    }

    private func received(after code: Int32) -> Received {
        switch code {
        case EAGAIN, EINTR: .nothing
        // The next time may be better; but a watch tells of it again and again.
        case ENOMEM, ENOBUFS: shortage.withLock { $0.isLasting(at: .current) } ? .end : .nothing
        // The same comes of each further time.
        default: .end
        }
    }
}

/// How long there is too little of something, without a break.
struct Shortage {
    private var start: Instant?

    /// From when on it counts as lasting.
    static let limit = Duration.seconds(10)

    /// There is too little now.
    ///
    /// - Returns: whether that lasts.
    mutating func isLasting(at now: Instant) -> Bool {
        let start = start ?? now
        self.start = start
        return now - start >= Self.limit
    }

    /// There is enough now.
    mutating func end() { start = nil }
}

extension MessageSocket {
    /// How many messages are taken in one turn of a loop, whose watch tells of the others in the next one: whoever sends without end has
    /// no more of it than that.
    package static let messagesPerTurn = 16

    /// Takes what has come, but no more than for one turn.
    ///
    /// - Returns: whether the other end is still there.
    package func receive(_ take: (String, [PassedDescriptor]) -> Void) -> Bool {
        for _ in 0..<Self.messagesPerTurn {
            switch receive() {
            case .message(let text, let passed): take(text, passed)
            case .tooLong: break
            case .nothing: return true
            case .end: return false
            }
        }
        return true
    }

    /// Comes back when there is a message, or the other end is gone, or nothing has come for some seconds.
    package func wait(seconds: Int) { _ = descriptor.isReadable(within: .seconds(seconds)) }

    private var isOtherEndGone: Bool {
        var readiness = pollfd(fd: number, events: POLL_OTHER_END_GONE, revents: 0)
        _ = unsafe poll(&readiness, 1, 0)
        return readiness.revents != 0
    }
}

/// A descriptor that another process has passed on. It is closed unless it is taken.
package final class PassedDescriptor: Sendable {
    private let descriptor: Mutex<Descriptor?>

    init(_ descriptor: consuming Descriptor) { self.descriptor = Mutex(consume descriptor) }

    /// Gives it away.
    ///
    /// - Precondition: for the first time.
    package func take() -> Descriptor {
        var taken = descriptor.withLock { $0.take() }
        guard let descriptor = taken.take() else { preconditionFailure("the descriptor has been taken") }
        return descriptor
    }
}
