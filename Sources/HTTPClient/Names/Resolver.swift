// Names to addresses, off the loop's thread.

import Clock
import EventLoop
import Synchronization

/// Looks names up on threads of its own, one look-up per name at a time however many wait for it, and keeps the answers.
///
/// - An answer serves for the lifetime that the asker names. One that is asked for in the last quarter of that is refreshed
///   behind the asker, so that nobody waits for a name in use.
/// - When a refresh fails or is slow, the old answer serves for up to another ten lifetimes: a server that is still there is worth
///   more than a name server that is not.
/// - A failure is kept for a second, so that not each request asks anew; one that may be over at once (EAI_AGAIN) not at all.
/// - At most 1,000 names are kept, and at most 16 are looked up at once; the others wait their turn.
final class Resolver: Sendable {
    /// What there is at once for somebody who asks.
    enum LookUp {
        /// At least one address, with port 0.
        case known([SocketAddress])
        case failed(HTTPError)
        /// The completion will be called.
        case pending(PendingLookUp)
    }

    /// Of all loops of the process.
    static let shared = Resolver()

    private let answer: @Sendable (String) -> NameAnswer
    private let now: @Sendable () -> Instant
    private let threads: LookUpThreads
    private let table: Mutex<NameTable>
    private let lastID = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - answer: called on the resolver's threads; it may wait.
    ///   - now: the present time, from any thread.
    init(
        threadsMax: Int = 16, idleTime: Duration = .seconds(10), namesMax: Int = 1_000,
        now: @escaping @Sendable () -> Instant = { .current },
        answer: @escaping @Sendable (String) -> NameAnswer = NameAnswer.fromSystem
    ) {
        (self.answer, self.now) = (answer, now)
        threads = LookUpThreads(countMax: threadsMax, idleTime: idleTime)
        table = Mutex(NameTable(namesMax: namesMax))
    }

    /// How many threads there are.
    var threadCount: Int { threads.count }

    /// How many wait for a name.
    func waiterCount(of host: String) -> Int { table.withLock { $0.waiterCount(of: host) } }

    /// The addresses of a host: of a numeric one itself, of a name what is known or will be.
    ///
    /// - Parameters:
    ///   - lifetime: for how long an answer serves.
    ///   - completion: called later on the loop's thread if, and only if, the look-up is pending, unless that is cancelled or
    ///     let go. It fails with `.cannotResolve`, or `.unavailable` when the machine allows no thread.
    func addresses(
        of host: String, lifetime: Duration, on loop: EventLoop,
        completion: @escaping (Result<[SocketAddress], HTTPError>) -> Void
    ) -> LookUp {
        if let address = SocketAddress(numeric: host, port: 0) { return .known([address]) }
        if let known = lookUp(find(host, lifetime, joining: nil), host, pending: nil) { return known }
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        let pending = PendingLookUp(host, in: self, id: id, on: loop, completion: completion)
        return lookUp(find(host, lifetime, joining: pending.waiter), host, pending: pending) ?? .pending(pending)
    }

    private func find(_ host: String, _ lifetime: Duration, joining waiter: LookUpWaiter?) -> NameTable.Finding {
        let now = now()
        return table.withLock { $0.find(host, lifetime: lifetime, at: now, joining: waiter) }
    }

    /// `nil` when the asker has to wait and cannot yet.
    private func lookUp(_ finding: NameTable.Finding, _ host: String, pending: PendingLookUp?) -> LookUp? {
        switch finding {
        case .known(let addresses, let mustRefresh):
            if mustRefresh { start(host) }
            return .known(addresses)
        case .failed(let error): return .failed(error)
        case .absent: return nil
        case .joined(let mustLookUp):
            if mustLookUp { start(host) }
            return pending.map { .pending($0) }
        }
    }

    private func start(_ host: String) {
        let names = threads.submit(host) { [self] host in finish(host, answer(host)) }
        for name in names {
            let error = HTTPError.unavailable(reason: "no thread to look up a name")
            finish(name, .failure(LookUpFailure(error: error, isTemporary: true)))
        }
    }

    private func finish(_ host: String, _ answer: NameAnswer) {
        switch answer {
        case .addresses(let addresses): finish(host, .success(addresses))
        case .noSuchName: finish(host, .failure(LookUpFailure(error: .cannotResolve(host: host), isTemporary: false)))
        case .tryAgain: finish(host, .failure(LookUpFailure(error: .cannotResolve(host: host), isTemporary: true)))
        }
    }

    private func finish(_ host: String, _ answer: Result<[SocketAddress], LookUpFailure>) {
        let now = now()
        let (waiters, result) = table.withLock { $0.finish(host, answer, at: now) }
        for waiter in waiters { waiter.finish(result) }
    }

    /// From `PendingLookUp`: nobody waits there any more.
    func leave(_ host: String, _ id: UInt64) { table.withLock { $0.leave(host, id) } }
}

// MARK: What worked last

extension Resolver {
    /// The address of a name that a connection was made to last; its port is 0.
    func preferredAddress(of host: String) -> SocketAddress? { table.withLock { $0.preferredAddress(of: host) } }

    /// Remembers that a connection was made, for as long as the name is kept.
    func prefer(_ address: SocketAddress, of host: String) { table.withLock { $0.prefer(address.with(port: 0), of: host) } }
}
