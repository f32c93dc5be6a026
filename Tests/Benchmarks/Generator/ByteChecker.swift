// Every byte of a stream, against what the upstream must have sent.

import Clock
import EventLoop

/// Follows one stream byte by byte.
struct ByteChecker: StreamChecker {
    private static let done = Array("data: [DONE]\n\n".utf8)
    /// A gateway may say that it is alive, between two events.
    private static let heartbeat = Array(": keep-alive\n\n".utf8)

    private let request: StreamRequest
    private var event = 0
    private var expected: [UInt8]
    private var timeRange: Range<Int>
    private var position = 0
    private var time: Int64 = 0
    private var isHeartbeat = false

    private(set) var heartbeats = 0
    private(set) var isComplete = false

    init(_ request: StreamRequest) {
        self.request = request
        let frame = EventFrame(of: request, event: 0)
        expected = frame.bytes
        timeRange = frame.timeRange
    }

    mutating func nextEvent(of bytes: inout ArraySlice<UInt8>) throws(WrongByte) -> (number: Int, sentAt: Instant)? {
        while let byte = bytes.popFirst() {
            try check(byte)
            if position == expected.count, let event = endFrame() { return event }
        }
        return nil
    }

    private mutating func check(_ byte: UInt8) throws(WrongByte) {
        if position == 0, byte == UInt8(ascii: ":") { expectHeartbeat() }
        guard !isComplete, timeRange.contains(position) ? isDigit(byte) : byte == expected[position] else {
            throw WrongByte(event: event, position: position, byte: byte)
        }
        if timeRange.contains(position) { time = time &* 10 &+ Int64(byte &- 48) }
        position += 1
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

    private mutating func endFrame() -> (number: Int, sentAt: Instant)? {
        defer { expectFrame() }
        if isHeartbeat {
            heartbeats += 1
        } else if event == request.shape.events {
            isComplete = true
        } else {
            event += 1
            return (event - 1, Instant(nanoseconds: time))
        }
        return nil
    }

    private mutating func expectHeartbeat() {
        isHeartbeat = true
        expected = Self.heartbeat
        timeRange = 0..<0
    }

    private mutating func expectFrame() {
        position = 0
        time = 0
        isHeartbeat = false
        timeRange = 0..<0
        expected = Self.done
        guard event < request.shape.events else { return }
        let frame = EventFrame(of: request, event: event)
        expected = frame.bytes
        timeRange = frame.timeRange
    }
}
