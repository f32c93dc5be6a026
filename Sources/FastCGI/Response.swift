// The answer to one request. All but its end is written through libfcgi, which never gets to write when that could block.

import Clock
import EventLoop

/// Why an answer could not be written.
package enum FastCGIError: Error, Equatable, Sendable {
    /// The caller left, or the web server closed the connection or took the request back. Nothing is wrong here.
    case callerLeft
    /// The peer took no bytes for longer than the time for it.
    case writeTimedOut
}

/// A CGI response (RFC 3875 §6) on the connection's STDOUT stream.
///
/// A response that is not finished, for whatever reason, cuts the connection: it never looks complete.
package struct Response: ~Copyable {
    private let connection: Connection
    /// Whether the header has been written; from then on an error can only be told inside the body.
    package private(set) var hasStarted = false

    /// Whether the header has been written, and has left.
    package var headHasLeft: Bool { hasStarted && connection.unsentHead.isEmpty }

    /// Whether nobody is there any more to get it: the caller left, or the web server closed the connection or took the request back.
    package var callerHasLeft: Bool { connection.state != .open }

    /// Of the request that the connection has handed over; one each.
    package init(on connection: Connection) { self.connection = connection }

    /// Writes the header. It leaves with the first `send`, which may be an empty one.
    ///
    /// - Parameters:
    ///   - lines: those that stand ahead of the others.
    ///   - headers: names and values without CR, LF or NUL; a header that has one is left out.
    package mutating func start(status: Int, _ lines: HeaderLines = .none, headers: [(name: String, value: String)]) {
        precondition(!hasStarted)
        hasStarted = true
        var head: [UInt8] = []
        head.reserveCapacity(512)
        head.appendHeader("Status", String(status))
        head.append(contentsOf: lines.bytes)
        for (name, value) in headers { head.appendHeader(name, value) }
        head.appendLineBreak()
        connection.unsentHead = head
    }

    /// Writes body bytes and flushes them to the web server, waiting while that is slow.
    package mutating func send(_ bytes: ArraySlice<UInt8>) async throws(FastCGIError) {
        precondition(hasStarted)
        try await connection.write(bytes)
    }

    /// Writes body bytes and flushes them when that needs no waiting: the usual case, and one that costs no suspension.
    ///
    /// - Returns: whether it has; if not, nothing was written, and `send` is the way.
    package mutating func sendAtOnce(_ bytes: ArraySlice<UInt8>) throws(FastCGIError) -> Bool {
        try writer.sendAtOnce(bytes)
    }

    /// For callbacks that send while the response's task waits for something else.
    package var writer: ResponseWriter {
        precondition(hasStarted)
        return ResponseWriter(connection: connection, requestNumber: connection.requestNumber)
    }

    /// Whether the answer need not wait for its peer to be ended with so many bytes: all of it leaves in one write, or nobody is there.
    package func endsAtOnce(sending count: Int) -> Bool { connection.endsAtOnce(sending: count) }

    /// Sends so much of the answer's last bytes that it ends at once with the rest, waiting while the peer is slow.
    ///
    /// - Returns: the rest, for `finish`, which must come next.
    package func sendAhead(ofLast bytes: ArraySlice<UInt8>) async throws(FastCGIError) -> ArraySlice<UInt8> {
        precondition(hasStarted)
        return try await connection.writeAhead(ofLast: bytes)
    }

    /// Ends the answer with its last bytes, and with it the request; both leave in one write when they are few. On failure
    /// the connection is cut.
    package consuming func finish(sending bytes: ArraySlice<UInt8> = []) async throws(FastCGIError) {
        precondition(hasStarted)
        try await connection.write(bytes, endsAnswer: true)
        guard connection.endAnswer(isComplete: true) else { throw .callerLeft }
    }

    deinit { connection.endAnswer(isComplete: false) }
}

/// Headers that many answers have in common, put together once for all of them.
package struct HeaderLines: Sendable {
    fileprivate let bytes: [UInt8]

    package static let none = HeaderLines([])

    /// - Parameter headers: as `Response.start` takes them.
    package init(_ headers: [(name: String, value: String)]) {
        var bytes: [UInt8] = []
        for (name, value) in headers { bytes.appendHeader(name, value) }
        self.bytes = bytes
    }
}

/// Sends body bytes of a started response, as long as that is not finished.
package struct ResponseWriter {
    fileprivate let connection: Connection
    fileprivate let requestNumber: Int

    /// As `Response.sendAtOnce`.
    package func sendAtOnce(_ bytes: ArraySlice<UInt8>) throws(FastCGIError) -> Bool {
        guard connection.isAnswering, connection.requestNumber == requestNumber else { throw .callerLeft }
        guard bytes.count <= Connection.partBytes else { return false }
        if connection.unsentHead.isEmpty { return try connection.writeAtOnce(bytes, isLast: false) }
        guard try connection.writeAtOnce((connection.unsentHead + bytes)[...], isLast: false) else { return false }
        connection.unsentHead = []
        return true
    }
}

