import Foundation
import TestSupport
import Testing

/// What the settings for a voice look like to the official package: the text, the finish reason, and what is raised.
@Suite(.timeLimit(.minutes(20))) struct `To the openai package a stream for a voice` {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// TOML.
        let settings: String
        var retries = 0
        /// What the upstream does, request by request; again the last one.
        let replies: [[Reply.Step]]
        /// What the package has to have seen ahead of what waits for the gate.
        var awaited: String?
        let text: String
        var finish: String?
        /// The class of the error, and its status.
        var raised: String?
        var status: Int?

        init(
            _ name: String, _ settings: String, retries: Int = 0, _ replies: [[Reply.Step]], awaited: String? = nil,
            text: String, finish: String? = nil, raised: String? = nil, status: Int? = nil
        ) {
            (testDescription, self.settings, self.retries, self.replies) = (name, settings, retries, replies)
            (self.awaited, self.text, self.finish, self.raised, self.status) = (awaited, text, finish, raised, status)
        }
    }

    /// A line of the script.
    private struct Told: Decodable {
        let content: String?
        let finish_reason: String?
        let error: String?
        let status: Int?
    }

    private static let gate = Reply.Step.text("GATE")
    private static let filler = #"filler = {after = "20ms", again = "1h", texts = ["One moment."]}"#
    private static let speech = #"speech = ["think", "markdown", "emoji", "links"]"#
    private static let sorry = #"spoken_cut = "Sorry.""#

    private static func steps(_ texts: String...) -> [Reply.Step] { Chunks.stream(texts).map(Reply.Step.text) }

    private static let hello = steps("Hello", " there")
    private static let roleAlone: [Reply.Step] = [.text(Chunks.role()), .close]
    private static let cut: [Reply.Step] = [.text(Chunks.begun("Hel")), .read, .reset]
    private static let failure: [Reply.Step] = [.close]

    private static let rows = [
        // The first useful token decides.
        Row("a role alone has another attempt", "", retries: 1, [roleAlone, hello], text: "Hello there", finish: "stop"),
        Row("a role alone from all is an error", "", [roleAlone], text: "", raised: "InternalServerError", status: 503),
        Row(
            "a thought alone has another attempt", speech, retries: 1,
            [[.text(Chunks.role() + Chunks.content("<think>Hm.</think>")), .close], hello], text: "Hello there", finish: "stop"),
        // A filler.
        Row(
            "a filler is the answer's beginning", filler, [[gate] + hello], awaited: "moment", text: "One moment. Hello there",
            finish: "stop"),
        Row("a filler alone raises", filler, [[gate] + failure], awaited: "moment", text: "One moment. ", raised: "APIError"),
        Row(
            "a filler alone ends with a sentence", filler + "\nspoken_error = \"Sorry.\"", [[gate] + failure], awaited: "moment",
            text: "One moment.  Sorry.", finish: "stop"),
        // Speech.
        Row(
            "a text is fit to be spoken", speech, [steps("**Hel", "lo** 🎉", " — see [the", " docs](https://a.example/x).")],
            text: "Hello — see the docs.", finish: "stop"),
        // What breaks off.
        Row("an answer that breaks off raises", "", [cut], text: "Hel", raised: "APIError"),
        Row(
            "an answer that breaks off ends with a sentence", "on_cut = \"speak\"\n\(sorry)", [cut], text: "Hel Sorry.",
            finish: "stop"),
        Row(
            "an answer that breaks off is gone on with", "on_cut = \"continue\"", [cut, steps("lo", " there")],
            text: "Hello there", finish: "stop"),
        Row(
            "where nobody can go on it ends with a sentence", "on_cut = \"continue\"\n\(sorry)", [cut, failure],
            text: "Hel Sorry.", finish: "stop"),
        Row("where nobody can go on it raises", "on_cut = \"continue\"", [cut, failure], text: "Hel", raised: "APIError"),
    ]

    @Test(arguments: rows) func `is text, a finish reason or an error, as the settings say`(row: Row) async throws {
        let gate = try Gate()
        let replies = row.replies.map { steps in
            Reply(
                steps.map { step -> Reply.Step in
                    if case .bytes(let bytes) = step, bytes == Array("GATE".utf8) { return .wait(gate) }
                    return step
                })
        }
        let asked = Observed(0)
        let upstream = try StubUpstream { _ in
            let number = asked.update { asked in
                asked += 1
                return asked
            }
            return replies[min(number, replies.count) - 1]
        }
        let settings = """
            heartbeat = "0s"
            timeouts = {first_token = "10m", idle = "10m"}
            retries = \(row.retries)
            \(row.settings)
            [upstreams.stub]
            url = "UPSTREAM"
            """
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let child = try Python.start("sdk.py", ["stream"], site: site)
            if let awaited = row.awaited {
                _ = try await ChildProcess.line(containing: awaited, in: child.output)
                gate.open()
            }
            let told = try await child.linesToItsEnd().map { try JSONDecoder().decode(Told.self, from: Data($0.utf8)) }
            #expect(told.compactMap(\.content).joined() == row.text)
            #expect(told.compactMap(\.finish_reason) == [row.finish].compactMap(\.self))
            #expect(told.compactMap(\.error) == [row.raised].compactMap(\.self))
            #expect(told.compactMap(\.status) == [row.status].compactMap(\.self))
        }
    }
}
