// What a server may answer a request with, sound and unsound.

import HTTPClient
import Testing

/// Frames for stream 1, and what becomes of its transfer.
struct OddFrames: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable {
        case whole(String)
        /// Whatever the error.
        case fails
        case failsAs(HTTPError)
    }

    let testDescription: String
    let bytes: [UInt8]
    let expected: Expected
    var method = HTTPMethod.post
    /// Whether the server closes the connection behind them.
    var closes = false
    /// Whether they may take along the next request, which is not sent once more: the server is there, and may have it.
    var mayEndNext = false

    init(
        _ name: String, _ frames: [Frame], _ expected: Expected, method: HTTPMethod = .post, closes: Bool = false,
        mayEndNext: Bool = false
    ) {
        self.init(name, frames.flatMap(\.bytes)[...], expected, method: method, closes: closes)
        self.mayEndNext = mayEndNext
    }

    private init(
        _ name: String, _ bytes: ArraySlice<UInt8>, _ expected: Expected, method: HTTPMethod = .post, closes: Bool
    ) {
        (testDescription, self.bytes, self.expected) = (name, Array(bytes), expected)
        (self.method, self.closes) = (method, closes)
    }

    static let all = heads + bodies + interims + trailers + streams + connections + floods
}

private let status = (":status", "200")
private let answer = [Frame.head(1, status: 200), .data(1, "ok", isLast: true)]
private let fields300 = (0..<300).map { ("field-\($0)", "value") }
private let large = ("large", String(repeating: "x", count: 16_000))
private let malformed = OddFrames.Expected.failsAs(.malformed(reason: "HTTP/2: PROTOCOL_ERROR"))
private let tooLarge = OddFrames.Expected.failsAs(.headTooLarge(bytesMax: 64 << 10))

private func head(_ fields: [(String, String)], isLast: Bool = true) -> Frame { .head(1, fields, isLast: isLast) }

/// One field of 4,000 bytes is put into the table, and then named by its index, a byte each, 12,000 times (RFC 7541 §6.1, §6.2.1).
private func unpacking(behind first: [UInt8]) -> Frame {
    let field = [0x40] + Frame.block([("large", String(repeating: "x", count: 4_000))]).dropFirst()
    return Frame(
        .headers, flags: Frame.endOfHeaders | Frame.endOfStream, stream: 1,
        first + field + [UInt8](repeating: 0xBE, count: 12_000))
}

/// A header block in HEADERS and as many CONTINUATIONs as it takes (RFC 9113 §6.10).
private func split(_ block: [UInt8], isLast: Bool) -> [Frame] {
    var parts = stride(from: 0, to: block.count, by: 16_000).map { Array(block[$0..<min($0 + 16_000, block.count)]) }
    let first = Frame(.headers, flags: isLast ? Frame.endOfStream : 0, stream: 1, parts.removeFirst())
    return [first]
        + parts.enumerated().map { index, part in
            Frame(.continuation, flags: index == parts.count - 1 ? Frame.endOfHeaders : 0, stream: 1, part)
        }
}

