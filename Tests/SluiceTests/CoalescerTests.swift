import EventLoop
import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `What many ask for` {
    /// Counts how often it is done, and is not done with the first time before the gate is open.
    private func counting(_ times: Observed<Int>, _ gate: OneTimeEvent, on loop: EventLoop) -> Coalescer<Int> {
        Coalescer(on: loop) {
            let time = times.update {
                $0 += 1
                return $0
            }
            if time == 1 { await gate.wait() }
            return time
        }
    }

    @Test func `is done once for the first, and once more for all who ask meanwhile`() async throws {
        try await LoopActor.run { actor in
            let (times, gate) = (Observed(0), OneTimeEvent())
            let coalescer = counting(times, gate, on: actor.loop)
            let first = await coalescer.ask()
            try await times.wait(for: "the first time") { $0 == 1 }
            var others: [Awaited<Int>] = []
            for _ in 0..<100 { others.append(await coalescer.ask()) }
            gate.come()
            #expect(await first.value() == 1)
            for other in others { #expect(await other.value() == 2) }
            #expect(times.value == 2)
            #expect(await coalescer.ask().value() == 3)
        }
    }

    @Test func `is done also when whoever has asked does not wait for it`() async throws {
        try await LoopActor.run { actor in
            let (times, gate) = (Observed(0), OneTimeEvent())
            let coalescer = counting(times, gate, on: actor.loop)
            let asking = actor.start { await coalescer.ask().value() }
            try await times.wait(for: "the first time") { $0 == 1 }
            asking.cancel()
            #expect(try await asking.value == nil)
            let next = await coalescer.ask()
            gate.come()
            #expect(await next.value() == 2)
        }
    }
}
