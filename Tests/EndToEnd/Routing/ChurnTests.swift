import TestSupport
import Testing

@Suite struct `A thousand streams` {
    private let streamsCount = 1_000
    /// For how long the upstream is there, and for how long it is not.
    private let period = Duration.seconds(2)

    private static let frames = Chunks.stream((0..<20).map { "event \($0)" })
    private static let reply = Reply(frames.flatMap { [Reply.Step.text($0), .pause(.milliseconds(20))] })

    /// What an upstream that comes and goes has been through.
    private struct Lives: Sendable {
        var endedCount = 0
        var requestsCount = 0
        var cutsCount = 0
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `lose nothing before the first event while an upstream comes and goes`(server: WebServer) async throws {
        let steady = try StubUpstream(Self.reply)
        let port = try freePort()
        let flaky = try StubUpstream(port: port) { _ in Self.reply }
        let settings = """
            rest_for = "1s"
            [upstreams.steady]
            url = "UPSTREAM"
            [upstreams.flaky]
            url = "\(flaky.url)"
            [[models]]
            match = "*"
            targets = [{upstream = "steady", weight = 1}, {upstream = "flaky", weight = 1}]
            """
        try await Site.with(server, upstream: steady, settings: settings, changes: server.withoutLimits) { site in
            let coming = Task { try await comeAndGo(flaky, port) }
            let answers = try await site.answers(to: (0..<streamsCount).map { chat("number \($0)") }, connections: 50)
            coming.cancel()
            let lives = try await coming.value
            let cutCount = try answers.count { try !expectWhole($0) }
            print("\(lives.endedCount) ends of the upstream, \(lives.requestsCount) requests there, \(cutCount) streams cut")
            #expect(lives.endedCount >= 2)
            // Each stream that it did not live to end, and no other, was cut at its caller.
            #expect(cutCount <= lives.cutsCount)
        }
    }

    /// Ends the upstream with all that it is about, and starts it anew, until the task is cancelled.
    private func comeAndGo(_ first: StubUpstream, _ port: UInt16) async throws -> Lives {
        var lives = Lives()
        var upstream = first
        while await wait() {
            try await end(upstream, &lives)
            let goesOn = await wait()
            upstream = try StubUpstream(port: port) { _ in Self.reply }
            if !goesOn { break }
        }
        try await end(upstream, &lives)
        return lives
    }

    private func end(_ upstream: StubUpstream, _ lives: inout Lives) async throws {
        try await upstream.stop()
        lives.endedCount += 1
        lives.requestsCount += upstream.requests.value.count
        lives.cutsCount += upstream.requests.value.count { $0.ending.value?.0 != .finished }
    }

    /// The upstream's own pace. Whether there is still something to do.
    private func wait() async -> Bool {
        do {
            try await Task.sleep(for: period)
            return true
        } catch {
            return false
        }
    }

    /// - Returns: false for a stream that was cut after its first event, and says so.
    private func expectWhole(_ answer: Received) throws -> Bool {
        #expect(answer.status == 200, "\(answer.text)")
        #expect(answer.end == .complete)
        if answer.text == Self.frames.joined() { return true }
        #expect(answer.errorFrame?.code == "upstream_cut_off", "\(answer.text)")
        #expect(answer.frames.dropLast() == Self.frames[..<max(answer.frames.count - 1, 0)])
        #expect(answer.text.contains("event 0"), "it was cut before its first event")
        return false
    }
}
