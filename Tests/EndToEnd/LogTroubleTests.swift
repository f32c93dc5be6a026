import Foundation
import Glibc
import TestSupport
import Testing

/// What takes the log's lines is full, slow, gone or moved; or a first token is late.
@Suite(.timeLimit(.minutes(10))) struct `A log in trouble` {
    private let frames = Chunks.stream(["one", "two"])
    /// More than the log's queue has room for.
    private let manyCount = 1_200

    /// Asks for the interface, so often that the log has many lines. Each request has an id of its own.
    private func askMuch(of site: Site, from first: Int = 0, count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<8 {
                group.addTask {
                    for number in stride(from: first + part, to: first + count, by: 8) {
                        var call = ChatCall("", path: "/v1/openapi.json", method: "GET")
                        call.fields.append(("X-Request-Id", id(number)))
                        let response = try await site.call(call).ended()
                        #expect(response.status == 200)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func id(_ number: Int) -> String { "request-\(number)-\(String(repeating: "x", count: 100))" }

    private func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        }
    }

    /// How many lines there are, and how many are told to be lost.
    private func counts(_ text: String) throws -> (written: Int, lost: [Int]) {
        let lines = try objects(text)
        return (
            lines.count { $0["message"] as? String == "answered" },
            lines.filter { $0["message"] as? String == "log lines were lost" }.compactMap { $0["count"] as? Int }
        )
    }

    /// As when whoever collects log lines has been stopped.
    @Test(arguments: WebServer.selected)
    func `holds nobody up when its reader reads nothing, and tells of what was lost`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("log")
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let log = FileHandle(fileDescriptor: unsafe open(path, O_RDWR | O_CLOEXEC), closeOnDealloc: true)
        let pipeSize = Int32(1031)  // F_SETPIPE_SZ
        #expect(fcntl(log.fileDescriptor, pipeSize, 4096) == 4096)
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(
            server, upstream: upstream, changes: server.withoutLimits, redirections: "2>\(path)", in: directory
        ) { site in
            try await askMuch(of: site, count: manyCount)
            try await site.answers(frames)
            // The status tells of it meanwhile.
            let status = try await allCounted(by: site)
            let told = try #require(status.firstMatch(of: /"lost_log_lines":([0-9]+)/)?.output.1)
            var text = ""
            // It is told without another request.
            try await eventually("the line that tells") {
                var readiness = pollfd(fd: log.fileDescriptor, events: Int16(POLLIN), revents: 0)
                if unsafe poll(&readiness, 1, 0) == 1 { text += String(decoding: log.availableData, as: UTF8.self) }
                return text.contains("log lines were lost") && text.hasSuffix("}\n")
            }
            let (written, lost) = try counts(text)
            #expect(lost.count == 1 && written + lost.reduce(0, +) == manyCount + 1, "\(written) written, \(lost) lost")
            #expect(Int(told) == lost[0] && lost[0] > 0)
            let page = try await DirectCall(to: site.sluice.socket, "GET", "/sluice/metrics", [("SLUICE_STATUS", "on")])
                .response()
            #expect(page.contains("\nsluice_log_lines_dropped_total \(lost[0])\n"))
            try await site.answers(frames)
            #expect(String(decoding: log.availableData, as: UTF8.self).contains("answered"))
        }
    }

    @Test(arguments: WebServer.selected, ["2>/dev/full", "2>&-", "2>/dev/null"])
    func `that nobody takes harms no stream`(server: WebServer, redirection: String) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(server, upstream: upstream, redirections: redirection) { site in
            for _ in 0..<20 { try await site.answers(frames) }
        }
    }

    /// The status when the last of many requests has been counted, whose line comes behind its answer.
    private func allCounted(by site: Site) async throws -> String {
        while true {
            let status = try await DirectCall(
                to: site.sluice.socket, "GET", "/sluice/status?json", [("SLUICE_STATUS", "on")]
            ).response()
            if status.contains("\"requests\":\(manyCount + 1),\"answered\"") { return status }
        }
    }

    /// Whether a file system of one's own is permitted here.
    private static let mayMount = unsafe system("unshare --mount mount -t tmpfs none /mnt 2>/dev/null") == 0

    /// In a mount namespace of its own, where the log's folder is a file system of 16 KiB.
    @Test(.enabled(if: mayMount), arguments: WebServer.selected)
    func `on a full disk holds nobody up, and tells of what was lost when there is room again`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path("log")
        #expect(unsafe mkdir(folder, 0o700) == 0)
        let launcher = [
            "unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=16k none \(folder) && exec \"$0\" \"$@\"",
        ]
        let upstream = try StubUpstream(.stream(frames))
        let settings = "log = {to = \"file:log/sluice.log\"}\n" + plainSettings
        try await Site.with(
            server, upstream: upstream, settings: settings, changes: server.withoutLimits, launcher: launcher, in: directory
        ) { site in
            try await askMuch(of: site, count: manyCount)
            try await site.answers(frames)
            _ = try await allCounted(by: site)
            let process = site.sluice.process.identifier
            let log = "/proc/\(process)/root\(folder)/sluice.log"
            #expect(try Data(contentsOf: URL(fileURLWithPath: log)).count <= 16 << 10)
            try await ChildProcess.run(
                "nsenter", ["--mount", "--target", "\(process)", "mount", "-o", "remount,size=2m", folder], in: directory)
            var text = ""
            try await eventually("the line that tells") {
                text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: log)), as: UTF8.self)
                return text.contains("log lines were lost") && text.hasSuffix("}\n")
            }
            let (written, lost) = try counts(text)
            #expect(lost.count == 1 && written + lost.reduce(0, +) == manyCount + 1, "\(written) written, \(lost) lost")
        }
    }

    @Test(arguments: WebServer.selected)
    func `whose file is moved, as logrotate does it, loses no line`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let upstream = try StubUpstream(.stream(frames))
        let settings = "log = {to = \"file:sluice.log\"}\n" + plainSettings
        let (rounds, count) = (8, 100)
        try await Site.with(
            server, upstream: upstream, settings: settings, changes: server.withoutLimits, endsSluice: true, in: directory
        ) { site in
            let file = directory.path("sluice.log")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await askMuch(of: site, count: rounds * count) }
                for round in 0..<rounds {
                    #expect(unsafe rename(file, "\(file).\(round)") == 0)
                    site.sluice.process.signal(SIGUSR1)
                    try await eventually("another file") { unsafe access(file, F_OK) == 0 }
                }
                try await group.waitForAll()
            }
            site.sluice.process.signal(SIGTERM)
            #expect(try await site.sluice.process.exited() == .code(0))
            let names = (0..<rounds).map { "sluice.log.\($0)" } + ["sluice.log"]
            let lines = try objects(try names.map { try directory.read($0) }.joined())
            let ids = lines.compactMap { $0["request"] as? String }
            #expect(ids.count == rounds * count && Set(ids) == Set((0..<(rounds * count)).map(id)))
            // All that was queued is written at the end.
            #expect(lines.last?["message"] as? String == "stopped")
            #expect(site.sluice.process.errors.value.text == "")
        }
    }

    /// `FOLDER` stands for the folder that the settings file is in.
    @Test(arguments: [
        (
            "none/sluice.log",
            "No such file or directory: make the folder for Sluice's user (install -d -o 65534 FOLDER/none), or name another file"
        ),
        ("logs", "Is a directory: name a file in that folder"),
        (
            "logs/sluice.log",
            """
            Permission denied: let Sluice's user, 65534, have the file and its folder (chown 65534 FOLDER/logs), or name a file that \
            it may write, as in LogsDirectory= of the service
            """
        ),
        ("my.toml/sluice.log", "Not a directory: name another file, or let log.to be \"stderr\""),
    ])
    func `that cannot be made ends the start with a sentence that says how to mend it`(
        path: String, reason: String
    ) async throws {
        guard geteuid() == 0 else { return }
        let directory = try TemporaryDirectory()
        #expect(unsafe mkdir(directory.path("logs"), 0o755) == 0)
        let settings = try directory.write("listen = \"unix:x.sock\"\nlog.to = \"file:\(path)\"", to: "my.toml")
        let command = ["--reuid", "65534", "--clear-groups", SluiceProcess.binary, "serve", "--config", settings]
        let child = try ChildProcess("setpriv", command, in: directory)
        #expect(try await child.exited() == .code(EX_CANTCREAT))
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        let sentence = reason.replacing("FOLDER", with: directory.path("x").dropLast(2))
        #expect(
            child.errors.value.text == "sluice: the log cannot be written (log.to): \(directory.path(path)): \(sentence)\n")
    }

    // MARK: A late first token

    @Test(arguments: WebServer.selected)
    func `tells where the time went when a first token is late`(server: WebServer) async throws {
        let upstream = try StubUpstream { request in
            Reply([.pause(.milliseconds(request.text.contains("late") ? 300 : 0))] + frames.map(Reply.Step.text))
        }
        let settings = "log = {slow = \"200ms\"}\n" + plainSettings
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            for text in ["late", "at once"] {
                var call = chat(text)
                call.fields.append(("X-Request-Id", text == "late" ? "late" : "early"))
                _ = try await site.call(call).ended()
            }
            _ = try await site.requestLines(2)
            let text = site.sluice.process.errors.value.lines.joined(separator: "\n")
            let lines = try objects(text).filter { $0["message"] as? String == "the first token was late" }
            let line = try #require(lines.first { $0["request"] as? String == "late" })
            #expect(line["level"] as? String == "warning" && line["client"] as? String == "first")
            #expect(line["upstream"] as? String == "stub" && line["attempts"] as? Int == 1)
            let parts = ["queue", "connect", "waiting", "retries"].compactMap { line[$0] as? Double }
            #expect(parts.count == 4 && parts[2] > 0.2)
            #expect(abs(parts.reduce(0, +) - (line["seconds"] as? Double ?? 0)) < 0.01, "\(line)")
        }
    }

    @Test(arguments: WebServer.selected)
    func `tells of the queue, the earlier attempts, and of callers who did not wait`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            if request.text.contains("never") { return .silence }
            return Reply([.wait(gate)] + frames.map(Reply.Step.text))
        }
        let settings = """
            log = {slow = "20ms"}
            heartbeat = "20ms"
            retries = 0
            [upstreams.down]
            url = "http://127.0.0.1:1"
            [upstreams.stub]
            url = "UPSTREAM"
            concurrent = 1
            queue_wait = "1m"
            [[models]]
            match = "*"
            targets = ["down", "stub"]
            """
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let calls = try (0..<2).map { _ in try site.call(chat()) }
            // Each is late by then, and one waits for the other's place.
            for call in calls { try await call.arrival(of: ": keep-alive") }
            try await eventually("one in the queue") {
                try await DirectCall(to: site.sluice.socket, "GET", "/sluice/status?json", [("SLUICE_STATUS", "on")]).response()
                    .contains("\"queued\":1")
            }
            gate.open(2)
            for call in calls { #expect(try await call.ended().text.hasSuffix(frames[frames.count - 1])) }
            let never = try site.call(chat("never"))
            _ = try await upstream.request(2)
            never.close()
            _ = try await site.requestLines(3)
            let text = site.sluice.process.errors.value.lines.joined(separator: "\n")
            let lines = try objects(text).filter { $0["message"] as? String == "the first token was late" }
            #expect(lines.count >= 2)
            #expect(lines.allSatisfy { $0["attempts"] as? Int == 2 && $0["upstream"] as? String == "stub" }, "\(lines)")
            #expect(lines.compactMap { $0["queue"] as? Double }.contains { $0 > 0 })
        }
    }

    /// It has asked nobody.
    @Test func `tells of one that has waited in the queue alone, and counts it as slow`() async throws {
        let upstream = try StubUpstream(.begun(frames))
        let settings = """
            log = {slow = "20ms"}
            retries = 0
            [upstreams.stub]
            url = "UPSTREAM"
            concurrent = 1
            queue_wait = "100ms"
            """
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let first = try site.call(chat("first"))
            try await first.arrival(of: "assistant")
            var second = chat("second")
            second.fields.append(("X-Request-Id", "queued"))
            #expect(try await site.call(second).ended().status == 503)
            _ = try await site.requestLines(1)
            let text = site.sluice.process.errors.value.lines.joined(separator: "\n")
            let lines = try objects(text).filter { $0["message"] as? String == "the first token was late" }
            let line = try #require(lines.first { $0["request"] as? String == "queued" })
            #expect(line["upstream"] as? String == "stub" && line["attempts"] as? Int == 0, "\(line)")
            #expect((line["reason"] as? String ?? "").contains("queue"))
            let parts = ["queue", "connect", "waiting", "retries"].compactMap { line[$0] as? Double }
            #expect(parts.count == 4 && parts[0] >= 0.1)
            #expect(abs(parts.reduce(0, +) - (line["seconds"] as? Double ?? 0)) < 0.01, "\(line)")
        }
    }
}
