// HTTP/1.1 responses out of bytes (RFC 9112).

/// One response's parser; also used for a proxy's answer to CONNECT.
///
///     while true {
///         switch parser.next(in: input, from: &cursor, keeping: nil) {
///         case .more: …                           // read more, and go on with that
///         case .head: head = parser.takeHead()
///         case .body(let range): body += input[range]
///         case .end: …                            // what stands at `cursor` and behind is no part of it
///         case .failed(let error): …
///         }
///     }
///
/// It is strict where two readers could see two different ends of a message, and lenient elsewhere. No error's text holds a byte
/// of the response.
struct ResponseParser {
    enum Event {
        /// All input is taken.
        case more
        /// The final head is whole. Told once; see `takeHead()`.
        case head
        /// Bytes of the body by their place in the input, at least one.
        case body(Range<Int>)
        /// The response is whole, and what stands at the cursor and behind belongs to nobody.
        case end
        /// `HTTPError.malformed` or `.headTooLarge`, then and ever after; `.cutOff` when `endOfInput(isProved:)` has said so.
        case failed(HTTPError)
    }

    private enum Line { case status, field, chunkSize, trailer }

    private enum Phase {
        case line(Line)
        case bytes(left: Int)
        case chunk(left: Int)
        /// Behind a chunk's last byte; whether CR has come.
        case chunkEnd(hasCarriageReturn: Bool)
        case untilClose
        case ended
    }

    /// What the end of a response depends on beside the response (RFC 9112 §6.3, items 1 and 2).
    private enum RequestKind { case head, connect, other }

    /// A server may send a line end too much behind the body before.
    private static let emptyLinesMax = 2

    private var phase = Phase.line(.status)
    /// Ends everything. No phase of its own, so that the phase is plain bits to copy for every line and chunk.
    private var failure: HTTPError?
    private var lines = LineScanner(allowing: HeadBuilder.bytesMax)
    private var builder: HeadBuilder
    private var trailer = FieldChecker()
    private var bodyBytes = 0
    private var emptyLines: UInt8 = 0
    private let requestKind: RequestKind
    private var isHTTP10 = false
    private var isKept = false
    private(set) var isHeadComplete = false
    /// Whether a status line has come, of an interim response or of the final one.
    private(set) var hasStatusLine = false
    /// Whether any byte of this response has come.
    private(set) var hasBegun = false

    init(for method: HTTPMethod) { self.init(for: method == .head ? .head : .other) }

    init(for request: borrowing HTTPRequest) {
        self.init(for: request.method == .head ? .head : .other, isReadable: request.wantsReadableBody)
    }

    /// For a proxy's answer to CONNECT: a success has no body, and what follows belongs to the tunnel (RFC 9110 §9.3.6).
    static func forConnect() -> ResponseParser { ResponseParser(for: .connect) }

    /// - Parameter isReadable: whether the body is of use in no content coding alone.
    private init(for requestKind: RequestKind, isReadable: Bool = true) {
        self.requestKind = requestKind
        builder = HeadBuilder(isBodyWanted: requestKind == .other && isReadable)
    }

    /// After `.end`: whether the connection may be used again as far as this response says (RFC 9112 §9.3).
    var allowsReuse: Bool { if case .ended = phase { isKept } else { false } }

    /// The final head, once it has been told.
    mutating func takeHead() -> ResponseHead {
        var head = builder.take()
        if isHTTP10 { head.version = .http10 }
        return head
    }

    /// Goes on at `cursor`, which it moves. To be called until it says `.more`, `.end` or `.failed`: behind a head or a body there
    /// may be an end without another byte.
    ///
    /// - Parameter kept: the headers that are wanted; all of them when nil.
    mutating func next(in input: Span<UInt8>, from cursor: inout Int, keeping kept: [HeaderPattern]?) -> Event {
        if cursor < input.count { hasBegun = true }
        if let failure { return .failed(failure) }
        do {
            return try advance(in: input, from: &cursor, keeping: kept)
        } catch {
            fail(error)
            return .failed(error)
        }
    }

    /// As `next`, but hands ranges of the body on, and returns what comes behind them.
    mutating func next(
        in input: Span<UInt8>, from cursor: inout Int, keeping kept: [HeaderPattern]?, body: (Range<Int>) -> Void
    ) -> Event {
        var event = next(in: input, from: &cursor, keeping: kept)
        while case .body(let range) = event {
            body(range)
            event = next(in: input, from: &cursor, keeping: kept)
        }
        return event
    }

    /// The connection's input has ended.
    ///
    /// - Parameter isProved: by an orderly end (FIN on plain text, close_notify under TLS), not by a reset.
    /// - Returns: nil when the response is whole, by that or before; else why it is not.
    mutating func endOfInput(isProved: Bool) -> HTTPError? {
        if let failure { return failure }
        switch phase {
        case .untilClose where isProved: phase = .ended
        case .ended: break
        default: fail(.cutOff(afterBytes: bodyBytes))
        }
        return failure
    }

    private mutating func fail(_ error: HTTPError) {
        failure = error
        lines = LineScanner(allowing: 0)
    }

    private mutating func advance(
        in input: Span<UInt8>, from cursor: inout Int, keeping kept: [HeaderPattern]?
    ) throws(HTTPError) -> Event {
        while true {
            switch phase {
            case .line(let line):
                guard cursor < input.count else { return .more }
                if let event = try take(line, in: input, from: &cursor, keeping: kept) { return event }
            case .chunkEnd(let hasCarriageReturn):
                guard cursor < input.count else { return .more }
                try takeChunkEnd(input[cursor], after: hasCarriageReturn)
                cursor += 1
            case .bytes(let left), .chunk(let left): return takeBody(left, in: input, from: &cursor)
            case .untilClose: return takeBody(.max, in: input, from: &cursor)
            case .ended: return .end
            }
        }
    }
}

