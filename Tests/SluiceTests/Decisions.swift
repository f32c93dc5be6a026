// What an attempt finds on a board.

import Choosing

@testable import Sluice

/// A decision on an attempt, without what it holds.
enum Found: Equatable {
    case place, queue, full, rest, other

    /// Gives back at once what the attempt got.
    init(_ decision: consuming StartDecision) {
        switch consume decision {
        case .admitted: self = .place
        case .queued: self = .queue
        case .refused(.full): self = .full
        case .refused(.resting): self = .rest
        case .refused: self = .other
        }
    }
}

/// The attempt found something else than its test wants.
struct UnexpectedDecision: Error {}

extension StartDecision {
    /// Of an attempt that must be admitted.
    consuming func admission() throws -> Admission {
        guard case .admitted(let admission) = consume self else { throw UnexpectedDecision() }
        return admission
    }

    /// Of an attempt that must wait.
    consuming func queuedPlace() throws -> QueuedPlace {
        guard case .queued(let place) = consume self else { throw UnexpectedDecision() }
        return place
    }
}
