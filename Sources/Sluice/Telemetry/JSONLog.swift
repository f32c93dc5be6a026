// The log's form: one JSON object a line, on standard error.

import Chat
import Clock
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
            if case .stringConvertible(let number as Int) = value {
                line.appendLogMember(name, number)
            } else {
                line.appendLogMember(name, value.description)
            }
        }
        line.append("}\n")
        output.write(line)
    }
}

/// Begins the lines of the log.
struct LogClock {
    private var clock = TimestampClock()

    /// Appends a line's time and level, and the name of its message.
    mutating func appendStart(of level: Logger.Level, to line: inout [UInt8]) {
        line.append(#"{"time":""#)
        clock.appendNow(to: &line)
        line.append(#"","level":""#)
        line.append(level.rawValue)
        line.append(#"","message":"#)
    }
}