extension [UInt8] {
    /// Appends a header's line, unless a CR, LF or NUL in it would break it.
    fileprivate mutating func appendHeader(_ name: String, _ value: String) {
        guard name.isWithoutBreak, value.isWithoutBreak else { return }
        append(utf8: name)
        append(UInt8(ascii: ":"))
        append(UInt8(ascii: " "))
        append(utf8: value)
        appendLineBreak()
    }

    fileprivate mutating func appendLineBreak() {
        append(UInt8(ascii: "\r"))
        append(UInt8(ascii: "\n"))
    }
}

extension String {
    fileprivate var isWithoutBreak: Bool {
        let bytes = utf8Span.span
        for index in bytes.indices where bytes[index] == 0x0A || bytes[index] == 0x0D || bytes[index] == 0 { return false }
        return true
    }
}

extension Connection {
    /// What is handed to libfcgi at once: with both headers of a record that it may have to begin, it fits its buffer.
    static let partBytes = AnswerWriter.bufferBytes - 2 * RecordHeader.size
    /// What ends an answer: an empty record of its stream, and the end of the request with its body. What the last record is filled up with
    /// is among `overheadBytes`.
    static let endBytes = 3 * RecordHeader.size
    /// The kernel counts its own structures against the send buffer too.
    static let overheadBytes = 1024

    /// Writes the header, if that has not left yet, and the bytes behind it, waiting while the peer is slow.
    func write(_ bytes: ArraySlice<UInt8>, endsAnswer: Bool = false) async throws(FastCGIError) {
        // The header takes along what fits: put before all of a long answer, it would be there twice while the peer is slow.
        let room = unsentHead.isEmpty ? 0 : max(0, Self.partBytes - unsentHead.count)
        var rest = (unsentHead + bytes.prefix(room))[...]
        var others = bytes.dropFirst(room)
        repeat {
            if rest.isEmpty { (rest, others) = (others, []) }
            let part = rest.prefix(Self.partBytes)
            rest = rest.dropFirst(part.count)
            while try !writeAtOnce(part, isLast: endsAnswer && rest.isEmpty && others.isEmpty) { try await renewCredit() }
            unsentHead = []
        } while !rest.isEmpty || !others.isEmpty
    }

    /// Whether the answer can end with so many bytes and wait for nothing: they fit one write, behind the header if that has not left,
    /// and the peer takes it. That holds until something is written. Where nobody is there to take it there is nothing to wait for.
    func endsAtOnce(sending count: Int) -> Bool {
        guard state == .open else { return true }
        let count = unsentHead.count + count
        return count <= Self.partBytes && hasCredit(Self.cost(of: count))
    }

    /// Writes what is too much to end with at once, waiting while the peer is slow; and then until it takes the rest.
    func writeAhead(ofLast bytes: ArraySlice<UInt8>) async throws(FastCGIError) -> ArraySlice<UInt8> {
        let excess = unsentHead.count + bytes.count - Self.partBytes
        if excess > 0 { try await write(bytes.prefix(excess)) }
        let rest = bytes.dropFirst(max(0, excess))
        while !endsAtOnce(sending: rest.count) { try await renewCredit() }
        return rest
    }

    /// What a part takes of the credit: one write, and further ones when libfcgi must make room in its buffer first.
    private static func cost(of count: Int) -> Int {
        count + endBytes + (1 + count / (AnswerWriter.bufferBytes / 2)) * overheadBytes
    }

    /// Writes up to `partBytes`, and a header before them, unless that could block. Whether it has.
    func writeAtOnce(_ part: ArraySlice<UInt8>, isLast: Bool) throws(FastCGIError) -> Bool {
        guard state == .open else { throw .callerLeft }
        guard takeCredit(Self.cost(of: part.count)) else { return false }
        do throws(SystemError) {
            if isLast {
                try buffers.writeLast(part, requestID: requestID, to: descriptor)
            } else {
                try buffers.write(part, requestID: requestID, to: descriptor)
            }
        } catch {
            abandon()
            throw .callerLeft
        }
        return true
    }

    /// Whether `count` bytes can be written now; then they are taken from the credit.
    private func takeCredit(_ count: Int) -> Bool {
        guard hasCredit(count) else { return false }
        credit -= count
        return true
    }

    private func hasCredit(_ count: Int) -> Bool {
        if credit >= count { return true }
        guard descriptor.isWritable else { return false }
        credit = creditBytes
        return true
    }

    private func renewCredit() async throws(FastCGIError) {
        var deadline = WriteDeadline(timeouts.write, untakenBytes: descriptor.untakenBytes)
        while state == .open, !descriptor.isWritable {
            guard !deadline.hasPassed(at: loop.now, untakenBytes: descriptor.untakenBytes) else {
                abandon()
                throw .writeTimedOut
            }
            await waitUntilWritable(deadline.moment)
        }
        guard state == .open else { throw .callerLeft }
        credit = creditBytes
    }
}
