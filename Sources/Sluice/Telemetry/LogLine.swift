// One line of the log in the making, in whichever form.

import Chat
import Clock
import Glibc
import Logging
import Settings

/// What a member is called, as it stands ahead of its value: made once for those that each request has.
struct LogName: Sendable {
    fileprivate let text: String
    fileprivate let json: [UInt8]
    fileprivate let plain: [UInt8]

    init(_ text: String) {
        self.text = text
        json = Array(",\"\(text)\":".utf8)
        plain = Array(" \(text)=".utf8)
    }
}

/// A line: its start, its members in their order, its end.
///
///     line.begin(.info, "answered")
///     line.append(status, 200)        // static let status = LogName("status")
///     line.end()                      // then line.bytes
struct LogLine {
    /// A pipe takes so many bytes whole or not at all (pipe(7), `PIPE_BUF`). A message to the journal, which has each member twice,
    /// may have twice as many.
    static let bytesMax = 4096
    /// Texts leave so much of it to the numbers behind them, and to the end.
    private static let textReserve = 512
    /// Short messages of text for people are followed by as much room as they leave of it, so that what follows is aligned.
    private static let messageWidth = 10
    private static let facility = 3  // daemon (RFC 5424 §6.2.1)
    private static let process = LogName("process")
    private static let (dim, plain) = ("\u{1B}[2m", "\u{1B}[0m")

    let form: LogForm
    private let isJSON: Bool
    /// What is written, once it has ended.
    private(set) var bytes: [UInt8] = []
    /// Of the journal.
    private var fields: [UInt8] = []
    private var clock = TimestampClock()
    private var localClock = LocalClock()

    init(_ form: LogForm) {
        self.form = form
        isJSON = form.format == .json
    }

    // MARK: Its parts

