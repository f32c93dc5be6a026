// Moments of the monotonic clock, in nanoseconds.

import Glibc

/// A moment of the monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds since the machine's start.
package struct Instant: Comparable, Hashable, Sendable {
    /// Since the machine's start.
    package let nanoseconds: Int64

    /// - Parameter nanoseconds: since the machine's start.
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Never: no timer that is set to it fires.
    package static let distantFuture = Instant(nanoseconds: .max)

    /// Asks the clock. An event loop has read it once per turn already, which is cheaper.
    package static var current: Instant {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Saturates at `distantFuture`.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    /// Negative when `later` is the earlier of the two.
    package static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }

    /// Whether the left one comes first.
    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Duration {
    /// Whole nanoseconds, saturating.
    package var nanoseconds: Int64 {
        // To divide numbers of 128 bits takes more time: those of up to nine seconds are none.
        if let attoseconds = Int64(exactly: attoseconds) { return attoseconds / 1_000_000_000 }
        return Int64(clamping: attoseconds / 1_000_000_000)
    }
}
