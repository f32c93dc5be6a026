import TestSupport
import Testing

@Suite struct `Many streams at once` {
    private let streamsCount = 500

    /// The events of the stream with that number: each stream has its own, of other lengths.
    private func frames(_ number: Int) -> [String] {
        Chunks.stream((0..<20).map { "stream \(number), event \($0) \(String(repeating: "x", count: number * ($0 + 1) % 400))" })
    }

    /// The number that a call carries in its message.
    private func number(of request: UpstreamRequest) -> Int {
        Int(request.text.split(separator: "number ")[1].prefix { $0.isNumber })!
    }

    /// Half of the calls for each client, so that no client's limit of requests is touched.
    private func call(_ number: Int) -> ChatCall {
        var call = chat("number \(number)")
        call.token = number.isMultiple(of: 2) ? RunningServer.token : RunningServer.otherToken
        return call
    }

    @Test(arguments: WebServer.selected)
    func `bring each caller exactly what its upstream sent`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            let frames = frames(number(of: request))
            let rest = frames.dropFirst(2).flatMap { [Reply.Step.text($0), .pause(.milliseconds(10))] }
            return Reply(frames.prefix(2).map(Reply.Step.text) + [.wait(gate)] + rest)
        }
        try await Site.with(server, upstream: upstream, settings: patientSettings) { site in
            let streams = try (0..<streamsCount).map { try site.call(call($0)) }
            // All are open before any goes on.
            for stream in streams { try await stream.arrival(of: "content") }
            gate.open(streamsCount)
            for (number, stream) in streams.enumerated() {
                let response = try await stream.ended()
                #expect(response.end == .complete)
                #expect(response.content == frames(number).joined(), "stream \(number)")
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `go on undisturbed when every second caller leaves`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            let number = number(of: request)
            if number.isMultiple(of: 2) {
                return .begun(frames(number), then: gate)
            }
            // Goes on for ever: a web server that does not watch its clients learns from a write that one has left.
            return Reply(Array(repeating: [.text(frames(number)[1]), .pause(.milliseconds(50))], count: 10_000).flatMap { $0 })
        }
        try await Site.with(server, upstream: upstream, settings: patientSettings) { site in
            let streams = try (0..<100).map { try site.call(call($0)) }
            for stream in streams { try await stream.arrival(of: "content") }
            for number in stride(from: 1, to: streams.count, by: 2) { streams[number].close() }
            for request in upstream.requests.value where !number(of: request).isMultiple(of: 2) {
                try await request.closedByPeer()
            }
            gate.open(streams.count / 2)
            for number in stride(from: 0, to: streams.count, by: 2) {
                #expect(try await streams[number].ended().content == frames(number).joined(), "stream \(number)")
            }
        }
    }
}
