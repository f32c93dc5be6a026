// How many may be at the control socket at once.

import Synchronization

/// How many there may be at once of those who want the same.
final class ControlPlaces: Sendable {
    let max: Int
    private let count = Atomic<Int>(0)

    init(max: Int) { self.max = max }

    /// - Returns: false when there is none.
    func take() -> Bool {
        if count.add(1, ordering: .relaxed).newValue <= max { return true }
        giveBack()
        return false
    }

    func giveBack() { count.subtract(1, ordering: .relaxed) }
}

/// Those who have not read all of their answers yet. Where there are too many, the one that has had the most time makes room: whoever
/// reads is done in a moment.
final class SlowReaders: Sendable {
    private let max: Int
    private let readers = Mutex<[ControlConnection]>([])

    init(max: Int = 16) { self.max = max }

    /// - Returns: who is to make room.
    func add(_ reader: ControlConnection) -> ControlConnection? {
        readers.withLock { readers in
            readers.append(reader)
            return readers.count > max ? readers.removeFirst() : nil
        }
    }

    func remove(_ reader: ControlConnection) { readers.withLock { readers in readers.removeAll { $0 === reader } } }
}
