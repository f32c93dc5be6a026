// The log's form: one JSON object a line, on standard error.

import Chat
import Glibc
import Logging

/// Writes each event as one line in one call, so that the lines of several workers never mix.
struct JSONLog: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line: [UInt8] = []
        line.reserveCapacity(512)
        line.append(#"{"time":""#)
        line.appendTime()
        line.append(#"","level":""#)
        line.append(event.level.rawValue)
        line.append(#"","message":"#)
        line.appendJSONString(event.message.description)
        for (name, value) in (event.metadata ?? [:]).sorted(by: { $0.key < $1.key }) {
            line.append(",")
            line.appendJSONString(name)
            line.append(":")
            line.append(value)
        }
        line.append("}\n")
        // A log that nobody can take must not stop the service.
        _ = unsafe write(STDERR_FILENO, line, line.count)
    }
}

extension [UInt8] {
    /// Numbers stay numbers; everything else is a string.
    fileprivate mutating func append(_ value: Logger.Metadata.Value) {
        switch value {
        case .stringConvertible(let number as Int): append(String(number))
        case .stringConvertible(let number as Double): append(String(number))
        default: appendJSONString(value.description)
        }
    }

    /// RFC 3339, in UTC, to the millisecond.
    fileprivate mutating func appendTime() {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        var parts = unsafe tm()
        _ = unsafe gmtime_r(&now.tv_sec, &parts)
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        for (number, digits, end) in [
            (year, 4, "-"), (month, 2, "-"), (day, 2, "T"), (hour, 2, ":"), (minute, 2, ":"), (second, 2, "."),
            (Int32(now.tv_nsec / 1_000_000), 3, "Z"),
        ] {
            let text = String(number)
            append(contentsOf: repeatElement(UInt8(ascii: "0"), count: Swift.max(0, digits - text.utf8.count)))
            append(text)
            append(end)
        }
    }
}
