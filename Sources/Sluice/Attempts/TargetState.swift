// What is known of one target, for as long as some generation has it.

import Choosing
import Clock
import Settings
import Synchronization

/// A target's health, and how long it took to its first tokens.
final class TargetState: Sendable {
    /// What makes two generations' targets the same one.
    struct Identity: Equatable, Sendable {
        private let scope: ModelSettings.Scope
        private let model: String?
        private let upstream: UpstreamSettings

        fileprivate init(_ target: Target, of settings: Settings) {
            scope = target.scope
            model = target.ownModel
            upstream = settings.upstreams[target.upstream].withoutLimits
        }
    }

    let identity: Identity
    private let state: Mutex<State>

    private struct State {
        var health: TargetHealth
        var firstTokens = FirstTokenTimes()
        /// How often it was asked, how often it failed by its own fault ahead of its first token, and how often behind that, for
        /// the status.
        var asked = 0
        var failed = 0
        var cut = 0
    }

    /// One of which nothing is known.
    init(_ target: Target, of settings: Settings) {
        identity = Identity(target, of: settings)
        state = Mutex(State(health: TargetHealth(settings.upstreams[target.upstream].rest)))
    }

    /// It rests by this plan from now on.
    func apply(_ plan: RestPlan) { state.withLock { $0.health.plan = plan } }

    func isResting(at now: Instant) -> Bool { state.withLock { $0.health.isResting(at: now) } }

    /// For the status.
    func snapshot(at now: Instant) -> Snapshot {
        state.withLock { state in
            Snapshot(
                asked: state.asked, failed: state.failed, cut: state.cut, restsFor: state.health.restLeft(at: now),
                firstTokens: state.firstTokens.count, p50: state.firstTokens.percentile(50), p95: state.firstTokens.percentile(95)
            )
        }
    }

    /// Adds what a selection goes by.
    ///
    /// - Parameter hedgeAfter: set by what is known of its first tokens, where it is a percentile.
    func addState(to target: inout SelectionTarget, _ hedgeAfter: HedgeDelay?, at now: Instant) {
        state.withLock { state in
            target.isResting = state.health.isResting(at: now)
            if case .percentile? = hedgeAfter { target.hedgeAfter = hedgeAfter?.duration(by: state.firstTokens) }
        }
    }

    func enter(at now: Instant, isLastResort: Bool) -> TargetHealth.Permit? {
        state.withLock { state in
            let permit = state.health.enter(at: now, isLastResort: isLastResort)
            if permit != nil { state.asked += 1 }
            return permit
        }
    }

    /// - Returns: whether it rests now, and what has changed for all requests.
    func note(
        _ outcome: Board.Outcome, by permit: TargetHealth.Permit, at now: Instant
    ) -> (rests: Bool, change: TargetHealth.Change?) {
        state.withLock { state in
            var change: TargetHealth.Change?
            switch outcome {
            case .token(let time):
                change = state.health.succeeded(permit)
                state.firstTokens.note(time)
            case .works: change = state.health.succeeded(permit)
            case .failed:
                change = state.health.failed(permit, at: now)
                state.failed += 1
            case .lost(let time):
                state.health.abandoned(permit)
                state.firstTokens.note(time)
            }
            return (state.health.isResting(at: now), change)
        }
    }

    /// Its answer has broken off behind its first token. That says little of the next one, so that it does not rest for it.
    func noteCut() { state.withLock { $0.cut += 1 } }

    func abandon(_ permit: TargetHealth.Permit) { state.withLock { $0.health.abandoned(permit) } }
}

extension UpstreamSettings {
    /// Without what says how much it is asked and for how long it is left alone: all the rest decides whether it works.
    fileprivate var withoutLimits: Self {
        var same = self
        (same.warmCount, same.concurrentMax, same.queueMax, same.queueWait) = (0, nil, 0, .zero)
        same.rest = RestPlan()
        return same
    }
}
