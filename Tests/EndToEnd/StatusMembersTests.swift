import Foundation
import Glibc
import TestSupport
import Testing

/// What was told at one moment.
private struct Told {
    /// By the member's path, `upstreams.open` for that of the array's first object.
    let members: [String: String]
    let text: [String]

    init(json: String, text: String) throws {
        var members: [String: String] = [:]
        func add(_ value: Any, at path: String) {
            switch value {
            case let object as [String: Any]:
                for (name, value) in object { add(value, at: path.isEmpty ? name : "\(path).\(name)") }
            case let array as [Any] where array.first is [String: Any]: add(array[0], at: path)
            default: members[path] = "\(value)"
            }
        }
        add(try JSONSerialization.jsonObject(with: Data(json.utf8)), at: "")
        self.members = members
        self.text = text.split(separator: "\n").map(String.init)
    }

    /// The lines that begin so.
    func lines(_ start: String) -> [String] { text.filter { $0.hasPrefix(start) } }
}

/// In the life of a process, and of another one.
private enum Moment: CaseIterable {
    /// Nothing has been asked.
    case start
    /// A request is on its way in.
    case reading
    /// A stream has had an event, and another request waits for its place.
    case busy
    /// Both have ended, and others, so that first tokens can be compared.
    case answered
    /// Upstreams have failed, a caller has left, a stranger has come, somebody has asked without a name.
    case troubled
    /// Other settings are in force.
    case reloaded
    /// Wrong ones are not.
    case mistaken
    /// It is about to end, with a stream open.
    case draining
    /// Another process.
    case other
}

/// A member, and two moments between which it has moved.
private struct MemberRow {
    let member: String
    let moments: (Moment, Moment)
    /// How the text's line begins that has moved with it; nil where the text leaves it out.
    let line: String?

    init(_ member: String, _ before: Moment, _ after: Moment, _ line: String?) {
        (self.member, moments, self.line) = (member, (before, after), line)
    }
}

/// `version` alone stays as it is. What two values of a status show, `StatusTextTests.swift` has: `listen_queue`,
/// `silent_workers`, `active_requests_left_out`, `max_listen_queue`, `budget_store`; `lost_log_lines` moves in
/// `LogTroubleTests.swift`.
private let memberRows = [
    MemberRow("process", .start, .other, "process:"),
    MemberRow("state", .start, .draining, "process:"),
    MemberRow("start_time", .start, .other, "start time:"),
    MemberRow("start_since", .start, .draining, "start since:"),
    MemberRow("generation", .start, .reloaded, "generation:"),
    MemberRow("last_reload.time", .start, .reloaded, "last reload:"),
    MemberRow("last_reload.outcome", .reloaded, .mistaken, "last reload:"),
    MemberRow("last_reload.problems", .reloaded, .mistaken, "last reload:"),
    MemberRow("last_reload.remarks", .start, .reloaded, "last reload:"),
    MemberRow("workers", .start, .other, "workers:"),
    MemberRow("listen_queue_len", .start, .draining, "listen queue:"),
    MemberRow("listen.address", .start, .other, nil),
    MemberRow("listen.listen_queue_len", .start, .draining, nil),
    MemberRow("accepted_conn", .start, .reading, "accepted conn:"),
    MemberRow("refused_conn", .answered, .troubled, "refused conn:"),
    MemberRow("active", .reading, .busy, "active requests:"),
    MemberRow("max_active", .reading, .busy, "max active requests:"),
    MemberRow("max_children_reached", .answered, .troubled, "max children reached:"),
    MemberRow("slow_requests", .busy, .answered, "slow requests:"),
    MemberRow("requests", .busy, .answered, "requests:"),
    MemberRow("answered", .busy, .answered, "requests:"),
    MemberRow("failed", .answered, .troubled, "requests:"),
    MemberRow("callers_left", .answered, .troubled, "requests:"),
    MemberRow("memory_used", .start, .busy, "memory:"),
    MemberRow("memory_limit", .troubled, .reloaded, "memory:"),
    MemberRow("upstreams.name", .troubled, .reloaded, "stub "),
    MemberRow("upstreams.open", .start, .busy, "stub "),
    MemberRow("upstreams.queued", .start, .busy, "stub "),
    MemberRow("upstreams.places", .troubled, .reloaded, "other "),
    MemberRow("targets.route", .troubled, .reloaded, "new-*"),
    MemberRow("targets.upstream", .troubled, .reloaded, "new-*"),
    MemberRow("targets.model", .troubled, .reloaded, "new-*"),
    MemberRow("targets.asked", .start, .answered, "stub-*"),
    MemberRow("targets.failed", .answered, .troubled, "stub-*"),
    MemberRow("targets.cut", .answered, .troubled, "stub-*"),
    MemberRow("targets.rests_for", .answered, .troubled, "stub-*"),
    MemberRow("targets.first_tokens", .start, .answered, nil),
    MemberRow("targets.first_token_p50", .start, .answered, "stub-*"),
    MemberRow("targets.first_token_p95", .start, .answered, "stub-*"),
    MemberRow("clients.name", .start, .answered, "first "),
    MemberRow("clients.requests", .answered, .troubled, "first "),
    MemberRow("other_requests", .answered, .troubled, "others:"),
    MemberRow("last_errors.time", .answered, .troubled, "last errors"),
    MemberRow("last_errors.client", .answered, .troubled, "last errors"),
    MemberRow("last_errors.upstream", .answered, .troubled, "last errors"),
    MemberRow("last_errors.ending", .answered, .troubled, "last errors"),
    MemberRow("active_requests.id", .reading, .busy, "…"),
    // A time may be the same twice, to the millisecond.
    MemberRow("active_requests.age", .start, .reading, "-"),
    MemberRow("active_requests.client", .reading, .busy, "…"),
    MemberRow("active_requests.call", .reading, .busy, "…"),
    MemberRow("active_requests.route", .reading, .busy, "…"),
    MemberRow("active_requests.model", .reading, .busy, "…"),
    MemberRow("active_requests.upstream", .reading, .busy, "…"),
    MemberRow("active_requests.state", .reading, .busy, "…"),
    MemberRow("active_requests.events", .reading, .busy, "…"),
    MemberRow("active_requests.bytes", .reading, .busy, "…"),
    MemberRow("active_requests.silence", .start, .busy, "…"),
]

