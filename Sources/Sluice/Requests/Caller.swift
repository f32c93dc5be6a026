// Who asks: what a request says about that besides its body.

import Chat
import FastCGI

/// What ties a request to its log line and to the upstream's.
struct Caller {
    let id: RequestID
    /// The name that the front server found for the caller's token (`SLUICE_CLIENT`).
    let client: String?
    /// The caller's `X-Client-Request-Id`, or the request's id.
    let clientRequestID: String
    /// The trace that the request has; nil where it has none.
    let trace: RequestTrace?
    /// W3C Trace Context: `traceparent`, and `tracestate` where there are traces, for whomever no span of its own is made for.
    let traceHeaders: [(name: String, value: String)]
    /// What goes to upstreams that take the caller's own key.
    let authorization: String?
    /// Hume's session, from the URL's `custom_session_id`.
    let sessionID: String?

    /// - Parameters:
    ///   - trace: the request's; nil where it has none.
    ///   - tracesAreOn: whether requests may have one.
    init(_ request: Request, _ id: RequestID, _ trace: RequestTrace? = nil, tracesAreOn: Bool = false) {
        (self.id, self.trace) = (id, trace)
        client = Self.sane(request["SLUICE_CLIENT"])
        clientRequestID = Self.sane(request["HTTP_X_CLIENT_REQUEST_ID"]) ?? id.description
        traceHeaders = trace?.headers() ?? Self.traceHeaders(of: request, areChecked: tracesAreOn)
        authorization = Self.sane(request["HTTP_AUTHORIZATION"], bytesMax: 4096)
        sessionID = request["QUERY_STRING"].flatMap { Query($0)["custom_session_id"] }.flatMap { id in
            (1...Self.sessionIDBytesMax).contains(id.utf8.count) ? id : nil
        }
    }

    /// What the caller says, as it came. Where traces are known a wrong one is the end of the caller's.
    private static func traceHeaders(of request: Request, areChecked: Bool) -> [(name: String, value: String)] {
        guard let parent = sane(request["HTTP_TRACEPARENT"]) else { return [] }
        guard areChecked else { return [("traceparent", parent)] }
        guard TraceParent(parent) != nil else { return [] }
        let state = sane(request["HTTP_TRACESTATE"]).map { [(name: "tracestate", value: $0)] } ?? []
        return [(name: "traceparent", value: parent)] + state
    }

    /// It stands in each event. A longer one is left out, as all that is not sane.
    private static let sessionIDBytesMax = 256

    /// A value that may go on as it is: printable ASCII of a bearable length. Any other is the caller's mistake, and is left out
    /// instead of spoiling the request.
    static func sane(_ value: String?, bytesMax: Int = 512) -> String? {
        guard let value, (1...bytesMax).contains(value.utf8.count) else { return nil }
        return value.utf8.allSatisfy { (0x20..<0x7F).contains($0) } ? value : nil
    }
}

/// A URL's query: `application/x-www-form-urlencoded` (WHATWG URL §5.1).
struct Query {
    private let text: String

    init(_ text: String) { self.text = text }

    /// The value of the first parameter with this name, decoded; bytes that are no UTF-8 become U+FFFD.
    subscript(_ name: String) -> String? {
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            if parts.first.map({ Self.decoded($0).hasSameBytes(as: name) }) == true {
                return parts.count > 1 ? Self.decoded(parts[1]) : ""
            }
        }
        return nil
    }

    private static func decoded(_ text: Substring.UTF8View) -> String {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = hexadecimal(rest.prefix(2)) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ digits: Substring.UTF8View) -> UInt8? {
        guard digits.count == 2 else { return nil }
        var value: UInt8 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | (digit - UInt8(ascii: "0"))
            case UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | ((digit | 0x20) - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