// MARK: - Lines

extension ResponseParser {
    /// - Returns: what the caller must hear of, if anything.
    private mutating func take(
        _ line: Line, in input: Span<UInt8>, from cursor: inout Int, keeping kept: [HeaderPattern]?
    ) throws(HTTPError) -> Event? {
        if line == .status { try checkFirstByte(of: input, at: cursor) }
        switch lines.next(in: input, from: &cursor) {
        case .unfinished: return .more
        case .tooLong: throw line == .chunkSize ? Self.chunkLineTooLong : .headTooLarge(bytesMax: HeadBuilder.bytesMax)
        case .whole(let range): try take(line, input.extracting(range), keeping: kept)
        case .held: try take(line, lines.takeHeld().span, keeping: kept)
        }
        return line == .field && isHeadComplete ? .head : nil
    }

    private mutating func take(_ line: Line, _ bytes: Span<UInt8>, keeping kept: [HeaderPattern]?) throws(HTTPError) {
        switch line {
        case .status: try takeStatusLine(bytes)
        case .field: try takeField(bytes, keeping: kept)
        case .chunkSize: try takeChunkSize(bytes)
        case .trailer: try takeTrailerField(bytes)
        }
    }

    /// What is no HTTP at all may never come to a line's end: TLS's alert, say, or a greeting that waits for an answer.
    private func checkFirstByte(of input: Span<UInt8>, at cursor: Int) throws(HTTPError) {
        guard lines.isAtStart else { return }
        switch input[cursor] {
        case UInt8(ascii: "H"), 0x0D, 0x0A: break
        // A frame's length (RFC 9113 §4.1): its server speaks first, and expects the same.
        case 0: throw .malformed(reason: "no status line but what looks like HTTP/2: http = \"2\" may be needed")
        // A record with an alert (RFC 8446 §5.1).
        case 0x15: throw .malformed(reason: "no status line but what looks like TLS: https:// may be needed")
        default: throw StatusLine.missing
        }
    }

    private mutating func takeStatusLine(_ line: Span<UInt8>) throws(HTTPError) {
        if line.isEmpty, emptyLines < Self.emptyLinesMax { return emptyLines += 1 }
        let statusLine = try StatusLine(line)
        hasStatusLine = true
        emptyLines = UInt8(Self.emptyLinesMax)
        isHTTP10 = statusLine.isHTTP10
        builder.begin(status: statusLine.status)
        phase = .line(.field)
    }

    private mutating func takeField(_ line: Span<UInt8>, keeping kept: [HeaderPattern]?) throws(HTTPError) {
        if line.isEmpty { return try endHead() }
        guard let field = try FieldLine(line) else { return }
        try builder.add(token: line.extracting(field.name), value: line.extracting(field.value), keeping: kept)
    }

    /// Its fields are checked and forgotten: nothing here has a use for them (RFC 9110 §6.5.1).
    private mutating func takeTrailerField(_ line: Span<UInt8>) throws(HTTPError) {
        if line.isEmpty { return phase = .ended }
        guard let field = try FieldLine(line) else { return }
        try trailer.check(name: line.extracting(field.name), value: line.extracting(field.value))
    }

    private mutating func endHead() throws(HTTPError) {
        guard try builder.end() else { return phase = .line(.status) }
        let length = try bodyLength()
        isKept = length != .untilClose && builder.framing.allowsReuse(status: builder.status, isHTTP10: isHTTP10)
        switch length {
        case .bytes(let count): phase = count > 0 ? .bytes(left: count) : .ended
        case .chunked: expectChunkSize()
        case .untilClose: phase = .untilClose
        }
        isHeadComplete = true
    }

    private func bodyLength() throws(HTTPError) -> MessageFraming.BodyLength {
        if requestKind == .connect, (200...299).contains(builder.status) { return .bytes(0) }
        let length = try builder.framing.bodyLength(status: builder.status, isHTTP10: isHTTP10)
        return requestKind == .head ? .bytes(0) : length
    }
}

// MARK: - Bodies

extension ResponseParser {
    private static let chunkLineTooLong = HTTPError.malformed(
        reason: "the line of a chunk is longer than \(ChunkSize.lineBytesMax) bytes")

    private mutating func takeBody(_ left: Int, in input: Span<UInt8>, from cursor: inout Int) -> Event {
        let count = min(left, input.count - cursor)
        guard count > 0 else { return .more }
        let range = cursor..<cursor + count
        cursor += count
        bodyBytes += count
        switch phase {
        case .bytes: phase = count == left ? .ended : .bytes(left: left - count)
        case .chunk: phase = count == left ? .chunkEnd(hasCarriageReturn: false) : .chunk(left: left - count)
        default: break
        }
        return .body(range)
    }

    private mutating func expectChunkSize() {
        lines.allow(bytes: ChunkSize.lineBytesMax)
        phase = .line(.chunkSize)
    }

    private mutating func takeChunkSize(_ line: Span<UInt8>) throws(HTTPError) {
        let size = try ChunkSize(line).bytes
        guard size == 0 else { return phase = .chunk(left: size) }
        lines.allow(bytes: HeadBuilder.bytesMax)
        phase = .line(.trailer)
    }

    /// CRLF, or LF alone.
    private mutating func takeChunkEnd(_ byte: UInt8, after hasCarriageReturn: Bool) throws(HTTPError) {
        switch byte {
        case 0x0A: expectChunkSize()
        case 0x0D where !hasCarriageReturn: phase = .chunkEnd(hasCarriageReturn: true)
        default: throw .malformed(reason: "no line end behind a chunk")
        }
    }
}