private let fixed: Set<String> = ["version"]
private let shownByValues: Set<String> = [
    "listen_queue", "max_listen_queue", "listen.listen_queue", "silent_workers", "active_requests_left_out", "lost_log_lines",
    "budget_store",
]

@Suite struct `Each member of the status` {
    private let frames = Chunks.stream(["one", "two"])
    private let first = """
        control = "unix:control.sock"
        retries = 0
        rest_after = 2
        rest_for = "5m"
        limits.requests = 2
        log.slow = "1ms"
        upstreams.stub = {url = "UPSTREAM", key = "sk-stub", concurrent = 1, queue_wait = "1m"}
        [[models]]
        match = "stub-*"
        targets = [{upstream = "stub", model = "own"}]
        """

    private func told(_ directory: TemporaryDirectory) async throws -> Told {
        let json = try await SluiceRun(["status", "--json", "--full", "--control", "unix:control.sock"], in: directory)
        let text = try await SluiceRun(["status", "--full", "--control", "unix:control.sock"], in: directory)
        #expect(json.exit == .code(0) && text.exit == .code(0))
        return try Told(json: json.output, text: text.output)
    }

    private func told(_ directory: TemporaryDirectory, once isReached: (Told) -> Bool) async throws -> Told {
        while true {
            let told = try await told(directory)
            if isReached(told) { return told }
        }
    }

