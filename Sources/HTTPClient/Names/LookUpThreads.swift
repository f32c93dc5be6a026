// The threads that wait for names.

import Clock
import Dispatch
import EventLoop
import Synchronization

/// Threads that are started as work comes and end when none has come for a while.
///
/// They block all signals, and a process that ends does not wait for them.
final class LookUpThreads: Sendable {
    private struct State {
        var queue: [String] = []
        /// Those that run or are about to.
        var threadCount = 0
        /// Those that wait for work and have not been signalled.
        var idleCount = 0
    }
    private enum Step { case leave, signal, start }

    private let countMax: Int
    private let idleTime: Duration
    private let state = Mutex(State())
    private let semaphore = DispatchSemaphore(value: 0)

    /// - Parameter idleTime: after which a thread without work ends.
    init(countMax: Int, idleTime: Duration) {
        (self.countMax, self.idleTime) = (countMax, idleTime)
    }

    /// How many there are.
    var count: Int { state.withLock { $0.threadCount } }

    /// Lets a thread call `work` with the name, soon or when one of `countMax` is free.
    ///
    /// - Parameter work: the same for all names.
    /// - Returns: the names that nobody will work on, because the machine allows no thread.
    func submit(_ host: String, work: @escaping @Sendable (String) -> Void) -> [String] {
        switch state.withLock({ Self.add(host, to: &$0, countMax) }) {
        case .leave: return []
        case .signal:
            semaphore.signal()
            return []
        case .start: return start(work)
        }
    }

    private static func add(_ host: String, to state: inout State, _ countMax: Int) -> Step {
        state.queue.append(host)
        if state.idleCount > 0 {
            state.idleCount -= 1
            return .signal
        }
        guard state.threadCount < countMax else { return .leave }
        state.threadCount += 1
        return .start
    }

    private func start(_ work: @escaping @Sendable (String) -> Void) -> [String] {
        do {
            try startThread(named: "look-up") { [self] in run(work) }
            return []
        } catch {
            return state.withLock { state in
                state.threadCount -= 1
                // Another thread comes to what is in the queue.
                guard state.threadCount == 0 else { return [] }
                defer { state.queue = [] }
                return state.queue
            }
        }
    }

    private func run(_ work: (String) -> Void) {
        repeat {
            while let host = next() { work(host) }
        } while isSignalled()
    }

    /// `nil` when there is none; then the thread counts as idle.
    private func next() -> String? {
        state.withLock { state in
            guard state.queue.isEmpty else { return state.queue.removeFirst() }
            state.idleCount += 1
            return nil
        }
    }

    /// Waits for work. False when the thread is to end.
    private func isSignalled() -> Bool {
        let nanoseconds = Int(clamping: idleTime.nanoseconds)
        guard semaphore.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .timedOut else { return true }
        let mayEnd = state.withLock { state in
            guard state.idleCount > 0 else { return false }
            state.idleCount -= 1
            state.threadCount -= 1
            return true
        }
        // All idle threads have been signalled, this one too: its signal came a moment too late for the wait.
        if !mayEnd { semaphore.wait() }
        return !mayEnd
    }
}
