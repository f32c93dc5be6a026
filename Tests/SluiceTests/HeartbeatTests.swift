import Clock
import Testing

@testable import Sluice

@Suite struct HeartbeatTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func `it is due after each period of silence, and never without one`() {
        var heartbeat = Heartbeat(every: .seconds(10), from: start)
        #expect(heartbeat.due == start + .seconds(10))
        heartbeat.wrote(at: start + .seconds(7))
        #expect(heartbeat.due == start + .seconds(17))
        heartbeat.stop()
        #expect(heartbeat.due == .distantFuture)
        heartbeat = Heartbeat(every: .zero, from: start)
        heartbeat.wrote(at: start)
        #expect(heartbeat.due == .distantFuture)
    }
}
