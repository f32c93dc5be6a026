import Clock
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import EventLoop

@Suite(.timeLimit(.minutes(5))) struct EventLoopTests {
    @Test func `the actor's code and its tasks run on the loop's thread`() async throws {
        try await LoopActor.run { worker in
            #expect(worker.loop.isCurrent)
            await worker.loop.sleep(for: .milliseconds(1))
            #expect(worker.loop.isCurrent)
        }
    }

    @Test func `jobs from many other threads all run`() async throws {
        let sum = try await LoopActor.run { worker in
            let counter = Counter(worker.loop)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<1000 { group.addTask(executorPreference: globalConcurrentExecutor) { await counter.increment() } }
            }
            return await counter.value
        }
        #expect(sum == 1000)
    }

    @Test(.timeLimit(.minutes(5))) func `a wake finds a task that is on its way to its wait`() async throws {
        try await LoopActor.run { worker in
            let (wakeup, ready) = (Wakeup(on: worker.loop), Wakeup(on: worker.loop))
            // It lacks the loop as its preferred executor, and so it hops from job to job.
            let waiter = Task {
                _ = worker
                ready.wake()
                await wakeup.wait()
            }
            await ready.wait()
            wakeup.wake()
            await waiter.value
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a handler works in the waiting task's place until it says that the task must`()
        async throws
    {
        try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            var calls = 0
            let waker = Timer(on: worker.loop) {
                wakeup.wake()
                wakeup.wake()
            }
            wakeup.handler = {
                calls += 1
                waker.set(at: worker.loop.now)
                return calls < 3
            }
            waker.set(at: worker.loop.now)
            await wakeup.wait()
            waker.cancel()
            // Two wakes of one turn are one call.
            #expect(calls == 3)
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a deadline ends a wait whatever its handler says`() async throws {
        try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            wakeup.handler = { true }
            wakeup.wake()
            await wakeup.wait()  // there was a wake before
            let deadline = worker.loop.now + .milliseconds(2)
            let waker = Timer(on: worker.loop) { wakeup.wake() }
            waker.set(at: worker.loop.now)
            await wakeup.wait(until: deadline)
            #expect(worker.loop.now >= deadline)
        }
    }

    @Test func `a readable descriptor calls its handler, and no more after cancel`() async throws {
        let reads = try await LoopActor.run { worker in
            let pipe = try Pipe()
            let wakeup = Wakeup(on: worker.loop)
            var reads = 0
            let watch = try Watch(pipe.reader, for: .readable, on: worker.loop) { readiness in
                if readiness.contains(.readable) { reads += 1 }
                wakeup.wake()
            }
            writeByte(to: pipe.writer)
            await wakeup.wait()
            watch.cancel()
            writeByte(to: pipe.writer)
            await worker.loop.sleep(for: .milliseconds(2))
            return reads
        }
        #expect(reads == 1)
    }

    @Test func `a handler that closes another ready descriptor of the same batch silences it`() async throws {
        let calls = try await LoopActor.run { worker in
            let pipes = [try Pipe(), try Pipe()]
            var watches: [Watch] = []
            var calls = 0
            let wakeup = Wakeup(on: worker.loop)
            for pipe in pipes {
                watches.append(
                    try Watch(pipe.reader, for: .readable, on: worker.loop) { _ in
                        calls += 1
                        for watch in watches { watch.cancel() }
                        wakeup.wake()
                    })
            }
            for pipe in pipes { writeByte(to: pipe.writer) }
            await wakeup.wait()
            await worker.loop.sleep(for: .milliseconds(2))
            return calls
        }
        #expect(calls == 1)
    }

    @Test func `a watch whose descriptor was closed under it is in nobody's way, and says so once`() async throws {
        let (defects, reads) = try await LoopActor.run { worker in
            let (forgotten, pipe) = (try Pipe(), try Pipe())
            let wakeup = Wakeup(on: worker.loop)
            var (defects, reads) = (0, 0)
            worker.loop.onDefect = { _ in defects += 1 }
            let stale = try Watch(forgotten.reader, for: .readable, on: worker.loop) { _ in Issue.record("of nobody") }
            dup2(pipe.reader, forgotten.reader)
            let watch = try Watch(forgotten.reader, for: .readable, on: worker.loop) { _ in
                reads += 1
                wakeup.wake()
            }
            try stale.update([.readable, .writable])
            stale.cancel()
            writeByte(to: pipe.writer)
            await wakeup.wait()
            watch.cancel()
            return (defects, reads)
        }
        #expect(defects == 1)
        #expect(reads == 1)
    }

    @Test func `a watch is heard again after its number was given to another file`() async throws {
        try await LoopActor.run { worker in
            let (former, pipe) = (try Pipe(), try Pipe())
            let wakeup = Wakeup(on: worker.loop)
            let watch = try Watch(former.reader, for: [], on: worker.loop) { _ in wakeup.wake() }
            dup2(pipe.reader, former.reader)
            try watch.update(.readable)
            writeByte(to: pipe.writer)
            await wakeup.wait()
            watch.cancel()
        }
    }

    @Test func `a deadline that has passed waits for all that is ready, also for more than a turn looks at`() async throws {
        let count = EventLoop.eventsMax + 44
        let seen = try await LoopActor.run { worker in
            let pipes = try (0..<count).map { _ in try Pipe() }
            let wakeup = Wakeup(on: worker.loop)
            var (seen, seenAtDeadline): (Int, Int?) = (0, nil)
            var watches: [Watch?] = []
            for (index, pipe) in pipes.enumerated() {
                watches.append(
                    try Watch(pipe.reader, for: .readable, on: worker.loop) { _ in
                        seen += 1
                        watches[index]?.cancel()
                    })
                writeByte(to: pipe.writer)
            }
            let timer = Timer(on: worker.loop) {
                seenAtDeadline = seen
                wakeup.wake()
            }
            timer.set(at: .current)
            await wakeup.wait()
            watches = []
            return seenAtDeadline
        }
        #expect(seen == count)
    }

    @Test func `a hang-up is told to a watch that asked only for readability`() async throws {
        let seen = try await LoopActor.run { worker in
            let pipe = try Pipe()
            pipe.closeWriter()
            let wakeup = Wakeup(on: worker.loop)
            var seen: Readiness = []
            let watch = try Watch(pipe.reader, for: .readable, on: worker.loop) { readiness in
                seen = readiness
                wakeup.wake()
            }
            await wakeup.wait()
            watch.cancel()
            return seen
        }
        #expect(seen.contains(.hangUp))
    }
}

private actor Counter {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    private(set) var value = 0
    init(_ loop: EventLoop) { self.loop = loop }
    func increment() { value += 1 }
}

private final class Pipe {
    let reader: Int32
    private(set) var writer: Int32

    init() throws {
        (reader, writer) = try pipeEnds()
    }

    func closeWriter() {
        if writer >= 0 { close(writer) }
        writer = -1
    }

    deinit {
        close(reader)
        closeWriter()
    }
}

private func writeByte(to descriptor: Int32) {
    var byte: UInt8 = 1
    _ = unsafe write(descriptor, &byte, 1)
}
