// What all workers know together of the upstreams: how well each target does, and how much it is asked.

import Chat
import Choosing
import Clock
import EventLoop
import Settings
import Synchronization

/// One for the process. Each call holds its lock for well under a microsecond.
final class Board: Sendable {
    private struct State {
        /// By the targets' numbers.
        var health: [TargetHealth]
        var firstTokens: [FirstTokenTimes]
        /// By the upstreams' places in the settings.
        var limits: [ConcurrencyLimit]
        /// Who waits for a place, by upstream.
        var waiters: [[ConcurrencyLimit.Ticket: Wakeup.Remote]]
        /// Places that were given to those who waited, and not taken yet.
        var given: [Set<ConcurrencyLimit.Ticket>]
        /// By the routes' places in the settings.
        var retries: [RequestBudget]
        var hedges: [RequestBudget]
    }
    private let state: Mutex<State>

    init(_ settings: Settings, _ routes: Routes) {
        let targets = routes.targets
        state = Mutex(
            State(
                health: targets.map { TargetHealth(settings.upstreams[$0.upstream].rest) },
                firstTokens: targets.map { _ in FirstTokenTimes() },
                limits: settings.upstreams.map { ConcurrencyLimit($0) },
                waiters: settings.upstreams.map { _ in [:] }, given: settings.upstreams.map { _ in [] },
                retries: settings.models.map(RequestBudget.retries), hedges: settings.models.map(RequestBudget.hedges)))
    }

    /// The attempts of one request, which is counted.
    func selection(_ route: Route, isStreaming: Bool, at now: Instant) -> Selection {
        state.withLock { state in
            state.retries[route.index].noteRequest(at: now)
            if route.hedgeAfter != nil { state.hedges[route.index].noteRequest(at: now) }
            return route.selection(isStreaming: isStreaming, at: now) { place, target in
                let own = route.targets[place]
                target.isResting = state.health[own.number].isResting(at: now)
                target.outstandingCount = state.limits[own.upstream].runningCount
                target.hasRoom = state.limits[own.upstream].hasRoom
                if isStreaming, case .percentile? = route.hedgeAfter {
                    target.hedgeAfter = route.hedgeAfter?.duration(by: state.firstTokens[own.number])
                }
            }
        }
    }

    enum Entry {
        /// With a place, to be given back by `leave`.
        case admitted(TargetHealth.Admission)
        case refused(Selection.Refusal)
        /// In the upstream's queue; `place` tells when its turn has come.
        case queued(ConcurrencyLimit.Ticket)
    }

    /// Asks for leave to start an attempt.
    /// - Parameter wakeup: woken when a queued attempt has its place.
    func enter(
        _ attempt: Selection.Attempt, on target: Target, of route: Route, at now: Instant, waking wakeup: Wakeup.Remote
    ) -> Entry {
        state.withLock { state in
            switch attempt.reason {
            case .retry where !state.retries[route.index].take(at: now): return .refused(.overBudget)
            case .hedge where !state.hedges[route.index].take(at: now): return .refused(.overBudget)
            default: break
            }
            switch state.limits[target.upstream].enter(mayWait: attempt.reason != .hedge) {
            case .full: return .refused(.full(retryAfter: .seconds(1)))
            case .queued(let ticket):
                state.waiters[target.upstream][ticket] = wakeup
                return .queued(ticket)
            case .entered: return Self.admit(attempt, to: target, at: now, &state)
            }
        }
    }

    /// What has become of a queued attempt; nil while it waits.
    /// - Parameter isLate: it has waited for as long as it may.
    func place(
        of ticket: ConcurrencyLimit.Ticket, _ attempt: Selection.Attempt, on target: Target, at now: Instant, isLate: Bool
    ) -> Entry? {
        state.withLock { state in
            if state.given[target.upstream].remove(ticket) != nil { return Self.admit(attempt, to: target, at: now, &state) }
            guard isLate else { return nil }
            state.waiters[target.upstream][ticket] = nil
            _ = state.limits[target.upstream].withdraw(ticket)
            return .refused(.full(retryAfter: .seconds(1)))
        }
    }

    private static func admit(
        _ attempt: Selection.Attempt, to target: Target, at now: Instant, _ state: inout State
    ) -> Entry {
        if let admission = state.health[target.number].enter(at: now, isLastResort: attempt.isLastResort) {
            return .admitted(admission)
        }
        passOn(target.upstream, &state)
        return .refused(.resting)
    }

    /// Gives a place to whoever waits for it longest.
    private static func passOn(_ upstream: Int, _ state: inout State) {
        guard let next = state.limits[upstream].leave() else { return }
        state.given[upstream].insert(next)
        state.waiters[upstream].removeValue(forKey: next)?.wake()
    }

    /// What an attempt says about its target.
    enum Outcome {
        /// It got its first token.
        case token(after: Duration)
        /// The target works, whatever became of the request.
        case works
        case failed
        /// Cancelled, after a while without a token.
        case lost(after: Duration)
        case abandoned
    }

    /// - Returns: whether the target rests now.
    func note(_ outcome: Outcome, of admission: TargetHealth.Admission, on target: Target, at now: Instant) -> Bool {
        state.withLock { state in
            let number = target.number
            switch outcome {
            case .token(let time):
                state.health[number].succeeded(admission)
                state.firstTokens[number].note(time)
            case .works: state.health[number].succeeded(admission)
            case .failed: state.health[number].failed(admission, at: now)
            case .lost(let time):
                state.health[number].abandoned(admission)
                state.firstTokens[number].note(time)
            case .abandoned: state.health[number].abandoned(admission)
            }
            return state.health[number].isResting(at: now)
        }
    }

    /// Gives an attempt's place back.
    func leave(_ target: Target) {
        state.withLock { state in Self.passOn(target.upstream, &state) }
    }

    /// Takes an attempt out of the queue that nobody waits for any more.
    func withdraw(_ ticket: ConcurrencyLimit.Ticket, from target: Target) {
        state.withLock { state in
            state.waiters[target.upstream][ticket] = nil
            if state.given[target.upstream].remove(ticket) != nil {
                Self.passOn(target.upstream, &state)
            } else {
                _ = state.limits[target.upstream].withdraw(ticket)
            }
        }
    }
}
