import EventLoop
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct MemoryBudgetTests {
    private static let small = MemoryBudget.smallBytesMax
    private static let large = 1 << 20

    @Test func `what is taken comes back with its last keeper, whole or in parts`() {
        let budget = MemoryBudget(limit: 8 << 20)
        var share = budget.share(ofBody: 1000)
        let other = share
        #expect(budget.usedBytes == 1000)
        share?.shrink(to: 400)
        share?.shrink(to: 900)
        #expect(budget.usedBytes == 400 && share?.bytes == 400)
        #expect(share?.grow(to: 5000) == true)
        #expect(budget.usedBytes == 5000)
        share = nil
        #expect(budget.usedBytes == 5000)
        withExtendedLifetime(other) {}
        _ = consume other
        #expect(budget.usedBytes == 0)
    }

    @Test func `large bodies leave room for small ones, and bodies for answers`() {
        let budget = MemoryBudget(limit: 8 * Self.large)
        var shares: [MemoryShare] = []
        while let share = budget.share(ofBody: Self.large) { shares.append(share) }
        #expect(budget.usedBytes == 6 * Self.large)
        while let share = budget.share(ofBody: Self.small) { shares.append(share) }
        #expect(budget.usedBytes == 7 * Self.large)
        while let share = budget.share(ofAnswer: Self.large / 2) { shares.append(share) }
        #expect(budget.usedBytes == 8 * Self.large)
        #expect(shares.last?.grow(to: Self.large) == false)
        #expect(budget.usedBytes == 8 * Self.large)
        shares = []
        #expect(budget.usedBytes == 0)
    }

    @Test func `a lower limit leaves what is taken, and a higher one lets in those who wait`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 8 * Self.large)
            let wakeup = Wakeup(on: worker.loop)
            var held = (0..<6).map { _ in budget.share(ofBody: Self.large) }
            budget.setLimit(4 * Self.large)
            #expect(budget.limit == 4 * Self.large && budget.usedBytes == 6 * Self.large && budget.isScarce)
            let place = budget.place(forBody: Self.large, waking: wakeup.remote)
            held.removeLast(3)
            #expect(place.claim() == nil, "bodies may have three of four, and have them")
            budget.setLimit(8 * Self.large)
            await wakeup.wait()
            #expect(place.claim()?.bytes == Self.large && budget.waitersCount == 0)
            held = []
            #expect(budget.usedBytes == 0)
        }
    }

    /// It would wait for ever, and all behind it.
    @Test func `what is larger than the whole is let in alone`() {
        let budget = MemoryBudget(limit: Self.large)
        var share = budget.share(ofBody: 100 * Self.large)
        #expect(share != nil)
        #expect(budget.share(ofBody: 1) == nil)
        share = nil
        #expect(budget.share(ofBody: 1) != nil)
    }

    @Test func `those who wait have their turn as they came, and nobody overtakes them but small ones`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 8 * Self.large)
            let remote = Wakeup(on: worker.loop).remote
            var held = (0..<6).map { _ in budget.share(ofBody: Self.large) }
            let two = budget.place(forBody: 2 * Self.large, waking: remote)
            let one = budget.place(forBody: Self.large, waking: remote)
            #expect(budget.waitersCount == 2 && budget.isScarce)
            held.removeLast()
            #expect(two.claim() == nil && one.claim() == nil, "there is room for the second alone")
            #expect(budget.share(ofBody: Self.large) == nil)
            #expect(budget.share(ofBody: Self.small) != nil)
            held.removeLast()
            var first = two.claim()
            #expect(first?.bytes == 2 * Self.large && one.claim() == nil)
            #expect(two.claim() == nil, "it has been claimed")
            first = nil
            #expect(one.claim()?.bytes == Self.large)
            #expect(budget.waitersCount == 0)
            held = []
            #expect(budget.usedBytes == 0)
        }
    }

    @Test func `small ones that wait do not wait behind large ones`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 8 * Self.large)
            let remote = Wakeup(on: worker.loop).remote
            var held = (0..<6).map { _ in budget.share(ofBody: Self.large) }
            var answer = budget.share(ofAnswer: 2 * Self.large)
            let large = budget.place(forBody: Self.large, waking: remote)
            let small = budget.place(forBody: Self.small, waking: remote)
            answer?.shrink(to: Self.large - Self.small)
            #expect(large.claim() == nil)
            let share = small.claim()
            #expect(share?.bytes == Self.small)
            answer = nil
            held.removeAll()
            #expect(large.claim() != nil)
            withExtendedLifetime(share) {}
        }
    }

    @Test func `a small one that comes later does not overtake a small one that waits`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 8 * Self.large)
            var held = budget.share(ofAnswer: 7 * Self.large - Self.small / 2)
            let place = budget.place(forBody: Self.small, waking: Wakeup(on: worker.loop).remote)
            #expect(budget.share(ofBody: 1) == nil)
            held = nil
            #expect(place.claim()?.bytes == Self.small)
            #expect(budget.share(ofBody: 1) != nil)
            withExtendedLifetime(held) {}
        }
    }

    @Test func `what is refused to one is not missing to others meanwhile`() {
        let budget = MemoryBudget(limit: 8 * Self.large)
        let held = budget.share(ofAnswer: 4 * Self.large)
        let isOver = Mutex(false)
        startThread("asks for too much") {
            while !isOver.withLock({ $0 }) { _ = budget.share(ofBody: 5 * Self.large) }
        }
        let missingCount = (0..<500_000).count { _ in budget.share(ofAnswer: Self.large) == nil }
        isOver.withLock { $0 = true }
        #expect(missingCount == 0)
        withExtendedLifetime(held) {}
    }

    @Test func `whoever leaves while it waits is forgotten, also with a share that it has not claimed`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 8 * Self.large)
            let remote = Wakeup(on: worker.loop).remote
            var held: MemoryShare? = budget.share(ofBody: 6 * Self.large)
            var first: MemoryPlace? = budget.place(forBody: 4 * Self.large, waking: remote)
            let second = budget.place(forBody: Self.large, waking: remote)
            held?.shrink(to: 5 * Self.large)
            #expect(second.claim() == nil)
            first = nil
            #expect(second.claim() != nil, "what waited behind it has its turn")
            first = budget.place(forBody: 6 * Self.large, waking: remote)
            held = nil
            #expect(budget.usedBytes == 6 * Self.large)
            first = nil
            #expect(budget.usedBytes == 0 && budget.waitersCount == 0)
            withExtendedLifetime(first) {}
        }
    }

    @Test func `whoever waits on one thread is woken by what another gives back`() async throws {
        let budget = MemoryBudget(limit: 4 * Self.large)
        for _ in 0..<100 {
            let held = Mutex(budget.share(ofBody: 3 * Self.large))
            try await LoopActor.run { worker in
                let wakeup = Wakeup(on: worker.loop)
                let place = budget.place(forBody: Self.large, waking: wakeup.remote)
                startThread("other") { held.withLock { $0 = nil } }
                await wakeup.wait()
                #expect(place.claim() != nil)
            }
            #expect(budget.usedBytes == 0)
        }
    }

    /// Each waits when it must, and all come to their end: none waits for another that waits.
    @Test func `many threads that take and give back all end, never have too much, and leave nothing`() async throws {
        let budget = MemoryBudget(limit: 4 * Self.large)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    try await LoopActor.run { worker in
                        var generator = SeededGenerator(seed: UInt64(number) + 1)
                        let wakeup = Wakeup(on: worker.loop)
                        for _ in 0..<2000 {
                            let bytes = Int.random(in: 1...2 * Self.large, using: &generator)
                            var share = budget.share(ofBody: bytes)
                            if share == nil {
                                let place = budget.place(forBody: bytes, waking: wakeup.remote)
                                // Some leave, perhaps in the moment of their turn.
                                if Int.random(in: 0..<4, using: &generator) == 0 { continue }
                                while share == nil {
                                    share = place.claim()
                                    if share == nil { await wakeup.wait() }
                                }
                            }
                            share?.shrink(to: bytes / 2)
                            #expect(budget.usedBytes <= 3 * Self.large + 4 * 2 * Self.large)
                            if Bool.random(using: &generator) { await Task.yield() }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(budget.usedBytes == 0 && budget.waitersCount == 0)
    }
}
