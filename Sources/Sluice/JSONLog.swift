// The log's form: one JSON object a line, on standard error.

import Chat
import Glibc
import Logging

/// Writes each event as one line in one call, so that the lines of several workers never mix.
struct JSONLog: LogHandler {
    let output: LogOutput
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line: [UInt8] = []
        var clock = LogClock()
        clock.appendStart(of: event.level, to: &line)
        line.appendJSONString(event.message.description)
        for (name, value) in (event.metadata ?? [:]).sorted(by: { $0.key < $1.key }) {
            line.appendLogMember(name, value.description)
        }
        line.append("}\n")
        output.write(line)
    }
}

/// The time as the log has it: RFC 3339, in UTC, to the millisecond.
struct LogClock {
    /// The text of the last second that was asked for.
    private var text: [UInt8] = []
    private var second = time_t.min

    /// Appends a line's time and level, and the name of its message.
    mutating func appendStart(of level: Logger.Level, to line: inout [UInt8]) {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        if now.tv_sec != second {
            second = now.tv_sec
            text = Self.text(of: second)
        }
        line.append(#"{"time":""#)
        line.append(contentsOf: text)
        line.append(decimal: now.tv_nsec / 1_000_000, digits: 3)
        line.append(#"Z","level":""#)
        line.append(level.rawValue)
        line.append(#"","message":"#)
    }

    private static func text(of second: time_t) -> [UInt8] {
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
            text.append(end)
        }
        return text
    }
}

extension [UInt8] {
    /// Appends a number that is not negative, with zeros before it up to a number of digits.
    mutating func append(decimal number: Int, digits: Int = 1) {
        let number = number.magnitude
        var unit: UInt = 1
        for _ in 1..<digits { unit *= 10 }
        while number / unit >= 10 { unit *= 10 }
        while unit > 0 {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / unit % 10))
            unit /= 10
        }
    }
}
