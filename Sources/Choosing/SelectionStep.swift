// What a selection says, and what may be said against it.

package import Chat
package import Clock

extension Selection {
    /// What is to be done next.
    package enum Step: Equatable, Sendable {
        /// Begin an attempt, and tell with `started` or `refused` what has come of that.
        case start(PlannedAttempt)
        /// End the attempt of this number; nothing need be told of it any more.
        case cancel(Int, Cancellation)
        /// Nothing is due before; it may be `distantFuture`.
        case wait(until: Instant)
        /// The caller gets the answer of the attempt of this number.
        case win(Int)
        /// The second value is the attempt that the error is from, if it is from one: its `retry-after` and the like are the caller's
        /// to see.
        case giveUp(ChatError, of: Int?)
    }

    /// One attempt on one target, to be made if nothing forbids it.
    package struct PlannedAttempt: Equatable, Sendable {
        /// What an attempt is made for, which decides about budgets and queues.
        package enum Reason: Sendable {
            /// It is the request's first.
            case first
            /// Again on the same target: if the retry budget has room (`Denial.overBudget`).
            case retry
            /// On the next target, in place of one that failed or sent no first token in time.
            case fallback
            /// Beside another: if the hedge budget and the target have room at once. A hedge never waits in a queue.
            case hedge
        }
        /// Counts from 0 within the request.
        package let id: Int
        /// The target's place in the route.
        package let target: Int
        /// What it is made for.
        package let reason: Reason
        /// Its target rests, and is tried for want of any other; `TargetHealth` has no say.
        package let isLastResort: Bool
    }

    /// Why a start is forbidden.
    package enum Denial: Sendable {
        case overBudget
        /// The target's queue is full, or the attempt waited in it for too long.
        case full(retryAfter: Duration)
        /// The target has gone to rest, or another request is its probe, since the request began.
        case resting
    }

    /// Why an attempt is ended that has neither won nor failed.
    package enum Cancellation: Equatable, Sendable {
        /// Another won, or a verdict on the request came: nothing against its target.
        case lost
        /// `firstToken` or `total`: its target's failure, if it had started.
        case timedOut(UpstreamTimeout)
    }
}
