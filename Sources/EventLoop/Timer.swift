// Timers that are cheap to set, to postpone and to cancel: a request holds several and hardly any ever fires.

package import Clock

/// An action at a moment, on a loop's thread. It can be set again after it has fired or was cancelled.
///
/// While it is set the loop keeps it alive, so an action captures its owner weakly or the owner cancels it.
package final class Timer {
    let action: () -> Void
    /// When the action is due.
    fileprivate(set) var deadline = Instant.distantFuture
    /// Its place in the heap; `nil` while it is not set.
    fileprivate(set) var index: Int?
    private let loop: EventLoop

    /// - Parameter action: called on the loop's thread, once each time that the timer is set. It may set the timer again.
    package init(on loop: EventLoop, action: @escaping () -> Void) {
        self.loop = loop
        self.action = action
    }

    /// Sets or moves the timer. To postpone costs one store: the heap finds out when the old moment comes.
    package func set(at deadline: Instant) {
        self.deadline = deadline
        loop.place(self)
    }

    /// Whether its action is due some time.
    package var isSet: Bool { index != nil }

    /// The action is not called until the timer is set again. A second call does nothing.
    package func cancel() { loop.remove(self) }
}

/// A binary heap of timers, ordered by a key that is never later than the timer's deadline.
struct TimerHeap {
    private struct Entry {
        var key: Instant
        let timer: Timer
    }
    private var entries: [Entry] = []

    /// When to look again; a postponed timer may not be due then.
    var first: Instant? { entries.first?.key }

    /// - Returns: `first`.
    mutating func place(_ timer: Timer) -> Instant? {
        if let index = timer.index {
            guard timer.deadline < entries[index].key else { return first }
            entries[index].key = timer.deadline
            siftUp(from: index)
        } else {
            entries.append(Entry(key: timer.deadline, timer: timer))
            siftUp(from: entries.count - 1)
        }
        return first
    }

    /// - Returns: `first`.
    @discardableResult mutating func remove(_ timer: Timer) -> Instant? {
        guard let index = timer.index else { return first }
        timer.index = nil
        entries.swapAt(index, entries.count - 1)
        entries.removeLast()
        guard index < entries.count else { return first }
        // It may have come from under another parent.
        if index > 0, entries[index].key < entries[(index - 1) / 2].key { siftUp(from: index) } else { siftDown(from: index) }
        return first
    }

    /// Removes and returns a timer that is due, or `nil` when none is.
    mutating func popDue(_ now: Instant) -> Timer? {
        while let first = entries.first, first.key <= now {
            if first.timer.deadline == first.key {
                remove(first.timer)
                return first.timer
            }
            entries[0].key = first.timer.deadline
            siftDown(from: 0)
        }
        return nil
    }

    // What is sifted changes places with its neighbours: an entry that were taken out and put in again would be retained and released.

    private mutating func siftUp(from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard entries[index].key < entries[parent].key else { break }
            exchange(index, parent)
            index = parent
        }
        entries[index].timer.index = index
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].key < entries[child].key { child += 1 }
            guard entries[child].key < entries[index].key else { break }
            exchange(index, child)
            index = child
        }
        entries[index].timer.index = index
    }

    /// The timer that comes to `index` is told of it; the other goes on.
    private mutating func exchange(_ index: Int, _ other: Int) {
        entries.swapAt(index, other)
        entries[index].timer.index = index
    }
}
