// What all requests of the process may hold together, and who waits for it.

import Synchronization

/// A number of bytes that all threads share.
///
///     if let share = budget.share(ofBody: count) { … }               // at once
///     let place = budget.place(forBody: count, waking: remote)      // or in turn: when woken, place.claim()
///
/// It counts what its users say, and no more. Bodies that come in may take three quarters, small ones an eighth more, so that few large
/// ones leave room for many small ones; answers may take all of it. A body has all its bytes before its first one is read, so that
/// whoever holds some can come to an end. One of unknown length holds its beginning while it waits for the rest: of those only so many
/// wait that the rest of one finds room beside all their beginnings. So nobody waits for one who waits.
///
/// Bodies that find no room wait in the order of their coming, small ones and large ones each in a queue of their own.
package final class MemoryBudget: Sendable {
    /// A body of at most so many bytes is a small one.
    package static let smallBytesMax = 64 << 10

    private let bytesMax: Atomic<Int>
    private let used = Atomic<Int>(0)
    /// How many are in the queues: asked at each return, without a lock.
    private let waiterCount = Atomic<Int>(0)
    /// How many of them are small.
    private let smallWaiterCount = Atomic<Int>(0)
    private let queues = Mutex(Queues())

    private struct Queues {
        var small: [Waiter] = []
        var large: [Waiter] = []
        /// Shares that were given to those who waited, and not claimed yet.
        var given: [UInt64: MemoryShare] = [:]
        /// What those in the queues hold meanwhile.
        var heldBytes = 0
        var nextNumber: UInt64 = 0
    }

    private struct Waiter {
        let number: UInt64
        let bytes: Int
        /// What it holds meanwhile.
        let held: Int
        let remote: Wakeup.Remote
        var isSmall: Bool { bytes <= MemoryBudget.smallBytesMax }
    }

    /// - Parameter limit: in bytes.
    package init(limit: Int) { bytesMax = Atomic(limit) }

    /// The bytes that there are. What is taken above a lower one stays taken until it is given back.
    package var limit: Int { bytesMax.load(ordering: .relaxed) }

    /// - Parameter limit: in bytes.
    package func setLimit(_ limit: Int) {
        bytesMax.store(limit, ordering: .sequentiallyConsistent)
        queues.withLock { advance(&$0) }
    }

    /// The bytes that are taken.
    package var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Whether a body that comes now may have to wait.
    package var isScarce: Bool { usedBytes > limit / 2 || waitersCount > 0 }

    /// How many wait.
    package var waitersCount: Int { waiterCount.load(ordering: .relaxed) }

    /// A share for a body of so many bytes, at once; `nil` when it has to wait.
    package func share(ofBody bytes: Int) -> MemoryShare? {
        // Nobody overtakes those of its kind.
        let ahead = bytes <= Self.smallBytesMax ? smallWaiterCount.load(ordering: .relaxed) : waitersCount
        guard ahead == 0, take(bytes, upTo: bodyLimit(bytes)) else { return nil }
        return MemoryShare(self, bytes)
    }

    /// A share for so many bytes of an answer; `nil` when there are none.
    package func share(ofAnswer bytes: Int) -> MemoryShare? { take(bytes, upTo: limit) ? MemoryShare(self, bytes) : nil }

    /// A place among those who wait for their share.
    ///
    /// - Parameter remote: woken when the place's turn has come, perhaps during this call.
    package func place(forBody bytes: Int, waking remote: Wakeup.Remote) -> MemoryPlace {
        MemoryPlace(self, queues.withLock { enter(&$0, bytes, holding: 0, remote) })
    }

    /// The same for one that holds some of the budget meanwhile.
    ///
    /// - Returns: nil when those who wait would hold so much that none of them could go on.
    package func place(forBody bytes: Int, holding held: Int, waking remote: Wakeup.Remote) -> MemoryPlace? {
        let number: UInt64? = queues.withLock { queues in
            guard held == 0 || queues.heldBytes + held <= bodyLimit(bytes) - bytes else { return nil }
            return enter(&queues, bytes, holding: held, remote)
        }
        return number.map { MemoryPlace(self, $0) }
    }

    // MARK: Counting

    private func bodyLimit(_ bytes: Int) -> Int {
        bytes <= Self.smallBytesMax ? limit - limit / 8 : limit - limit / 4
    }

    /// What is larger than the whole is let in when there is nothing else: it would wait for ever. What is not let in has taken nothing
    /// meanwhile that another could have had.
    fileprivate func take(_ bytes: Int, upTo limit: Int) -> Bool {
        var present = used.load(ordering: .sequentiallyConsistent)
        while present <= limit - bytes || present == 0 {
            let (isTaken, found) = used.compareExchange(
                expected: present, desired: present + bytes, ordering: .sequentiallyConsistent)
            if isTaken { return true }
            present = found
        }
        return false
    }

    /// Whoever waits is told: either it sees these bytes, or this call sees it.
    fileprivate func giveBack(_ bytes: Int) {
        used.subtract(bytes, ordering: .sequentiallyConsistent)
        guard waiterCount.load(ordering: .sequentiallyConsistent) > 0 else { return }
        queues.withLock { advance(&$0) }
    }

    // MARK: Waiting

    private func enter(_ queues: inout Queues, _ bytes: Int, holding held: Int, _ remote: Wakeup.Remote) -> UInt64 {
        let waiter = Waiter(number: queues.nextNumber, bytes: bytes, held: held, remote: remote)
        queues.nextNumber += 1
        if waiter.isSmall { queues.small.append(waiter) } else { queues.large.append(waiter) }
        count(waiter, 1, &queues)
        advance(&queues)
        return waiter.number
    }

    /// Gives as much as there is to those whose turn it is.
    private func advance(_ queues: inout Queues) {
        while let waiter = queues.small.first, give(waiter, &queues) { queues.small.removeFirst() }
        while let waiter = queues.large.first, give(waiter, &queues) { queues.large.removeFirst() }
    }

    private func give(_ waiter: Waiter, _ queues: inout Queues) -> Bool {
        guard take(waiter.bytes, upTo: bodyLimit(waiter.bytes)) else { return false }
        count(waiter, -1, &queues)
        queues.given[waiter.number] = MemoryShare(self, waiter.bytes)
        waiter.remote.wake()
        return true
    }

    /// One more in the queues, or one less.
    private func count(_ waiter: Waiter, _ change: Int, _ queues: inout Queues) {
        queues.heldBytes += change * waiter.held
        if waiter.isSmall { smallWaiterCount.add(change, ordering: .sequentiallyConsistent) }
        waiterCount.add(change, ordering: .sequentiallyConsistent)
    }

    fileprivate func claim(_ number: UInt64) -> MemoryShare? {
        queues.withLock { $0.given.removeValue(forKey: number) }
    }

    /// Its share, should it have one already, is given back outside the lock.
    fileprivate func withdraw(_ number: UInt64) {
        let share = queues.withLock { queues in
            let left = Self.remove(number, from: &queues.small) ?? Self.remove(number, from: &queues.large)
            if let left {
                count(left, -1, &queues)
                // Those behind it may need less.
                advance(&queues)
            }
            return queues.given.removeValue(forKey: number)
        }
        withExtendedLifetime(share) {}
    }

    private static func remove(_ number: UInt64, from queue: inout [Waiter]) -> Waiter? {
        queue.firstIndex { $0.number == number }.map { queue.remove(at: $0) }
    }
}

