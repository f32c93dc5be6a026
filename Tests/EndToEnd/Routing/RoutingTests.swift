import Foundation
import TestSupport
import Testing

/// Routes as a table: `Row` says how to read it. Each row goes through a real web server and the real program.
@Suite struct `A route` {
    @Test(arguments: WebServer.selected.prefix(1), RowGroup.all)
    func `is taken, row by row`(server: WebServer, group: RowGroup) async throws {
        let desk = Desk()
        let stubs = try (1...3).map { number in try StubUpstream { desk.reply(of: number, to: $0) } }
        let directory = try TemporaryDirectory()
        let front = try await TLSFront(for: stubs[0], in: directory)
        let deaf = try DeafPort()
        let settings = group.file(stubs, refusing: try freePort(), insecure: front.url, deaf: deaf.port)
        try await Site.with(server, upstream: stubs[0], settings: settings, changes: server.withoutLimits) { site in
            for (number, row) in group.rows.enumerated() { try await check(row, number, desk, site) }
        }
        for stub in stubs.dropFirst() { try await stub.stop() }
        try await front.end()
    }

    @Test func `has a row for everything`() {
        let names = RowGroup.all.flatMap { group in group.rows.map { "\(group.title): \($0.name)" } }
        #expect(names.count >= 100)
        #expect(Set(names).count == names.count, "a name stands twice")
    }

    // MARK: One row

    private func check(_ row: Row, _ number: Int, _ desk: Desk, _ site: Site) async throws {
        desk.begin(row)
        let call = call(row, number)
        for _ in 0..<row.before { _ = try await site.call(call).ended() }
        var open: [HTTPStream] = []
        for place in 0..<row.beside {
            open.append(try site.call(call.named("beside-\(number)-\(place)")))
            try await open.last?.arrival(of: "assistant")
        }
        let stream = try site.call(call.named("call-\(number)"))
        try await perform(row, stream, desk)
        let response = try await stream.ended()
        for stream in open { stream.close() }
        // Their places are free for the next row by then, and may not be yet when their upstreams see them close.
        for place in open.indices { _ = try await logLine(of: "beside-\(number)-\(place)", row, site) }

        let noted = try await desk.calls.wait(for: "\(row.name): all requests") { $0.count >= row.calls.count ? $0 : nil }
        // Where time has the next target asked, and no answer, a stub whose thread stood still notes its request behind the next one's.
        let calls = row.goesByTime ? noted.sorted { $0.upstream < $1.upstream } : noted
        #expect(calls.map(\.upstream) == row.calls, "\(row.name)")
        var cancelled: Set<Int> = []
        for (place, call) in calls.enumerated() {
            let ending = try await call.request.ending.wait(for: "\(row.name): the end of request \(place)") { $0?.0 }
            if ending == .closedByPeer { cancelled.insert(place) }
        }
        #expect(cancelled == row.cancels, "\(row.name)")
        for (upstream, text) in row.upstreamGets {
            let texts = calls.filter { $0.upstream == upstream }.map(\.request.text)
            #expect(texts.contains { $0.contains(text) }, "\(row.name): upstream \(upstream) got \(texts)")
        }
        try check(row, response)
        try await checkLog(row, "call-\(number)", site)
    }

