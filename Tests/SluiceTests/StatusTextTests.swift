import Clock
import Foundation
import TestSupport
import Testing

@testable import FastCGI
@testable import Settings
@testable import Sluice

/// The forms of the status, made of values.
@Suite struct StatusTextTests {
    private func status(_ change: (inout Sluice.Status) -> Void = { _ in }) -> Sluice.Status {
        var status = Sluice.Status(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 1), workers: 2,
            acceptedConnections: 0, refusedConnections: 0, active: 0, maxActive: 0, memory: (0, 1 << 20),
            counts: Statistics.Counts(), upstreams: [], targets: [])
        change(&status)
        return status
    }

    private func object(_ status: Sluice.Status) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(status.json.utf8)) as? [String: Any])
    }

    @Test func `of a reload with very many mistakes tells of the first ones, and how many more there are`() throws {
        let failure = SettingsError(problems: (1...1_000).map { "mistake \($0)" }, moreCount: 5)
        let reload = Sluice.Status.Reload(time: 0, isInForce: false, problems: failure.lines)
        let status = status { $0.head.lastReload = reload }
        let told = try #require(try object(status)["last_reload"] as? [String: Any])["problems"] as? [String]
        #expect(told == failure.problems + ["… and 5 more"])
        // It is what a master has from the process that has read the settings.
        #expect(Reloader.Outcome.failed(failure.lines).answer.lines == told)
        #expect(status.text.contains("failed: mistake 1, and more than 999 others"))
        #expect(reload.failureWords.hasSuffix(": more than 1000 mistakes"))
    }

    @Test(arguments: [
        (ServingProcess.State.serving, MasterStatus.Page.missing, "7 does not answer", "silent"),
        (.starting, .missing, "7 has been starting for 12 s", "starting"), (.ending, .missing, "7 is about to end", "ending"),
        (.serving, .tooLarge, "7 has more to say than 16MiB", "too_large"),
    ])
    func `of several processes says why one does not tell of itself`(
        state: ServingProcess.State, page: MasterStatus.Page, words: String, word: String
    ) throws {
        let status = MasterStatus(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 1), placesCount: 1, restarts: 0,
            active: 0, listen: [], members: [.init(place: 1, pid: 7, state: state, generation: 1, page: page, age: .seconds(12))])
        #expect(status.text.hasSuffix("\n\nprocess 1\n\n\(words)"))
        let object = #"{"process":7,"place":1,"state":"\#(word)","start_since":12.000}"#
        #expect(status.json.hasSuffix(#""processes":[\#(object)]}"#))
    }

    /// Somebody may have stopped it, or it has more to say than is taken.
    @Test(arguments: [
        (ServingProcess.State.serving, MasterStatus.Page.said("{}"), 1), (.serving, .tooLarge, 1), (.serving, .missing, 0),
        (.starting, .missing, 0), (.ending, .said("{}"), 0),
    ])
    func `of several processes counts those as serving that say so`(
        state: ServingProcess.State, page: MasterStatus.Page, count: Int
    ) {
        let status = MasterStatus(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 1), placesCount: 1, restarts: 0,
            active: 0, listen: [], members: [.init(place: 1, pid: 7, state: state, generation: 1, page: page)])
        #expect(status.text.contains("\nprocesses:            \(count) of 1\n"))
        #expect(status.json.contains(#""processes_serving":\#(count),"#))
    }

    /// As one that is stopped before it has become this program.
    @Test func `of several processes says which places wait for one that is not there yet, and how long`() {
        let status = MasterStatus(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 1), placesCount: 2, restarts: 0,
            active: 0, listen: [], members: [.init(place: 1, pid: 7, state: .serving, generation: 1, page: .said("page"))],
            starts: [.init(place: 2, age: .seconds(40))])
        #expect(status.text.contains("\nprocesses:            1 of 2\n"))
        #expect(status.text.hasSuffix("\n\nprocess 2\n\nnone:                 one has been starting for 40 s"))
        #expect(status.json.contains(#""starting_places":[{"place":2,"start_since":40.000}],"#))
    }

    @Test(arguments: [
        (2, ServingProcess.State.serving, "page"),
        (1, .serving, "generation:           1: it has not taken those of 2 yet\npage"),
        (1, .ending, "generation:           1: it ends, and takes no others\npage"),
    ])
    func `of several processes names the settings of one where they are not those in force`(
        generation: Int, state: ServingProcess.State, text: String
    ) {
        let status = MasterStatus(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 2), placesCount: 1, restarts: 0,
            active: 0, listen: [],
            members: [.init(place: 1, pid: 7, state: state, generation: generation, page: .said("page"))])
        #expect(status.text.contains("\ngeneration:           2\n"))
        #expect(status.text.hasSuffix("\n\nprocess 1\n\n\(text)"))
    }

    @Test func `of several processes says which are missing, why, and for how long still`() throws {
        let status = MasterStatus(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 1, idleState: "down"),
            placesCount: 3, restarts: 9, active: 0, listen: [],
            members: [.init(place: 2, pid: 7, state: .starting, generation: 1, page: .missing, age: .seconds(3))],
            vacancies: [
                .init(place: 1, restart: .seconds(12), reason: "5 was killed by SIGKILL"),
                .init(place: 3, restart: .zero, reason: "6 ended with status 78"),
            ])
        #expect(status.text.hasPrefix("master:               1, sluice \(sluiceVersion), down\n"))
        #expect(status.text.contains("\nprocesses:            0 of 3\n"))
        #expect(
            status.text.hasSuffix(
                """

                process 1

                none:                 5 was killed by SIGKILL; the next one starts in 12 s

                process 2

                7 has been starting for 3000 ms

                process 3

                none:                 6 ended with status 78; the next one starts in 0 ms
                """))
        #expect(status.json.contains(#""state":"down","#))
        #expect(status.json.contains(#""processes_wanted":3,"processes_serving":0,"restarts":9,"#))
        #expect(
            status.json.contains(
                #""empty_places":[{"place":1,"again_in":12.000,"reason":"5 was killed by SIGKILL"},{"place":3,"again_in":0.000,"#
            ))
    }

    @Test func `of several processes has the sums`() throws {
        let table = try MetricTable(passedOn: 2)
        for (ending, count) in [("done", 5), ("continued", 1), ("caller_left", 2), ("failed.500", 3), ("cut", 1)] {
            table.add(count, to: table.row(.requests, MetricLabels(ending)))
        }
        for slot in 0..<2 {
            table.set(2, of: table.row(.upstreamOpen, MetricLabels("a")), by: slot)
            table.set(slot, of: table.row(.upstreamQueued, MetricLabels("a")), by: slot)
            table.set(0, of: table.row(.upstreamOpen, MetricLabels("b")), by: slot)
        }
        let status = MasterStatus(
            head: .init(pid: 1, isDraining: false, startTime: 0, uptime: .seconds(1), generation: 1), placesCount: 1, restarts: 0,
            active: 0, listen: [], members: [], sums: ProcessSums(table.series))
        #expect(status.text.contains("\nrequests:             12: 6 answered, 4 failed, 2 callers left\n"))
        #expect(status.text.hasSuffix("\n\nupstream  open  queued\na         4     1"))
        #expect(status.json.contains(#""requests":12,"answered":6,"failed":4,"callers_left":2,"#))
        #expect(status.json.contains(#""upstreams":[{"name":"a","open":4,"queued":1}],"#))
    }

    @Test func `of several processes has sums, whatever one of them has written`() throws {
        let table = try MetricTable(passedOn: 2)
        for ending in ["done", "continued", "caller_left", "failed.500", "cut"] {
            table.add(-1, to: table.row(.requests, MetricLabels(ending)))
        }
        for metric in [Metric.upstreamOpen, .upstreamQueued] {
            for slot in 0..<2 { table.set(.max, of: table.row(metric, MetricLabels("a")), by: slot) }
        }
        let (sums, most) = (ProcessSums(table.series), 1 << 53)
        let counts: [Int] = [sums.answered, sums.failed, sums.callersLeft]
        #expect(counts == [Int](repeating: most, count: 3))
        #expect(sums.requests == most)
        let upstream = try #require(sums.upstreams.first)
        #expect(upstream.open == most && upstream.queued == most)
    }

    @Test func `of several processes tells of upstreams beyond the bound by a name that none can have`() throws {
        let table = try MetricTable()
        let names = (0..<Metric.upstreamOpen.description.seriesMax).map { "\($0)" }
        let open = (names.dropLast() + ["other", "x", "y"]).map { (Metric.upstreamOpen, MetricLabels($0), 2) }
        Metrics(table).tell(open + [(.upstreamQueued, MetricLabels("other"), 1)])
        let upstreams = ProcessSums(table.series).upstreams
        #expect(upstreams.first { $0.name == "other" }.map { [$0.open, $0.queued] } == [2, 1])
        #expect(upstreams.first { $0.name == "(others)" }.map { [$0.open, $0.queued] } == [4, 0])
    }

    private func target(upstream: String, match: String, model: String?) throws -> Target {
        let upstreams = [UpstreamSettings(name: upstream, kind: .demo)]
        let models = [ModelSettings(match: ModelPattern(match), targets: [TargetSettings(upstream: upstream, model: model)])]
        let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: upstreams, models: models)
        return try #require(Routes(settings).targets.first)
    }

    private func request(_ id: String, client: String = "first", _ target: Target? = nil) -> Sluice.Status.Request {
        Sluice.Status.Request(
            id: MaskedID(id), age: .seconds(75), client: client, call: MaskedID(UUID().uuidString), route: target?.route,
            target: target, state: .connecting, events: 99_999, bytes: 99_999_999, silence: .milliseconds(999))
    }

    private func requests(_ listed: [Sluice.Status.Request], count: Int? = nil) -> Sluice.Status.Requests {
        var part = Sluice.Status.Requests()
        (part.listed, part.count) = (listed, count ?? listed.count)
        return part
    }

    @Test func `a socket's queue is told, and all of them together`() throws {
        let one = status { $0.listen = [.init(address: "unix:/a", queue: .init(count: 3, countMax: 511))] }
        #expect(try object(one)["listen_queue"] as? Int == 3)
        #expect(try object(one)["listen_queue_len"] as? Int == 511)
        #expect(one.text.contains("listen queue:         3 of 511"))
        let two = status {
            $0.listen = [
                .init(address: "unix:/a", queue: .init(count: 3, countMax: 511)),
                .init(address: "tcp:[::]:9000", queue: .init(count: 4, countMax: 128)),
            ]
        }
        #expect(try object(two)["listen_queue"] as? Int == 7)
        #expect(try object(two)["listen_queue_len"] as? Int == 639)
        let each = try #require(try object(two)["listen"] as? [[String: Any]])
        #expect(each.map { $0["address"] as? String } == ["unix:/a", "tcp:[::]:9000"])
        #expect(each.map { $0["listen_queue"] as? Int } == [3, 4])
        #expect(each.map { $0["listen_queue_len"] as? Int } == [511, 128])
        #expect(two.text.contains("tcp:[::]:9000  4      128"))
    }

    @Test func `a queue of which the kernel does not tell is unknown, and not empty`() throws {
        let status = status {
            $0.listen = [.init(address: "a", queue: nil), .init(address: "b", queue: .init(count: 1, countMax: 2))]
        }
        #expect(try object(status)["listen_queue"] is NSNull)
        #expect(try object(status)["listen_queue_len"] is NSNull)
        #expect(status.text.contains("listen queue:         unknown"))
    }

    @Test func `sockets of which another one tells are not told, and not told as unknown`() throws {
        let status = status { $0.listen = nil }
        #expect(try object(status).keys.filter { $0.hasPrefix("listen") } == [])
        #expect(!status.text.contains("\nlisten"))
        // The same holds of reloads.
        #expect(try object(status)["last_reload"] == nil)
        #expect(!status.text.contains("generation") && !status.text.contains("last reload"))
    }

    @Test func `a reload that is in force tells of the processes that it has cost, and one that failed why`() throws {
        func reload(
            _ isInForce: Bool, _ problems: [String], _ remarks: [String] = []
        ) throws -> (words: String, outcome: String?, problems: [String]?) {
            let status = status {
                $0.head.lastReload = .init(time: 0, isInForce: isInForce, problems: problems, remarks: remarks)
            }
            let object = try object(status)["last_reload"] as? [String: Any]
            let line = status.text.split(separator: "\n").first { $0.hasPrefix("last reload:") } ?? ""
            let words = "\(line.split(separator: ", ", maxSplits: 1).last ?? "")"
            return (words, object?["outcome"] as? String, object?["problems"] as? [String])
        }
        #expect(try reload(true, []) == ("in force", "in force", []))
        #expect(try reload(true, ["one"]) == ("in force: one", "in force", ["one"]))
        #expect(try reload(true, [], ["a"]).words == "in force; a")
        #expect(try reload(true, ["one", "two"], ["a", "b", "c"]).words == "in force: one, and 1 more; a, and 2 more")
        #expect(try reload(false, ["one", "two"]) == ("failed: one, and 1 more", "failed", ["one", "two"]))
    }

    @Test func `first tokens that are too few to compare are counted`() throws {
        func told(_ count: Int, _ p50: Duration?) throws -> (line: String, object: [String: Any]) {
            let status = status {
                let state = TargetState.Snapshot(
                    asked: 30, failed: 0, cut: 0, restsFor: nil, firstTokens: count, p50: p50, p95: p50)
                $0.targets = [.init(route: "*", upstream: "a", model: nil, state: state)]
            }
            let line = try #require(status.text.split(separator: "\n").first { $0.hasPrefix("*") })
            let objects = try #require(try object(status)["targets"] as? [[String: Any]])
            return (String(line), try #require(objects.first))
        }
        let few = try told(7, nil)
        #expect(few.line.hasSuffix("works  - (7 of 20)  -"))
        #expect(few.object["first_tokens"] as? Int == 7 && few.object["first_token_p50"] is NSNull)
        let many = try told(128, .milliseconds(60))
        #expect(many.line.hasSuffix("works  60 ms  60 ms"))
        #expect(many.object["first_tokens"] as? Int == 128)
    }

    @Test func `one of several processes says which it is`() throws {
        let status = status { $0.head.part = (2, 4) }
        #expect(status.text.hasPrefix("process:              2 of 4: 1, sluice "))
        #expect(try object(status)["place"] as? Int == 2)
        #expect(try object(status)["processes_wanted"] as? Int == 4)
        #expect(try object(self.status())["place"] == nil)
        // Its master says how many there are to be.
        let part = self.status { ($0.head.part, $0.listen) = ((2, 4), nil) }
        #expect(try object(part)["place"] as? Int == 2)
        #expect(try object(part)["processes_wanted"] == nil)
    }

    @Test func `lost log lines are told`() throws {
        let status = status { $0.head.lostLogLines = 12 }
        #expect(try object(status)["lost_log_lines"] as? Int == 12)
        #expect(status.text.contains("lost log lines:       12"))
    }

    @Test(
        arguments: [
            (.unknown, "unknown since 1970-01-01T00:01:00Z", "unknown", nil), (.up, "up since 1970-01-01T00:01:00Z", "up", nil),
            (.down(reason: "gone"), "down since 1970-01-01T00:01:00Z: gone", "down", "gone"),
        ] as [(StoreHealth.State, String, String, String?)])
    func `the store of budgets is told, with how it does and why`(
        state: StoreHealth.State, words: String, word: String, reason: String?
    ) throws {
        let status = status { $0.budgetStore = .init(address: "redis://h:6379/0", state: state, since: 60) }
        let store = try #require(try object(status)["budget_store"] as? [String: Any])
        #expect(store["address"] as? String == "redis://h:6379/0")
        #expect(store["state"] as? String == word)
        #expect(store["reason"] as? String == reason)
        #expect(store["since"] as? String == "1970-01-01T00:01:00Z")
        #expect(status.text.contains("\nbudget store:         redis://h:6379/0, \(words)"))
        // Where there is none it has no line.
        #expect(!self.status().text.contains("budget store"))
        #expect(try object(self.status())["budget_store"] is NSNull)
    }

    @Test func `tables take as much of the terminal as there is`() {
        let name = String(repeating: "n", count: 64)
        let status = status { $0.upstreams = [.init(name: name, open: 1, queued: 2, places: nil)] }
        func widest(_ columns: Int) -> Int {
            var status = status
            status.width = StatusForm(isFull: false, forColumns: columns).width
            return status.text.split(separator: "\n").filter { $0.hasPrefix("nnn") }.map(\.count).max() ?? 0
        }
        #expect(widest(100) == 64 + "  open  queued  any".count)
        #expect(widest(80) == 77 && widest(79) == 67 && widest(1) == 37)
        #expect(StatusForm(isFull: true, forColumns: 10_000).width == 300)
    }

    @Test func `no table is wider than a terminal, whatever the names are`() throws {
        let name = String(repeating: "n", count: 64)
        let target = try target(
            upstream: name, match: String(repeating: "m", count: 200), model: String(repeating: "o", count: 200))
        let status = status {
            $0.requests = requests([request("req_1", client: String(repeating: "c", count: 200), target), request("2")])
            $0.upstreams = [.init(name: name, open: 1, queued: 2, places: nil)]
            $0.targets = [
                .init(
                    route: target.route, upstream: name, model: target.ownModel,
                    state: .init(
                        asked: 1_000_000, failed: 1_000_000, cut: 1_000_000, restsFor: .seconds(100), firstTokens: 128,
                        p50: .seconds(1),
                        p95: .seconds(2)))
            ]
            $0.counts.clients = [(String(repeating: "c", count: 512), 1)]
            $0.counts.recentErrors = [
                .init(time: 0, client: String(repeating: "c", count: 512), upstream: name, ending: "failed.500")
            ]
        }
        let lines = status.text.split(separator: "\n", omittingEmptySubsequences: false)
        for line in lines { #expect(line.count <= 100, "\(line)") }
        #expect(
            lines.contains { $0.contains("connecting") && $0.contains("99999") && $0.contains("97656K") && $0.contains("999ms") })
    }

    @Test func `nothing that acts on a terminal is shown as it is`() throws {
        let target = try target(upstream: "a", match: "m\u{1B}[31m", model: "\u{9B}0m\r\n")
        let status = status {
            $0.requests = requests([request("1", client: "c\u{7}", target)])
            $0.head.lastReload = .init(time: 0, isInForce: false, problems: ["/etc/\u{1B}]0;title\u{7}.toml:1: \u{202E}"])
        }
        let visible = status.text.unicodeScalars.allSatisfy {
            $0 == "\n" || $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value)
        }
        #expect(visible && !status.text.unicodeScalars.contains("\u{202E}"))
        // Two models that look alike are not told as the same.
        #expect("a\u{200B}b\u{2060}c\u{AD}d".visible == #"a\u200bb\u2060c\u00add"#)
        #expect(status.text.contains(#"c\u0007"#))
        let model = (try object(status)["active_requests"] as? [[String: Any]])?.first?["model"] as? String
        #expect(model == "\u{9B}0m\r\n")
        #expect(status.json.utf8.allSatisfy { $0 >= 0x20 })
    }

    @Test func `requests beyond those that are listed are counted, and workers that stand still too`() throws {
        let part = requests((0..<1500).map { request("\($0)") }, count: 1600)
        let none = status { $0.requests = Sluice.Status.Requests() }
        let many = status { $0.requests = Sluice.Status.Requests([part, part], silentWorkers: 1) }
        #expect(try object(none)["active_requests_left_out"] as? Int == 0)
        #expect(try object(none)["silent_workers"] as? Int == 0)
        #expect(none.text.contains("no requests"))
        #expect((try object(many)["active_requests"] as? [Any])?.count == 2000)
        #expect(try object(many)["active_requests_left_out"] as? Int == 1200)
        #expect(try object(many)["silent_workers"] as? Int == 1)
        #expect(many.text.contains("… and 1200 more\n") || many.text.hasSuffix("… and 1200 more\n1 workers do not answer"))
        #expect(many.text.contains("1 workers do not answer"))
    }

    @Test func `the oldest requests come first`() {
        func aged(_ seconds: Int) -> Sluice.Status.Request { .init(age: .seconds(seconds), state: .reading) }
        let requests = Sluice.Status.Requests([requests([aged(3), aged(1)]), requests([aged(2)])])
        #expect(requests.listed.map(\.age) == [.seconds(3), .seconds(2), .seconds(1)])
    }
}

