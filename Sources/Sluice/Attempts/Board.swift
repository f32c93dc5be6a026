// What all workers know together of the upstreams: how well each target does, and how much it is asked.

import Chat
import Choosing
import Clock
import EventLoop
import Settings
import Synchronization

/// One for the process. Each call holds its lock for well under a microsecond.
///
/// What an attempt gets here it has to give back, and what it owes it has to tell: `Admission` and `QueuedPlace` see to that.
final class Board: Sendable {
    private struct State {
        /// The targets' health, by their numbers.
        var health: [TargetHealth]
        /// How long the targets took to their first tokens, by their numbers.
        var firstTokens: [FirstTokenTimes]
        /// The upstreams' places for attempts, by the upstreams' order in the settings.
        var limits: [ConcurrencyLimit]
        /// Who waits for a place, by upstream.
        var waiters: [[ConcurrencyLimit.Ticket: Wakeup.Remote]]
        /// Places that were given to those who waited, and not taken yet.
        var given: [Set<ConcurrencyLimit.Ticket>]
        /// What the routes may spend on further attempts, by their order in the settings.
        var retries: [RequestBudget]
        var hedges: [RequestBudget]
    }
    private let state: Mutex<State>
    private let onChange: @Sendable (Target, TargetChange) -> Void

    /// - Parameter onChange: told of each rest and its end, once, on the thread that found it.
    init(_ settings: Settings, _ routes: Routes, onChange: @escaping @Sendable (Target, TargetChange) -> Void = { _, _ in }) {
        self.onChange = onChange
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

    /// What becomes of an attempt that asks for leave to start.
    enum Decision {
        /// It has a place at the upstream, to be given back by `leave`, and owes the target's health a word.
        case admitted(TargetHealth.Permit)
        case refused(Selection.Denial)
        /// It is in the upstream's queue; `turn` tells what comes of that.
        case queued(ConcurrencyLimit.Ticket)
    }

    /// Decides about an attempt that is to start.
    ///
    /// - Parameter wakeup: woken when a queued attempt has its place.
    func decide(
        _ attempt: Selection.PlannedAttempt, on target: Target, of route: Route, at now: Instant, waking wakeup: Wakeup.Remote
    ) -> Decision {
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
    func turn(
        of ticket: ConcurrencyLimit.Ticket, _ attempt: Selection.PlannedAttempt, on target: Target, at now: Instant, isLate: Bool
    ) -> Decision? {
        state.withLock { state in
            if state.given[target.upstream].remove(ticket) != nil { return Self.admit(attempt, to: target, at: now, &state) }
            guard isLate else { return nil }
            state.waiters[target.upstream][ticket] = nil
            _ = state.limits[target.upstream].withdraw(ticket)
            return .refused(.full(retryAfter: .seconds(1)))
        }
    }

    private static func admit(
        _ attempt: Selection.PlannedAttempt, to target: Target, at now: Instant, _ state: inout State
    ) -> Decision {
        if let permit = state.health[target.number].enter(at: now, isLastResort: attempt.isLastResort) {
            return .admitted(permit)
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
        /// - Parameter reason: in one word, where it is known.
        case failed(_ reason: String? = nil)
        /// Cancelled, after a while without a token.
        case lost(after: Duration)
    }

    /// - Returns: whether the target rests now.
    func note(_ outcome: Outcome, by permit: TargetHealth.Permit, on target: Target, at now: Instant) -> Bool {
        let (rests, change) = state.withLock { state in
            let number = target.number
            var change: TargetHealth.Change?
            switch outcome {
            case .token(let time):
                change = state.health[number].succeeded(permit)
                state.firstTokens[number].note(time)
            case .works: change = state.health[number].succeeded(permit)
            case .failed: change = state.health[number].failed(permit, at: now)
            case .lost(let time):
                state.health[number].abandoned(permit)
                state.firstTokens[number].note(time)
            }
            return (state.health[number].isResting(at: now), change)
        }
        if let change { onChange(target, TargetChange(change, after: outcome)) }
        return rests
    }

    /// An attempt ended without telling anything about its target.
    func abandon(_ permit: TargetHealth.Permit, on target: Target) {
        state.withLock { state in state.health[target.number].abandoned(permit) }
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

/// What has become of a target for all requests.
enum TargetChange: Equatable {
    /// - Parameter reason: of the last failure, in one word, where it is known.
    case rests(for: Duration, reason: String?)
    case isBack

    fileprivate init(_ change: TargetHealth.Change, after outcome: Board.Outcome) {
        switch change {
        case .rests(let duration):
            let reason: String? = if case .failed(let reason) = outcome { reason } else { nil }
            self = .rests(for: duration, reason: reason)
        case .isBack: self = .isBack
        }
    }
}
