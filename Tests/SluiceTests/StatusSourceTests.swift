import EventLoop
import FastCGI
import Logging
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// Where a status comes from.
@Suite(.timeLimit(.minutes(5))) struct StatusSourceTests {
    @Test func `a worker that stands still is counted, and keeps nobody waiting`() async throws {
        let model = ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])
        let settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", kind: .demo)], models: [model])
        let worker = try Worker(
            Generation(settings), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), log: RequestLog(nil),
            counters: Counters(settings.limits))
        try await LoopActor.run { actor in
            let still = await StatusSource.requests(of: [worker], on: actor.loop, within: .milliseconds(5))
            #expect((still.listed.count, still.count, still.silentWorkers) == (0, 0, 1))
            try startThread(named: "worker") { worker.loop.run() }
            let awake = await StatusSource.requests(of: [worker], on: actor.loop, within: .seconds(60))
            #expect((awake.listed.count, awake.count, awake.silentWorkers) == (0, 0, 0))
            worker.loop.stop()
        }
    }
}
