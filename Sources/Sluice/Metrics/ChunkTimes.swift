// How long a stream's events are apart.

import Clock

/// The times from one event of a stream to the next, by the buckets of their metric: without memory of its own, and counted where all are
/// when the stream is over.
struct ChunkTimes {
    private var counts = InlineArray<18, UInt32>(repeating: 0)
    private var nanoseconds: Int64 = 0

    /// An event has come.
    ///
    /// - Parameter time: since the one before.
    @inline(__always)
    mutating func note(_ time: Duration) {
        let value = max(0, time.nanoseconds)
        nanoseconds &+= value
        // What comes in one breath is in the first bucket, and most of it does.
        if value <= 5_000_000 { counts[0] &+= 1 } else { noteLong(UInt64(value)) }
    }

    @inline(never)
    private mutating func noteLong(_ value: UInt64) { counts[MetricBuckets.seconds.index(of: value)] &+= 1 }

    var sum: Duration { .nanoseconds(nanoseconds) }

    var hasAny: Bool { counts.indices.contains { counts[$0] > 0 } }

    /// The buckets that have any, and the first one.
    func forEachBucket(_ body: (_ bucket: Int, _ count: Int) -> Void) {
        for bucket in counts.indices where bucket == 0 || counts[bucket] > 0 { body(bucket, Int(counts[bucket])) }
    }
}
