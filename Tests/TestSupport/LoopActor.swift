// An actor on an event loop of its own thread, the way that a worker of the server is one.

package import EventLoop

/// Runs a test's body on a fresh event loop.
package actor LoopActor {
    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private init(_ loop: EventLoop) { self.loop = loop }

    /// Starts a loop, runs `body` on it as the loop's only task, and ends the loop with it.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable (isolated LoopActor) async throws -> Result
    ) async throws -> Result {
        let loop = try EventLoop()
        let actor = LoopActor(loop)
        try startThread { loop.run() }
        defer { loop.stop() }
        return try await Task(executorPreference: loop) { try await actor.perform(body) }.value
    }

    private func perform<Result: Sendable>(
        _ body: @Sendable (isolated LoopActor) async throws -> Result
    ) async throws -> Result {
        try await body(self)
    }
}
