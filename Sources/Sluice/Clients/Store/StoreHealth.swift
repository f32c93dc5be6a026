// How the budgets' store does, as all workers of the process find it: for the status and the log.

import Clock
import Logging
import Settings
import Synchronization

/// One for each store that the settings name, through all reloads that name the same.
///
/// It is down while any worker finds it so, and up when the last of these has had an answer.
final class StoreHealth: Sendable {
    enum State: Equatable, Sendable {
        /// Nobody has heard of it yet.
        case unknown
        case up
        /// - Parameter reason: a phrase; nothing secret.
        case down(reason: String)
    }

    struct Snapshot: Equatable, Sendable {
        let address: String
        let state: State
        /// Seconds since 1970.
        let since: Int
    }

    /// Without user and password.
    let address: String
    private let place: BudgetStoreSettings
    private let logger: Logger?

    private struct Known {
        var state = StoreHealth.State.unknown
        var since = secondsSince1970()
        /// How many workers find it down.
        var downCount = 0
        /// What the log says of it.
        var told = StoreHealth.State.unknown
        /// Until when it says nothing more of the same.
        var silentUntil = Instant(nanoseconds: .min)
        /// How often it has been told to be down within a minute, and its end.
        var times = 0
        var minuteEnd = Instant(nanoseconds: .min)

        /// Whether the log is to say now that it is down.
        mutating func mayTell(_ reason: String, at now: Instant) -> Bool {
            if told == .down(reason: reason), now < silentUntil { return false }
            if now >= minuteEnd { (times, minuteEnd) = (0, now + StoreHealth.minute) }
            guard times < StoreHealth.timesMax else { return false }
            times += 1
            return true
        }
    }

    private let known = Mutex(Known())

    private static let minute = Duration.seconds(60)
    /// So often it is told within a minute that it is down: one that comes and goes all the time fills no disk.
    static let timesMax = 5

    /// - Parameter logger: nil to tell nobody.
    init(of store: BudgetStoreSettings, _ logger: Logger?) {
        (place, address, self.logger) = (store, store.address, logger)
    }

    /// Whether it is that store, whoever logs in there.
    func isOf(_ store: BudgetStoreSettings) -> Bool { place.isSamePlace(as: store) }

    var snapshot: Snapshot {
        known.withLock { Snapshot(address: address, state: $0.state, since: $0.since) }
    }

    /// A worker gets no answer, or one that it cannot count by.
    ///
    /// - Parameters:
    ///   - reason: a phrase; nothing secret.
    ///   - isFirst: whether that worker has found it up so far, or not heard of it.
    func failed(_ reason: String, isFirst: Bool, at now: Instant = .current) {
        known.withLock { known in
            if isFirst { known.downCount += 1 }
            if !known.state.isDown { known.since = secondsSince1970() }
            known.state = .down(reason: reason)
            guard known.mayTell(reason, at: now) else { return }
            (known.told, known.silentUntil) = (known.state, now + Self.minute)
            // Inside the lock, so that the log has it in this order.
            logger?.budgetStoreFailed(address, reason)
        }
    }

    /// A worker has had an answer.
    ///
    /// - Parameter hadFailed: whether it is one that has found it down.
    func works(hadFailed: Bool) {
        known.withLock { known in
            if hadFailed { known.downCount -= 1 }
            guard known.downCount == 0, known.state != .up else { return }
            (known.state, known.since) = (.up, secondsSince1970())
            switch exchange(&known.told, with: .up) {
            case .unknown: logger?.budgetStoreWorks(address)
            case .down: logger?.budgetStoreIsBack(address)
            case .up: break
            }
        }
    }
}

extension StoreHealth.State {
    fileprivate var isDown: Bool { reason != nil }

    /// Why it is down; nil where it is not.
    var reason: String? { if case .down(let reason) = self { reason } else { nil } }

    /// For the status.
    var word: String {
        switch self {
        case .unknown: "unknown"
        case .up: "up"
        case .down: "down"
        }
    }

    // Its bytes are the store's.
    static func == (one: Self, other: Self) -> Bool {
        switch (one, other) {
        case (.unknown, .unknown), (.up, .up): true
        case (.down(let reason), .down(let other)): reason.utf8.elementsEqual(other.utf8)
        default: false
        }
    }
}
