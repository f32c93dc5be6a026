import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `An event that comes once` {
    @Test func `is waited for no longer by one that has been cancelled, and by the others until it comes`() async throws {
        try await LoopActor.run { actor in
            let event = OneTimeEvent()
            let (leaving, staying) = (actor.start { await event.wait() }, actor.start { await event.wait() })
            await actor.turn()
            #expect(event.waitingCount == 2)
            leaving.cancel()
            try await leaving.value
            #expect((event.waitingCount, event.hasCome) == (1, false))
            event.come()
            try await staying.value
            await event.wait()
            #expect(event.waitingCount == 0)
        }
    }

    @Test func `is not waited for at all by one that is cancelled already`() async throws {
        try await LoopActor.run { actor in
            let (event, other) = (OneTimeEvent(), OneTimeEvent())
            let task = actor.start {
                await other.wait()
                await event.wait()
            }
            await actor.turn()
            task.cancel()
            try await task.value
            #expect(event.waitingCount == 0)
        }
    }
}