extension OddFrames {
    fileprivate static let heads = [
        OddFrames("a head, a body", answer, .whole("ok")),
        OddFrames("a head alone", [head([status])], .whole("")),
        OddFrames("no status", [head([("a", "b")])], malformed),
        OddFrames("no fields at all", [head([])], malformed),
        OddFrames("two statuses", [head([status, status])], malformed),
        OddFrames("a status behind a field", [head([("a", "b"), status])], malformed),
        OddFrames("a status of two digits", [head([(":status", "20")])], malformed),
        OddFrames("a status with a letter", [head([(":status", "2x0")])], malformed),
        OddFrames("status 600", [head([(":status", "600")])], .fails),
        OddFrames("status 099", [head([(":status", "099")])], .fails),
        OddFrames("a request's field", [head([status, (":path", "/")])], malformed),
        OddFrames("a name in capitals", [head([status, ("Name", "value")])], malformed),
        OddFrames("an empty name", [head([status, ("", "value")])], malformed),
        OddFrames("a name that is no token", [head([status, ("a b", "value")])], malformed),
        OddFrames("a line end in a value", [head([status, ("name", "a\r\nb: c")])], malformed),
        OddFrames("NUL in a value", [head([status, ("name", "a\0b")])], malformed),
        OddFrames("Connection", [head([status, ("connection", "close")])], malformed),
        OddFrames("Keep-Alive", [head([status, ("keep-alive", "timeout=5")])], malformed),
        OddFrames("Transfer-Encoding", [head([status, ("transfer-encoding", "chunked")])], malformed),
        OddFrames("Upgrade", [head([status, ("upgrade", "h3")])], malformed),
        OddFrames("300 fields", [head([status] + fields300)], .whole("")),
        OddFrames("65 KiB of fields", split(Frame.block([status] + Array(repeating: large, count: 5)), isLast: true), tooLarge),
        OddFrames("48 MB of fields, unpacked", [unpacking(behind: Frame.block([status]))], tooLarge),
        OddFrames("60 KiB of fields", split(Frame.block([status] + Array(repeating: large, count: 3)), isLast: true), .whole("")),
        OddFrames(
            "gzip", [head([status, ("content-encoding", "gzip")])],
            .failsAs(
                .malformed(reason: "the body is compressed with gzip, though Accept-Encoding: identity was sent"))),
        OddFrames("gzip of what nobody reads", [head([status, ("content-encoding", "gzip")])], .whole(""), method: .head),
    ]

    fileprivate static let bodies = [
        OddFrames(
            "a length that fits", [head([status, ("content-length", "2")], isLast: false), .data(1, "ok", isLast: true)],
            .whole("ok")),
        OddFrames(
            "a body too short", [head([status, ("content-length", "3")], isLast: false), .data(1, "ok", isLast: true)],
            malformed),
        OddFrames(
            "a body too long", [head([status, ("content-length", "1")], isLast: false), .data(1, "ok", isLast: true)],
            malformed),
        OddFrames("no body though a length", [head([status, ("content-length", "3")])], malformed),
        OddFrames("two lengths", [head([status, ("content-length", "3"), ("content-length", "4")])], malformed),
        OddFrames("a length that is none", [head([status, ("content-length", "-3")])], malformed),
        OddFrames("a body without a head", [.data(1, "ok", isLast: true)], .fails),
        OddFrames("a body before its head", [.data(1, "ok")] + answer, .fails),
        OddFrames("a body between an interim head and the head", [.head(1, status: 103), .data(1, "ok")] + answer, .fails),
        OddFrames("HEAD with a length", [head([status, ("content-length", "9")])], .whole(""), method: .head),
        OddFrames("HEAD with a body", answer, malformed, method: .head),
        OddFrames("204 with a body", [.head(1, status: 204), .data(1, "ok", isLast: true)], malformed),
        OddFrames("304 with a body", [.head(1, status: 304), .data(1, "ok", isLast: true)], malformed),
        OddFrames(
            "padding",
            [
                .head(1, status: 200),
                Frame(.data, flags: Frame.padded, stream: 1, [200] + Array("ok".utf8) + [UInt8](repeating: 0, count: 200)),
                Frame(.data, flags: Frame.padded | Frame.endOfStream, stream: 1, [0]),
            ], .whole("ok")),
        OddFrames(
            "more padding than frame", [.head(1, status: 200), Frame(.data, flags: Frame.padded, stream: 1, [3, 0, 0])],
            .fails),
        OddFrames("DATA of 20,000 bytes", [.head(1, status: 200), .data(1, String(repeating: "x", count: 20_000))], .fails),
        OddFrames(
            "half a frame and the end",
            [Frame.head(1, status: 200), .data(1, "part"), .data(1, "the rest", isLast: true)].flatMap(\.bytes).dropLast(5),
            .failsAs(.cutOff(afterBytes: 7)), closes: true),
    ]

