import Clock
import EventLoop
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct TimerTests {
    @Test func `timers fire in the order of their deadlines`() async throws {
        let fired = try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            var fired: [Int] = []
            let timers = (0..<200).map { index in
                Timer(on: worker.loop) {
                    fired.append(index)
                    if fired.count == 200 { wakeup.wake() }
                }
            }
            let start = worker.loop.now
            for (index, timer) in timers.enumerated().reversed() { timer.set(at: start + .microseconds(index * 100)) }
            await wakeup.wait()
            return fired
        }
        #expect(fired == Array(0..<200))
    }

    @Test func `a postponed timer waits for its new deadline, one brought forward does not wait for its old`() async throws {
        let fired = try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            var fired: [String] = []
            let postponed = Timer(on: worker.loop) {
                fired.append("postponed")
                wakeup.wake()
            }
            let other = Timer(on: worker.loop) { fired.append("other") }
            let hastened = Timer(on: worker.loop) { fired.append("hastened") }
            let start = worker.loop.now
            postponed.set(at: start + .milliseconds(1))
            other.set(at: start + .milliseconds(2))
            hastened.set(at: start + .seconds(3600))
            postponed.set(at: start + .milliseconds(3))
            hastened.set(at: start)
            await wakeup.wait()
            return fired
        }
        #expect(fired == ["hastened", "other", "postponed"])
    }

    @Test func `a cancelled timer never fires and the others still do, in order`() async throws {
        let fired = try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            var fired: [Int] = []
            let timers = (0..<100).map { index in Timer(on: worker.loop) { fired.append(index) } }
            let last = Timer(on: worker.loop) { wakeup.wake() }
            let start = worker.loop.now
            var generator = SystemRandomNumberGenerator()
            for index in (0..<100).shuffled(using: &generator) { timers[index].set(at: start + .microseconds(index * 50)) }
            last.set(at: start + .milliseconds(10))
            for index in stride(from: 0, to: 100, by: 3) { timers[index].cancel() }
            await wakeup.wait()
            return fired
        }
        #expect(fired == (0..<100).filter { $0 % 3 != 0 })
    }

    @Test func `a wait ends at its deadline when nobody wakes it, and a wake before the wait is not lost`() async throws {
        try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            let deadline = worker.loop.now + .milliseconds(2)
            await wakeup.wait(until: deadline)
            #expect(worker.loop.now >= deadline)
            wakeup.wake()
            wakeup.wake()
            await wakeup.wait()
            let next = worker.loop.now + .milliseconds(2)
            await wakeup.wait(until: next)
            #expect(worker.loop.now >= next)
        }
    }

    @Test func `a task that is cancelled while it waits is woken at once`() async throws {
        try await LoopActor.run { worker in
            let loop = worker.loop
            let sleeper = Task(executorPreference: loop) { await worker.sleepForAnHour() }
            await worker.loop.sleep(for: .milliseconds(1))
            sleeper.cancel()
            #expect(await sleeper.value)
        }
    }
}

extension LoopActor {
    /// Whether the sleep was cut short.
    fileprivate func sleepForAnHour() async -> Bool {
        let end = loop.now + .seconds(3600)
        await loop.sleep(for: .seconds(3600))
        return loop.now < end
    }
}
