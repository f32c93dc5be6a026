// How many may be at the control socket at once: those who ask, those who have not asked yet, and those who do not read their answers.

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

/// Those who keep others waiting in the same way. Where there are too many, the one that has had the most time makes room, so that nobody
/// is kept out by those who take theirs.
final class ControlRoom: Sendable {
    private let max: Int
    private let connections = Mutex<[ControlConnection]>([])

    init(max: Int = ControlPlaces.usualMax) { self.max = max }

    /// - Returns: who is to make room.
    func add(_ connection: ControlConnection) -> ControlConnection? {
        connections.withLock { connections in
            connections.append(connection)
            return connections.count > max ? connections.removeFirst() : nil
        }
    }

    func remove(_ connection: ControlConnection) {
        connections.withLock { connections in connections.removeAll { $0 === connection } }
    }
}
