// How a task waits for what callbacks of its own loop will tell it.

package import Clock

/// One task waits; readiness handlers, timers and C callbacks of the same loop wake it.
///
/// A `wake()` while nobody waits is remembered, so that none is lost; several count as one.
///
/// To resume a task costs a few microseconds. Where most wakes need only a line or two of work, a `handler` does that work in
/// the task's place, and the task is resumed for the rest.
@safe package final class Wakeup {
    /// Called for a wake while a task waits, at the point of the loop's turn at which the task would run; it returns whether
    /// the task may go on waiting.
    package var handler: (() -> Bool)? {
        get { inner }
        set { inner = newValue }
    }

    /// Private, as the loop's time is.
    private var inner: (() -> Bool)?
    private let loop: EventLoop
    private var isHandlerQueued = false
    private var waiter: UnsafeContinuation<Void, Never>?
    private var isAwake = false
    private var timer: Timer?
    /// What the timer is set to, so that a wait with the deadline of the last one has nothing to do.
    private var timerDeadline: Instant?
    private var remoteAction: RemoteAction?

    /// - Parameter loop: on whose thread it is used.
    package init(on loop: EventLoop) { self.loop = loop }

    deinit {
        timer?.cancel()
        remoteAction?.cancel()
    }

    /// On the loop's thread. The task goes on in its turn, not inside this call.
    package func wake() {
        guard unsafe waiter != nil else {
            isAwake = true
            return
        }
        guard inner != nil else { return resume() }
        guard !isHandlerQueued else { return }
        isHandlerQueued = true
        loop.queueHandler(of: self)
    }

    /// From the loop, for a wake that came while a handler was set.
    func runHandler() {
        isHandlerQueued = false
        guard unsafe waiter != nil else {
            isAwake = true
            return
        }
        if inner?() != true { resume() }
    }

    private func resume() {
        guard let waiter = unsafe waiter else { return }
        unsafe self.waiter = nil
        unsafe waiter.resume()
    }

    /// Returns after the next `wake()`, or at once when there was one since the last wait, or when `deadline` has come.
    package func wait(until deadline: Instant? = nil) async {
        guard !isAwake else {
            isAwake = false
            return
        }
        precondition(unsafe waiter == nil, "one task waits at a time")
        setTimer(deadline)
        await unsafe withUnsafeContinuation { continuation in
            // A task that does not prefer this loop as its executor takes a hop to get here, and may be woken meanwhile.
            guard isAwake else { return unsafe waiter = continuation }
            isAwake = false
            unsafe continuation.resume()
        }
    }

    private func setTimer(_ deadline: Instant?) {
        guard deadline != timerDeadline else { return }
        timerDeadline = deadline
        guard let deadline, deadline != .distantFuture else {
            timer?.cancel()
            return
        }
        let timer = timer ?? Timer(on: loop) { [unowned self] in deadlinePassed() }
        self.timer = timer
        timer.set(at: deadline)
    }

    /// A timer that outlived its wait finds nobody here and says nothing.
    private func deadlinePassed() {
        timerDeadline = nil
        resume()
    }
}

extension Wakeup {
    /// For other threads. On the loop's thread.
    package var remote: Remote {
        if let remoteAction { return Remote(action: remoteAction) }
        let action = loop.remoteAction { [unowned self] in wake() }
        remoteAction = action
        return Remote(action: action)
    }

    /// Wakes from whatever thread. It does not keep the wakeup, and does nothing when that is gone.
    package struct Remote: Sendable {
        fileprivate let action: RemoteAction

        /// From any thread. The task goes on in a coming turn of its loop.
        package func wake() { action.run() }
    }
}
