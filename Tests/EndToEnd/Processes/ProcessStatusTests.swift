import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `Several processes` {
    private let frames = Chunks.stream(["one", "two"])

    private func upstream(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream { request in
            request.text.contains("short")
                ? .stream(frames) : .begun(frames, then: gate)
        }
    }

    @Test func `tell of themselves together, as text and as JSON`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            try await site.served(4)
            let streams = try (0..<5).map { _ in try site.call() }
            for stream in streams { try await stream.begun() }
            let status = try await site.status()
            #expect((status.process, status.state) == (site.sluice.process.identifier, "serving"))
            #expect((status.active, status.restarts, status.lastReload?.outcome) == (5, 0, nil))
            #expect(Set(status.processes.map(\.process)).count == 4)
            #expect(status.processes.map(\.place) == [1, 2, 3, 4] && status.processesServing == 4)
            #expect(status.processes.allSatisfy { $0.state == "serving" && $0.generation == 1 && $0.workers == 2 })
            #expect(status.processes.compactMap(\.active).reduce(0, +) == 5)
            let text = try await site.ask("status").output
            for line in [
                "processes:            4 of 4", "active requests:      5", "restarts:             0", "process 1", "process 4",
            ] {
                #expect(text.split(separator: "\n").contains { $0 == line }, "\(text)")
            }
            // The sockets are told of once, by the names that people know.
            #expect(status.listen?.map(\.address) == ["unix:\(site.sluice.socket)"])
            #expect(status.listenQueue == status.listen?[0].listenQueue)
            #expect(status.processes.allSatisfy { $0.listen == nil && $0.listenQueue == nil })
            #expect(text.split(separator: "\n").count { $0.hasPrefix("listen queue:") } == 1)
            #expect(try await addresses(site.sluice.socket) == ["unix:\(site.sluice.socket)"])
            // What they say of themselves once a second.
            try await eventually("all places are told") { try await site.status().upstreams.map(\.open) == [5] }
            gate.open(5)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.status().active == 0)
            try await eventually("all are counted") { try await site.status().answered == 5 }
            let after = try await site.status()
            #expect((after.requests, after.failed, after.callersLeft) == (5, 0, 0))
            #expect(
                try await site.ask("status").output.contains("\nrequests:             5: 5 answered, 0 failed, 0 callers left\n"))
            try await eventually("no place is taken") { try await site.status().upstreams.isEmpty }
        }
    }

    /// Which sockets a process tells of behind the web server.
    private func addresses(_ path: String) async throws -> [String]? {
        let answer = try await DirectCall(to: path, "GET", "/sluice/status?json", [("SLUICE_STATUS", "on")]).response()
        let body = try #require(answer.split(separator: "\r\n\r\n", maxSplits: 1).last)
        return try ToldStatus(json: String(body)).listen?.map(\.address)
    }

    @Test func `are not asked anew for everybody who asks for the status meanwhile`() async throws {
        try await ProcessSite.with(upstream: upstream(Gate())) { site in
            try await site.served(4)
            let processes = try await site.status().processes.map(\.process)
            let master = site.sluice.process.identifier
            func socketsCount() -> Int { openFiles(of: master).count { $0.target.hasPrefix("socket:") } }
            let before = socketsCount()
            // Those that do not answer keep all who ask waiting.
            for process in processes.dropFirst() { kill(process, SIGSTOP) }
            let answers = Observed<[String]>([])
            let count = 15
            for _ in 0..<count {
                let socket = try Socket.connected(path: site.directory.path("control.sock"))
                try socket.write(Array("status json\n".utf8))
                startThread("asks") {
                    var answer: [UInt8] = []
                    while let part = try? socket.read(), !part.isEmpty { answer += part }
                    answers.update { $0.append(String(decoding: answer, as: UTF8.self)) }
                }
            }
            var most = 0
            try await eventually("the first answer") {
                most = max(most, socketsCount())
                return !answers.value.isEmpty
            }
            // Theirs, and those of the questions for the first of them and for all others.
            #expect(most <= before + count + 2 * processes.count)
            for text in try await answers.wait(for: "all", until: { $0.count == count ? $0 : nil }) {
                #expect(text.hasPrefix("ok "), "\(text)")
                let status = try ToldMasterStatus(json: String(text.drop { $0 != "\n" }.dropFirst()))
                #expect(status.processes.map(\.process) == processes)
            }
            for process in processes.dropFirst() { kill(process, SIGCONT) }
        }
    }

    @Test func `take streams in turn, so that each has its share of them`() async throws {
        try await ProcessSite.with(upstream: upstream(Gate())) { site in
            try await site.served(4)
            var streams: [FastCGICaller] = []
            var haveAll = false
            // One that stands still while all come has none of them.
            for round in 1...5 where !haveAll {
                for _ in 0..<16 {
                    streams.append(try site.call())
                    try await streams.last?.begun()
                }
                haveAll = try await site.status().processes.allSatisfy { $0.active ?? 0 > 0 }
                if !haveAll { print("a process without a stream, after \(16 * round)") }
            }
            #expect(haveAll)
        }
    }

    @Test func `answer so many requests together as limits.requests says, also after one has died`() async throws {
        let gate = try Gate()
        try await ProcessSite.with("limits.requests = 8", upstream: upstream(gate)) { site in
            try await site.served(4)
            var streams: [FastCGICaller] = []
            for _ in 0..<8 {
                streams.append(try site.call())
                try await streams.last?.begun()
            }
            for _ in 0..<8 { #expect(try await site.call("short").ended().text.contains("Status: 503")) }
            // What the dead one had is free again.
            let victim = try #require(try await site.status().processes.first { $0.active ?? 0 > 0 })
            kill(victim.process, SIGKILL)
            try await site.served(5)
            for _ in 0..<(victim.active ?? 0) {
                streams.append(try site.call())
                try await streams.last?.begun()
            }
            for _ in 0..<8 { #expect(try await site.call("short").ended().text.contains("Status: 503")) }
            gate.open(8)
        }
    }

    @Test func `have the same metrics, whichever is asked, and lose none when one dies`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            try await site.served(4)
            for _ in 0..<8 { #expect(try await site.call("short").ended().isWhole) }
            let done = [#"ending="done""#]
            try await eventually("all are counted") {
                try await Scrape(at: site.sluice.socket).sum("sluice_requests_total", done) == 8
            }
            for _ in 0..<8 {
                let scrape = try await Scrape(at: site.sluice.socket)
                #expect(scrape.sum("sluice_requests_total", done) == 8)
                #expect(scrape.sum("sluice_process_starts_total") == 4)
            }
            let asked = try await site.ask("status", "--metrics")
            #expect(try asked.exit == .code(0) && Scrape(asked.output).sum("sluice_requests_total", done) == 8)

            var streams: [FastCGICaller] = []
            for _ in 0..<8 {
                streams.append(try site.call())
                try await streams.last?.begun()
            }
            // Each tells of itself.
            try await eventually("all are told of") {
                let scrape = try await Scrape(at: site.sluice.socket)
                return scrape.sum("sluice_open_streams") == 8 && scrape.values(of: "process") == ["1", "2", "3", "4"]
            }
            let victim = try #require(try await site.status().processes.first { $0.active ?? 0 > 0 })
            kill(victim.process, SIGKILL)
            try await site.served(5)
            let left = 8 - (victim.active ?? 0)
            try await eventually("those of the dead one are told of no longer") {
                try await Scrape(at: site.sluice.socket).sum("sluice_open_streams") == Double(left)
            }
            let scrape = try await Scrape(at: site.sluice.socket)
            #expect(scrape.sum("sluice_requests_total", done) == 8)
            #expect(scrape.sum("sluice_process_starts_total") == 5)
            gate.open(8)
            try await eventually("the others are counted") {
                try await Scrape(at: site.sluice.socket).sum("sluice_requests_total", done) == Double(8 + left)
            }
        }
    }

    @Test func `share out memory, an upstream's places and the cores`() async throws {
        let settings = "limits = {memory = \"64MiB\", body = \"1MiB\"}\nworkers = \"auto\""
        try await ProcessSite.with(settings, upstream: upstream(Gate()), upstreamLines: "concurrent = 10") { site in
            try await site.served(4)
            let status = try await site.status()
            #expect(status.processes.allSatisfy { $0.memoryLimit == 16 << 20 })
            #expect(status.processes.allSatisfy { $0.upstreams?.map(\.places) == [2] })
        }
    }

    @Test func `are told to systemd as one service`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("notify.sock")
        let manager = try ChildProcess(
            Python.interpreter, ["\(repository)/Tests/EndToEnd/clients/service_manager.py", path], in: directory)
        _ = try await ChildProcess.line(containing: "listening", in: manager.output)
        let environment = ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000000"]
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate), environment: environment, in: directory) { site in
            try await manager.output.wait(for: "ready") { $0.lines.contains("READY=1") }
            try await site.served(4)
            let stream = try site.call()
            try await manager.output.wait(for: "the status") {
                $0.lines.contains("STATUS=4 processes, 1 stream, 1 upstream")
            }
            try await manager.output.wait(for: "the watchdog") { $0.lines.contains("WATCHDOG=1") }
            site.sluice.process.signal(SIGHUP)
            try await manager.output.wait(for: "the reload") { output in
                let lines = output.lines
                guard let place = lines.firstIndex(where: { $0.hasPrefix("RELOADING=1 MONOTONIC_USEC=") }) else { return false }
                return lines[place...].contains("READY=1")
            }
            gate.open()
            #expect(try await stream.ended().isWhole)
            site.sluice.process.signal(SIGTERM)
            try await manager.output.wait(for: "the end") { $0.lines.contains("STOPPING=1") }
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(manager.output.value.lines.count { $0 == "READY=1" } == 2)
        }
        try await manager.end()
    }

    @Test func `take over sockets of systemd`() async throws {
        let directory = try TemporaryDirectory()
        let serve = [SluiceProcess.binary, "serve", "--listen", "systemd", "--upstream", "demo", "--processes", "3"]
        let sluice = try ChildProcess(
            Python.interpreter,
            ["-u", "\(repository)/Tests/EndToEnd/clients/systemd.py", "a=a.sock", "b=b.sock", "--"] + serve, in: directory,
            lastSignal: SIGTERM)
        for start in 1...3 {
            try await sluice.errors.wait(for: "all processes of start \(start)") { output in
                output.lines.count { $0.contains("a process serves") } == 3 * start
            }
            for socket in ["a.sock", "b.sock"] {
                let answer = try await FastCGICaller(path: directory.path(socket), chat()).ended()
                #expect(answer.isWhole)
                #expect(try await addresses(directory.path(socket)) == ["unix:a.sock", "unix:b.sock"])
            }
            if start < 3 { sluice.signal(SIGHUP) }
        }
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
        #expect(FileManager.default.fileExists(atPath: directory.path("a.sock")))
    }

    @Test func `take over a socket at descriptor 0`() async throws {
        let directory = try TemporaryDirectory()
        let script = """
            import os, socket, sys
            made = socket.socket(socket.AF_UNIX); made.bind("zero.sock"); made.listen(64); os.dup2(made.fileno(), 0)
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let command = ["-c", script, SluiceProcess.binary, "serve", "--upstream", "demo", "--processes", "2"]
        let sluice = try ChildProcess(Python.interpreter, command, in: directory, lastSignal: SIGTERM)
        try await sluice.accepts { try Socket.connected(path: directory.path("zero.sock")) }
        for _ in 0..<4 { #expect(try await FastCGICaller(path: directory.path("zero.sock"), chat()).ended().isWhole) }
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
        #expect(FileManager.default.fileExists(atPath: directory.path("zero.sock")))
    }
}

@Suite(.timeLimit(.minutes(20))) struct `The start of several processes` {
    @Test func `takes a command line however it ends, and leaves them nothing that the master was started with`() async throws {
        try await ProcessSite.with(
            "core_dumps = true", upstream: StubUpstream(.stream(Chunks.stream(["one"]))), options: ["--processes", "2", "--"],
            launcher: ["sh", "-c", "exec \"$@\" 9<sluice.toml", "sh"]
        ) { site in
            try await site.served(2)
            #expect(try await site.call().ended().isWhole)
            for process in try await site.status().processes.map(\.process) {
                let folder = "/proc/\(process)/fd"
                let links = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
                    try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
                }
                #expect(!links.isEmpty)
                #expect(!links.contains { $0.hasSuffix("sluice.toml") }, "\(links)")
            }
        }
    }
}
