// What is logged of anything but a request, between swift-log and the line that it becomes.

import Logging

/// A message with its level and its metadata.
struct LogEntry {
    enum Value {
        case text(String)
        case number(Int)
        case seconds(Duration)
    }

    /// The source of what tells of a change, and is written each time: the order of changes is what one wants to know.
    static let changeSource = "change"
    /// What differs from time to time though the same thing happens.
    private static let varying = ["request", "total"]

    let level: Logger.Level
    let message: String
    let members: [(name: String, value: Value)]
    /// Whether it is counted, and not written, when the same has just happened.
    let isFolded: Bool

    init(_ event: LogEvent) {
        level = event.level
        message = event.message.description
        // What an operator has done, or the process by itself, is told each time too.
        isFolded = level != .notice && !event.source.utf8.elementsEqual(Self.changeSource.utf8)
        members = (event.metadata ?? [:]).sorted { $0.key < $1.key }.compactMap { name, value in
            guard let value = Value(value) else { return nil }
            return (name, value)
        }
    }

    /// What two of them have in common that count as the same.
    var identity: [UInt8] {
        var identity = [UInt8(level.severity)] + message.utf8
        for member in members where !Self.varying.contains(where: { $0.utf8.elementsEqual(member.name.utf8) }) {
            identity += [0] + member.name.utf8 + [0] + member.value.description.utf8
        }
        return identity
    }

    /// The same for many: without what differs.
    ///
    /// - Parameter count: how often it has happened since it was written.
    func append(to line: inout LogLine, repeated count: Int? = nil) {
        line.begin(level, message)
        for member in members {
            if count != nil, Self.varying.contains(where: { $0.utf8.elementsEqual(member.name.utf8) }) { continue }
            switch member.value {
            case .text(let text): line.append(LogName(member.name), text)
            case .number(let number): line.append(LogName(member.name), number)
            case .seconds(let duration): line.append(LogName(member.name), duration)
            }
        }
        if let count { line.append(LogName("repeated"), count) }
        line.end()
    }
}

extension LogEntry.Value: CustomStringConvertible {
    /// Nil for a text that is too long for any line.
    fileprivate init?(_ value: Logger.MetadataValue) {
        switch value {
        case .stringConvertible(let number as Int): self = .number(number)
        case .stringConvertible(let duration as Duration): self = .seconds(duration)
        default:
            let text = value.description
            guard text.utf8.count <= LogLine.bytesMax else { return nil }
            self = .text(text)
        }
    }

    var description: String {
        switch self {
        case .text(let text): text
        case .number(let number): "\(number)"
        case .seconds(let duration): "\(duration)"
        }
    }
}
