// Until when a peer that takes nothing is waited for.

import Clock

/// A peer has its time from the moment that it is waited for, and anew each time that it was found to have taken something meanwhile: the
/// kernel says that it takes more only when a good part of its buffer is free, which a slow peer may need long for.
struct WriteDeadline {
    /// When to look again.
    private(set) var moment: Instant
    private let limit: Duration
    private var untakenBytes: Int

    /// - Parameter untakenBytes: how much of what was written the peer has not taken.
    init(_ limit: Duration, untakenBytes: Int) {
        // By the clock: the loop's time is from before all that was done in this turn, and the peer had none of that.
        moment = .current + limit
        (self.limit, self.untakenBytes) = (limit, untakenBytes)
    }

    /// Whether the peer has taken nothing for as long as it may.
    mutating func hasPassed(at now: Instant, untakenBytes: @autoclosure () -> Int) -> Bool {
        guard now >= moment else { return false }
        let count = untakenBytes()
        guard count < self.untakenBytes else { return true }
        self = WriteDeadline(limit, untakenBytes: count)
        return false
    }
}