    fileprivate static let interims = [
        OddFrames("100", [.head(1, status: 100)] + answer, .whole("ok")),
        OddFrames("103 with a field", [head([(":status", "103"), ("link", "</a>")], isLast: false)] + answer, .whole("ok")),
        OddFrames("16 interim heads", Array(repeating: .head(1, status: 103), count: 16) + answer, .whole("ok")),
        OddFrames(
            "17 interim heads", Array(repeating: .head(1, status: 103), count: 17) + answer,
            .failsAs(.malformed(reason: "more than 16 interim responses"))),
        OddFrames("an interim head that ends the stream", [.head(1, status: 103, isLast: true)], .fails),
        OddFrames("101", [.head(1, status: 101)] + answer, .fails),
    ]

    fileprivate static let trailers = [
        OddFrames("a trailer", [.head(1, status: 200), .data(1, "ok"), head([("sum", "1")])], .whole("ok")),
        OddFrames(
            "a trailer of 60 KiB",
            [.head(1, status: 200), .data(1, "ok")]
                + split(Frame.block(Array(repeating: large, count: 3)), isLast: true), .whole("ok")),
        OddFrames(
            "a trailer of 65 KiB",
            [.head(1, status: 200), .data(1, "ok")]
                + split(Frame.block(Array(repeating: large, count: 5)), isLast: true), tooLarge),
        OddFrames(
            "a trailer of 300 fields", [.head(1, status: 200), .data(1, "ok"), head(fields300)], .whole("ok")),
        OddFrames(
            "a trailer that unpacks to 48 MB", [.head(1, status: 200), .data(1, "ok"), unpacking(behind: [])], tooLarge),
        OddFrames("a trailer with a status", [.head(1, status: 200), .data(1, "ok"), head([status])], malformed),
        OddFrames(
            "a trailer that is not the end", [.head(1, status: 200), .data(1, "ok"), head([("a", "b")], isLast: false)],
            malformed),
    ]

    fileprivate static let streams = [
        OddFrames("reset before the head", [.reset(1, code: Frame.cancel)], .failsAs(.cutOff(afterBytes: 0))),
        OddFrames(
            "reset without an error before the end", [.head(1, status: 200), .data(1, "part"), .reset(1, code: 0)],
            .failsAs(.cutOff(afterBytes: 4))),
        OddFrames(
            "refused after a head", [.head(1, status: 200), .reset(1, code: Frame.refusedStream)],
            .failsAs(.cutOff(afterBytes: 0))),
        OddFrames("reset after the end", answer + [.reset(1, code: 0)], .whole("ok")),
        OddFrames("a window opened by 0", [.windowUpdate(1, 0)], .fails),
        OddFrames("a window opened too far", [.windowUpdate(1, 0x7FFF_FFFF)], .fails),
        OddFrames("the end twice", answer + [.data(1, "more", isLast: true)], .whole("ok")),
    ]