/// Bytes of a budget, which go back to it with the last one who keeps them.
package final class MemoryShare: Sendable {
    private let budget: MemoryBudget
    private let count: Atomic<Int>

    fileprivate init(_ budget: MemoryBudget, _ bytes: Int) {
        self.budget = budget
        count = Atomic(bytes)
    }

    deinit { budget.giveBack(bytes) }

    /// How many they are.
    package var bytes: Int { count.load(ordering: .relaxed) }

    /// Takes more, as an answer does, so that they are `bytes`. Whether there are so many.
    package func grow(to bytes: Int) -> Bool {
        let missing = bytes - self.bytes
        guard missing > 0 else { return true }
        guard budget.take(missing, upTo: budget.limit) else { return false }
        count.add(missing, ordering: .relaxed)
        return true
    }

    /// Gives back what is above `bytes`.
    package func shrink(to bytes: Int) {
        let surplus = self.bytes - bytes
        guard surplus > 0 else { return }
        count.subtract(surplus, ordering: .relaxed)
        budget.giveBack(surplus)
    }
}

/// A place among those who wait for bytes of a budget. Its end is the end of the waiting.
package final class MemoryPlace: Sendable {
    private let budget: MemoryBudget
    private let number: UInt64

    fileprivate init(_ budget: MemoryBudget, _ number: UInt64) { (self.budget, self.number) = (budget, number) }

    deinit { budget.withdraw(number) }

    /// The share, once its turn has come; from then on there is nothing to wait for.
    package func claim() -> MemoryShare? { budget.claim(number) }
}
