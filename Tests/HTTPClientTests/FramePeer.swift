// A server's end of an HTTP/2 connection, frame by frame: it may send any of them at any time.

import EventLoop
import Glibc
import HTTPClient

/// A frame (RFC 9113 §4.1).
struct Frame: Equatable {
    enum Kind: UInt8 {
        case data, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    /// As a number, since any will do.
    var kind: UInt8
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    static let acknowledgement: UInt8 = 0x1
    static let endOfStream: UInt8 = 0x1
    static let endOfHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8

    /// Identifiers of SETTINGS (RFC 9113 §6.5.2).
    static let streamsMax: UInt16 = 3
    static let initialWindow: UInt16 = 4

    /// Error codes (RFC 9113 §7).
    static let noError: UInt32 = 0
    static let refusedStream: UInt32 = 7
    static let cancel: UInt32 = 8

    init(_ kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
        self.init(kind: kind.rawValue, flags: flags, stream: stream, payload: payload)
    }

    init(kind: UInt8, flags: UInt8, stream: UInt32, payload: [UInt8]) {
        (self.kind, self.flags, self.stream, self.payload) = (kind, flags, stream, payload)
    }

    func `is`(_ kind: Kind) -> Bool { self.kind == kind.rawValue }

    /// Whether it is a PING that wants an answer, and none itself.
    var isPingToAnswer: Bool { `is`(.ping) && flags & Self.acknowledgement == 0 }

    /// Whether nothing follows on its stream from whoever sent it.
    var endsStream: Bool { (`is`(.headers) || `is`(.data)) && flags & Self.endOfStream != 0 }

    /// Length, type, flags, stream, payload.
    var bytes: [UInt8] {
        Array(UInt32(payload.count).bigEndianBytes.dropFirst()) + [kind, flags] + stream.bigEndianBytes + payload
    }

    // MARK: What servers send

    static func settings() -> Frame { Frame(.settings) }

    static func settings(_ identifier: UInt16, _ value: UInt32) -> Frame {
        Frame(.settings, [UInt8(identifier >> 8), UInt8(identifier & 0xFF)] + value.bigEndianBytes)
    }

    static func goAway(last stream: UInt32, code: UInt32 = 0) -> Frame {
        Frame(.goAway, stream.bigEndianBytes + code.bigEndianBytes)
    }

    static func reset(_ stream: UInt32, code: UInt32) -> Frame { Frame(.resetStream, stream: stream, code.bigEndianBytes) }

    static func data(_ stream: UInt32, _ text: String, isLast: Bool = false) -> Frame {
        Frame(.data, flags: isLast ? endOfStream : 0, stream: stream, Array(text.utf8))
    }

    static func windowUpdate(_ stream: UInt32 = 0, _ bytes: UInt32) -> Frame {
        Frame(.windowUpdate, stream: stream, bytes.bigEndianBytes)
    }

    /// A head in one frame, its fields as they are (RFC 7541 §6.2.2: literal, without indexing, no Huffman code).
    static func head(_ stream: UInt32, _ fields: [(String, String)], isLast: Bool = false) -> Frame {
        Frame(.headers, flags: endOfHeaders | (isLast ? endOfStream : 0), stream: stream, block(fields))
    }

    static func head(_ stream: UInt32, status: Int, isLast: Bool = false) -> Frame {
        head(stream, [(":status", "\(status)")], isLast: isLast)
    }

    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + text($0.0) + text($0.1) }
    }

    /// A string's length in a prefix of seven bits (RFC 7541 §5.1, §5.2), and the string.
    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var (length, rest): ([UInt8], Int) = ([127], bytes.count - 127)
        while rest >= 128 {
            length.append(UInt8(rest % 128) | 0x80)
            rest /= 128
        }
        return length + [UInt8(rest)] + bytes
    }
}

extension UInt32 {
    fileprivate var bigEndianBytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (24 - 8 * $0)) } }
}

/// A server's end of a connection, and of each request the part of the body that is there.
struct RequestReader {
    let peer: Peer
    private var bodies: [UInt32: [UInt8]] = [:]

    init(_ peer: Peer) { self.peer = peer }

    /// The next request that is whole; `nil` when the client has closed. Pings are answered meanwhile, others' streams forgotten.
    ///
    /// - Parameter opensWindows: whether the client may go on with a large body.
    mutating func next(opensWindows: Bool = true) -> (stream: UInt32, body: String)? {
        while let frame = peer.frame() { if let request = take(frame, opensWindows) { return request } }
        return nil
    }

    /// Answers all further requests with the same text, until the client has closed.
    mutating func answerAll(_ text: String = "ok") {
        while let (stream, _) = next() { peer.answer(stream, text) }
    }