    private func call(_ row: Row, _ number: Int) -> ChatCall {
        let model = row.asksModel ?? "row-\(number)"
        return ChatCall(
            #"{"model":"\#(model)","messages":[{"role":"user","content":"Hi"}],"stream":\#(row.isStreaming)}"#)
    }

    private func perform(_ row: Row, _ stream: HTTPStream, _ desk: Desk) async throws {
        for (moment, act) in [row.act, row.then].compactMap(\.self) { try await perform(act, moment, row, stream, desk) }
    }

    private func perform(_ act: Row.Act, _ moment: Row.Moment, _ row: Row, _ stream: HTTPStream, _ desk: Desk) async throws {
        switch moment {
        case .called(let count):
            try await desk.calls.wait(for: "\(row.name): \(count) requests at upstreams") { $0.count >= count }
        case .closed(let place):
            let call = try await desk.calls.wait(for: "\(row.name): request \(place)") { $0.count > place ? $0[place] : nil }
            try await call.request.closedByPeer()
        }
        switch act {
        case .open(let gate): gate.open()
        case .leave: stream.close()
        }
    }

    private func check(_ row: Row, _ response: Received) throws {
        let comment: Comment = "\(row.name): \(response.status) \(response.text)"
        switch row.gets {
        case .stream(let text):
            #expect(response.status == 200, comment)
            #expect(response.text == text, comment)
        case .lateStream(let text):
            #expect(response.status == 200, comment)
            #expect(response.text.hasPrefix(": keep-alive\n\n"), comment)
            #expect(response.frames.joined() == text, comment)
        case .json(let status, let text):
            #expect(response.status == status, comment)
            #expect(response.text.contains(text), comment)
        case .error(let status, let type, let code):
            #expect(response.status == status, comment)
            #expect(response.error?.type == type, comment)
            #expect(response.error?.code == code, comment)
        case .brokenStream(let text, let type, let code):
            #expect(response.status == 200, comment)
            #expect(response.text.hasPrefix(text), comment)
            #expect(response.events.count == Received.events(of: text).count + 1, comment)
            #expect(response.errorFrame?.type == type, comment)
            #expect(response.errorFrame?.code == code, comment)
        case .lateError(let type, let code):
            #expect(response.status == 200, comment)
            #expect(response.frames.count == 1, comment)
            #expect(response.errorFrame?.type == type, comment)
            #expect(response.errorFrame?.code == code, comment)
        case .nothing: #expect(response.head == nil, comment)
        }
        if case .nothing = row.gets { return }
        #expect(response.end == .complete, comment)
        for (name, value) in row.fields { #expect(response.head?[name] == value, "\(row.name): \(name)") }
    }

    // MARK: The log

    private struct Line: Decodable {
        struct Try: Decodable { let upstream, outcome: String }
        let request: String
        let ending: String
        let tried: [Try]?
    }

    private func logLine(of request: String, _ row: Row, _ site: Site) async throws -> String {
        try await site.sluice.process.errors.wait(for: "\(row.name): the line of \(request)") { output in
            output.lines.first { $0.contains(#""message":"answered""#) && $0.contains(#""request":"\#(request)""#) }
        }
    }

    private func checkLog(_ row: Row, _ request: String, _ site: Site) async throws {
        let text = try await logLine(of: request, row, site)
        let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
        #expect(line.ending == row.ending, "\(row.name)")
        #expect((line.tried ?? []).map { "\($0.upstream) \($0.outcome)" } == row.tried, "\(row.name)")
        #expect(
            site.sluice.process.errors.value.lines.count { $0.contains(#""request":"\#(request)""#) && $0.contains("answered") }
                == 1)
    }
}

/// Knows what the upstreams do in a row, and keeps their requests in the order of arrival.
private final class Desk: Sendable {
    struct Call: Sendable {
        let upstream: Int
        let request: UpstreamRequest
    }

    let calls = Observed<[Call]>([])
    private let does = Observed<[[Reply]]>([])

    func begin(_ row: Row) {
        does.update { $0 = row.does }
        calls.update { $0 = [] }
    }

    func reply(of upstream: Int, to request: UpstreamRequest) -> Reply {
        let earlier = calls.update { calls in
            calls.append(Call(upstream: upstream, request: request))
            return calls.count { $0.upstream == upstream } - 1
        }
        let replies = does.value.indices.contains(upstream - 1) ? does.value[upstream - 1] : []
        // One that has nothing to do in a row must not be called, which the order of the calls then shows.
        guard let last = replies.last else { return .status(500) }
        return replies.indices.contains(earlier) ? replies[earlier] : last
    }
}

extension ChatCall {
    /// The same under this id, by which its line in the log is found.
    fileprivate func named(_ id: String) -> ChatCall {
        var call = self
        call.fields.append(("X-Request-Id", id))
        return call
    }
}
