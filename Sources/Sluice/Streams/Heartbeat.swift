// When a caller who waits for its answer is due a sign of life.

import Clock

/// Counts the time in which a caller has got nothing. Whoever writes to the caller says so, and sends a comment when that is due.
struct Heartbeat {
    /// Zero for never.
    private var period: Duration
    private var lastWrite: Instant

    /// - Parameters:
    ///   - period: the silence after which a sign of life is due; zero for never.
    ///   - start: when the silence began.
    init(every period: Duration, from start: Instant) { (self.period, lastWrite) = (period, start) }

    /// When the next sign of life is due, unless something is written before; `distantFuture` for never.
    var due: Instant { period > .zero ? lastWrite + period : .distantFuture }

    /// The caller has got something, whatever it was.
    mutating func wrote(at now: Instant) { lastWrite = now }

    /// Nobody is there any more to get a sign of life.
    mutating func stop() { period = .zero }
}
