// Whether what was sent of a large body, or of many, arrives, which the kernel cannot judge.

import Clock
import EventLoop

/// Looks after the delivery of what a server may leave unread, in the kernel's place: of a large body, or of many.
///
/// A server that reads it late has no room meanwhile, which to the kernel is as good as its silence (tcp(7), `TCP_USER_TIMEOUT`):
/// as long as there is that much, silence is looked for here. What was sent of a body outlives the wish to send it.
struct DeliveryWatch {
    /// What a server's kernel has room for, however late the server reads it.
    static let unreadBytesMax = 16 << 10

    /// When to look next; nil while the kernel judges.
    private var timer: Timer?
    private var hasMuchUnread = false

    /// Whether it is for this watch to look, and not for the kernel.
    var isOn: Bool { timer != nil }

    /// More is about to be sent than a server's kernel may have room for.
    ///
    /// - Parameter newTimer: calls for a `check` whenever it fires; made if there is none yet.
    mutating func begin(over socket: StreamSocket?, _ newTimer: @autoclosure () -> Timer) {
        hasMuchUnread = true
        timer = timer ?? newTimer()
        socket?.setAcknowledgementTimeout(0)
    }

    /// Nothing of that is left to send, or the server was heard.
    mutating func unreadEnded() { hasMuchUnread = false }

    /// Bytes go to the socket now.
    func sending(_ context: SessionContext) {
        guard let timer, !timer.isSet else { return }
        timer.set(at: context.loop.now + context.configuration.acknowledgementTimeout)
    }

    /// Looks at what has become of all that was sent.
    ///
    /// - Parameter isWritten: whether the socket has taken all of it.
    /// - Returns: whether the server is gone: it has not said a word for too long.
    mutating func check(_ socket: StreamSocket, isWritten: Bool, _ context: SessionContext) -> Bool {
        switch socket.delivery(within: context.acknowledgementMilliseconds) {
        case .done where isWritten: if !hasMuchUnread { end(socket, context) }
        case .done, .underWay: timer?.set(at: context.loop.now + context.configuration.acknowledgementTimeout / 2)
        case .unanswered:
            end(socket, context)
            return true
        }
        return false
    }

    private mutating func end(_ socket: StreamSocket, _ context: SessionContext) {
        leaveToKernel(socket, context)
        self = DeliveryWatch()
    }

    /// From now on the kernel looks for silence, if it has not before. The watch is of no more use.
    func leaveToKernel(_ socket: StreamSocket?, _ context: SessionContext) {
        guard let timer else { return }
        timer.cancel()
        socket?.setAcknowledgementTimeout(context.acknowledgementMilliseconds)
    }
}