    fileprivate static let connections = [
        OddFrames("an unknown frame", [Frame(kind: 0xFA, flags: 0xFF, stream: 1, payload: [1, 2, 3])] + answer, .whole("ok")),
        OddFrames("PRIORITY", [Frame(.priority, stream: 1, [0, 0, 0, 3, 1])] + answer, .whole("ok")),
        OddFrames("PUSH_PROMISE", [Frame(.pushPromise, flags: Frame.endOfHeaders, stream: 1, [0, 0, 0, 2])], .fails),
        OddFrames("HEADERS on a stream of the server's", [.head(2, status: 200)], .fails),
        OddFrames("HEADERS on a stream that was never opened", [.head(99, status: 200)], .fails),
        OddFrames("DATA on stream 0", [.data(0, "x")], .fails),
        OddFrames("DATA on a stream that was never opened", [.data(99, "x")], .fails),
        OddFrames("RST_STREAM on stream 0", [.reset(0, code: 0)], .fails),
        OddFrames("RST_STREAM on a stream that was never opened", [.reset(99, code: 0)], .fails),
        OddFrames("RST_STREAM of 3 bytes", [Frame(.resetStream, stream: 1, [0, 0, 0])], .fails),
        OddFrames("SETTINGS on a stream", [Frame(.settings, stream: 1)], .fails),
        OddFrames("SETTINGS of 5 bytes", [Frame(.settings, [0, 0, 0, 0, 0])], .fails),
        OddFrames("a window that is too large", [.settings(Frame.initialWindow, 0x8000_0000)], .fails),
        OddFrames("a frame size that is too small", [.settings(5, 1)], .fails),
        OddFrames("PING of 7 bytes", [Frame(.ping, [UInt8](repeating: 0, count: 7))], .fails),
        OddFrames("PING on a stream", [Frame(.ping, stream: 1, [UInt8](repeating: 0, count: 8))], .fails),
        OddFrames("GOAWAY of 4 bytes", [Frame(.goAway, [0, 0, 0, 0])], .fails),
        OddFrames("the connection's window opened by 0", [.windowUpdate(0, 0)], .fails),
        OddFrames("the connection's window opened too far", [.windowUpdate(0, 0x7FFF_FFFF)], .fails),
        OddFrames("CONTINUATION of nothing", [Frame(.continuation, flags: Frame.endOfHeaders, stream: 1)], .fails),
        OddFrames("DATA amid a head", [Frame(.headers, stream: 1, Frame.block([status])), .data(1, "x")], .fails),
        OddFrames(
            "a header compressed by an index that there is not",
            [Frame(.headers, flags: Frame.endOfHeaders, stream: 1, [0xFF, 0xFF, 0x7F])], .fails),
        OddFrames(
            "a header table that is too large",
            [Frame(.headers, flags: Frame.endOfHeaders, stream: 1, [0x3F, 0xFF, 0xFF, 0x7F])], .fails),
        OddFrames("the end", [], .failsAs(.cutOff(afterBytes: 0)), closes: true),
        OddFrames(
            "the end amid a body", [.head(1, status: 200), .data(1, "part")], .failsAs(.cutOff(afterBytes: 4)), closes: true),
    ]

    fileprivate static let floods = [
        OddFrames("a flood of PING", flood(Frame(.ping, [UInt8](repeating: 0, count: 8))), .fails),
        OddFrames("a flood of SETTINGS", flood(.settings()), .fails),
        OddFrames("a flood of empty DATA", [.head(1, status: 200)] + flood(.data(1, "")), .fails),
        OddFrames(
            "a flood of padded DATA",
            [.head(1, status: 200)]
                + flood(Frame(.data, flags: Frame.padded, stream: 1, [3, 0, 0, 0])), .fails),
        OddFrames("a flood of windows", flood(.windowUpdate(0, 1)), .fails),
        OddFrames("a flood of PRIORITY", flood(Frame(.priority, stream: 1, [0, 0, 0, 3, 1])), .fails),
        OddFrames("a flood of unknown frames", flood(Frame(kind: 0xFA, flags: 0, stream: 0, payload: [])), .fails),
        OddFrames(
            "a flood of CONTINUATION",
            [Frame(.headers, stream: 1, Frame.block([status]))]
                + flood(Frame(.continuation, stream: 1)), .fails),
        OddFrames(
            "a flood of CONTINUATION with fields",
            [Frame(.headers, stream: 1, Frame.block([status]))]
                + flood(Frame(.continuation, stream: 1, Frame.block([("a", "b")]))), .fails),
        OddFrames("a flood of resets", answer + flood(.reset(1, code: 0)), .whole("ok"), mayEndNext: true),
    ]

    private static func flood(_ frame: Frame) -> [Frame] { Array(repeating: frame, count: 40_000) }
}
