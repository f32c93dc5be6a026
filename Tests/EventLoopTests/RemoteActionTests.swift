import Clock
import Dispatch
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import EventLoop

@Suite(.timeLimit(.minutes(5))) struct RemoteActionTests {
    @Test func `a body runs on the loop's thread, once for each run by another thread`() async throws {
        try await LoopActor.run { worker in
            let all = Wakeup(on: worker.loop)
            var count = 0
            let action = worker.loop.remoteAction {
                worker.loop.checkIsolated()
                count += 1
                if count == 1000 { all.wake() }
            }
            for _ in 0..<4 { startThread("caller") { for _ in 0..<250 { action.run() } } }
            await all.wait()
            await worker.turnOfOthers()
            #expect(count == 1000)
            action.cancel()
        }
    }

    /// Otherwise nothing that came from another thread would ever arrive again.
    @Test func `a run whose wake the kernel refuses is made up for by the next one`() async throws {
        try await LoopActor.run { worker throws in
            let both = Wakeup(on: worker.loop)
            var count = 0
            let action = worker.loop.remoteAction {
                count += 1
                if count == 2 { both.wake() }
            }
            let number = worker.loop.remoteQueue.descriptor.number
            // Nobody can write there: it is open for reading alone.
            let (kept, null) = (fcntl(number, F_DUPFD_CLOEXEC, 0), unsafe open("/dev/null", O_RDONLY | O_CLOEXEC))
            dup2(null, number)
            onAnotherThread { action.run() }
            dup2(kept, number)
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            close(null)
            close(kept)
            onAnotherThread { action.run() }
            await both.wait()
            action.cancel()
        }
    }

    @Test func `a cancelled body is released and not called, not even for a run before`() async throws {
        try await LoopActor.run { worker in
            let witness = Witness()
            let action = worker.loop.remoteAction { [witness] in Issue.record("called \(witness)") }
            onAnotherThread { action.run() }
            weak let weakWitness = witness
            action.cancel()
            action.cancel()
            await worker.turnOfOthers()
            action.run()
            await worker.turnOfOthers()
            _ = consume witness
            #expect(weakWitness == nil)
        }
    }

    @Test func `a body may cancel itself and others, and so may what is released with it`() async throws {
        try await LoopActor.run { worker in
            let done = Wakeup(on: worker.loop)
            var actions: [RemoteAction] = []
            let other = worker.loop.remoteAction { Issue.record("cancelled before") }
            worker.loop.remoteAction { [nested = Canceller(other)] in Issue.record("cancelled \(nested)") }.cancel()
            other.run()
            actions.append(
                worker.loop.remoteAction {
                    for action in actions { action.cancel() }
                    done.wake()
                })
            actions.append(worker.loop.remoteAction { Issue.record("cancelled by the first") })
            let remote = actions
            onAnotherThread { for action in remote { action.run() } }
            await done.wait()
            await worker.turnOfOthers()
        }
    }

    @Test func `the end of a loop releases its bodies on its own thread, and a run after it does nothing`() async throws {
        let released = Observed(false)
        let action = try await LoopActor.run { worker in
            let loop = worker.loop
            let witness = Witness { [unowned loop] in
                loop.checkIsolated()
                released.update { $0 = true }
            }
            return loop.remoteAction { _ = witness }
        }
        try await released.wait(for: "the release") { $0 }
        action.run()
    }

    @Test func `a remote wakes from any thread`() async throws {
        try await LoopActor.run { worker in
            let wakeup = Wakeup(on: worker.loop)
            for _ in 0..<100 {
                let remote = wakeup.remote
                startThread("waker") { remote.wake() }
                await wakeup.wait()
            }
        }
    }

    @Test func `a remote does not keep its wakeup, which goes on the loop's thread with its timer`() async throws {
        try await LoopActor.run { worker in
            var wakeup: Wakeup? = Wakeup(on: worker.loop)
            weak let weakWakeup = wakeup
            wakeup?.wake()
            await wakeup?.wait()
            await wakeup?.wait(until: worker.loop.now + .milliseconds(1))
            let remote = wakeup?.remote
            wakeup = nil
            #expect(weakWakeup == nil)
            onAnotherThread { remote?.wake() }
            await worker.turnOfOthers()
        }
    }
}

private final class Witness {
    private let atEnd: () -> Void
    init(atEnd: @escaping () -> Void = {}) { self.atEnd = atEnd }
    deinit { atEnd() }
}

private final class Canceller {
    private let action: RemoteAction
    init(_ action: RemoteAction) { self.action = action }
    deinit { action.cancel() }
}

/// Holds the loop's thread meanwhile.
private func onAnotherThread(_ body: @escaping @Sendable () -> Void) {
    let done = DispatchSemaphore(value: 0)
    startThread("other") {
        body()
        done.signal()
    }
    done.wait()
}

extension LoopActor {
    /// Returns when the loop has run all that other threads had handed over before.
    fileprivate func turnOfOthers() async {
        let wakeup = Wakeup(on: loop)
        let remote = wakeup.remote
        startThread("last") { remote.wake() }
        await wakeup.wait()
    }
}