@Suite struct MaskedIDTests {
    private let own = RequestID(callers: nil).description

    @Test func `this process's own ids and UUIDs are shown`() {
        #expect(MaskedID(own).description == own)
        #expect(MaskedID(own).short == "…" + own.suffix(8))
        for uuid in ["7d0e9f3c-0b1a-4c2d-9e3f-aabbccddeeff", "7D0E9F3C-0B1A-4C2D-9E3F-AABBCCDDEEFF"] {
            #expect(MaskedID(uuid).description == uuid)
            #expect(MaskedID(uuid).short == uuid.prefix(8) + "…")
        }
    }

    /// Whatever else it is, somebody chose it.
    @Test(
        arguments: [
            "sk-proj-0123456789", "Ada.Lovelace", "12345", "7d0e9f3c0b1a4c2d9e3faabbccddeeff",
            "7d0e9f3c-0b1a-4c2d-9e3f-aabbccddeefg",
            "7d0e9f3c-0b1a-4c2d-9e3f-aabbccddeeff0", "7d0e9f3c_0b1a-4c2d-9e3f-aabbccddeeff", "", "é",
        ])
    func `of other words there is a hash alone`(word: String) {
        for shown in [MaskedID(word).description, MaskedID(word).short] {
            #expect(shown.count == 9 && shown.hasPrefix("#"))
            #expect(shown.dropFirst().allSatisfy { $0.isHexDigit })
        }
        #expect(MaskedID(word).description == MaskedID(word).description)
        #expect(MaskedID(word).description != MaskedID(word + "x").description)
    }

