// The shape of a row of the routing table.

import TestSupport
import Testing

/// One row of the routing table: what upstreams 1, 2 and 3 do, which of them are called, and what the caller gets.
struct Row: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// A stream of these bytes.
        case stream(String)
        /// A stream that says these words after at least one heartbeat.
        case lateStream(String)
        /// A JSON body that contains this.
        case json(Int, String)
        case error(Int, type: String, code: String?)
        /// A stream of these bytes, and an error frame after them.
        case brokenStream(String, type: String, code: String)
        /// Heartbeats, and an error frame after them.
        case lateError(type: String, code: String)
        /// The caller leaves before anything comes.
        case nothing
    }

    /// What the test does while the call is open.
    enum Act: Sendable {
        case open(Gate)
        case leave
    }

    /// When it does that.
    enum Moment: Sendable {
        /// As soon as this many requests have reached upstreams.
        case called(Int)
        /// As soon as Sluice has closed the connection of that request, counted from 0.
        case closed(Int)
    }

    let name: String
    /// Entries of `targets`, in the syntax of the settings.
    let targets: String
    /// Further lines of the row's `[[models]]`. The rows share nothing but upstreams: budgets and rests are a model's own.
    let model: String
    /// What upstreams 1, 2 and 3 do with their first request, their second, and so on; the last goes on for all further ones.
    let does: [[Reply]]
    var isStreaming = true
    /// What the call asks for, when it is not the row's own model.
    var asksModel: String?
    /// How often the same call is made before, each to its end.
    var before = 0
    /// How many streams of the same call are open, with their first event, when the call is made.
    var beside = 0
    var act: (at: Moment, Act)?
    /// What it does behind that.
    var then: (at: Moment, Act)?
    /// The numbers of the upstreams that are called, in the order of the calls.
    let calls: [Int]
    /// Those of the calls, counted from 0, whose connection Sluice closes.
    var cancels: Set<Int> = []
    /// Text that upstreams must find in their requests.
    var upstreamGets: [(upstream: Int, text: String)] = []
    let gets: Outcome
    /// Headers that the caller must get, or with nil must not.
    var fields: [String: String?] = [:]
    /// Upstream and outcome of each attempt, in the order of their ends; the log leaves a single one out.
    let tried: [String]
    let ending: String

    var testDescription: String { name }

    /// Whether time has the next target asked.
    var goesByTime: Bool { (targets + model).contains("first_token") || model.contains("hedge_after") }

    /// - Parameter tried: the winner alone when left out.
    init(
        _ name: String, targets: String = #""one", "two", "three""#, _ model: String = "retries = 0", does: [[Reply]],
        isStreaming: Bool = true, asksModel: String? = nil, before: Int = 0, beside: Int = 0, act: (at: Moment, Act)? = nil,
        then: (at: Moment, Act)? = nil, calls: [Int], cancels: Set<Int> = [], upstreamGets: [(upstream: Int, text: String)] = [],
        gets: Outcome, fields: [String: String?] = [:], tried: [String] = [], ending: String = "done"
    ) {
        self.name = name
        self.targets = targets
        self.model = model
        self.does = does
        self.isStreaming = isStreaming
        self.asksModel = asksModel
        self.before = before
        self.beside = beside
        (self.act, self.then) = (act, then)
        self.calls = calls
        self.cancels = cancels
        self.upstreamGets = upstreamGets
        self.gets = gets
        self.fields = fields
        self.tried = tried
        self.ending = ending
    }
}

/// Rows under the same settings.
struct RowGroup: Sendable, CustomTestStringConvertible {
    let title: String
    /// Lines ahead of the upstreams.
    let settings: String
    let rows: [Row]

    var testDescription: String { title }

    static let all = [
        RowGroup(title: "One answer", settings: silent, rows: plainRows),
        RowGroup(title: "Statuses", settings: silent, rows: statusRows),
        RowGroup(title: "Retry-After", settings: silent, rows: retryAfterRows),
        RowGroup(title: "Connections and cuts", settings: silent, rows: cutRows),
        RowGroup(title: "Time", settings: silent, rows: timeRows),
        RowGroup(title: "Hedges", settings: silent, rows: hedgeRows),
        RowGroup(title: "Rests", settings: silent, rows: restRows),
        RowGroup(title: "Places", settings: silent, rows: placeRows),
        RowGroup(title: "Heartbeats", settings: "heartbeat = \"20ms\"\n", rows: heartbeatRows),
        RowGroup(title: "Spoken errors", settings: silent + "spoken_error = \"Sorry.\"\n", rows: spokenRows),
    ]

