import Glibc
import TestSupport
import Testing

@Suite struct `The control socket` {
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
            #expect(partly.errors == "sluice: socket.mode has changed, which only a start can change\n")
        }
    }

    @Test func `says when the last request is over that began before a reload`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(Reply([.text(frames[0]), .wait(gate)] + frames.dropFirst().map(Reply.Step.text)))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let waiting = try ChildProcess(
                SluiceProcess.binary, ["reload", "--wait", "--control", "unix:control.sock"], environment: [:], in: site.directory
            )
            try await site.sluice.process.errors.wait(for: "the reload") { $0.text.contains("the settings were reloaded") }
            // A second one is not held up by it.
            #expect(try await ask(site, "reload").exit == .code(0))
            #expect(waiting.exit.value == nil)
            gate.open()
            #expect(try await stream.ended().text == frames.joined())
            #expect(try await waiting.exited() == .code(0))
        }
    }

    @Test func `ends it, and says when it has ended`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(Reply([.text(frames[0]), .wait(gate)] + frames.dropFirst().map(Reply.Step.text)))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(), endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let stopping = try ChildProcess(
                SluiceProcess.binary, ["stop", "--control", "unix:control.sock"], environment: [:], in: site.directory)
            try await site.sluice.refuses()
            #expect(stopping.exit.value == nil)
            gate.open()
            #expect(try await stream.ended().text == frames.joined())
            #expect(try await stopping.exited() == .code(0))
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(unsafe access(site.directory.path("control.sock"), F_OK) == -1)
        }
    }

    @Test func `is its owner's alone`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
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
            #expect(String(decoding: answer, as: UTF8.self) == "failed\nthis Sluice does not know that command\n")
            #expect(try await ask(site, "reload").exit == .code(0))
            silent.close()
        }
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
    }
}
