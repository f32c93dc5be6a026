// How often no connection could be accepted, told now and then.

import Clock

/// Counts what happens many times a second for as long as the process is out of descriptors, and says when that is to be told: the first
/// time at once, the others together when a minute is over.
struct AcceptFailures {
    /// Between two times that it is told.
    static let pause = Duration.seconds(60)

    /// Of which nothing has been told.
    private var count = 0
    private var silentUntil: Instant?

    /// One more.
    ///
    /// - Returns: how many there are to tell; nil as long as there is nothing to be said.
    mutating func happened(at now: Instant) -> Int? {
        count += 1
        return untold(at: now)
    }

    /// How many there are to tell; nil when there is nothing to be said yet.
    mutating func untold(at now: Instant) -> Int? {
        if let silentUntil, now < silentUntil { return nil }
        silentUntil = count > 0 ? now + Self.pause : nil
        defer { count = 0 }
        return count > 0 ? count : nil
    }
}
