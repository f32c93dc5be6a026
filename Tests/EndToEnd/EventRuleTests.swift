import Foundation
import TestSupport
import Testing

/// A short whole answer in which a rule of WHATWG HTML §9.2.6 occurs.
private struct EventRule: Sendable {
    let name: String
    /// With LF line ends, of which every one is varied.
    let stream: String

    private static let chunk = #"data: {"choices":[]}"# + "\n\n"
    private static let end = #"data: {"choices":[{"finish_reason":"stop"}]}"# + "\n\n" + Chunks.done

    /// - Parameter start: what comes before the finish reason.
    init(_ name: String, _ start: String, end: String = Self.end) {
        self.name = name
        stream = start + end
    }

    static let all = [
        EventRule("characters of several bytes", #"data: {"choices":[{"delta":{"content":"é🐔"}}]}"# + "\n\n"),
        EventRule("a comment first", ": comment\n\n" + chunk),
        EventRule("a comment inside an event", ": comment\n" + chunk),
        EventRule("a comment between events", chunk + ": comment: with a colon, é\n\n"),
        EventRule("an empty comment", ":\n\n" + chunk + ":\n"),
        EventRule("a comment that is not UTF-8", chunk + ": \u{FFFF}\n"),
        EventRule("no space after the colon", #"data:{"choices":[]}"# + "\n\n"),
        EventRule("two spaces after the colon", #"data:  {"choices":[]}"# + "\n\n"),
        EventRule("several data lines in one event", "data: {\ndata: \"choices\":\ndata:[ ]}\n\n"),
        EventRule("data lines without a colon", "data\ndata: {\"choices\":[]}\ndata\n\n"),
        EventRule("data lines around other fields", "data: {\"choices\"\nevent: e\n: comment\ndata: :[]}\n\n"),
        EventRule("an unknown field", "datax: a\ndat: b\nfield: c\n" + chunk),
        EventRule("a field without a colon", "unknown\nevent\n" + chunk),
        EventRule("names with blanks and capitals", " data: a\ndata : b\nData: c\n" + chunk),
        EventRule("event types", "event: one\n" + chunk + "event:\nevent: two\nevent:three\n" + chunk),
        EventRule("an event type and no data", "event: lost\n\n" + chunk),
        EventRule("an id", "id: 1\n" + chunk),
        EventRule("an id that stays, and one that is taken back", "id: 1\n" + chunk + chunk + "id\n" + chunk),
        EventRule("an id and no data", chunk + "id: 2\n\n" + chunk),
        EventRule("an id and no data ahead of everything", "id: 2\n\n" + chunk),
        EventRule("an id with a NUL", "id: 1\nid: 2\0\n" + chunk),
        EventRule("a reconnection time", "retry: 10\nretry: 20x\nretry: -1\nretry:\n" + chunk),
        EventRule("a byte order mark", "\u{FEFF}" + chunk),
        EventRule("a byte order mark in a value", chunk + "id: \u{FEFF}\n: \u{FEFF}\n\u{FEFF}data: x\n"),
        EventRule("colons in a value", "id: a:b: c\n" + #"data: {"choices":[],"a:b":"::"}"# + "\n\n"),
        EventRule("blank lines in a row", "\n\n\n" + chunk + "\n\n"),
        EventRule("line ends of other worlds", "data: {\"choices\":[],\"x\":\"\u{2028}\u{2029}\u{85}\"}\nid: \u{0B}\u{0C}\n\n"),
        EventRule("blanks around DONE", "", end: String(end.dropLast(2)) + " \t \n\n"),
        EventRule("DONE beside other fields", "", end: end.replacingOccurrences(of: "data: [", with: "event: end\ndata:[")),
        EventRule("a comment after DONE", "", end: end + ": comment\n\n"),
        EventRule("an incomplete event after DONE", "", end: end + #"data: {"choices":[]}"# + "\n"),
    ]

    /// The stream's bytes. U+FFFF stands for a byte that is in no UTF-8.
    func bytes(lineEnd: String) -> [UInt8] {
        stream.unicodeScalars.flatMap { scalar in
            scalar == "\u{FFFF}" ? [0xFF] : scalar == "\n" ? Array(lineEnd.utf8) : Array(String(scalar).utf8)
        }
    }
}

/// A rule with line ends of one kind.
private struct RuleStream: Sendable, CustomStringConvertible {
    let description: String
    let bytes: [UInt8]
    let hasByteOrderMark: Bool

    static let all = EventRule.all.flatMap { rule in
        [("LF", "\n"), ("CR", "\r"), ("CRLF", "\r\n")].map { name, lineEnd in
            let bytes = rule.bytes(lineEnd: lineEnd)
            return RuleStream(
                description: "\(rule.name), \(name)", bytes: bytes, hasByteOrderMark: bytes.starts(with: [0xEF, 0xBB, 0xBF]))
        }
    }

    /// An upstream that sends the stream and the split that a call asks for. Split 0 is none.
    static func upstream() throws -> StubUpstream {
        try StubUpstream { request in
            let stream = all[request.number(after: "stream ")]
            let split = request.number(after: "split ")
            if split == 0 { return Reply([.bytes(stream.bytes)]) }
            return Reply([.bytes(Array(stream.bytes[..<split])), .read, .bytes(Array(stream.bytes[split...]))])
        }
    }
}

@Suite struct `A stream by the rules of server-sent events` {
    @Test(arguments: WebServer.selected)
    func `says the same through Sluice, wherever a read splits it`(server: WebServer) async throws {
        let upstream = try RuleStream.upstream()
        try await Site.with(server, upstream: upstream, changes: server.withoutLimits) { site in
            // Behind the other servers Sluice is the same; there every fifteenth split will do.
            let step = server == .nginx ? 1 : 15
            let splits = RuleStream.all.indices.map { Array(stride(from: 0, to: RuleStream.all[$0].bytes.count, by: step)) }
            let calls = splits.enumerated().flatMap { stream, splits in
                splits.map { chat("stream \(stream), split \($0)") }
            }
            var answers = try await site.answers(to: calls)[...]
            for (stream, splits) in zip(RuleStream.all, splits) {
                expectTheSame(as: stream, in: answers.prefix(splits.count), splits)
                answers = answers.dropFirst(splits.count)
            }
            print("\(server): \(calls.count) combinations of \(RuleStream.all.count) streams and a split")
        }
    }

    private func expectTheSame(as stream: RuleStream, in answers: ArraySlice<Received>, _ splits: [Int]) {
        let direct = DispatchedEvent.all(in: stream.bytes)
        #expect(direct.count >= 2, "\(stream)")
        var checked: Set<[UInt8]> = []
        for (answer, split) in zip(answers, splits) {
            #expect(answer.end == .complete && answer.status == 200, "\(stream), split at \(split)")
            if !checked.insert(answer.body).inserted { continue }
            #expect(DispatchedEvent.all(in: answer.body) == direct, "\(stream), split at \(split)")
        }
    }

    @Test(arguments: WebServer.selected)
    func `says the same to the openai package`(server: WebServer) async throws {
        let upstream = try RuleStream.upstream()
        try await Site.with(server, upstream: upstream, changes: server.withoutLimits) { site in
            // The package does not know byte order marks.
            let numbers = RuleStream.all.indices.filter { !RuleStream.all[$0].hasByteOrderMark }
            let seen = try await seen(upstream.url, numbers, in: site)
            try #require(seen.count == numbers.count)
            for (number, seen) in zip(numbers, seen) {
                #expect(!seen.direct.events.isEmpty)
                #expect(seen.through == seen.direct, "\(RuleStream.all[number])")
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `loses a byte order mark that the openai package would trip over`(server: WebServer) async throws {
        let upstream = try RuleStream.upstream()
        try await Site.with(server, upstream: upstream) { site in
            let numbers = RuleStream.all.indices.filter { RuleStream.all[$0].hasByteOrderMark }
            for seen in try await seen(upstream.url, numbers, in: site) {
                #expect(seen.direct.chunks.count == 1)
                #expect(seen.through.chunks.count == 2)
            }
        }
    }

    /// What the package's decoder and its user see of one stream.
    private struct Seen: Decodable, Equatable {
        let events: [String]
        let chunks: [String]
    }

    private func seen(_ direct: String, _ streams: [Int], in site: Site) async throws -> [(direct: Seen, through: Seen)] {
        let child = try Python.start("event_rules.py", [direct] + streams.map(String.init), site: site)
        #expect(try await child.exited(within: .seconds(120)) == .code(0), "\(child.errors.value.text)")
        try await child.output.wait(for: "the end of its output") { $0.ended }
        return try child.output.value.lines.map { line in
            let both = try JSONDecoder().decode([String: Seen].self, from: Data(line.utf8))
            return (try #require(both["direct"]), try #require(both["through"]))
        }
    }
}

/// Where Sluice says more or less than its upstream, it means to.
@Suite struct `A stream that Sluice changes` {
    private static let chunk = Chunks.content("Hello")
    private static let finish = Chunks.finish()

    private func withAnswer(to body: String, behind server: WebServer, _ check: (Received) -> Void) async throws {
        try await Site.with(server, upstream: try StubUpstream(Reply([.text(body)]))) { site in
            check(try await site.call(chat()).ended())
        }
    }

    @Test(
        arguments: WebServer.selected,
        [
            // JSON without choices
            (chunk + "event: ping\ndata: {\"type\":\"ping\"}\n\n" + finish + Chunks.done, chunk + finish + Chunks.done),
            // data with nothing in it
            (chunk + "data\n\n" + finish + "data:\n\n" + Chunks.done, chunk + finish + Chunks.done),
            // a DONE that is missing, or lacks its blank line
            (chunk + finish, chunk + finish + Chunks.done),
            (chunk + finish + "data: [DONE]", chunk + finish + Chunks.done),
            (chunk + finish + "data: [DONE]\n", chunk + finish + Chunks.done),
            (chunk + finish + "event: end\r\ndata:[DONE]\r\n", chunk + finish + Chunks.done),
            // whatever follows DONE
            (chunk + Chunks.done + finish + Chunks.done, chunk + Chunks.done),
            // a byte order mark, which would not be leading after a heartbeat
            ("\u{FEFF}" + chunk + finish + Chunks.done, chunk + finish + Chunks.done),
        ])
    func `says what a client needs`(server: WebServer, streams: (sent: String, received: String)) async throws {
        try await withAnswer(to: streams.sent, behind: server) { answer in
            #expect(answer.end == .complete)
            #expect(answer.content == streams.received)
        }
    }

    @Test(
        arguments: WebServer.selected,
        [
            // data that is no JSON
            (chunk + "data: Hello\n\n" + finish + Chunks.done, chunk),
            // an event that is not complete, be it the finish reason or after it
            (chunk + finish.dropLast(), chunk), (chunk + finish + chunk.dropLast(), chunk + finish),
            (chunk + finish + "data: [DO", chunk + finish), (chunk + finish + "dat", chunk + finish),
        ])
    func `ends with an error where its upstream is broken`(
        server: WebServer, streams: (sent: String, received: String)
    ) async throws {
        try await withAnswer(to: streams.sent, behind: server) { answer in
            #expect(answer.end == .complete)
            #expect(answer.text.hasPrefix(streams.received))
            let rest = DispatchedEvent.all(in: answer.body.dropFirst(streams.received.utf8.count))
            #expect(rest.map(\.error?.type) == ["upstream_error"])
        }
    }
}

extension UpstreamRequest {
    /// A number that the caller has written into its message.
    func number(after word: String) -> Int {
        Int(text.split(separator: word)[1].prefix { $0.isNumber })!
    }
}