    private static let silent = "heartbeat = \"0s\"\n"

    /// The settings file. Each row has a model of its own, named after its place.
    func file(_ stubs: [StubUpstream], refusing: UInt16, insecure: String, deaf: UInt16) -> String {
        var text = settings
        for (name, stub, lines) in [
            ("one", 0, ""), ("two", 1, ""), ("three", 2, ""),
            ("restful-one", 0, "rest_after = 2\nrest_for = \"5m\""), ("restful-two", 1, "rest_after = 2\nrest_for = \"5m\""),
            ("narrow-one", 0, "concurrent = 1\nqueue = 0"), ("narrow-two", 1, "concurrent = 1\nqueue = 0"),
        ] {
            text += "[upstreams.\(name)]\nurl = \"\(stubs[stub].url)\"\nkey = \"sk-stub\"\n\(lines)\n"
        }
        text += "[upstreams.refusing]\nurl = \"http://127.0.0.1:\(refusing)/v1\"\n"
        text += "[upstreams.insecure]\nurl = \"\(insecure)\"\n"
        text += "[upstreams.deaf]\nurl = \"http://127.0.0.1:\(deaf)/v1\"\n"
        for (number, row) in rows.enumerated() {
            text += "[[models]]\nmatch = \"row-\(number)\"\ntargets = [\(row.targets)]\n\(row.model)\n"
        }
        return text
    }
}

// MARK: What upstreams do

extension Reply {
    /// A whole answer to a stream request that says this.
    static func says(_ word: String) -> Reply { .stream(Chunks.stream([word])) }

    static func status(_ status: Int, retryAfter: String? = nil, type: String = "stub_error") -> Reply {
        .json(
            Chunks.error("upstream says \(status)", type: type), status: status,
            fields: retryAfter.map { [("Retry-After", $0)] } ?? [])
    }

    /// A refusal after which the client closes the connection: it has read all of it.
    static func isLastOfConnection(_ status: Int, retryAfter: String) -> Reply {
        Reply(
            status: status, contentType: "application/json", fields: [("Retry-After", retryAfter), ("Connection", "close")],
            framing: .contentLength, [.text(Chunks.error("upstream says \(status)", type: "stub_error")), .silence])
    }

    /// An error with more text than `limits.event` allows, behind which nothing more comes.
    static func isTooLong(_ status: Int) -> Reply {
        Reply(
            status: status, contentType: "application/json",
            [.text(#"{"error":{"message":""# + String(repeating: "x", count: 1 << 20)), .silence])
    }

    /// An error whose text stalls.
    static func breaksOff(_ status: Int, retryAfter: String? = nil) -> Reply {
        Reply(
            status: status, contentType: "application/json", fields: retryAfter.map { [("Retry-After", $0)] } ?? [],
            [.text(#"{"error":{"message":""#), .silence])
    }

    /// Takes the request, sends a head, and closes the connection. Without the head a client may take the connection for one that
    /// died while it was kept, and ask again by itself.
    static let closes = Reply([.close])

    /// The same behind a role, which is no token yet.
    static let closesAfterRole = Reply([.text(Chunks.role()), .read, .close])

    static let closesAfterToken = Reply([.text(Chunks.role()), .text(Chunks.content("Hel")), .read, .close])

    /// An error behind the status 200, and nothing more until the peer closes.
    static let reports = Reply([.text("data: \(Chunks.error("out of order", type: "server_error"))\n\n"), .silence])

    /// A verdict on the request in the same way.
    static let refuses = Reply([.text("data: \(Chunks.error("no such thing"))\n\n"), .silence])

    /// Begins an answer, and says nothing more. What it says comes at once: a pause in it might be too long already.
    static let stalls = Reply([.text(Chunks.role() + Chunks.content("Hel")), .silence])

    /// An answer that waits for the test.
    static func waits(for gate: Gate, says word: String) -> Reply {
        Reply([.wait(gate)] + Chunks.stream([word]).map(Step.text))
    }
}

/// What a caller gets of `Reply.says`.
func said(_ word: String) -> Row.Outcome { .stream(Chunks.stream([word]).joined()) }
