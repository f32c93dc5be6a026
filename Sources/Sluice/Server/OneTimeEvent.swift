// What comes once, and is waited for.

import Synchronization

/// An event that comes once. Whoever waits for it has no part in whether it comes.
final class OneTimeEvent: Sendable {
    private struct State {
        var hasCome = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastWait = 0
    }

    private let state = Mutex(State())

    /// Lets all go on who wait for it, now and later.
    func come() {
        let waiting = state.withLock { state in
            state.hasCome = true
            return exchange(&state.waiting, with: [:])
        }
        for continuation in waiting.values { continuation.resume() }
    }

    var hasCome: Bool { state.withLock { $0.hasCome } }

    /// How many wait for it.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Comes back when it has come, or the task is cancelled.
    func wait() async {
        let number = state.withLock { state in
            state.lastWait += 1
            return state.lastWait
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Whoever cancels it after this finds the continuation.
                    let isOver = state.hasCome || Task.isCancelled
                    if !isOver { state.waiting[number] = continuation }
                    return isOver
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }
}

extension [OneTimeEvent] {
    /// Comes back when all have come, or the task is cancelled.
    func wait() async { for event in self { await event.wait() } }
}
