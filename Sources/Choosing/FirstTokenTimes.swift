// How long a target takes to its first token, as a percentile of its recent answers.

import Clock

/// The last 128 first-token times of one target, in 1 KiB. Noting one costs a short copy, asking nothing.
///
/// An attempt that was cancelled before its first token, because its hedge won, is to be noted with the time that it had waited:
/// were only the quick ones known, the percentile would sink, and hedges come ever sooner.
package struct FirstTokenTimes: Sendable {
    /// The last times in microseconds, a ring in the order of their coming.
    private var recent: [UInt32] = []
    private var sorted: [UInt32] = []
    private var oldest = 0

    /// No times yet, so that no percentile is known.
    package init() {}

    private static let countMax = 128
    /// Fewer say nothing about the rare slow ones.
    package static let countMin = 20

    /// How many are known.
    package var count: Int { recent.count }

    /// Adds the time from an attempt's start to its first token; the oldest of 128 is forgotten for it.
    ///
    /// - Parameter time: kept in microseconds, up to 71 minutes.
    package mutating func note(_ time: Duration) {
        let microseconds = UInt32(clamping: time.nanoseconds / 1000)
        if recent.count < Self.countMax {
            recent.append(microseconds)
        } else {
            sorted.remove(at: place(of: recent[oldest]))
            recent[oldest] = microseconds
            oldest = (oldest + 1) % Self.countMax
        }
        sorted.insert(microseconds, at: place(of: microseconds))
    }

    /// The shortest time within which that share of the recent answers began, by nearest rank.
    /// - Parameter percent: in 1...100, such as 95.
    /// - Returns: nil while fewer than 20 are known.
    package func percentile(_ percent: Int) -> Duration? {
        guard sorted.count >= Self.countMin else { return nil }
        let rank = (sorted.count * min(max(percent, 1), 100) + 99) / 100
        return .microseconds(Int64(sorted[rank - 1]))
    }

    /// The first place whose time is not below.
    private func place(of time: UInt32) -> Int {
        var range = 0..<sorted.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = sorted[middle] < time ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }
}
