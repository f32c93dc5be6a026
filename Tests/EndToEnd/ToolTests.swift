import Foundation
import TestSupport
import Testing

/// A model calls functions, and the program answers with their results.
@Suite struct `The openai package's tool calls` {
    private struct Told: Decodable {
        let calls: [ToolCall]?
        let pieces: Int?
        let finish_reason: String?
        let content: String?
    }

    /// Two calls of the same function among them, and all that JSON makes of a string.
    private static let calls = [
        ToolCall("call_1", "weather", #"{"place": "Zürich 🐔", "note": "a \"quoted\" \\ word\n\u00e9 \/"}"#),
        ToolCall("call_2", "time", "{\"place\":\"\\ud83d\\udc14\",\r\n\t\"at\":1e3}"),
        ToolCall("call_3", "weather", #"{"place":"\#(String(repeating: "far away ", count: 40))"}"#),
    ]
    private static let words = ["It", " is", " sunny."]

    /// - Parameter mixed: whether it sends the calls all at once, which the package's own reassembling does not take.
    private func upstream(mixed: Bool) throws -> StubUpstream {
        try StubUpstream { request in
            // What does not decode is told by the test, which reads the same body.
            let last = try? ChatBody(request).messages.last?.role
            let reply = last == "tool" ? try? request.answer(Self.words) : try? request.answer(Self.calls, mixed: mixed)
            return reply ?? .json(Chunks.error("no such request"), status: 400)
        }
    }

    @Test(arguments: WebServer.selected, ["stream", "async_stream", "complete"])
    func `come together exactly, and their results go back`(server: WebServer, script: String) async throws {
        let upstream = try upstream(mixed: script == "async_stream")
        try await Site.with(server, upstream: upstream) { site in
            let told: [Told] = try await site.told(by: "sdk_tools.py", [script])
            try #require(told.count == 2)
            #expect(told[0].calls == Self.calls)
            #expect(told[0].finish_reason == "tool_calls")
            // Every piece came on its own: nothing on the way joins what the model splits.
            let count = Self.calls.map(\.arguments.count).reduce(Self.calls.count, +)
            #expect(script == "complete" || told[0].pieces == count)
            #expect(told[1].content == Self.words.joined())

            let history = try ChatBody(try await upstream.request(1)).messages
            #expect(history.map(\.role) == ["user", "assistant", "tool", "tool", "tool"])
            let sent = history.flatMap { $0.tool_calls ?? [] }
            #expect(sent.map { ToolCall($0.id, $0.function.name, $0.function.arguments) } == Self.calls)
            #expect(history.compactMap(\.tool_call_id) == Self.calls.map(\.id))
            #expect(history.suffix(3).map(\.content) == Self.calls.map { "result of \($0.arguments)" })
        }
    }

    /// OpenAI answers 400 to an empty list, and to a choice among none.
    @Test(arguments: WebServer.selected)
    func `are not asked for when the list of tools is empty`(server: WebServer) async throws {
        let upstream = try StubUpstream { request in
            let reply = try? request.answer(Self.words)
            return reply ?? .json(Chunks.error("no such request"), status: 400)
        }
        try await Site.with(server, upstream: upstream) { site in
            let told: [Told] = try await site.told(by: "sdk_tools.py", ["no_tools"])
            #expect(told.map(\.content) == [Self.words.joined(), Self.words.joined()])
            for request in upstream.requests.value { #expect(!request.text.contains("tool")) }
        }
    }
}
