// What is logged of anything but a request: through swift-log, to the process's log.

import Logging

/// Hands on what happens. The log decides what is written, and when.
struct EventLog: LogHandler {
    let log: Log
    /// Nil for the log's own, which may change.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(_ log: Log) { self.log = log }

    var logLevel: Logger.Level {
        get { ownLevel ?? log.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.write(LogEntry(event)) }
}
