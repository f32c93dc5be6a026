// How lines are written, and what stands around them.

import Logging
import Settings

/// The form of each line of a log.
struct LogForm: Equatable, Sendable {
    /// What the destination wants ahead of a line, or around it.
    enum Envelope: Sendable {
        case none
        /// The level as a number, `<6>`, as systemd reads it from a service's standard error (sd-daemon(3)).
        case level
        /// Level, time, name and process of a message to syslog, as glibc writes it (RFC 3164 §4.1, without the host).
        case syslog
        /// A message of the journal's own protocol, with a field for each member.
        case journal
    }

    var format: Settings.Log.Format
    var envelope = Envelope.none
    /// With a terminal's colours.
    var isColored = false
    /// The number of the process that writes, for each line; nil where there is one process, or the envelope says it.
    var process: Int?

    /// Whether the time and the level stand elsewhere already, and the line is for people.
    var leavesStartOut: Bool { format == .text && (envelope == .syslog || envelope == .journal) }
}

extension Logger.Level {
    /// The level by which syslog and the journal know it (RFC 5424 §6.2.1, syslog(3)).
    var severity: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// The level as text for people, in as many letters as the longest has.
    var padded: String {
        switch self {
        case .trace: "trace   "
        case .debug: "debug   "
        case .info: "info    "
        case .notice: "notice  "
        case .warning: "warning "
        case .error: "error   "
        case .critical: "critical"
        }
    }

    /// What stands between the time and the message, as JSON.
    var json: String {
        switch self {
        case .trace: #"","level":"trace","message":"#
        case .debug: #"","level":"debug","message":"#
        case .info: #"","level":"info","message":"#
        case .notice: #"","level":"notice","message":"#
        case .warning: #"","level":"warning","message":"#
        case .error: #"","level":"error","message":"#
        case .critical: #"","level":"critical","message":"#
        }
    }

    /// What turns a terminal's colour on for it (ECMA-48 §8.3.117, SGR).
    var color: String {
        switch self {
        case .trace, .debug: "\u{1B}[2m"
        case .info: "\u{1B}[32m"
        case .notice: "\u{1B}[36m"
        case .warning: "\u{1B}[33m"
        case .error, .critical: "\u{1B}[31m"
        }
    }
}
