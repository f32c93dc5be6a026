// A value that is set once, and waited for by any number of tasks.

import Synchronization

/// A value that is there from some moment on.
final class Awaited<Value: Sendable>: Sendable {
    private let event = OneTimeEvent()
    private let result = Mutex<Value?>(nil)

    /// It is there.
    func come(_ value: Value) {
        result.withLock { $0 = value }
        event.come()
    }

    /// Comes back when it is there, or the task is cancelled.
    ///
    /// - Returns: nil when it is not there.
    func value() async -> Value? {
        await event.wait()
        return result.withLock { $0 }
    }
}
