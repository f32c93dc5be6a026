// An actor on an event loop of its own thread, the way that a worker of the server is one.

import Clock
package import EventLoop
import Synchronization

/// Runs a test's body on a fresh event loop.
package actor LoopActor {
    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private init(_ loop: EventLoop) { self.loop = loop }

    /// Starts a loop, runs `body` on it as the loop's only task, and ends the loop with it.
    ///
    /// - Parameter prepare: called on the loop's thread before anything else. When it throws, the body does not run.
    package static func run<Result: Sendable>(
        preparing prepare: @escaping @Sendable () throws -> Void = {},
        _ body: @escaping @Sendable (isolated LoopActor) async throws -> Result
    ) async throws -> Result {
        let loop = try EventLoop()
        let actor = LoopActor(loop)
        let failure = Mutex<(any Error)?>(nil)
        try startThread(named: "loop") {
            do { try prepare() } catch { failure.withLock { $0 = error } }
            loop.run()
        }
        defer { loop.stop() }
        return try await Task(executorPreference: loop) {
            if let error = failure.withLock({ $0 }) { throw error }
            return try await actor.perform(body)
        }.value
    }

    /// Starts another task on the loop. In a task that does not prefer the loop as its executor, what has no isolation of its own would
    /// run on other threads.
    package func start<Result: Sendable>(_ body: @escaping () async throws -> Result) -> Task<Result, any Error> {
        let body = LoopBound(action: body)
        return Task(executorPreference: loop) { try await self.perform { _ in try await body.action() } }
    }

    /// Comes back in a later turn of the loop, when each task that was ready has run up to where it waits.
    package func turn() async { await Wakeup(on: loop).wait(until: .current) }

    private func perform<Result: Sendable>(
        _ body: @Sendable (isolated LoopActor) async throws -> Result
    ) async throws -> Result {
        try await body(self)
    }
}

/// An action that is made on a loop's thread and runs there.
private struct LoopBound<Result>: @unchecked Sendable {
    let action: () async throws -> Result
}

extension EventLoop {
    /// Suspends the calling task for `duration`; returns early when the task is cancelled.
    package func sleep(for duration: Duration) async {
        let wakeup = Wakeup(on: self)
        let deadline = now + duration
        await withCancellation {
            while now < deadline, !Task.isCancelled { await wakeup.wait(until: deadline) }
        } onCancel: {
            wakeup.wake()
        }
    }
}