    /// Begins it anew.
    mutating func begin(_ level: Logger.Level, _ message: String) {
        bytes.removeAll(keepingCapacity: true)
        appendEnvelope(level)
        switch form.format {
        case .json:
            bytes.append(#"{"time":""#)
            clock.appendNow(to: &bytes)
            bytes.append(level.json)
            bytes.appendQuoted(message)
        case .logfmt:
            bytes.append("time=")
            clock.appendNow(to: &bytes)
            bytes.append(" level=")
            bytes.append(level.rawValue)
            bytes.append(" message=")
            bytes.appendValue(message)
        case .text: appendText(level, message)
        }
        if let process = form.process { append(Self.process, process) }
    }

    /// Appends a member of text, if it has a value; one that is too long is left out.
    mutating func append(_ name: LogName, _ value: String?) {
        guard let value else { return }
        let before = bytes.count
        appendName(name)
        if isJSON { bytes.appendQuoted(value) } else { bytes.appendValue(value) }
        guard bytes.count <= Self.bytesMax - Self.textReserve else {
            bytes.removeLast(bytes.count - before)
            return
        }
        if form.envelope == .journal { appendField(name) { $0.appendVisible(value) } }
    }

    /// Appends a number.
    mutating func append(_ name: LogName, _ value: Int) {
        appendName(name)
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.append(decimal: value)
        if form.envelope == .journal { appendField(name) { $0.append("\(value)") } }
    }

    /// Appends a duration in seconds, to the millisecond.
    mutating func append(_ name: LogName, _ value: Duration) {
        appendName(name)
        bytes.append(seconds: value)
        if form.envelope == .journal { appendField(name) { $0.append(seconds: value) } }
    }

    /// Appends a duration in milliseconds, to the microsecond.
    mutating func append(_ name: LogName, milliseconds value: Duration) {
        appendName(name)
        bytes.append(milliseconds: value)
        if form.envelope == .journal { appendField(name) { $0.append(milliseconds: value) } }
    }

    /// Appends a list: an array of objects as JSON, and one text elsewhere, of which each element is as long as there is room for it.
    ///
    /// - Parameter element: appends one.
    mutating func append(_ name: LogName, count: Int, _ element: (Int, inout [UInt8]) -> Void) {
        appendName(name)
        let start = bytes.count
        bytes.append(isJSON ? "[" : "\"")
        for index in 0..<count {
            let before = bytes.count
            if index > 0 { bytes.append(isJSON ? "," : " ") }
            element(index, &bytes)
            // Four bytes end the line.
            if bytes.count + 4 > Self.bytesMax {
                bytes.removeLast(bytes.count - before)
                break
            }
        }
        bytes.append(isJSON ? "]" : "\"")
        let list = bytes[(start + 1)..<(bytes.count - 1)]
        if form.envelope == .journal { appendField(name) { $0.append(contentsOf: list) } }
    }

    /// Ends it.
    mutating func end() {
        if isJSON { bytes.append("}") }
        // A message of syslog is one datagram, and needs no other end.
        if form.envelope != .syslog { bytes.append(UInt8(ascii: "\n")) }
        if form.envelope == .journal {
            bytes.append(contentsOf: fields)
            fields.removeAll(keepingCapacity: true)
        }
    }

    // MARK: What stands around them

    private mutating func appendEnvelope(_ level: Logger.Level) {
        switch form.envelope {
        case .none: break
        case .level:
            bytes.append("<")
            bytes.append(decimal: level.severity)
            bytes.append(">")
        case .syslog:
            bytes.append("<")
            bytes.append(decimal: Self.facility * 8 + level.severity)
            bytes.append(">")
            localClock.appendNow(to: &bytes)
            bytes.append(" sluice[")
            bytes.append(decimal: Int(getpid()))
            bytes.append("]: ")
        case .journal:
            bytes.append("PRIORITY=")
            bytes.append(decimal: level.severity)
            bytes.append("\nSYSLOG_IDENTIFIER=sluice\nMESSAGE=")
        }
    }

    private mutating func appendText(_ level: Logger.Level, _ message: String) {
        if !form.leavesStartOut {
            clock.appendNow(to: &bytes)
            bytes.append(" ")
            if form.isColored { bytes.append(level.color) }
            bytes.append(level.padded)
            if form.isColored { bytes.append(Self.plain) }
            bytes.append(" ")
        }
        bytes.appendVisible(message)
        guard !form.leavesStartOut else { return }
        for _ in 0..<max(0, Self.messageWidth - message.utf8.count) { bytes.append(UInt8(ascii: " ")) }
    }

    private mutating func appendName(_ name: LogName) {
        if isJSON { return bytes.append(contentsOf: name.json) }
        if form.isColored { bytes.append(Self.dim) }
        bytes.append(contentsOf: name.plain)
        if form.isColored { bytes.append(Self.plain) }
    }

    /// The journal takes upper-case letters, digits and underscores, and no line break in this form of a field
    /// (systemd's JOURNAL_NATIVE_PROTOCOL).
    private mutating func appendField(_ name: LogName, _ appendValue: (inout [UInt8]) -> Void) {
        fields.append("SLUICE_")
        for byte in name.text.utf8 { fields.append(UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte ? byte - 0x20 : byte) }
        fields.append("=")
        appendValue(&fields)
        fields.append("\n")
    }
}

extension [UInt8] {
    /// Appends a duration in seconds, to the millisecond; a negative one is none.
    mutating func append(seconds value: Duration) {
        let milliseconds = Int(Swift.max(0, value.nanoseconds) / 1_000_000)
        append(decimal: milliseconds / 1000)
        append(UInt8(ascii: "."))
        append(decimal: milliseconds % 1000, digits: 3)
    }

    /// Appends a duration in milliseconds, to the microsecond; a negative one is none.
    mutating func append(milliseconds value: Duration) {
        let microseconds = Int(Swift.max(0, value.nanoseconds) / 1_000)
        append(decimal: microseconds / 1000)
        append(UInt8(ascii: "."))
        append(decimal: microseconds % 1000, digits: 3)
    }
}
