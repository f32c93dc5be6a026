import Clock
import Testing

@testable import Sluice

/// When an upstream is asked for its models again.
@Suite struct ModelsPauseTests {
    private let start = Instant.current

    @Test func `a failure is asked about again soon, and then ever later`() {
        var pause = ModelsPause(at: start)
        #expect(pause.end == start)
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            pause.failed(at: start)
            #expect(pause.end == start + .seconds(seconds))
        }
    }

    @Test func `an answer holds for five minutes, and a failure behind it counts as the first`() {
        var pause = ModelsPause(at: start)
        for _ in 0..<4 { pause.failed(at: start) }
        pause.answered(at: start + .seconds(100))
        #expect(pause.end == start + .seconds(400))
        pause.failed(at: start + .seconds(400))
        #expect(pause.end == start + .seconds(405))
    }

    @Test func `a question that was called off may be asked at once`() {
        var pause = ModelsPause(at: start)
        pause.answered(at: start)
        pause.calledOff(at: start + .seconds(1))
        #expect(pause.end == start + .seconds(1))
    }
}
