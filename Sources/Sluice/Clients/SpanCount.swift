// What was counted in a day, or in a minute.

import Clock

/// A count that begins anew with each span of time, in one word, so that it changes in one step. A span is a number that grows: of the day,
/// or of the minute, since 1970 in UTC.
struct SpanCount: Equatable {
    /// What one can come to: there it stays.
    static let countMax = 1 << countBits - 1
    private static let countBits = 36
    private static let spanMax = 1 << (64 - countBits) - 1

    let span: Int
    let count: Int

    init(_ count: Int, in span: Int) {
        self.count = min(max(count, 0), Self.countMax)
        self.span = min(max(span, 0), Self.spanMax)
    }

    init(word: UInt64) {
        count = Int(word & UInt64(Self.countMax))
        span = Int(word >> UInt64(Self.countBits))
    }

    var word: UInt64 { UInt64(span) << UInt64(Self.countBits) | UInt64(count) }

    /// Whether it counts still. One that begins with the next span does too: another thread, or the clock before it was set back, was
    /// ahead, and what it has counted is not to be lost.
    private func isCurrent(in span: Int) -> Bool { self.span == span || self.span == span + 1 }

    /// What there is of it in a span.
    func count(in span: Int) -> Int { isCurrent(in: span) ? count : 0 }

    /// With so many more.
    ///
    /// - Parameter limit: what it may come to; nil for any number.
    /// - Returns: what there is then, of the span that they were counted in; nil when there is no room for them.
    func adding(_ amount: Int, within limit: Int?, in span: Int) -> SpanCount? {
        let (former, amount) = (count(in: span), min(max(amount, 0), Self.countMax))
        if let limit, former + amount > limit { return nil }
        return SpanCount(former + amount, in: isCurrent(in: span) ? self.span : span)
    }

    /// With another amount in the place of one that was counted in a span. What was counted in one that is over stays over.
    func replacing(_ former: Int, by next: Int, countedIn span: Int) -> SpanCount {
        guard self.span == span else { return self }
        return SpanCount(count - min(max(former, 0), Self.countMax) + min(max(next, 0), Self.countMax), in: self.span)
    }
}

/// The spans of a moment of the wall clock.
struct CountedTime: Equatable {
    /// Since 1970, in UTC.
    let second: Int

    init(second: Int) { self.second = max(second, 0) }

    private static let (minuteSeconds, daySeconds) = (60, 24 * 3600)

    /// By the wall clock.
    static var now: CountedTime { CountedTime(second: secondsSince1970()) }

    var minute: Int { second / Self.minuteSeconds }
    var day: Int { second / Self.daySeconds }
    /// Until the next one begins.
    var untilNextMinute: Duration { .seconds(Self.minuteSeconds - second % Self.minuteSeconds) }
    var untilNextDay: Duration { .seconds(Self.daySeconds - second % Self.daySeconds) }
}
