import Clock
import EventLoop
import Testing

@testable import Choosing

@Suite struct TargetHealthTests {
    private func at(_ seconds: Int) -> Instant { Instant(nanoseconds: 1_000_000_000_000) + .seconds(seconds) }

    private func fail(_ health: inout TargetHealth, times: Int = 1, at seconds: Int = 0) throws {
        for _ in 0..<times { health.failed(try enter(&health, at: seconds), at: at(seconds)) }
    }

    private func enter(_ health: inout TargetHealth, at seconds: Int, isLastResort: Bool = false) throws -> TargetHealth.Permit {
        let permit = health.enter(at: at(seconds), isLastResort: isLastResort)
        return try #require(permit)
    }

    private func resting() throws -> TargetHealth {
        var health = TargetHealth()
        try fail(&health, times: 5)
        return health
    }

    @Test func `five failures in a row make it rest for ten seconds`() throws {
        var health = TargetHealth()
        try fail(&health, times: 4)
        #expect(!health.isResting(at: at(0)))
        try fail(&health)
        #expect(health.isResting(at: at(0)) && health.isResting(at: at(9)) && !health.isResting(at: at(10)))
        #expect(health.enter(at: at(9)) == nil)
    }

    @Test func `without a time for it none rests, also for a worker whose clock is a turn behind`() throws {
        var health = TargetHealth(RestPlan(restFor: .zero))
        try fail(&health, times: 30, at: 1)
        #expect(!health.isResting(at: at(0)))
        #expect(try !enter(&health, at: 2).isProbe)
    }

    @Test func `a success between them starts the count again`() throws {
        var health = TargetHealth()
        for _ in 0..<4 {
            try fail(&health, times: 4)
            for _ in 0..<6 { health.succeeded(try enter(&health, at: 0)) }
        }
        #expect(!health.isResting(at: at(0)))
    }

    @Test(arguments: [(9, 30, false), (10, 20, true), (10, 19, false)])
    func `half of the last twenty make it rest too`(failures: Int, of count: Int, rests: Bool) throws {
        var health = TargetHealth()
        for index in 0..<count {
            let permit = try enter(&health, at: 0)
            // Never five in a row; the failures stand at the end.
            let isFailure = index >= count - 2 * failures + 1 && (count - index) % 2 == 1 || index == count - 2 && failures == 10
            if isFailure { health.failed(permit, at: at(0)) } else { health.succeeded(permit) }
        }
        #expect(health.isResting(at: at(0)) == rests)
    }

    @Test func `one request at a time is the probe`() throws {
        var health = try resting()
        let probe = try enter(&health, at: 10)
        #expect(probe.isProbe)
        #expect(health.isResting(at: at(10)) && health.enter(at: at(10)) == nil)
        health.succeeded(probe)
        #expect(!health.isResting(at: at(10)) && health.enter(at: at(10))?.isProbe == false)
    }

    @Test func `each probe that fails doubles the rest, up to a limit, and a success resets it`() throws {
        var health = try resting()
        var time = 10
        for rest in [20, 40, 80, 160, 300, 300] {
            health.failed(try enter(&health, at: time), at: at(time))
            #expect(health.isResting(at: at(time + rest - 1)) && !health.isResting(at: at(time + rest)))
            time += rest
        }
        health.succeeded(try enter(&health, at: time))
        try fail(&health, times: 4, at: time)
        #expect(!health.isResting(at: at(time)))
        try fail(&health, at: time)
        #expect(health.isResting(at: at(time + 9)) && !health.isResting(at: at(time + 10)))
    }

    @Test func `a probe that tells nothing leaves it to the next`() throws {
        var health = try resting()
        health.abandoned(try enter(&health, at: 10))
        #expect(!health.isResting(at: at(10)))
        #expect(health.enter(at: at(10))?.isProbe == true)
    }

    @Test func `a probe that hangs does not keep others away for ever, and then does not count`() throws {
        var health = try resting()
        let hanging = try enter(&health, at: 10)
        #expect(health.isResting(at: at(19)) && !health.isResting(at: at(20)))
        let second = try enter(&health, at: 20)
        health.failed(hanging, at: at(21))
        health.succeeded(hanging)
        #expect(second.isProbe && health.isResting(at: at(21)))
        health.succeeded(second)
        #expect(!health.isResting(at: at(21)))
    }

    @Test func `a last resort is a probe ahead of time, whose failure prolongs nothing`() throws {
        var health = try resting()
        for _ in 0..<100 {
            let early = try enter(&health, at: 5, isLastResort: true)
            #expect(early.isProbe)
            health.failed(early, at: at(5))
        }
        #expect(health.isResting(at: at(9)) && !health.isResting(at: at(10)))
        health.succeeded(try enter(&health, at: 6, isLastResort: true))
        #expect(!health.isResting(at: at(6)))
    }

    @Test func `a rest and its end are told once each, and nothing between them`() throws {
        var health = TargetHealth()
        var changes: [TargetHealth.Change?] = []
        for _ in 0..<5 { changes.append(health.failed(try enter(&health, at: 0), at: at(0))) }
        for time in [10, 30, 70] { changes.append(health.failed(try enter(&health, at: time), at: at(time))) }
        for _ in 0..<3 { changes.append(health.failed(try enter(&health, at: 71, isLastResort: true), at: at(71))) }
        let change = TargetHealth.Change.rests(for: .seconds(10))
        #expect(changes == [nil, nil, nil, nil, change] + Array(repeating: nil, count: 6))
        for expected in [.isBack, nil] as [TargetHealth.Change?] {
            #expect(health.succeeded(try enter(&health, at: 200)) == expected)
        }
    }

    @Test func `beside a probe, a last resort says nothing`() throws {
        var health = try resting()
        let probe = try enter(&health, at: 10)
        let other = try enter(&health, at: 10, isLastResort: true)
        health.succeeded(other)
        #expect(!other.isProbe && health.isResting(at: at(10)))
        health.succeeded(probe)
        #expect(!health.isResting(at: at(10)))
    }

    @Test func `what began before a rest or a recovery does not count after it`() throws {
        var health = TargetHealth()
        let early = (0..<20).compactMap { _ in health.enter(at: at(0)) }
        try fail(&health, times: 5)
        health.succeeded(early[0])
        #expect(health.isResting(at: at(1)))
        health.succeeded(try enter(&health, at: 10))
        for permit in early { health.failed(permit, at: at(11)) }
        try fail(&health, times: 4, at: 11)
        health.succeeded(early[0])
        #expect(early.count == 20 && !health.isResting(at: at(11)))
        try fail(&health, at: 11)
        #expect(health.isResting(at: at(11)))
    }
}
