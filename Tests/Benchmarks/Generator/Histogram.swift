// Durations by their size, however many there are.

import Clock

/// Counts durations in buckets whose width is at most 1/128 of what is in them: every percentile is right within 0.8 %, in memory
/// that does not grow with the number of durations.
struct Histogram {
    private static let bits = 7
    private static let half = 1 << bits

    private var counts: [Int] = []
    private var count = 0
    private var longest: Int64 = 0

    mutating func add(_ duration: Duration) {
        let nanoseconds = max(0, duration.nanoseconds)
        let bucket = Self.bucket(of: nanoseconds)
        if bucket >= counts.count { counts += repeatElement(0, count: bucket + 1 - counts.count) }
        counts[bucket] += 1
        count += 1
        longest = max(longest, nanoseconds)
    }

    /// `NAME_p50_us=… NAME_p99_us=… NAME_p999_us=… NAME_max_us=…`, or nothing when nothing was measured.
    func fields(_ name: String) -> [String] {
        guard count > 0 else { return [] }
        return [
            "\(name)_p50_us=\(percentile(0.5) / 1000)", "\(name)_p99_us=\(percentile(0.99) / 1000)",
            "\(name)_p999_us=\(percentile(0.999) / 1000)", "\(name)_max_us=\(longest / 1000)",
        ]
    }

    /// `histogram=NAME NANOSECONDS:COUNT…`, the longest of each bucket that has any.
    func line(_ name: String) -> String {
        let buckets = counts.indices.filter { counts[$0] > 0 }.map { "\(Self.longest(in: $0)):\(counts[$0])" }
        return (["histogram=\(name)"] + buckets).joined(separator: " ")
    }

    /// The shortest duration that so great a share of all does not exceed.
    private func percentile(_ share: Double) -> Int64 {
        var left = Int((Double(count) * share).rounded(.up))
        for (bucket, inBucket) in counts.enumerated() {
            left -= inBucket
            if left <= 0 { return min(longest, Self.longest(in: bucket)) }
        }
        return longest
    }

    /// Below 128 each duration has a bucket, and above it 128 share each power of two.
    private static func bucket(of nanoseconds: Int64) -> Int {
        guard nanoseconds >= half else { return Int(nanoseconds) }
        let shift = Int64.bitWidth - 1 - nanoseconds.leadingZeroBitCount - bits
        return shift * half + Int(nanoseconds >> shift)
    }

    private static func longest(in bucket: Int) -> Int64 {
        guard bucket >= half else { return Int64(bucket) }
        let shift = bucket / half - 1
        return Int64(bucket - shift * half + 1) << shift - 1
    }
}
