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
    private var line = LineBytes()
    /// Of the journal.
    private var fields = LineBytes()
    private var clock = TimestampClock()
    private var localClock = LocalClock()

    init(_ form: LogForm) {
        self.form = form
        isJSON = form.format == .json
    }

    /// What is written, once it has ended.
    var bytes: ArraySlice<UInt8> { line.bytes }

    // MARK: Its parts

    /// Begins it anew.
    mutating func begin(_ level: Logger.Level, _ message: String) {
        line.removeAll()
        appendEnvelope(level)
        switch form.format {
        case .json:
            line.append(#"{"time":""#)
            appendTime()
            line.append(level.json)
            line.appendQuoted(message)
        case .logfmt:
            line.append("time=")
            appendTime()
            line.append(" level=")
            line.append(level.rawValue)
            line.append(" message=")
            line.appendValue(message)
        case .text: appendText(level, message)
        }
        if let process = form.process { append(Self.process, process) }
    }

    /// Appends a member of text, if it has a value; one that is too long is left out.
    mutating func append(_ name: LogName, _ value: String?) {
        guard let value else { return }
        let before = line.count
        appendName(name)
        if isJSON { line.appendQuoted(value) } else { line.appendValue(value) }
        guard line.count <= Self.bytesMax - Self.textReserve else { return line.removeAll(from: before) }
        if form.envelope == .journal { appendField(name) { $0.appendVisible(value) } }
    }

    /// Appends a number.
    mutating func append(_ name: LogName, _ value: Int) {
        appendName(name)
        if value < 0 { line.append(UInt8(ascii: "-")) }
        line.append(decimal: value)
        if form.envelope == .journal { appendField(name) { $0.append("\(value)") } }
    }

    /// Appends a duration in seconds, to the millisecond.
    mutating func append(_ name: LogName, _ value: Duration) {
        appendName(name)
        line.append(seconds: value)
        if form.envelope == .journal { appendField(name) { $0.append(seconds: value) } }
    }

    /// Appends a duration in milliseconds, to the microsecond.
    mutating func append(_ name: LogName, milliseconds value: Duration) {
        appendName(name)
        line.append(milliseconds: value)
        if form.envelope == .journal { appendField(name) { $0.append(milliseconds: value) } }
    }

    /// Appends a list: an array of objects as JSON, and one text elsewhere, of which each element is as long as there is room for it.
    ///
    /// - Parameter element: appends one.
    mutating func append(_ name: LogName, count: Int, _ element: (Int, inout LineBytes) -> Void) {
        appendName(name)
        line.append(isJSON ? "[" : "\"")
        let start = line.count
        for index in 0..<count {
            let before = line.count
            if index > 0 { line.append(isJSON ? "," : " ") }
            element(index, &line)
            // Four bytes end the line.
            if line.count + 4 > Self.bytesMax {
                line.removeAll(from: before)
                break
            }
        }
        if form.envelope == .journal {
            let list = line.bytes[start...]
            appendField(name) { $0.append(list.span) }
        }
        line.append(isJSON ? "]" : "\"")
    }

    /// Ends it.
    mutating func end() {
        if isJSON { line.append(UInt8(ascii: "}")) }
        // A message of syslog is one datagram, and needs no other end.
        if form.envelope != .syslog { line.append(UInt8(ascii: "\n")) }
        if form.envelope == .journal {
            let fields = fields.bytes
            line.append(fields.span)
            self.fields.removeAll()
        }
    }

    // MARK: What stands around them

    private mutating func appendEnvelope(_ level: Logger.Level) {
        switch form.envelope {
        case .none: break
        case .level:
            line.append("<")
            line.append(decimal: level.severity)
            line.append(">")
        case .syslog:
            line.append("<")
            line.append(decimal: Self.facility * 8 + level.severity)
            line.append(">")
            let now = localClock.now()
            line.append(now.span)
            line.append(" sluice[")
            line.append(decimal: Int(getpid()))
            line.append("]: ")
        case .journal:
            line.append("PRIORITY=")
            line.append(decimal: level.severity)
            line.append("\nSYSLOG_IDENTIFIER=sluice\nMESSAGE=")
        }
    }

    private mutating func appendText(_ level: Logger.Level, _ message: String) {
        if !form.leavesStartOut {
            appendTime()
            line.append(" ")
            if form.isColored { line.append(level.color) }
            line.append(level.padded)
            if form.isColored { line.append(Self.plain) }
            line.append(" ")
        }
        line.appendVisible(message)
        guard !form.leavesStartOut else { return }
        for _ in 0..<max(0, Self.messageWidth - message.utf8.count) { line.append(UInt8(ascii: " ")) }
    }

    private mutating func appendTime() {
        let (text, milliseconds) = clock.now()
        line.append(text.span)
        line.append(decimal: milliseconds, digits: 3)
        line.append(UInt8(ascii: "Z"))
    }

    private mutating func appendName(_ name: LogName) {
        if isJSON { return line.append(name.json.span) }
        if form.isColored { line.append(Self.dim) }
        line.append(name.plain.span)
        if form.isColored { line.append(Self.plain) }
    }

    /// The journal takes upper-case letters, digits and underscores, and no line break in this form of a field
    /// (systemd's JOURNAL_NATIVE_PROTOCOL).
    private mutating func appendField(_ name: LogName, _ appendValue: (inout LineBytes) -> Void) {
        fields.append("SLUICE_")
        for byte in name.text.utf8 { fields.append(UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte ? byte - 0x20 : byte) }
        fields.append("=")
        appendValue(&fields)
        fields.append("\n")
    }
}
