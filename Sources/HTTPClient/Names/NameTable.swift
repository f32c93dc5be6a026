// What is known of names, and who waits for them: a value, without threads and clocks.

import Clock

/// The answers for at most `namesMax` names.
struct NameTable: Sendable {
    /// What there is for somebody who asks.
    enum Finding {
        /// - Parameter mustRefresh: whether the asker is to start a look-up behind it.
        case known([SocketAddress], mustRefresh: Bool)
        case failed(HTTPError)
        /// A look-up is needed, and the asker had no waiter with it. Nothing was changed.
        case absent
        /// - Parameter mustLookUp: whether the asker is to start the look-up, which is not under way yet.
        case joined(mustLookUp: Bool)
    }

    fileprivate struct Entry {
        var addresses: [SocketAddress] = []
        var answeredAt: Instant?
        /// Of the last who asked.
        var lifetime = Duration.zero
        var askedAt: Instant
        var isLookedUp = false
        /// Whether the answer serves beyond its lifetime: its refresh began in time, or has failed.
        var outlives = false
        /// No look-up before that, after one that failed.
        var nextLookUp: Instant?
        var preferred: SocketAddress?
        var waiters: [UInt64: LookUpWaiter] = [:]
    }

    private var entries: [String: Entry] = [:]
    private let namesMax: Int

    init(namesMax: Int) { self.namesMax = namesMax }

    /// Looks a name up in the table, and joins those who wait for it where that is needed.
    mutating func find(_ host: String, lifetime: Duration, at now: Instant, joining waiter: LookUpWaiter?) -> Finding {
        guard entries[host] != nil || waiter != nil else { return .absent }
        guard entries[host] != nil || makeRoom() else {
            return .failed(.unavailable(reason: "too many names are being looked up"))
        }
        return entries[host, default: Entry(askedAt: now)].find(host, lifetime, now, waiter)
    }

    /// Takes a look-up's answer.
    ///
    /// - Returns: who waited for it, and what they get: an old answer where a new one could not be had.
    mutating func finish(
        _ host: String, _ answer: Result<[SocketAddress], LookUpFailure>, at now: Instant
    ) -> (waiters: [LookUpWaiter], result: Result<[SocketAddress], HTTPError>) {
        entries[host, default: Entry(askedAt: now)].finish(answer, now)
    }

    func waiterCount(of host: String) -> Int { entries[host]?.waiters.count ?? 0 }

    mutating func leave(_ host: String, _ id: UInt64) { entries[host]?.waiters[id] = nil }

    /// The address of a name that a connection was made to last; its port is 0.
    func preferredAddress(of host: String) -> SocketAddress? { entries[host]?.preferred }

    mutating func prefer(_ address: SocketAddress, of host: String) { entries[host]?.preferred = address }

    /// Whether there is room for one more name: the one that was asked for longest ago makes way, unless it is looked up.
    private mutating func makeRoom() -> Bool {
        guard entries.count >= namesMax else { return true }
        let idle = entries.lazy.filter { !$0.value.isLookedUp }
        guard let oldest = idle.min(by: { $0.value.askedAt < $1.value.askedAt }) else { return false }
        entries[oldest.key] = nil
        return true
    }
}

/// Why a look-up brought nothing.
struct LookUpFailure: Error {
    let error: HTTPError
    /// Whether the next one may go better at once.
    let isTemporary: Bool
}

extension NameTable.Entry {
    /// How many lifetimes an answer serves at most, its own included.
    private static let lifetimesMax = 11
    /// A century, which can be multiplied.
    private static let lifetimeMax = Duration.seconds(3_200_000_000)

    fileprivate mutating func find(
        _ host: String, _ lifetime: Duration, _ now: Instant, _ waiter: LookUpWaiter?
    ) -> NameTable.Finding {
        (self.lifetime, askedAt) = (min(lifetime, Self.lifetimeMax), now)
        let mayLookUp = !isLookedUp && nextLookUp.map { $0 <= now } ?? true
        if isUsable(now) {
            let mustRefresh = mayLookUp && isOlder(than: self.lifetime * 3 / 4, now)
            if mustRefresh { (isLookedUp, outlives) = (true, true) }
            return .known(addresses, mustRefresh: mustRefresh)
        }
        guard mayLookUp || isLookedUp else { return .failed(.cannotResolve(host: host)) }
        guard let waiter else { return .absent }
        waiters[waiter.id] = waiter
        isLookedUp = true
        return .joined(mustLookUp: mayLookUp)
    }

    fileprivate mutating func finish(
        _ answer: Result<[SocketAddress], LookUpFailure>, _ now: Instant
    ) -> (waiters: [LookUpWaiter], result: Result<[SocketAddress], HTTPError>) {
        let waiting = Array(waiters.values)
        (waiters, isLookedUp) = ([:], false)
        switch answer {
        case .success(let addresses):
            (self.addresses, answeredAt, outlives, nextLookUp) = (addresses, now, false, nil)
            return (waiting, .success(addresses))
        case .failure(let failure):
            outlives = true
            let servesOld = isUsable(now)
            nextLookUp = failure.isTemporary && !servesOld ? nil : now + .seconds(1)
            return (waiting, servesOld ? .success(addresses) : .failure(failure.error))
        }
    }

    private func isUsable(_ now: Instant) -> Bool {
        answeredAt != nil && !isOlder(than: outlives ? lifetime * Self.lifetimesMax : lifetime, now)
    }

    private func isOlder(than age: Duration, _ now: Instant) -> Bool {
        guard let answeredAt else { return true }
        return now - answeredAt >= age
    }
}
