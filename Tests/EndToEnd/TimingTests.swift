import Foundation
import TestSupport
import Testing

/// What callers and the log are told of the time until the first token.
@Suite struct `Where the time went` {
    private let frames = Chunks.stream(["Hello"])

    private func upstream() throws -> StubUpstream {
        let frames = frames
        return try StubUpstream { request in
            if request.text.contains("bad") { return .json("{}", status: 500) }
            return request.text.contains("\"stream\":true") ? .stream(frames) : .json(Chunks.completion("Hello"))
        }
    }

    @Test(arguments: WebServer.selected, [true, false])
    func `stands in the head of an answer where timing wants it`(server: WebServer, stream: Bool) async throws {
        try await Site.with(server, upstream: upstream(), settings: "timing = true\n" + plainSettings) { site in
            let answer = try await site.call(chat(stream: stream)).ended()
            #expect(answer.status == 200)
            let timing = try #require(answer.head?["Server-Timing"])
            let parts = timing.components(separatedBy: ", ").map { $0.replacing(/;dur=[0-9]+\.[0-9]{3}$/, with: "") }
            #expect(parts == ["queue", "connect", "upstream", "sluice"], "\(timing)")
            #expect(try await site.call(chat("bad")).ended().head?["Server-Timing"] == nil)
        }
    }

    @Test(arguments: [true, false])
    func `has the hook's part where one was asked`(stream: Bool) async throws {
        try await HookSite.with(StubUpstream(.nothingToSay), settings: "timing = true") { site in
            let answer = try await site.site.call(chat(stream: stream)).ended()
            site.answers(answer, stream: stream)
            let timing = try #require(answer.head?["Server-Timing"])
            let parts = timing.components(separatedBy: ", ").map { $0.replacing(/;dur=[0-9]+\.[0-9]{3}$/, with: "") }
            #expect(parts == ["hook", "queue", "connect", "upstream", "sluice"], "\(timing)")
        }
    }

    @Test func `is told to nobody else, nor where the head has left before`() async throws {
        try await Site.with(WebServer.selected[0], upstream: upstream(), settings: plainSettings) { site in
            let answer = try await site.call(chat()).ended()
            #expect(answer.status == 200 && answer.head?["Server-Timing"] == nil)
        }
        let gate = try Gate()
        let late = try StubUpstream(Reply([.wait(gate)] + frames.map(Reply.Step.text)))
        let filler = "timing = true\nfiller = {after = \"1ms\", texts = [\"One moment.\"]}\n"
        try await Site.with(WebServer.selected[0], upstream: late, settings: filler + plainSettings) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "One moment.")
            gate.open()
            let answer = try await stream.ended()
            #expect(answer.end == .complete && answer.head?["Server-Timing"] == nil)
        }
    }

    @Test func `is in the log as far as Sluice has added to it, of answers alone`() async throws {
        try await Site.with(WebServer.selected[0], upstream: upstream(), settings: plainSettings) { site in
            for call in [chat(), chat(stream: false), chat("bad")] { _ = try await site.call(call).ended() }
            let added = try await site.requestLines(3).map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                return object?["added"] as? Double
            }
            #expect(added.count { $0 == nil } == 1 && added.compactMap(\.self).allSatisfy { $0 >= 0 })
        }
    }
}