    /// Waits for one, and takes all that are on their way by then.
    mutating func all() -> [(stream: UInt32, body: String)] {
        guard let first = next() else { return [] }
        var requests = [first]
        let mark = Array("all read".utf8)
        peer.send(Frame(.ping, mark))
        while let frame = peer.frame(), !frame.is(.ping) || frame.payload != mark {
            if let request = take(frame, true) { requests.append(request) }
        }
        return requests
    }

    private mutating func take(_ frame: Frame, _ opensWindows: Bool) -> (stream: UInt32, body: String)? {
        if frame.is(.resetStream) { bodies[frame.stream] = nil }
        if frame.isPingToAnswer { peer.acknowledge(frame) }
        guard frame.is(.headers) || frame.is(.data) else { return nil }
        if frame.is(.data) {
            bodies[frame.stream, default: []] += frame.payload
            let size = UInt32(frame.payload.count)
            if opensWindows, size > 0 { peer.send(.windowUpdate(0, size), .windowUpdate(frame.stream, size)) }
        }
        guard frame.endsStream else { return nil }
        return (frame.stream, String(decoding: bodies.removeValue(forKey: frame.stream) ?? [], as: UTF8.self))
    }
}

/// How a transfer ended.
enum TransferOutcome: Equatable {
    case whole(status: Int, String)
    case failed(HTTPError)

    static func ok(_ body: String = "ok") -> TransferOutcome { .whole(status: 200, body) }

    var isFailure: Bool { if case .failed = self { true } else { false } }
    var body: String? { if case .whole(_, let body) = self { body } else { nil } }
}

extension Transfer {
    func outcome() async -> TransferOutcome {
        do throws(HTTPError) {
            let head = try await head()
            return .whole(status: head?.status ?? 0, String(decoding: try await rest(), as: UTF8.self))
        } catch {
            return .failed(error)
        }
    }
}

extension ConnectionOptions {
    /// HTTP/2 without TLS.
    static let priorKnowledge = ConnectionOptions(version: .http2)
}

extension HTTPRequest {
    /// Over HTTP/2 without TLS.
    static func http2(
        _ url: String, _ body: String = "{}", total: Duration = .seconds(300), options: ConnectionOptions = .priorKnowledge
    ) -> HTTPRequest {
        HTTPRequest(
            .post, url, body: Array(body.utf8), connectTimeout: .seconds(10), totalTimeout: total, options: options)
    }
}

extension Session {
    /// Starts them all before any of them can get a connection.
    func begin(_ bodies: [String], _ url: String, options: ConnectionOptions = .priorKnowledge) throws -> [Transfer] {
        try bodies.map { try start(.http2(url, $0, options: options), waking: Wakeup(on: loop)) }
    }
}

extension Peer {
    func send(_ frames: Frame...) { send(frames.flatMap(\.bytes)) }

    /// Takes the client's preface (RFC 9113 §3.4) and its settings, and answers with the server's own.
    ///
    /// - Returns: whether that is what came.
    func beginHTTP2(_ settings: Frame = .settings()) -> Bool {
        guard let preface = bytes(24), preface == Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) else { return false }
        guard let first = frame(), first.is(.settings) else { return false }
        send(settings, Frame(.settings, flags: Frame.acknowledgement))
        return true
    }

    /// Returns when all that the client has sent is read: what closes a connection with something unread resets it, and that may
    /// take away what was sent.
    func readAll() {
        send(Frame(.ping, Array("read all".utf8)))
        while let frame = frame() { if frame.is(.ping), frame.payload == Array("read all".utf8) { return } }
    }

    /// The next frame, whatever it is; `nil` when the client has closed.
    func frame() -> Frame? {
        guard let head = bytes(9) else { return nil }
        let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        let stream = head[5...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        guard let payload = bytes(length) else { return nil }
        return Frame(kind: head[3], flags: head[4], stream: stream, payload: payload)
    }

    /// The next frame of a kind; those of others are left out.
    func frame(_ kind: Frame.Kind) -> Frame? {
        while let frame = frame() { if frame.is(kind) { return frame } }
        return nil
    }

    /// The stream of the next request, once all of it is there; pings and settings are answered meanwhile.
    func requestStream() -> UInt32? {
        while let frame = frame() {
            if frame.endsStream { return frame.stream }
            if frame.isPingToAnswer { acknowledge(frame) }
        }
        return nil
    }

    /// The answer to a PING.
    func acknowledge(_ ping: Frame) { send(Frame(.ping, flags: Frame.acknowledgement, ping.payload)) }

    /// A whole response with a text.
    func answer(_ stream: UInt32, _ text: String = "ok") {
        send(.head(stream, status: 200), .data(stream, text, isLast: true))
    }
}
