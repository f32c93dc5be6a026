// How many may be at the control socket at once: those who ask, and those who do not read their answers.

import Synchronization

/// How many there may be at once of those who want the same.
final class ControlPlaces: Sendable {
    let max: Int
    private let count = Atomic<Int>(0)

    /// How many there may be of each kind.
    static let usualMax = 16

    init(max: Int = usualMax) { self.max = max }

    /// - Returns: nil when there is none.
    func take() -> ControlPlace? {
        if count.add(1, ordering: .relaxed).newValue <= max { return ControlPlace(places: self) }
        giveBack()
        return nil
    }

    fileprivate func giveBack() { count.subtract(1, ordering: .relaxed) }
}

/// A place for one, which gives itself back.
struct ControlPlace: ~Copyable, Sendable {
    fileprivate let places: ControlPlaces

    deinit { places.giveBack() }
}

/// Those who have not read all of their answers yet. Where there are too many, the one that has had the most time makes room: whoever
/// reads is done in a moment.
final class SlowReaders: Sendable {
    private let max: Int
    private let readers = Mutex<[ControlConnection]>([])

    init(max: Int = ControlPlaces.usualMax) { self.max = max }

    /// - Returns: who is to make room.
    func add(_ reader: ControlConnection) -> ControlConnection? {
        readers.withLock { readers in
            readers.append(reader)
            return readers.count > max ? readers.removeFirst() : nil
        }
    }

    func remove(_ reader: ControlConnection) { readers.withLock { readers in readers.removeAll { $0 === reader } } }
}
