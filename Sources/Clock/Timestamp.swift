// The wall clock: seconds since 1970, and the time as text.

import Glibc

/// The wall clock's time in whole seconds since 1970, as OpenAI's `created` has it.
package func secondsSince1970() -> Int { time(nil) }

/// The same in nanoseconds.
package func nanosecondsSince1970() -> Int64 {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

/// The time as text: RFC 3339, in UTC, to the second (`2026-11-29T08:30:00Z`).
///
/// - Parameter second: since 1970.
package func timestamp(ofSecond second: Int) -> String {
    String(decoding: TimestampClock.text(of: second).dropLast() + [UInt8(ascii: "Z")], as: UTF8.self)
}

/// Writes the present time as text: RFC 3339, in UTC, to the millisecond (`2026-11-29T08:30:00.125Z`).
package struct TimestampClock {
    /// The last second that was asked for, up to its point: most calls ask for the same again.
    private var text: [UInt8] = []
    private var second = time_t.min

    /// One for each thread that writes: it remembers the last second's text.
    package init() {}

    /// The time of this moment: its text up to the point, with it, and the milliseconds that follow; behind them there is a `Z`.
    package mutating func now() -> (text: [UInt8], milliseconds: Int) {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        if now.tv_sec != second {
            second = now.tv_sec
            text = Self.text(of: second)
        }
        return (text, now.tv_nsec / 1_000_000)
    }

    /// Up to the point ahead of the milliseconds, with it.
    fileprivate static func text(of second: time_t) -> [UInt8] {
        var second = second
        var parts = unsafe tm()
        _ = unsafe gmtime_r(&second, &parts)
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, seconds) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        var text: [UInt8] = []
        for (number, digits, end) in [
            (year, 4, "-"), (month, 2, "-"), (day, 2, "T"), (hour, 2, ":"), (minute, 2, ":"), (seconds, 2, "."),
        ] {
            text.append(decimal: Int(number), digits: digits)
            text.append(contentsOf: end.utf8)
        }
        return text
    }
}

/// Writes the present local time as text: as syslog has it, to the second (`Nov  9 08:30:00`, RFC 3164 §4.1.2).
package struct LocalClock {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    /// Of the last second that was asked for.
    private var text: [UInt8] = []
    private var second = time_t.min

    /// One for each thread that writes: it remembers the last second's text.
    package init() {}

    /// The time of this moment.
    package mutating func now() -> [UInt8] {
        let now = time(nil)
        if now != second {
            second = now
            text = Self.text(of: second)
        }
        return text
    }

    private static func text(of second: time_t) -> [UInt8] {
        var second = second
        var parts = unsafe tm()
        _ = unsafe localtime_r(&second, &parts)
        let (month, day) = unsafe (Int(parts.tm_mon), Int(parts.tm_mday))
        let (hour, minute, seconds) = unsafe (Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec))
        var text = [UInt8]("\(months[month]) \(day < 10 ? " " : "")\(day) ".utf8)
        for (number, end) in [(hour, ":"), (minute, ":"), (seconds, "")] {
            text.append(decimal: number, digits: 2)
            text.append(contentsOf: end.utf8)
        }
        return text
    }
}

extension [UInt8] {
    /// Appends a number's digits.
    ///
    /// - Parameters:
    ///   - number: not negative; of a negative one the sign is left out.
    ///   - digits: at least so many, with zeros before the number's own.
    package mutating func append(decimal number: Int, digits: Int = 1) {
        append(digitsOf: number.magnitude, digits)
    }

    /// By a divisor that is always the same: a processor divides by any other in ten times as many cycles.
    private mutating func append(digitsOf number: UInt, _ digits: Int) {
        if number >= 10 || digits > 1 { append(digitsOf: number / 10, digits - 1) }
        append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }
}
