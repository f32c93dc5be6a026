// What all workers know together of the upstreams: how well each target does, and how much it is asked.

import Chat
import EventLoop
import Synchronization

/// One for the process. Each call holds its lock for well under a microsecond.
final class Board: Sendable {
    private struct State {
        /// By the targets' numbers.
        var health: [TargetHealth]
        var firstTokens: [FirstTokenTimes]
        /// By the upstreams' places in the settings.
        var limits: [ConcurrencyLimit]
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

    /// Leave to start an attempt, or why there is none. With leave the attempt has a place, to be given back by `leave`.
    func enter(
        _ attempt: Selection.Attempt, on target: Target, of route: Route, at now: Instant
    ) -> Result<TargetHealth.Admission, Refused> {
        state.withLock { state in
            switch attempt.reason {
            case .retry where !state.retries[route.index].take(at: now): return .failure(Refused(.overBudget))
            case .hedge where !state.hedges[route.index].take(at: now): return .failure(Refused(.overBudget))
            default: break
            }
            guard case .entered = state.limits[target.upstream].enter(mayWait: false) else {
                return .failure(Refused(.full(retryAfter: .seconds(1))))
            }
            guard let admission = state.health[target.number].enter(at: now, isLastResort: attempt.isLastResort) else {
                _ = state.limits[target.upstream].leave()
                return .failure(Refused(.resting))
            }
            return .success(admission)
        }
    }

    struct Refused: Error {
        let reason: Selection.Refusal
        init(_ reason: Selection.Refusal) { self.reason = reason }
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
        state.withLock { state in _ = state.limits[target.upstream].leave() }
    }
}
