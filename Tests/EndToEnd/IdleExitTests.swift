import Foundation
import TestSupport
import Testing

/// `idle_exit`, where the next call starts another process.
@Suite struct `A process that nobody calls` {
    private static let told = "nobody has called for so long"

    /// A web server before a socket, whose service is started when somebody calls.
    private func with(
        _ server: WebServer, settings: String, _ test: (RunningServer, _ service: ChildProcess) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("listen = \"fd:0\"\nidle_exit = \"300ms\"\nworkers = 2\n" + settings, to: "sluice.toml")
        let service = try ChildProcess(
            Python.interpreter,
            [
                "-u", "\(repository)/Tests/EndToEnd/clients/on_demand.py", "sluice.sock", "--", SluiceProcess.binary, "serve",
                "--config", file,
            ], in: directory)
        _ = try await ChildProcess.line(containing: "listening", in: service.output)
        let running = try await RunningServer(server, socket: directory.path("sluice.sock"), in: directory)
        try await test(running, service)
        try await running.process.end()
        try await service.end()
    }

    private func call(_ server: RunningServer) async throws -> Received {
        try await HTTPStream.plain(chat(), port: server.plainPort).ended()
    }

    private func ends(_ service: ChildProcess, _ count: Int) async throws {
        try await service.output.wait(for: "end \(count)") { $0.lines.count { $0.hasPrefix("ended") } >= count }
    }

    @Test(arguments: WebServer.selected)
    func `ends as by SIGTERM, and the next call starts another`(server: WebServer) async throws {
        try await with(server, settings: "[upstreams.demo]\nkind = \"demo\"\n") { running, service in
            for round in 1...2 {
                let answer = try await call(running)
                #expect(answer.status == 200 && answer.end == .complete)
                try await ends(service, round)
            }
            #expect(service.output.value.lines == ["listening", "started", "ended 0", "started", "ended 0"])
            try await service.errors.wait(for: "both ends") { $0.lines.count { $0.contains(#""message":"stopped""#) } == 2 }
            let lines = service.errors.value.lines
            #expect(lines.count { $0.contains(Self.told) && $0.contains(#""idle_exit":"300ms""#) } == 2)
        }
    }

    /// The moment in which it ends is told by its log.
    @Test(arguments: WebServer.selected)
    func `loses no call that comes while it ends`(server: WebServer) async throws {
        try await with(server, settings: "[upstreams.demo]\nkind = \"demo\"\n") { running, service in
            _ = try await call(running)
            for round in 1...3 {
                try await service.errors.wait(for: "its end") { $0.lines.count { $0.contains(Self.told) } >= round }
                // It may still answer itself what comes over a connection that the web server has kept.
                repeat {
                    let answer = try await call(running)
                    #expect(answer.status == 200 && answer.end == .complete, "\(answer.text)")
                } while service.output.value.lines.count { $0 == "started" } <= round
            }
        }
    }

    /// The silence that each heartbeat breaks is longer than that.
    @Test(arguments: WebServer.selected)
    func `is none while somebody waits for an answer`(server: WebServer) async throws {
        let frames = Chunks.stream(["one", "two"])
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(frames, each: gate))
        let settings =
            "heartbeat = \"400ms\"\ntimeouts = {first_token = \"1m\", idle = \"1m\"}\n" + oneUpstream(url: upstream.url)
        try await with(server, settings: settings) { running, service in
            let stream = try HTTPStream.plain(chat(), port: running.plainPort)
            gate.open()
            try await stream.received.wait(for: "heartbeats") { $0.events.count { $0.hasPrefix(": keep-alive") } >= 3 }
            #expect(service.output.value.lines == ["listening", "started"])
            gate.open(frames.count)
            let answer = try await stream.ended()
            #expect(answer.content == frames.joined() && answer.end == .complete)
            try await ends(service, 1)
        }
        try await upstream.stop()
    }
}
