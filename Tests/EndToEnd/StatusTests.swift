import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `The status` {
    private let server = WebServer.selected[0]
    private let frames = Chunks.stream(["one", "two"])

    private func settings(_ lines: String...) -> String {
        (["control = \"unix:control.sock\"", "retries = 0"] + lines).joined(separator: "\n")
    }

    private func status(_ site: Site) async throws -> ToldStatus {
        let run = try await SluiceRun(["status", "--json", "--control", "unix:control.sock"], in: site.directory)
        #expect(run.exit == .code(0))
        return try ToldStatus(json: run.output)
    }

    private func text(_ site: Site) async throws -> String {
        let run = try await SluiceRun(["status", "--control", "unix:control.sock"], in: site.directory)
        #expect(run.exit == .code(0))
        return run.output
    }

    @Test func `counts streams while they are open, those who wait, and what became of them`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        let settings = settings("upstreams.stub = {url = \"UPSTREAM\", key = \"sk-stub\", concurrent = 1, queue_wait = \"1m\"}")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let start = try await status(site)
            #expect(start.process == site.sluice.process.identifier)
            #expect(abs(try #require(start.startTime).timeIntervalSinceNow) < 3600)
            #expect((start.state, start.workers, start.generation) == ("serving", 2, 1))
            #expect((start.requests, start.active, start.maxActive) == (0, 0, 0))
            #expect(start.upstreams == [ToldStatus.Upstream(name: "stub", open: 0, queued: 0, places: 1)])

            let first = try site.call(chat())
            try await first.arrival(of: "assistant")
            let second = try site.call(chat(String(repeating: "x", count: 5_000)))
            let isQueued = [ToldStatus.Upstream(name: "stub", open: 1, queued: 1, places: 1)]
            try await eventually("the second to wait") { try await status(site).upstreams == isQueued }
            let busy = try await status(site)
            #expect((busy.active, busy.maxActive, busy.requests) == (2, 2, 0))
            #expect(try #require(busy.startSince) > #require(start.startSince))
            #expect(try 5_001..<#require(busy.memoryLimit) ~= #require(busy.memoryUsed))
            #expect(try #require(busy.acceptedConn) > #require(start.acceptedConn))

            second.close()
            try await eventually("the second to have left") { try await status(site).callersLeft != 0 }
            gate.open()
            #expect(try await first.ended().content == frames.joined())
            try await eventually("both to be over") { try await status(site).requests == 2 }
            let end = try await status(site)
            #expect((end.active, end.maxActive, end.answered, end.callersLeft, end.failed) == (0, 2, 1, 1, 0))
            #expect(end.memoryUsed == 0)
            #expect(end.clients?.map(\.requests) == [2])
            #expect(end.otherRequests == 0)
            #expect(end.targets?.map(\.asked) == [1])
            #expect(try await text(site).contains("requests:             2: 1 answered, 0 failed, 1 callers left"))
        }
    }

    @Test func `tells how targets do, and of the last errors nothing that a caller wrote`() async throws {
        let upstream = try StubUpstream { request in
            request.text.contains("bad") ? .json("{}", status: 500) : .stream(frames)
        }
        let settings = settings(
            "rest_after = 2", "rest_for = \"5m\"", "[upstreams.stub]", "url = \"UPSTREAM\"", "key = \"sk-planted\"", "[[models]]",
            "match = \"stub-*\"",
            "targets = [{upstream = \"stub\", model = \"other\"}]")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            for _ in 0..<20 { try await site.answers(frames) }
            let well = try #require(try await status(site).targets?.first)
            #expect((well.route, well.upstream, well.model) == ("stub-*", "stub", "other"))
            #expect((well.asked, well.failed) == (20, 0))
            #expect(well.restsFor == nil)
            #expect(try #require(well.firstTokenP50) <= #require(well.firstTokenP95))

            for _ in 0..<2 { #expect(try await site.call(chat("bad planted")).ended().status == 503) }
            // They are counted behind their last bytes.
            try await eventually("all to be counted") { try await self.status(site).requests == 22 }
            let status = try await status(site)
            let resting = try #require(status.targets?.first)
            #expect((resting.asked, resting.failed) == (22, 2))
            #expect(try #require(resting.restsFor) > 0)
            #expect((status.requests, status.failed) == (22, 2))
            #expect(status.lastErrors?.map(\.ending) == ["failed.500", "failed.500"])
            #expect(status.lastErrors?.map(\.upstream) == ["stub", "stub"])
            #expect(status.lastErrors?.map(\.client) == [status.clients?[0].name, status.clients?[0].name])
            let text = try await text(site)
            #expect(text.contains("rests for "))
            #expect(!text.contains("planted"))
            #expect(!text.contains(RunningServer.token))
        }
    }

    @Test func `tells what came of the last reload`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        let settings = settings("upstreams.stub = {url = \"UPSTREAM\", key = \"sk-stub\"}")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            #expect(try await status(site).lastReload == nil)
            _ = try await SluiceRun(["reload", "--control", "unix:control.sock"], in: site.directory)
            let good = try await status(site)
            #expect(good.generation == 2)
            #expect(good.lastReload?.outcome == "in force")
            try site.directory.write("heartbeat = 3", to: "sluice.toml")
            _ = try await SluiceRun(["reload", "--control", "unix:control.sock"], in: site.directory)
            let bad = try await status(site)
            #expect(bad.generation == 2)
            #expect(bad.lastReload?.outcome == "failed")
            #expect(bad.lastReload?.problems.count == 1)
            #expect(try await text(site).contains("sluice.toml:1: heartbeat "))
        }
    }

    @Test func `tells of peers that may not connect, and that it is about to end`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        let settings = settings("upstreams.stub = {url = \"UPSTREAM\", key = \"sk-stub\"}")
        try await Site.with(server, upstream: upstream, settings: settings, endsSluice: true) { site in
            let stranger = try Socket.connected(path: site.sluice.socket)
            try stranger.write([9, 9, 9, 9, 9, 9, 9, 9])
            try await eventually("the refusal") { try await status(site).refusedConn != 0 }
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let late = try Socket.connected(path: site.directory.path("control.sock"))
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            try late.write(Array("status json\n".utf8))
            var answer: [UInt8] = []
            while true {
                let part = try late.read()
                if part.isEmpty { break }
                answer += part
            }
            let page = String(decoding: answer.drop { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            #expect(try ToldStatus(json: page).state == "draining")
            gate.open()
            #expect(try await stream.ended().content == frames.joined())
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    @Test func `is watched in a terminal alone`() async throws {
        let run = try await SluiceRun(["status", "--watch", "--control", "unix:none.sock"])
        #expect(run.exit == .code(64))
        #expect(run.errors.contains("--watch needs a terminal; sluice status without it"))
    }

    /// What happens to it in a terminal, and how that is left then.
    @Test(
        arguments: [
            ("q", "0", "process:"), ("ctrl-c", "0", "process:"), ("down, split, q", "0", "lines 2 to"),
            ("TERM", "-15", "process:"), ("HUP", "-1", "process:"), ("INT", "-2", "process:"), ("TSTP, q", "0", "process:"),
            ("ctrl-z, q", "0", "process:"), ("STOP, down, q", "0", "lines 2 to"),
            ("ctrl-s, TERM", "-15", "process:"), ("ctrl-s, INT", "-2", "process:"), ("ctrl-s, HUP", "-1", "process:"),
            ("ctrl-s, ctrl-c", "0", "process:"), ("QUIT", "-3", "process:"), ("ctrl-s, QUIT", "-3", "process:"),
            ("freeze, q", "0", "process:"), ("end", "69", " at unix:control.sock"), ("abandon", "69", "process:"),
            ("borrow, q", "0", "process:"),
        ])
    func `is left in a terminal as it was, whatever ends it`(action: String, exit: String, shown: String) async throws {
        let told = try await toldWhileOneServes(action)
        #expect(told.hasPrefix("exit \(exit)\nrestored True\n"), "\(told)")
        #expect(told.contains(shown), "\(told)")
        // Nothing is said ahead of that.
        #expect(told.split(separator: "no Sluice can").first?.contains("\\x1b[?7h") == true, "\(told)")
    }

    /// The last of its output may be lost there.
    @Test(arguments: [("full, q", "0"), ("full, TERM", "-15")])
    func `ends also where the terminal takes nothing more, and leaves it as it was`(action: String, exit: String) async throws {
        let told = try await toldWhileOneServes(action)
        #expect(told.hasPrefix("exit \(exit)\nrestored True\n"), "\(told)")
    }

    @Test func `is not watched with a word that has no option ahead of it`() async throws {
        let told = try await told("nothing", 0, ["sluice.toml"], in: TemporaryDirectory())
        #expect(told.hasPrefix("exit 64\nrestored True\n"), "\(told)")
        #expect(told.contains("'sluice.toml' has no option ahead of it"), "\(told)")
    }

    private func toldWhileOneServes(_ actions: String) async throws -> String {
        let directory = try TemporaryDirectory()
        let sluice = try await SluiceProcess(
            .settings("control = \"unix:control.sock\"\nupstreams.demo = {kind = \"demo\"}"), options: ["--workers", "1"],
            in: directory)
        let told = try await told(actions, sluice.process.identifier, in: directory)
        if sluice.process.exit.value == nil { try await sluice.process.end() }
        return told
    }

    /// What the watch comes to in a terminal.
    ///
    /// - Parameters:
    ///   - actions: as `terminal.py` has them.
    ///   - process: the Sluice that is watched.
    private func told(
        _ actions: String, _ process: pid_t, _ words: [String] = [], in directory: TemporaryDirectory
    ) async throws -> String {
        let script = "\(repository)/Tests/EndToEnd/clients/terminal.py"
        let watch = [SluiceProcess.binary, "status", "--watch", "--control", "unix:control.sock"] + words
        let terminal = try ChildProcess(Python.interpreter, [script, actions, "\(process)"] + watch, in: directory)
        #expect(try await terminal.exited() == .code(0))
        try await terminal.output.wait(for: "the end of its output") { $0.ended }
        return terminal.output.value.text
    }
}
