import TestSupport
import Testing

/// An answer of an upstream that is cut at a random byte: in its head, in the framing, or in any event before its end.
private struct CutAnswer: Sendable {
    enum Cut: CaseIterable { case close, reset }

    let framing: Reply.Framing
    let cut: Cut
    /// The events, cut nowhere.
    let body: [UInt8]
    /// The bytes that come before the cut.
    let sent: [UInt8]
    /// Where that lies in the body; negative in the head.
    let bodyOffset: Int
    /// Whether Sluice has read what was sent before the cut comes.
    let isRead: Bool

    /// The same for the same seed.
    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        framing = [.chunked, .contentLength, .untilClose].randomElement(using: &random)!
        cut = Cut.allCases.randomElement(using: &random)!
        let events = Events(&random)
        body = events.bytes
        let wire = Wire(body, framing, &random)
        isRead = Bool.random(using: &random)
        let countMax =
            switch framing {
            case .chunked, .contentLength: wire.bytes.count - 1
            case .untilClose: wire.bytes.count
            }
        // An end of the connection that is no error is the one end of a body without framing.
        let endsWithConnection = framing == .untilClose && cut == .close
        var count = 0
        repeat {
            // Every third one near the end, where a stream that is cut comes closest to a whole one.
            let isLate = Int.random(in: 0..<3, using: &random) == 0
            count = Int.random(in: (isLate ? max(0, countMax - 120) : 0)...countMax, using: &random)
        } while wire.bodyOffset(count) >= events.wholeFrom
            || endsWithConnection && events.ends.contains(wire.bodyOffset(count))
        sent = Array(wire.bytes[..<count])
        bodyOffset = wire.bodyOffset(count)
    }

    var reply: Reply {
        .raw([.bytes(sent)] + (isRead ? [.read] : []) + [cut == .close ? .close : .reset])
    }
}

extension CutAnswer: CustomStringConvertible {
    var description: String {
        "\(framing), \(cut) after \(sent.count) bytes, \(bodyOffset) of \(body.count) of the body, "
            + "which end with \(String(decoding: sent.suffix(60), as: UTF8.self).debugDescription)"
    }
}

/// The events of one answer.
private struct Events {
    private(set) var bytes: [UInt8] = []
    /// From this offset on a client has everything, whatever becomes of the connection: the one that completes `[DONE]`.
    private(set) var wholeFrom = Int.max
    /// Where the stream is whole if that is its end: between two events after the finish reason, and from the text `[DONE]` on.
    private(set) var ends: Set<Int> = []
    private let lineEnd: String

    private static let contents = ["Why", " did", " the", " chicken", " cross", "…", " Straße", " 道路", " 🐔", " \"quoted\"\n", ""]
        .map(Chunks.content)

    init(_ random: inout SeededGenerator) {
        lineEnd = ["\n", "\n", "\n", "\r\n", "\r"].randomElement(using: &random)!
        let isLong = Int.random(in: 0..<10, using: &random) == 0
        add(Chunks.role())
        for _ in 0..<Int.random(in: isLong ? 50...200 : 0...6, using: &random) {
            if Int.random(in: 0..<20, using: &random) == 0 { add(": comment\n\n") }
            add(Self.contents.randomElement(using: &random)!)
        }
        let callsTools = Int.random(in: 0..<4, using: &random) == 0
        if callsTools {
            add(Chunks.toolCall(0, id: "call_stub", name: "weather", arguments: ""))
            for part in ["{\"where\":", "\"Zürich\"}"] { add(Chunks.toolCall(0, arguments: part)) }
        }
        add(Chunks.finish(callsTools ? "tool_calls" : "stop"))
        addEnd()
        if Bool.random(using: &random) {
            add(Chunks.usage(prompt: 3, completion: 2))
            addEnd()
        }
        guard Int.random(in: 0..<5, using: &random) > 0 else { return }
        add(Chunks.done)
        addEnd()
        wholeFrom = bytes.count - (lineEnd == "\r\n" ? 1 : 0)
        ends.formUnion(bytes.count - 2 * lineEnd.utf8.count...bytes.count)
    }

