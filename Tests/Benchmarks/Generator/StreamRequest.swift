// What a caller asks of the upstream, and what must come back for it. harness/upstream.lua is the other side.

/// One stream's order. It travels in the field `user`, one of OpenAI's own, which gateways let through.
struct StreamRequest {
    let number: Int
    let shape: StreamShape
    /// The body up to the order; see ``RequestBody/opening``.
    let opening: String

    /// The request's body.
    var body: String {
        let order = "benchmark \(number) \(shape.events) \(shape.interval) \(shape.delay)"
        return opening + order + (shape.form == .text ? "" : " \(shape.form)") + "\"}"
    }

    /// The whole HTTP request.
    var bytes: [UInt8] {
        let body = body
        let head = """
            POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
            Accept: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n
            """
        return Array((head + body).utf8)
    }
}

/// How many events, and when.
struct StreamShape {
    let events: Int
    /// Milliseconds between two events.
    let interval: Int
    /// Milliseconds before the first event.
    let delay: Int
    var form = EventForm.text
}

/// What differs between two events of a stream.
enum EventForm: String {
    /// The text alone.
    case text
    /// The id too, and the string `obfuscation`, which the others lack.
    case varied

    init(_ name: String) throws(UsageError) {
        guard let form = Self(rawValue: name) else { throw UsageError("--form takes text or varied, not '\(name)'") }
        self = form
    }
}

/// The bytes of one event, with a place for the upstream's time of sending.
struct EventFrame {
    /// Nineteen digits: the upstream's monotonic clock in nanoseconds.
    static let timeDigits = 19

    let bytes: [UInt8]
    let timeRange: Range<Int>

    init(of request: StreamRequest, event: Int) {
        let (isLast, isVaried) = (event == request.shape.events - 1, request.shape.form == .varied)
        let place = "\(Self.digits(request.number, 9)).\(Self.digits(event, 6))"
        let opening = """
            data: {"id":"chatcmpl-\(isVaried ? place : "benchmark")","object":"chat.completion.chunk","created":1764000000,\
            "model":"benchmark","system_fingerprint":"fp_benchmark","choices":[{"index":0,"delta":{"content":"\
            \(place).
            """
        let obfuscation = isVaried ? ",\"obfuscation\":\"\(Self.obfuscation.prefix(event % 16 + 1))\"" : ""
        let closing = "\"},\"logprobs\":null,\"finish_reason\":\(isLast ? "\"stop\"" : "null")}]\(obfuscation)}\n\n"
        let start = opening.utf8.count
        timeRange = start..<start + Self.timeDigits
        bytes = Array(opening.utf8) + [UInt8](repeating: 0, count: Self.timeDigits) + Array(closing.utf8)
    }

    /// With digits for a time.
    func bytes(at nanoseconds: Int) -> [UInt8] {
        var sent = bytes
        sent.replaceSubrange(timeRange, with: Self.digits(nanoseconds, Self.timeDigits).utf8)
        return sent
    }

    private static let obfuscation = "Kq7ZtW3xPa9LmR2v"

    private static func digits(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
