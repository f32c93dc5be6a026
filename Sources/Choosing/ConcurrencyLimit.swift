// How many attempts run on one upstream at a time, and whose turn it is when one ends.

/// The places of one upstream (`concurrent = N`) and the queue for them. The waiting itself is its owner's, who locks it too.
///
///     switch limit.enter() {
///     case .entered: …; next = limit.leave()                     // wake the one that is next: it has its place already
///     case .queued(let ticket): …; limit.withdraw(ticket)         // when it waited too long
///     case .full: …
///     }
package struct ConcurrencyLimit: Sendable {
    /// One that waits in the queue. No two of the same upstream are equal.
    package struct Ticket: Hashable, Sendable { fileprivate let number: UInt64 }

    /// What an attempt finds that asks for a place.
    package enum Entry: Equatable, Sendable {
        /// It has a place.
        case entered
        /// It waits until `leave()` returns its ticket: then it has a place.
        case queued(Ticket)
        /// There is no place, nor one in the queue.
        case full
    }

    /// How many may hold a place; nil for no limit. The count is kept all the same.
    private var runningMax: Int?
    private var queueMax: Int
    /// How many hold a place: the load by which targets are spread.
    package private(set) var runningCount = 0
    /// Those who wait, in the order of their coming.
    private var queue: [Ticket] = []
    private var nextNumber: UInt64 = 0

    /// - Parameters:
    ///   - runningMax: how many may hold a place at a time; nil for no limit.
    ///   - queueMax: how many more may wait for one.
    package init(_ runningMax: Int? = nil, queueMax: Int = 100) {
        self.runningMax = runningMax
        self.queueMax = queueMax
    }

    /// How many wait.
    package var queuedCount: Int { queue.count }

    /// Whether one more would get a place at once.
    package var hasRoom: Bool { runningMax.map { runningCount < $0 } ?? true }

    /// - Parameter mayWait: false for one that gives up when it would have to, as a hedge does.
    package mutating func enter(mayWait: Bool = true) -> Entry {
        if hasRoom {
            runningCount += 1
            return .entered
        }
        guard mayWait, queue.count < queueMax else { return .full }
        let ticket = Ticket(number: nextNumber)
        nextNumber += 1
        queue.append(ticket)
        return .queued(ticket)
    }

    /// Changes how many may run and wait. Those who hold a place keep it, and those who wait go on waiting, though they be too many now.
    ///
    /// - Returns: who of the queue has a place now.
    package mutating func change(to runningMax: Int?, queueMax: Int) -> [Ticket] {
        (self.runningMax, self.queueMax) = (runningMax, queueMax)
        var next: [Ticket] = []
        while hasRoom, !queue.isEmpty {
            runningCount += 1
            next.append(queue.removeFirst())
        }
        return next
    }

    /// Gives a place back.
    /// - Returns: who has it now, the first of the queue; nil when nobody waits, or too many run.
    package mutating func leave() -> Ticket? {
        precondition(runningCount > 0, "a place is given back once")
        runningCount -= 1
        guard hasRoom, !queue.isEmpty else { return nil }
        runningCount += 1
        return queue.removeFirst()
    }

    /// Takes one out of the queue.
    /// - Returns: false when it is not in the queue any more: it has been given a place, and has to `leave()` like any other.
    package mutating func withdraw(_ ticket: Ticket) -> Bool {
        guard let index = queue.firstIndex(of: ticket) else { return false }
        queue.remove(at: index)
        return true
    }
}
