// What a route's requests may spend on further attempts.

import Choosing
import Clock
import Settings
import Synchronization

/// A route's budgets for retries and hedges, of all workers.
final class RouteBudgets: Sendable {
    /// What makes two generations' routes the same one, with the same shares.
    struct Identity: Equatable, Sendable {
        fileprivate let scope: ModelSettings.Scope
        fileprivate let retryPercentMax: Int
        fileprivate let hedgePercentMax: Int
    }

    let identity: Identity
    private let state: Mutex<(retries: RequestBudget, hedges: RequestBudget)>

    /// Of a route that has had no requests.
    init(_ model: ModelSettings) {
        identity = Identity(
            scope: model.scope, retryPercentMax: model.attempts.retryPercentMax, hedgePercentMax: model.attempts.hedgePercentMax)
        state = Mutex((.retries(of: model), .hedges(of: model)))
    }

    func noteRequest(mayHedge: Bool, at now: Instant) {
        state.withLock { state in
            state.retries.noteRequest(at: now)
            if mayHedge { state.hedges.noteRequest(at: now) }
        }
    }

    /// Whether there is enough for an attempt that has this reason; then it is spent.
    func pay(for reason: Selection.PlannedAttempt.Reason, at now: Instant) -> Bool {
        switch reason {
        case .retry: state.withLock { $0.retries.take(at: now) }
        case .hedge: state.withLock { $0.hedges.take(at: now) }
        default: true
        }
    }
}
