import EventLoop
package import Testing

/// Lets each test run on a thread of its own.
///
/// All tests share a pool of as many threads as the machine has cores. One that computes for longer than a moment, or blocks its
/// thread, would keep all others from going on meanwhile, with their clients, upstreams and deadlines.
package struct OwnThread: TestTrait, SuiteTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let loop = try EventLoop()
        try startThread(named: "loop") { loop.run() }
        defer { loop.stop() }
        try await withTaskExecutorPreference(loop) { try await function() }
    }
}

extension Trait where Self == OwnThread {
    /// For tests that compute for long.
    package static var ownThread: Self { OwnThread() }
}
