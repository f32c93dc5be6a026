// The shape of a row of what servers and clients in the wild send.

import TestSupport
import Testing

/// One row of what servers and clients in the wild were reported to send: what an upstream answers, and what is right.
struct WildRow: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// A whole stream of exactly these bytes.
        case stream(String)
        /// A whole stream that holds these texts and ends with `[DONE]`.
        case says([String])
        /// An HTTP error whose message holds this.
        case error(Int, String)
        /// A stream that begins with these bytes and ends with an error frame whose message holds this, without `[DONE]`.
        case broken(String, String)
    }

    let name: String
    var testDescription: String { name }
    let answer: Reply
    var gets: Outcome
    /// How often the upstream is asked.
    var asked = 1
    /// Whether a second target stands behind the first; it answers `second`.
    var hasSecond = false
    /// What the caller asks for, when it is not the row's own model.
    var asksModel: String?
    /// Of the upstream: `compatible` or `openai`.
    var kind = "compatible"
    /// Of the request, each with a comma before it.
    var members = ""
    var isStreaming = true
    var messages = hi
    /// Whether the upstream, which would go on for ever, is let go.
    var isLetGo = false
    /// Texts in the request that the upstream gets, and texts that must not be there.
    var upstreamGets: [String] = []
    var upstreamLacks: [String] = []
    /// What must not be anywhere in the answer, its head among it.
    var callerLacks: [String] = []
    /// Of the call.
    var path = "/v1/chat/completions"
    var fields: [(name: String, value: String)] = []
    var callerFields: [String: String] = [:]
    /// What the line in the log must hold.
    var logged: [String] = []

    init(_ name: String, _ answer: Reply, _ gets: Outcome) {
        (self.name, self.answer, self.gets) = (name, answer, gets)
    }

    func with(_ change: (inout WildRow) -> Void) -> WildRow {
        var row = self
        change(&row)
        return row
    }

    /// What the second target answers.
    static let second = Chunks.stream(["second"])

    /// Asked so often in all, with two retries.
    func asked(_ count: Int) -> WildRow { with { $0.asked = count } }

    /// The same with a target behind it that answers well.
    var thenSecond: WildRow {
        with { ($0.hasSecond, $0.gets) = (true, .stream(Self.second.joined())) }
    }

    var call: ChatCall {
        let model = asksModel ?? "row-\(name)"
        let stream = isStreaming ? #","stream":true"# : ""
        var call = ChatCall(#"{"model":\#(quoted(model)),"messages":[\#(messages)]\#(stream)\#(members)}"#, path: path)
        call.fields = fields
        return call
    }
}

extension Reply {
    /// Events, each in a piece of its own that has been read before the next comes.
    static func frames(
        _ frames: [String], status: Int = 200, type: String = "text/event-stream", fields: [(name: String, value: String)] = [],
        end: [Step] = []
    ) -> Reply {
        Reply(
            status: status, contentType: type, fields: fields + [("Connection", "close")],
            frames.flatMap { [Step.text($0), .read] }.dropLast() + end)
    }

    static func frames(_ frames: String...) -> Reply { .frames(frames) }
}
