import Foundation
import TestSupport
import Testing

/// The packages that others build on the openai package. The way through a web server is the same as that package's own, which is
/// tested behind each; these take seconds to start, so that each runs once, behind the server of the README.
@Suite(.enabled(if: WebServer.selected.contains(.nginx))) struct `A client of many models` {
    private struct Told: Decodable {
        let content: [String]?
        let error: String?
        let status: Int?
        let message: String?
    }

    private static let places = ["Zürich 🐔", "Paris"]
    private static let calls = places.enumerated().map { ToolCall("call_\($0)", "weather", #"{"place":"\#($1)"}"#) }
    private static let start = [Chunks.role(), Chunks.content("Hello")]

    /// Does what the last message asks for; after a tool's result it answers.
    private static func reply(to request: UpstreamRequest, breakingOff gate: Gate) throws -> Reply {
        let last = try ChatBody(request).messages.last
        return switch last?.content {
        case _ where last?.role == "tool", "answer": try request.answer(["Hello", " there"])
        case "call the tools": try request.answer(calls)
        case "refuse": .json(Chunks.error("upstream says no", type: "requests"), status: 429)
        case "break off": Reply(start.map(Reply.Step.text) + [.wait(gate), .reset])
        default: .json(Chunks.error("the engine is gone"), status: 500)
        }
    }

    private func told(by script: String) async throws -> [Told] {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            do {
                return try Self.reply(to: request, breakingOff: gate)
            } catch {
                return .json(Chunks.error("\(error)"), status: 400)
            }
        }
        let lines = Observed<[String]>([])
        try await Site.with(.nginx, upstream: upstream) { site in
            let child = try Python.start(script, site: site)
            for time in 1...2 {
                // The stream breaks off when the client has what came before.
                try await child.output.wait(for: "the start of a stream", within: .seconds(300)) { output in
                    output.ended || output.lines.count { $0 == #"{"content": ["Hello"]}"# } == time
                }
                gate.open()
            }
            let all = try await child.linesToItsEnd()
            lines.update { $0 = all }
        }
        return try lines.value.map { try JSONDecoder().decode(Told.self, from: Data($0.utf8)) }
    }

    /// The last lines are the same for every client: 429 and 503 raise, and so does a stream that breaks off, told twice.
    private func expectErrors(_ lines: ArraySlice<Told>, refused: String, unavailable: String) throws {
        let lines = Array(lines)
        try #require(lines.count == 6, "\(lines)")
        #expect(lines[0].error == refused && lines[0].status == 429)
        #expect(lines[0].message?.contains("upstream says no") == true)
        #expect(lines[1].error == unavailable && lines[1].status == 503)
        for (text, error) in [(lines[2], lines[3]), (lines[4], lines[5])] {
            #expect(text.content == ["Hello"])
            #expect(error.error != nil)
            #expect(error.message?.contains("broke off") == true)
        }
    }

    @Test func `LangChain streams, calls tools and raises`() async throws {
        let told = try await told(by: "langchain_client.py")
        let sunny = Self.places.map { "sunny in \($0)" }
        let contents = [
            ["Hello there"], ["Hello", " there"], ["Hello there"], ["Hello", " there"], sunny, ["Hello there"], Self.places,
        ]
        #expect(told.prefix(contents.count).map(\.content) == contents)
        try expectErrors(told.dropFirst(contents.count), refused: "OpenAIRateLimitError", unavailable: "OpenAIAPIError")
    }

    @Test func `litellm streams, calls tools and raises`() async throws {
        let told = try await told(by: "litellm_client.py")
        let contents = [
            ["Hello there"], ["Hello", " there"], ["Hello there"], ["Hello", " there"], Self.calls.map(\.arguments),
        ]
        #expect(told.prefix(contents.count).map(\.content) == contents)
        try expectErrors(told.dropFirst(contents.count), refused: "RateLimitError", unavailable: "ServiceUnavailableError")
    }
}

/// Voice frameworks run the openai package inside a pipeline, and cancel it when the user speaks.
@Suite(.enabled(if: WebServer.selected.contains(.nginx))) struct `Pipecat's OpenAI service` {
    @Test func `streams a turn, calls a function and closes the upstream when it is interrupted`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            // What does not decode is answered like an unknown question, for which the script never goes on.
            let last = try? ChatBody(request).messages.last
            return switch last?.content {
            case "answer": .stream(Chunks.stream(["Hello", " there"]), each: gate)
            case "call the tools": .stream(Chunks.stream([ToolCall("call_1", "weather", #"{"place":"Zürich 🐔"}"#)]))
            case "go on for ever": Reply([.text(Chunks.role()), .text(Chunks.content("more")), .silence])
            default: .stream(Chunks.stream(["It is sunny", " there"]))
            }
        }
        try await Site.with(.nginx, upstream: upstream) { site in
            let child = try Python.start("pipecat_client.py", site: site)
            _ = try await upstream.requests.wait(for: "the first turn", within: .seconds(120)) { $0.first }
            gate.open()
            _ = try await ChildProcess.line(containing: "Hello", in: child.output)
            gate.open(3)
            let call = try await ChildProcess.line(containing: "function", in: child.output)
            #expect(call == #"{"function": "weather", "arguments": {"place": "Zürich 🐔"}}"#)
            _ = try await ChildProcess.line(containing: "It is sunny", in: child.output)
            let result = try ChatBody(try await upstream.request(2)).messages.last
            #expect(result?.role == "tool")
            #expect(result?.tool_call_id == "call_1")
            #expect(result?.content?.contains("sunny") == true)
            _ = try await ChildProcess.line(containing: "interrupted", in: child.output)
            try await upstream.request(containing: "go on for ever").closedByPeer()
            #expect(child.exit.value == nil)
        }
    }

    /// A line of the script with a voice.
    private struct Told: Decodable {
        let content: String?
        let said: String?
    }

    @Test func `says a filler and an answer fit to be spoken, as sentences`() async throws {
        let gate = try Gate()
        let texts = ["**Hel", "lo** 🎉", " — see [the", " docs](https://a.example/x).", " Bye."]
        let upstream = try StubUpstream(Reply([.wait(gate)] + Chunks.stream(texts).map(Reply.Step.text)))
        let settings = """
            timeouts = {first_token = "10m", idle = "10m"}
            filler = {after = "20ms", again = "1h", texts = ["One moment."]}
            speech = ["think", "markdown", "emoji", "links"]
            \(plainSettings)
            """
        try await Site.with(.nginx, upstream: upstream, settings: settings) { site in
            let child = try Python.start("pipecat_client.py", ["voice"], site: site)
            _ = try await child.output.wait(for: "the filler", within: .seconds(300)) { output in
                output.lines.first { $0.contains("One moment.") }
            }
            gate.open()
            _ = try await ChildProcess.line(containing: "over", in: child.output)
            let told = try child.output.value.lines.map { try JSONDecoder().decode(Told.self, from: Data($0.utf8)) }
            #expect(told.compactMap(\.said) == ["One moment.", "Hello — see the docs.", "Bye."])
            #expect(told.compactMap(\.content).joined() == "One moment. Hello — see the docs. Bye.")
        }
    }
}