    @Test func `an id that somebody has made like one's own is none`() {
        let start = own.prefix(20)
        for word in ["\(start)secret-words-abc", "\(start)0123456789abcde", "\(own)0", "req_0123456789abcdef0123456789abcdef"] {
            #expect(MaskedID(word).description.hasPrefix("#"), "\(word)")
        }
    }
}

@Suite struct RequestTableTests {
    private func answering(_ id: String, at start: Int = 0) -> Answering {
        Answering(RequestRecord(RequestID(callers: id), at: Instant(nanoseconds: Int64(start))))
    }

    @Test func `it has those that have not been removed, and knows which began first`() {
        let table = RequestTable()
        let records = (0..<6).map { answering("r\($0)", at: $0) }
        func ids(_ countMax: Int = 10) -> [String] { table.oldest(atMost: countMax).map(\.record.id.description).sorted() }
        for record in records.reversed() { table.insert(record) }
        #expect(ids() == ["r0", "r1", "r2", "r3", "r4", "r5"])
        #expect(ids(2) == ["r0", "r1"])
        for place in [2, 0, 5] { table.remove(records[place]) }
        #expect(ids() == ["r1", "r3", "r4"])
        #expect(ids(1) == ["r1"])
        #expect(table.count == 3)
        table.insert(records[0])
        #expect(ids() == ["r0", "r1", "r3", "r4"])
        #expect(ids(3) == ["r0", "r1", "r3"])
        for place in [1, 4, 0, 3] { table.remove(records[place]) }
        #expect(ids() == [])
        #expect(table.count == 0)
        table.insert(records[5])
        #expect(ids() == ["r5"])
        table.remove(records[5])
    }

    @Test func `it holds nobody who has been removed`() {
        weak var gone: Answering?
        let table = RequestTable()
        let kept = answering("kept")
        do {
            let record = answering("gone")
            gone = record
            table.insert(record)
            table.insert(kept)
            table.remove(record)
        }
        #expect(gone == nil)
        #expect(table.oldest(atMost: 2).count == 1)
        table.remove(kept)
    }
}
