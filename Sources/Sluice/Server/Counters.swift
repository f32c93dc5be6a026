// What all workers count together: requests, refused connections, and the memory that is taken.

import Clock
import EventLoop
import FastCGI
import Settings
import Synchronization

/// One for the process, whatever its settings are; what upstreams are asked by all workers together is on the `Board`.
final class Counters: Sendable {
    /// Requests that are being answered.
    private let requests = Atomic<Int>(0)
    /// Where there is only this process: these, and for a moment those that are turned away.
    private let arrivals = Atomic<Int>(0)
    /// Connections that were closed because the peer broke the protocol or may not connect.
    private let refusals = Atomic<Int>(0)
    /// Of these, those of peers that may not connect.
    private let strangers = Atomic<Int>(0)
    private let acceptFailures = Mutex(AcceptFailures())
    /// What requests and answers may hold.
    let memory: MemoryBudget

    /// What they have come to.
    let statistics = Statistics()
    /// The most requests that were being answered at once.
    private let requestsMax = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)
    /// Those that are handed on.
    private let streams = Atomic<Int>(0)
    /// When somebody connected or a request ended last, in the nanoseconds of an `Instant`; at first when this was made.
    private let use = Atomic<Int64>(Instant.current.nanoseconds)

    /// Those of all processes; nil where there is only this one.
    private let sharedRequests: SharedRequests?
    /// What clients have used; nil where that is not counted.
    let clients: ClientCounts?
    /// What writes that down; nil where it is in memory alone.
    let keeper: BudgetKeeper?
    /// What all processes count together; nil where nobody asks.
    let metrics: Metrics?

    init(
        _ limits: Settings.Limits, _ sharedRequests: SharedRequests? = nil, _ clients: ClientCounts? = nil,
        keptBy keeper: BudgetKeeper? = nil, _ metrics: Metrics? = nil
    ) {
        memory = MemoryBudget(limit: limits.memoryBytes)
        (self.sharedRequests, self.clients, self.keeper, self.metrics) = (sharedRequests, clients, keeper, metrics)
    }

    /// As another reading of the settings has them.
    func apply(_ limits: Settings.Limits) { memory.setLimit(limits.memoryBytes) }

    /// How many requests are being answered, and were at most.
    var active: (now: Int, max: Int) { (requests.load(ordering: .relaxed), requestsMax.load(ordering: .relaxed)) }

    /// How many streams are handed on.
    var streamsCount: Int { streams.load(ordering: .relaxed) }

    func streamBegan() { streams.add(1, ordering: .relaxed) }
    func streamEnded() { streams.subtract(1, ordering: .relaxed) }

    /// How many connections were accepted, and how many were refused.
    var connectionsCount: (accepted: Int, refused: Int) {
        (connections.load(ordering: .relaxed), refusals.load(ordering: .relaxed))
    }

    /// Since when nobody has connected, and no request has ended.
    var lastUse: Instant { Instant(nanoseconds: use.load(ordering: .relaxed)) }

    func connectionAccepted() {
        connections.add(1, ordering: .relaxed)
        metrics?.connectionAccepted()
        noteUse()
    }

    private func noteUse() { use.store(Instant.current.nanoseconds, ordering: .relaxed) }

    /// A request is to be answered.
    ///
    /// - Parameter limit: how many all processes may answer at once.
    /// - Returns: false for one that is turned away, since so many are being answered: it is over.
    func requestBegan(atMost limit: Int) -> Bool {
        guard sharedRequests?.began() ?? arrivals.add(1, ordering: .relaxed).newValue <= limit else {
            arrivalEnded()
            statistics.turnedAway()
            return false
        }
        let count = requests.add(1, ordering: .relaxed).newValue
        if count > requestsMax.load(ordering: .relaxed) { _ = requestsMax.max(count, ordering: .relaxed) }
        return true
    }

    /// One that was not turned away is over.
    func requestEnded() {
        noteUse()
        requests.subtract(1, ordering: .relaxed)
        arrivalEnded()
    }

    private func arrivalEnded() {
        if let sharedRequests { sharedRequests.ended() } else { arrivals.subtract(1, ordering: .relaxed) }
    }

    /// How many connections were closed so, with this one, and whether it is the first of a peer that may not connect.
    func connectionRefused(_ reason: ConnectionRefusal) -> (total: Int, isFirstStranger: Bool) {
        metrics?.connectionRefused()
        var isFirst = false
        switch reason {
        case .peerNotAllowed, .addressNotAllowed: isFirst = strangers.add(1, ordering: .relaxed).oldValue == 0
        default: break
        }
        return (refusals.add(1, ordering: .relaxed).newValue, isFirst)
    }

    /// How often no connection could be accepted, with this time, when that is to be told.
    func acceptFailed(at now: Instant) -> Int? { acceptFailures.withLock { $0.happened(at: now) } }

    /// How often no connection could be accepted since that was told, when it is to be told.
    func acceptFailuresUntold(at now: Instant) -> Int? { acceptFailures.withLock { $0.untold(at: now) } }
}
