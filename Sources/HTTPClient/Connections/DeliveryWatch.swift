// Whether what was sent arrives, which the kernel cannot judge where a server reads late.

import Clock
import EventLoop

/// Looks after the delivery of a large body, or of many bodies over one connection, in the kernel's place.
///
/// A server that reads them late has no room meanwhile, which to the kernel is as good as its silence (tcp(7), `TCP_USER_TIMEOUT`): as
/// long as something may be under way, silence is looked for here. What was sent of a body outlives the wish to send it.
struct DeliveryWatch {
    /// When to look next; nil while the kernel judges.
    private var timer: Timer?
    private var hasLargeBody = false
    private var words = StreamSocket.Words()

    /// Whether it is for this watch to look, and not for the kernel.
    var isOn: Bool { timer != nil }

    /// A large body is about to be sent, or anything over a connection that many share.
    ///
    /// - Parameters:
    ///   - hasLargeBody: whether the watch goes on when all has arrived, until `bodyEnded()`.
    ///   - newTimer: calls for a `check` whenever it fires; made if there is none yet.
    mutating func begin(over socket: StreamSocket?, hasLargeBody: Bool, _ newTimer: @autoclosure () -> Timer) {
        self.hasLargeBody = hasLargeBody
        timer = timer ?? newTimer()
        socket?.setAcknowledgementTimeout(0)
    }

    /// Nothing of a large body is to be sent any more.
    mutating func bodyEnded() { hasLargeBody = false }

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
        switch socket.delivery(within: context.acknowledgementMilliseconds, &words) {
        case .done where isWritten: if !hasLargeBody { end(socket, context) }
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
