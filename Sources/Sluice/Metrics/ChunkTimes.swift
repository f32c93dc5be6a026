// How long a stream's events are apart.

import Clock

/// The times from one event of a stream to the next, by the buckets of their metric: without memory of its own, and counted where all are
/// when the stream is over.
struct ChunkTimes {
    private var counts = InlineArray<18, UInt32>(repeating: 0)
    private var nanoseconds: Int64 = 0

    /// The time from one event to the next.
    struct Gap {
        fileprivate let nanoseconds: Int64
        /// Found ahead of `note`, which then calls nothing: while the times of a stream are changed, nobody else is to look at them, and
        /// that the compiler sees.
        fileprivate let bucket: Int

        @inline(__always)
        init(from earlier: Instant, to later: Instant) {
            nanoseconds = max(0, later.nanoseconds &- earlier.nanoseconds)
            // What comes in one breath is in the first bucket, and most of it does.
            bucket = nanoseconds <= 5_000_000 ? 0 : MetricBuckets.seconds.index(of: UInt64(nanoseconds))
        }
    }

    /// An event has come.
    @inline(__always)
    mutating func note(_ gap: Gap) {
        nanoseconds &+= gap.nanoseconds
        counts[gap.bucket] &+= 1
    }

    var sum: Duration { .nanoseconds(nanoseconds) }

    var hasAny: Bool { counts.indices.contains { counts[$0] > 0 } }

    /// The buckets that have any, and the first one.
    func forEachBucket(_ body: (_ bucket: Int, _ count: Int) -> Void) {
        for bucket in counts.indices where bucket == 0 || counts[bucket] > 0 { body(bucket, Int(counts[bucket])) }
    }
}
