// One part's work, without any server, times or chance: what counts instructions takes the difference of two runs.

import Chat
import FastCGI

/// A part of Sluice, and what one repetition of its work is.
enum Part: String, CaseIterable {
    /// One request, as nginx sends it: a unit is a FastCGI record.
    case records
    /// The body of a long chat, which is validated: a unit is a byte.
    case json
    /// The same in Russian.
    case jsonRussian = "json-russian"
    /// A stream whose events come one by one: a unit is an event.
    case events
    /// The same, where the id and `obfuscation` differ.
    case eventsVaried = "events-varied"
    /// A long chat, which is read and written for an upstream: a unit is a request.
    case request

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    init(_ name: String) throws(UsageError) {
        guard let part = Self(rawValue: name) else { throw UsageError("no part is called '\(name)', but \(Self.names)") }
        self = part
    }
}

/// Does the work of a part so many times.
struct PartWork {
    private let part: Part
    private let repetitions: Int

    /// Sluice's own limit.
    private static let depthMax = 64

    init(_ options: inout Options) throws(UsageError) {
        part = try Part(options.text("name"))
        repetitions = try options.number("repetitions", default: 100)
    }

    /// Returns `units=…`, of all repetitions together.
    func run() throws -> String {
        let repeated = try work()
        var units = 0
        for _ in 0..<repetitions { units += try repeated() }
        return "units=\(units)"
    }

    /// What is done again and again; it returns its units.
    private func work() throws -> () throws -> Int {
        switch part {
        case .records: records()
        case .json: json(Self.request(.long))
        case .jsonRussian: json(Self.request(.russian))
        case .events: events(.text)
        case .eventsVaried: events(.varied)
        case .request: assembly()
        }
    }

    private func records() -> () throws -> Int {
        let request = SentRecords(body: Self.request(.usual))
        var scanner = RecordScanner(limits: RecordScanner.Limits())
        return {
            var taken = 0
            guard case .request = try scanner.scan(request.bytes.span, taken: &taken), taken == request.bytes.count else {
                preconditionFailure("the records are a whole request")
            }
            scanner.requestAnswered()
            return request.count
        }
    }

    private func json(_ body: [UInt8]) -> () throws -> Int {
        {
            let value = try JSONScanner.validate(body.span, depthMax: Self.depthMax)
            precondition(value.kind == .object, "the body is an object")
            return body.count
        }
    }

    private func events(_ form: EventForm) -> () throws -> Int {
        let shape = StreamShape(events: 100, interval: 0, delay: 0, form: form)
        let request = StreamRequest(number: 1, shape: shape, opening: "")
        let frames = (0..<shape.events).map { EventFrame(of: request, event: $0).bytes(at: 0) }
        return {
            var (splitter, reader) = (EventSplitter(eventBytesMax: 1 << 20), ChatFrameReader(depthMax: Self.depthMax))
            for frame in frames {
                splitter.append(frame)
                while let event = try splitter.next() {
                    let data = splitter.data(of: event)
                    guard case .chunk = reader.read(data.span) else { preconditionFailure("the event is a chunk") }
                }
                _ = splitter.discardAndRelease()
            }
            return frames.count
        }
    }

    private func assembly() -> () throws -> Int {
        let body = Self.request(.long)
        return {
            let chat = try ChatRequest(body: body, depthMax: Self.depthMax)
            precondition(chat.upstreamBody(UpstreamRules()).copiedCount > 0, "the upstream gets a body")
            return 1
        }
    }

    private static func request(_ body: RequestBody) -> [UInt8] {
        let shape = StreamShape(events: 1, interval: 0, delay: 0)
        return Array(StreamRequest(number: 1, shape: shape, opening: body.opening).body.utf8)
    }
}

/// A request in FastCGI's records (FastCGI 1.0 §3.3), each padded to eight bytes, as nginx does.
private struct SentRecords {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    init(body: [UInt8]) {
        var parameters: [UInt8] = []
        for (name, value) in Self.parameters + [("CONTENT_LENGTH", "\(body.count)")] {
            parameters += [UInt8(name.utf8.count), UInt8(value.utf8.count)]
            parameters += name.utf8
            parameters += value.utf8
        }
        append(type: 1, [0, 1, 1, 0, 0, 0, 0, 0])
        append(type: 4, parameters)
        append(type: 4, [])
        append(type: 5, body)
        append(type: 5, [])
    }

    private mutating func append(type: UInt8, _ content: [UInt8]) {
        let padding = (8 - content.count % 8) % 8
        bytes += [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), UInt8(padding), 0]
        bytes += content + [UInt8](repeating: 0, count: padding)
        count += 1
    }

    /// As of harness/fastcgi_pass.conf, and what nginx adds.
    private static let parameters = [
        ("GATEWAY_INTERFACE", "CGI/1.1"), ("SERVER_PROTOCOL", "HTTP/1.1"), ("SERVER_NAME", ""), ("SERVER_PORT", "8080"),
        ("REMOTE_ADDR", "127.0.0.1"), ("REMOTE_PORT", "40000"), ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/v1/chat/completions"), ("DOCUMENT_URI", "/v1/chat/completions"),
        ("SCRIPT_NAME", "/v1/chat/completions"), ("QUERY_STRING", ""), ("CONTENT_TYPE", "application/json"),
        ("HTTP_HOST", "localhost"), ("HTTP_CONTENT_TYPE", "application/json"), ("HTTP_ACCEPT", "application/json"),
    ]
}