    /// An event ends with two LF, and has no other.
    private mutating func add(_ event: String) {
        bytes += event.utf8.dropLast(2)
        bytes += (lineEnd + lineEnd).utf8
    }

    /// A CR ends a line without its LF.
    private mutating func addEnd() {
        ends.insert(bytes.count)
        if lineEnd == "\r\n" { ends.insert(bytes.count - 1) }
    }
}

/// A response as it goes over the connection.
private struct Wire {
    private(set) var bytes: [UInt8] = []
    /// The pieces of the body, and where each begins here and there.
    private var pieces: [(wireStart: Int, bodyStart: Int, count: Int)] = []

    init(_ body: [UInt8], _ framing: Reply.Framing, _ random: inout SeededGenerator) {
        let field =
            switch framing {
            case .chunked: "Transfer-Encoding: chunked"
            case .contentLength: "Content-Length: \(body.count)"
            case .untilClose: "Connection: close"
            }
        bytes = Array("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\(field)\r\n\r\n".utf8)
        var start = 0
        while start < body.count {
            let count = framing == .chunked ? min(Int.random(in: 1...400, using: &random), body.count - start) : body.count
            if framing == .chunked { bytes += "\(String(count, radix: 16))\r\n".utf8 }
            pieces.append((bytes.count, start, count))
            bytes += body[start..<start + count]
            if framing == .chunked { bytes += "\r\n".utf8 }
            start += count
        }
        if framing == .chunked { bytes += "0\r\n\r\n".utf8 }
    }

    /// How many bytes of the body there are among the first so many here; -1 ahead of it.
    func bodyOffset(_ count: Int) -> Int {
        guard let piece = pieces.last(where: { $0.wireStart <= count }) else { return -1 }
        return piece.bodyStart + min(count - piece.wireStart, piece.count)
    }
}

@Suite struct `A stream cut at a random byte` {
    @Test(arguments: WebServer.selected)
    func `never looks complete`(server: WebServer) async throws {
        let seed = UInt64.random(in: 0 ... .max - 10_000)
        let upstream = try StubUpstream { CutAnswer(seed: seed + UInt64($0.number(after: "cut "))).reply }
        try await Site.with(server, upstream: upstream, changes: server.withoutLimits) { site in
            // Behind the other servers Sluice is the same.
            let (count, portion) = server == .nginx ? (10_000, 1_000) : (500, 500)
            var startedCount = 0
            for start in stride(from: 0, to: count, by: portion) {
                let numbers = start..<start + portion
                for (number, answer) in zip(numbers, try await site.answers(to: numbers.map { chat("cut \($0)") })) {
                    expectBroken(answer, by: CutAnswer(seed: seed + UInt64(number)), "seed \(seed + UInt64(number))")
                    if answer.status == 200 { startedCount += 1 }
                }
                print("\(server): \(start + portion) streams cut, \(startedCount) of them after their first event")
            }
        }
    }

    /// Either an HTTP error, or the first events as they were and then an error.
    private func expectBroken(_ answer: Received, by cut: CutAnswer, _ seed: String) {
        #expect(answer.end == .complete, "\(seed): \(cut)")
        #expect(!answer.text.contains("[DONE]"), "\(seed): \(cut)")
        guard answer.status == 200 else {
            #expect(answer.status == 503 && answer.error?.type == "upstream_error", "\(seed): \(cut)")
            return
        }
        let errorStart = answer.body.indices.last { answer.body[$0...].starts(with: "data: {\"error\":".utf8) } ?? 0
        let error = DispatchedEvent.all(in: answer.body[errorStart...])
        #expect(error.map(\.error?.type) == ["upstream_error"], "\(seed): \(cut)")
        #expect(answer.body[..<errorStart] == cut.body.prefix(errorStart), "\(seed): \(cut)")
    }
}
