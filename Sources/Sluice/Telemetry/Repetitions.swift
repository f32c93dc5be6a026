// The same again and again is counted.

import Clock

/// What has happened in the last minute, and how often.
///
/// The first time is written when it happens, and the number of further times at the end of a minute.
struct Repetitions {
    /// How many different things are remembered: then the oldest is told and forgotten.
    static let knownMax = 64

    /// What has happened further times.
    struct Repeated {
        let entry: LogEntry
        let count: Int
    }

    private struct Known {
        let entry: LogEntry
        let end: Instant
        var count = 0
    }

    private var known: [[UInt8]: Known] = [:]
    private let span: Duration

    /// - Parameter span: how long the same is counted.
    init(within span: Duration = .seconds(60)) { self.span = span }

    /// When `ended(at:)` is to be asked next; nil while nothing was repeated.
    var nextEnd: Instant? { known.values.lazy.filter { $0.count > 0 }.map(\.end).min() }

    /// Notes that something has happened.
    ///
    /// - Returns: whether it is written now, and what is told ahead of that.
    mutating func note(_ entry: LogEntry, at now: Instant) -> (isWritten: Bool, repeated: [Repeated]) {
        var told = ended(at: now)
        let identity = entry.identity
        if known[identity] != nil {
            known[identity]?.count += 1
            return (false, told)
        }
        if known.count == Self.knownMax, let oldest = known.min(by: { $0.value.end < $1.value.end }) {
            known[oldest.key] = nil
            told += Self.repeated([oldest.value])
        }
        known[identity] = Known(entry: entry, end: now + span)
        return (true, told)
    }

    /// What was repeated and whose minute is over, which is forgotten with that.
    mutating func ended(at now: Instant) -> [Repeated] {
        let over = known.filter { $0.value.end <= now }
        for identity in over.keys { known[identity] = nil }
        return Self.repeated(over.values.sorted { $0.end < $1.end })
    }

    private static func repeated(_ known: [Known]) -> [Repeated] {
        known.filter { $0.count > 0 }.map { Repeated(entry: $0.entry, count: $0.count) }
    }
}