    @Test func `moves when that happens of which it tells, as JSON and as text`() async throws {
        let moments = try await life()
        for row in memberRows {
            let (before, after) = (try #require(moments[row.moments.0]), try #require(moments[row.moments.1]))
            #expect(before.members[row.member] != after.members[row.member], "\(row.member): \(row.moments)")
            if let line = row.line { #expect(before.lines(line) != after.lines(line), "\(row.member), \(line): \(row.moments)") }
        }
        let all = moments.values.reduce(into: Set<String>()) { $0.formUnion($1.members.keys) }
        // Arrays without an object have no members.
        let empty: Set<String> = [
            "last_reload", "listen", "upstreams", "targets", "clients", "last_errors", "active_requests",
        ]
        #expect(all.subtracting(empty) == Set(memberRows.map(\.member)).union(fixed).union(shownByValues))
    }

    private func life() async throws -> [Moment: Told] {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            if request.text.contains("bad") { return .json("{}", status: 500) }
            if request.text.contains("breaks off") { return .stream([Chunks.begun()]) }
            if !request.text.contains("open") { return .stream(frames) }
            return .begun(frames, then: gate)
        }
        var moments: [Moment: Told] = [:]
        let call = #","call":{"id":"7d0e9f3c-0b1a-4c2d-9e3f-aabbccddeeff"}"#
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: first, endsSluice: true) { site in
            let directory = site.directory
            let permission = [("SLUICE_STATUS", "on")]
            moments[.start] = try await told(directory)

            let late = try DirectCall(to: site.sluice.socket, "GET", "/sluice/ping", permission, heldBack: 4)
            moments[.reading] = try await told(directory) { $0.members["active_requests.state"] == "reading" }
            try late.complete()
            #expect(try await late.response().contains("pong"))

            let stream = try site.call(chat("open", members: call))
            try await stream.arrival(of: "assistant")
            let queued = try site.call(chat("open" + String(repeating: "x", count: 5_000)))
            moments[.busy] = try await told(directory) { $0.members["upstreams.queued"] == "1" }
            gate.open(2)
            #expect(try await stream.ended().end == .complete)
            #expect(try await queued.ended().end == .complete)
            for _ in 0..<20 { try await site.answers(frames) }
            moments[.answered] = try await told(directory) { $0.members["requests"] == "22" }

            let leaving = try site.call(chat("open leaving"))
            try await leaving.arrival(of: "assistant")
            let waiting = try site.call(chat("open" + String(repeating: "y", count: 5_000)))
            _ = try await told(directory) { $0.members["upstreams.queued"] == "1" }
            #expect(try await site.call(chat("one too many")).ended().status == 503)
            for call in [leaving, waiting] { call.close() }
            _ = try await told(directory) { $0.members["callers_left"] == "2" }
            #expect(try await site.call(chat("breaks off")).ended().status == 200)
            for _ in 0..<2 { #expect(try await site.call(chat("bad")).ended().status == 503) }
            try Socket.connected(path: site.sluice.socket).write([9, 9, 9, 9, 9, 9, 9, 9])
            _ = try await DirectCall(to: site.sluice.socket, "GET", "/elsewhere").response()
            moments[.troubled] = try await told(directory) {
                $0.members["callers_left"] == "2" && $0.members["refused_conn"] == "1" && $0.members["other_requests"] == "2"
            }

            let second = """
                control = "unix:control.sock"
                limits.memory = "64MiB"
                socket.mode = "0600"
                upstreams.other = {url = "\(upstream.url)", key = "sk-stub", concurrent = 2}
                [[models]]
                match = "new-*"
                targets = [{upstream = "other"}]
                [[models]]
                match = "*"
                targets = [{upstream = "other"}]
                """
            try directory.write(second, to: "sluice.toml")
            _ = try await SluiceRun(["reload", "--control", "unix:control.sock"], in: directory)
            moments[.reloaded] = try await told(directory)
            try directory.write("heartbeat = 3", to: "sluice.toml")
            _ = try await SluiceRun(["reload", "--control", "unix:control.sock"], in: directory)
            moments[.mistaken] = try await told(directory)

            let last = try site.call(chat("open"))
            try await last.arrival(of: "assistant")
            let asked = ["status full json\n", "status full\n"]
            let asking = try asked.map { _ in try Socket.connected(path: directory.path("control.sock")) }
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            let answers = try zip(asking, asked).map { socket, line in
                try socket.write(Array(line.utf8))
                var answer: [UInt8] = []
                while true {
                    let part = try socket.read()
                    if part.isEmpty {
                        return String(decoding: answer.drop { $0 != UInt8(ascii: "\n") }.dropFirst(), as: UTF8.self)
                    }
                    answer += part
                }
            }
            moments[.draining] = try Told(json: answers[0], text: answers[1])
            gate.open()
            #expect(try await last.ended().end == .complete)
            #expect(try await site.sluice.process.exited() == .code(0))
        }

        let directory = try TemporaryDirectory()
        let options = ["--workers", "1"]
        let another = try await SluiceProcess(
            .settings("control = \"unix:control.sock\"\nupstreams.demo = {kind = \"demo\"}"), options: options, in: directory)
        moments[.other] = try await told(directory)
        try await another.process.end()
        return moments
    }
}
