// What a stream says, whatever else a gateway writes around it.

import Clock

/// Follows one stream line by line. Events without a content, such as one with the role or the usage alone, are let through.
struct ContentChecker: StreamChecker {
    private static let done = Array("data: [DONE]".utf8)
    private static let error = Array(#"data: {"error""#.utf8)
    private static let member = Array(#""content":"#.utf8)
    /// Stream, event and time, as ``EventFrame`` has them.
    private static let digits = [9, 6, EventFrame.timeDigits]

    private let request: StreamRequest
    private var event = 0
    private var line: [UInt8] = []

    private(set) var heartbeats = 0
    private(set) var isComplete = false

    init(_ request: StreamRequest) { self.request = request }

    mutating func nextEvent(of bytes: inout ArraySlice<UInt8>) throws(WrongByte) -> (number: Int, sentAt: Instant)? {
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            line += bytes[..<end]
            bytes = bytes[(end + 1)...]
            defer { line.removeAll(keepingCapacity: true) }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if let event = try endLine() { return event }
        }
        line += bytes
        bytes = []
        return nil
    }

    private mutating func endLine() throws(WrongByte) -> (number: Int, sentAt: Instant)? {
        guard let first = line.first else { return nil }
        if first == UInt8(ascii: ":") { heartbeats += 1 }
        guard first == UInt8(ascii: "d") else { return nil }
        if line == Self.done, !isComplete, event == request.shape.events {
            isComplete = true
            return nil
        }
        guard !isComplete, line != Self.done, !line.starts(with: Self.error) else { throw wrong(at: 0) }
        return try content().map { content throws(WrongByte) in try numbers(in: content) }
    }

    /// What is between the quotes of the content; nil where there is none, or an empty one.
    private func content() -> ArraySlice<UInt8>? {
        guard let start = line.indices.first(where: { line[$0...].starts(with: Self.member) }) else { return nil }
        let value = line[(start + Self.member.count)...].drop { $0 == UInt8(ascii: " ") }
        guard value.first == UInt8(ascii: "\"") else { return nil }
        let content = value.dropFirst().prefix { $0 != UInt8(ascii: "\"") }
        return content.isEmpty ? nil : content
    }

    private mutating func numbers(in content: ArraySlice<UInt8>) throws(WrongByte) -> (number: Int, sentAt: Instant) {
        let parts = content.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int64(String(decoding: $0, as: UTF8.self)) }
        guard parts.map(\.count) == Self.digits, numbers.count == 3, numbers[0] == request.number, numbers[1] == event else {
            throw wrong(at: content.startIndex)
        }
        event += 1
        return (event - 1, Instant(nanoseconds: numbers[2]))
    }

    private func wrong(at position: Int) -> WrongByte { WrongByte(event: event, position: position, byte: line[position]) }
}
