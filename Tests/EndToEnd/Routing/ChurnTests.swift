import Foundation
import TestSupport
import Testing

@Suite struct `A thousand streams` {
    private let streamsCount = 1_000
    /// For how long the upstream is there, and for how long it is not.
    private let period = Duration.seconds(2)

    private static let frames = Chunks.stream((0..<20).map { "event \($0)" })
    /// The first event takes its time, so that each end of the upstream finds requests that have none yet.
    private static func reply(_ request: UpstreamRequest) -> Reply {
        Reply(
            [.pause(.milliseconds(Int.random(in: 0...200)))]
                + frames.flatMap { [Reply.Step.text($0), .pause(.milliseconds(15))] })
    }

    /// What the log tells of a request.
    private struct Line: Decodable {
        struct Try: Decodable { let upstream, outcome: String }
        let upstream, ending: String
        let tried: [Try]?

        var hasMoved: Bool { upstream == "steady" && tried?.contains { $0.upstream == "fragile" } == true }
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `lose nothing before the first event while an upstream is killed and comes back`(server: WebServer) async throws {
        let steady = try StubUpstream(Self.reply)
        let fragile = try StubUpstream(Self.reply)
        let port = try freePort()
        let settings = """
            rest_for = "500ms"
            rest_max = "500ms"
            [upstreams.steady]
            url = "UPSTREAM"
            [upstreams.fragile]
            url = "http://127.0.0.1:\(port)/v1"
            [[models]]
            match = "*"
            targets = [{upstream = "steady", weight = 1}, {upstream = "fragile", weight = 1}]
            """
        let directory = try TemporaryDirectory()
        let relay = try await startRelay(to: fragile, at: port, in: directory)
        try await Site.with(server, upstream: steady, settings: settings, changes: server.withoutLimits) { site in
            let (areAnswered, kills) = (Observed(false), Observed(0))
            defer { areAnswered.update { $0 = true } }
            let killing = Task {
                try await kill(relay, counting: kills, until: areAnswered) {
                    try await startRelay(to: fragile, at: port, in: directory)
                }
            }
            var answers: [Received] = []
            // A slow machine takes its time to start the upstream anew.
            repeat {
                answers += try await site.answers(to: (0..<streamsCount).map { chat("number \($0)") }, connections: 50)
            } while kills.value < 2
            areAnswered.update { $0 = true }
            try await killing.value
            let lines = try await site.requestLines(answers.count).map {
                try JSONDecoder().decode(Line.self, from: Data($0.utf8))
            }
            let (cutCount, movedCount) = (answers.count { !isWhole($0) }, lines.count { $0.hasMoved })
            print("\(kills.value) kills, \(cutCount) streams cut, \(movedCount) requests moved")
            #expect(cutCount > 0 && movedCount > 0)
            #expect(lines.map(\.ending).sorted() == ending("cut", cutCount) + ending("done", answers.count - cutCount))
        }
        try await fragile.stop()
    }

    private func ending(_ word: String, _ count: Int) -> [String] { Array(repeating: word, count: count) }

    /// Kills the process that the upstream is reached by, and starts another in its place, until all calls are answered.
    ///
    /// - Parameter kills: how often it was killed.
    private func kill(
        _ first: ChildProcess, counting kills: Observed<Int>, until areAnswered: Observed<Bool>,
        start: () async throws -> ChildProcess
    ) async throws {
        var process = first
        while await wait(for: areAnswered) {
            process.signal(SIGKILL)
            let exit = try await process.exited()
            #expect(exit == .signal(SIGKILL))
            kills.update { $0 += 1 }
            guard await wait(for: areAnswered) else { break }
            process = try await start()
        }
    }

    /// The upstream's own pace. Whether there is still something to do.
    private func wait(for areAnswered: Observed<Bool>) async -> Bool {
        do {
            try await areAnswered.wait(for: "all answers", within: period) { $0 }
            return false
        } catch {
            return true
        }
    }

    /// Whether nothing is missing. Otherwise it was cut after its first event, says so, and does not look complete.
    private func isWhole(_ answer: Received) -> Bool {
        #expect(answer.status == 200, "\(answer.text)")
        #expect(answer.end == .complete)
        let frames = answer.frames
        if frames == Self.frames { return true }
        #expect(answer.errorFrame?.code == "upstream_cut_off", "\(answer.text)")
        #expect(frames.dropLast() == Self.frames.prefix(max(frames.count - 1, 0)), "\(answer.text)")
        #expect(answer.text.contains("event 0"), "it was cut before its first event")
        #expect(!answer.text.contains("[DONE]"))
        return false
    }
}
