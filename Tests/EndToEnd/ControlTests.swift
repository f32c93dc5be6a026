import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `The control socket` {
    private let frames = Chunks.stream(["one", "two"])

    /// `CONTROL` stands for the socket's path.
    private func settings(_ lines: String...) -> String {
        (lines + [
            "control = \"unix:control.sock\"", "retries = 0", "[upstreams.stub]", "url = \"UPSTREAM\"", "key = \"sk-stub\"",
        ])
        .joined(separator: "\n")
    }

    private func ask(_ site: Site, _ arguments: String...) async throws -> SluiceRun {
        try await SluiceRun(arguments + ["--control", "unix:\(site.directory.path("control.sock"))"], in: site.directory)
    }

    @Test func `reloads, and says what came of it`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            // The address may have variables, as any text of the settings.
            let good = try await ask(site, "reload")
            #expect(good.exit == .code(0))
            #expect(good.output + good.errors == "")

            try site.directory.write("heartbeat = 3\ndefault_model = 5", to: "sluice.toml")
            let bad = try await ask(site, "reload")
            #expect(bad.exit == .code(78))
            #expect(bad.errors.split(separator: "\n").count == 2)
            #expect(bad.errors.contains("sluice.toml:1: heartbeat "))
            #expect(bad.errors.contains("sluice.toml:2: default_model "))
            try await site.answers(frames)

            let changed = settings("socket.mode = \"0600\"").replacing("UPSTREAM", with: upstream.url)
            let file = try site.directory.write(changed, to: "sluice.toml")
            let partly = try await SluiceRun(["reload", "--config", file], in: site.directory)
            #expect(partly.exit == .code(0))
            #expect(partly.errors == "sluice: socket.mode has changed, which takes a restart\n")
            #expect(
                try await ask(site, "status").output.contains("in force; socket.mode has changed, which takes a restart\n"))
        }
    }

    @Test func `says when the last request is over that began before a reload`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let waiting = try ChildProcess(
                SluiceProcess.binary, ["reload", "--wait", "--control", "unix:control.sock"], environment: [:], in: site.directory
            )
            try await site.sluice.process.errors.wait(for: "the reload") { $0.text.contains("the settings were reloaded") }
            // A second one is not held up by it, and a third waits for all that began before, whatever came in between.
            #expect(try await ask(site, "reload").exit == .code(0))
            let third = try ChildProcess(
                SluiceProcess.binary, ["reload", "--wait", "--control", "unix:control.sock"], environment: [:], in: site.directory
            )
            try await site.sluice.process.errors.wait(for: "three reloads") { output in
                output.lines.count { $0.contains("the settings were reloaded") } == 3
            }
            #expect(try await ask(site, "status").exit == .code(0))
            #expect(waiting.exit.value == nil)
            #expect(third.exit.value == nil)
            gate.open()
            #expect(try await stream.ended().content == frames.joined())
            #expect(try await waiting.exited() == .code(0))
            #expect(try await third.exited() == .code(0))
        }
    }

    @Test func `holds nothing for those who have left while they waited, and lets only so many wait`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings("core_dumps = true")) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            try await ReloadWaiter.checkLeaving(in: site.directory, [site.sluice.process.identifier]) {
                gate.open()
                let content = try await stream.ended().content
                #expect(content == frames.joined())
            }
        }
    }

    @Test func `ends it, and says when it has ended`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let stopping = try ChildProcess(
                SluiceProcess.binary, ["stop", "--control", "unix:control.sock"], environment: [:], in: site.directory)
            try await site.sluice.refuses()
            #expect(stopping.exit.value == nil)
            gate.open()
            #expect(try await stream.ended().content == frames.joined())
            #expect(try await stopping.exited() == .code(0))
            // Its connections go a moment ahead of it.
            try await eventually("it to be gone") { !lives(site.sluice.process.identifier) }
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(unsafe access(site.directory.path("control.sock"), F_OK) == -1)
        }
    }

    /// By a second signal, or killed: that ends the connection too.
    @Test(arguments: [SIGTERM, SIGKILL]) func `tells the end that was asked for from any other`(signal: Int32) async throws {
        let upstream = try StubUpstream(.begun(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let stopping = try ChildProcess(
                SluiceProcess.binary, ["stop", "--control", "unix:control.sock"], environment: [:], in: site.directory)
            try await site.sluice.refuses()
            site.sluice.process.signal(signal)
            #expect(try await stopping.exited() == .code(69))
            try await stopping.errors.wait(for: "words") { $0.text.contains("has not said that all requests were over") }
        }
    }

    @Test func `is its owner's alone`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            try await site.sluice.process.accepts { try Socket.connected(path: site.directory.path("control.sock")) }
            var status = stat()
            #expect(unsafe stat(site.directory.path("control.sock"), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
        }
    }

    @Test func `takes nothing that it does not know, and nobody who says nothing holds it up`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let silent = try Socket.connected(path: site.directory.path("control.sock"))
            let odd = try Socket.connected(path: site.directory.path("control.sock"))
            try odd.write(Array("rm -rf /\n".utf8))
            var answer: [UInt8] = []
            while true {
                let part = try odd.read()
                if part.isEmpty { break }
                answer += part
            }
            #expect(String(decoding: answer, as: UTF8.self) == "refused 39\nthis Sluice does not know that command\n")
            #expect(try await ask(site, "reload").exit == .code(0))
            silent.close()
        }
    }

    @Test(arguments: [["reload"], ["reload", "--wait"], ["status"], ["reopen"], ["stop"], ["stop", "--now"]])
    func `is had by whoever asks, however many others say nothing`(command: [String]) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: command[0] == "stop"
        ) { site in
            try await site.answers(frames)
            let silent = try (0..<100).map { _ in try Socket.connected(path: site.directory.path("control.sock")) }
            let run = try await SluiceRun(
                command + ["--control", "unix:\(site.directory.path("control.sock"))"], in: site.directory)
            #expect(run.exit == .code(0), "\(run.errors)")
            for socket in silent { socket.close() }
        }
    }

    @Test func `ends it at once, if it is to`() async throws {
        let upstream = try StubUpstream(.begun(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let run = try await ask(site, "stop", "--now")
            #expect(run.exit == .code(0), "\(run.errors)")
            // Its connections go a moment ahead of it.
            try await eventually("it to be gone") { !lives(site.sluice.process.identifier) }
            #expect(try await site.sluice.process.exited() == .code(128 + SIGTERM))
        }
    }

    @Test func `has a log file opened again`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings("log.to = \"file:sluice.log\"")) {
            site in
            try await site.answers(frames)
            #expect(unsafe rename(site.directory.path("sluice.log"), site.directory.path("old.log")) == 0)
            let run = try await ask(site, "reopen")
            #expect((run.exit, run.output, run.errors) == (.code(0), "", ""))
            let path = site.directory.path("sluice.log")
            try await eventually("another file") {
                guard FileManager.default.fileExists(atPath: path) else { return false }
                return try site.directory.read("sluice.log").contains("the log file was opened again")
            }
        }
    }

    @Test(arguments: [1, 2]) func `says that a log file cannot be opened again, and why`(processes: Int) async throws {
        let upstream = try StubUpstream(.stream(frames))
        let settings = settings("processes = \(processes)\nlog.to = \"file:sluice.log\"")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            try await site.answers(frames)
            if processes == 2 {
                // One that opens the file later would make it anew.
                try await eventually("both to serve") {
                    try await ask(site, "status").output.contains("processes:            2 of 2")
                }
            }
            let path = site.directory.path("sluice.log")
            try FileManager.default.moveItem(atPath: path, toPath: site.directory.path("old.log"))
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let run = try await ask(site, "reopen")
            #expect(run.exit == .code(EX_CANTCREAT))
            #expect(run.errors.hasPrefix("sluice: the log file cannot be opened again, and the old one is written to: "))
            #expect(run.errors.hasSuffix(": Is a directory\n"), "\(run.errors)")
            try await site.answers(frames)
        }
    }

    @Test func `says that there is no log file to open again`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let run = try await ask(site, "reopen")
            #expect(run.exit == .code(0))
            #expect(run.errors == "sluice: the log goes to no file (log.to): there is nothing to open again\n")
        }
    }

    @Test(arguments: [["status"], ["stop"], ["reload"], ["reopen"]])
    func `says which process stands still, and what to do`(command: [String]) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: true) { site in
            try await site.answers(frames)
            let process = site.sluice.process.identifier
            kill(process, SIGSTOP)
            try await eventually("it to stand still") { isStopped(process) }
            let run = try await SluiceRun(
                command + ["--control", "unix:\(site.directory.path("control.sock"))"], in: site.directory)
            #expect(run.exit == .code(69))
            #expect(run.errors.contains("process \(process)"), "\(run.errors)")
            #expect(run.errors.contains("does not answer"), "\(run.errors)")
            #expect(run.errors.contains("kill -KILL \(process)"), "\(run.errors)")
            kill(process, SIGCONT)
            // What was asked for is done all the same.
            if command != ["stop"] { #expect(try await ask(site, "stop").exit == .code(0)) }
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    @Test func `says so when it ends before what was waited for`() async throws {
        let upstream = try StubUpstream(.begun(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let waiting = try ChildProcess(
                SluiceProcess.binary, ["reload", "--wait", "--control", "unix:control.sock"], environment: [:], in: site.directory
            )
            try await site.sluice.process.errors.wait(for: "the reload") { $0.text.contains("the settings were reloaded") }
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            site.sluice.process.signal(SIGTERM)
            #expect(try await waiting.exited() == .code(69))
            try await waiting.errors.wait(for: "words") {
                $0.text.contains("the settings are in force, but Sluice has not said")
            }
        }
    }

    @Test func `is found by a variable in its address, as the server finds it`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        let settings = settings().replacing("unix:control.sock", with: "unix:${FOLDER}/control.sock")
        let directory = try TemporaryDirectory()
        let environment = ["FOLDER": directory.path("."), "OPENAI_API_KEY": "sk-stub"]
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings, environment: environment, in: directory
        ) { site in
            let file = site.directory.path("sluice.toml")
            let status = try await SluiceRun(["status", "--config", file], environment: environment, in: directory)
            #expect(status.exit == .code(0))
        }
    }

    @Test func `is the one that the command line names, before the settings file's`() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("control = \"unix:other.sock\"\n", to: "sluice.toml")
        let daemon = try ChildProcess(
            SluiceProcess.binary,
            ["serve", "--config", file, "--listen", "unix:sluice.sock", "--upstream", "demo", "--control", "unix:control.sock"],
            environment: [:], in: directory)
        _ = try await ChildProcess.line(containing: "serving", in: daemon.errors)
        let control = ["--control", "unix:\(directory.path("control.sock"))"]
        let status = try await SluiceRun(["status"] + control, in: directory)
        #expect(status.exit == .code(0))
        #expect(status.output.contains("\(daemon.identifier), sluice "))
        let reload = try await SluiceRun(["reload"] + control, in: directory)
        #expect(reload.exit == .code(0))
        #expect(reload.errors == "")
        #expect(unsafe access(directory.path("other.sock"), F_OK) == -1)
        #expect(try await SluiceRun(["stop"] + control, in: directory).exit == .code(0))
        #expect(try await daemon.exited() == .code(0))
    }

    @Test(arguments: ["heartbeat = ", "control = 5", "include = \"none.toml\""])
    func `that a broken settings file does not tell is one to be named`(text: String) async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(text, to: "broken.toml")
        let run = try await SluiceRun(["status", "--config", file], in: directory)
        #expect(run.exit == .code(78))
        let lines = run.errors.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("sluice: \(file):1: ") == true)
        #expect(
            lines.last
                == "sluice: so nothing says where Sluice is to be asked: mend that, or name its control socket with --control unix:PATH"
        )
    }

    @Test(arguments: [["reload"], ["stop"]])
    func `that is not there is an error that says so`(command: [String]) async throws {
        let directory = try TemporaryDirectory()
        let gone = try await SluiceRun(command + ["--control", "unix:\(directory.path("none.sock"))"], in: directory)
        #expect(gone.exit == .code(69))
        #expect(gone.errors.contains("none.sock"))
        let file = try directory.write("workers = 1\n", to: "none.toml")
        let unnamed = try await SluiceRun(command + ["--config", file], in: directory)
        #expect(unnamed.exit == .code(78))
        #expect(unnamed.errors.contains("names no control socket"))
        #expect(unnamed.errors.contains("--control unix:PATH"))
    }
}
