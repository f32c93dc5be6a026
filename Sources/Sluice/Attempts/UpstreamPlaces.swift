// The places that an upstream has for attempts, and who waits for one.

import Choosing
import EventLoop
import Settings
import Synchronization

/// The attempts of all workers that an upstream has to do with at a time.
final class UpstreamPlaces: Sendable {
    /// What makes two generations' upstreams the same server, whatever else is set for it.
    struct Identity: Equatable, Sendable {
        let name: String
        fileprivate let url: String
    }

    private struct State {
        var limit: ConcurrencyLimit
        var waiters: [ConcurrencyLimit.Ticket: Wakeup.Remote] = [:]
        /// Places that were given to those who waited, and not taken yet.
        var given: Set<ConcurrencyLimit.Ticket> = []

        mutating func give(to ticket: ConcurrencyLimit.Ticket) {
            given.insert(ticket)
            waiters.removeValue(forKey: ticket)?.wake()
        }

        /// A place is free, or whoever waits for it longest has it.
        mutating func passOn() { if let next = limit.leave() { give(to: next) } }
    }

    let identity: Identity
    private let state: Mutex<State>

    /// With all places free.
    init(_ upstream: UpstreamSettings) {
        identity = Identity(name: upstream.name, url: upstream.url)
        state = Mutex(State(limit: ConcurrencyLimit(upstream)))
    }

    /// There are as many places as the settings say from now on, and as long a queue.
    func apply(_ upstream: UpstreamSettings) {
        state.withLock { state in
            for next in state.limit.change(to: upstream.concurrentMax, queueMax: upstream.queueMax) { state.give(to: next) }
        }
    }

    /// How many have a place, and how many wait for one.
    var counts: (open: Int, queued: Int) { state.withLock { ($0.limit.runningCount, $0.limit.queuedCount) } }

    /// Whether there is anybody in them, or in the queue.
    var areTaken: Bool { counts != (0, 0) }

    /// Adds what a selection goes by.
    func addState(to target: inout SelectionTarget) {
        state.withLock { state in
            target.outstandingCount = state.limit.runningCount
            target.hasRoom = state.limit.hasRoom
        }
    }

    /// - Parameter wakeup: woken when one that is queued has its place.
    func enter(mayWait: Bool, waking wakeup: Wakeup) -> ConcurrencyLimit.Entry {
        state.withLock { state in
            let entry = state.limit.enter(mayWait: mayWait)
            if case .queued(let ticket) = entry { state.waiters[ticket] = wakeup.remote }
            return entry
        }
    }

    /// Takes the place that one who waited was given, if it was given one.
    func take(_ ticket: ConcurrencyLimit.Ticket) -> Bool { state.withLock { $0.given.remove(ticket) != nil } }

    /// Gives a place back.
    func leave() { state.withLock { $0.passOn() } }

    /// One that waited is not to be given a place, or passes on the one that it was given.
    func withdraw(_ ticket: ConcurrencyLimit.Ticket) {
        state.withLock { state in
            state.waiters[ticket] = nil
            if state.given.remove(ticket) != nil { state.passOn() } else { _ = state.limit.withdraw(ticket) }
        }
    }
}
