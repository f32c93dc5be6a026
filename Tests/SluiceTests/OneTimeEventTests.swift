import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `An event that comes once` {
    @Test func `is waited for no longer by one that has been cancelled, and by the others until it comes`() async throws {
        let event = OneTimeEvent()
        let (leaving, staying) = (Task { await event.wait() }, Task { await event.wait() })
        while event.waitingCount < 2 { await Task.yield() }
        leaving.cancel()
        await leaving.value
        #expect((event.waitingCount, event.hasCome) == (1, false))
        event.come()
        await staying.value
        let late = Task { await event.wait() }
        late.cancel()
        await late.value
        #expect(event.waitingCount == 0)
    }

    @Test func `is not waited for at all by one that is cancelled already`() async {
        let event = OneTimeEvent()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            await event.wait()
        }
        task.cancel()
        await task.value
        #expect(event.waitingCount == 0)
    }
}
