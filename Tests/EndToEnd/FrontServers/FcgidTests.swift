import Foundation
import TestSupport
import Testing

/// Apache's mod_fcgid starts Sluice itself, and passes its listening socket on as descriptor 0.
@Suite struct `Sluice that mod_fcgid has started` {
    @Test func `streams event by event, and answers in one piece`() async throws {
        guard WebServer.fronts.contains(.apache) else { return }
        let frames = Chunks.stream(["Why", " did", " the", " chicken"])
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains(#""stream":true"#) ? .stream(frames, each: gate) : .json(Chunks.completion("Hello there"))
        }
        let directory = try TemporaryDirectory()
        // Where Apache's user can get at them, and written by another process: a program that the kernel finds open to write somewhere is busy
        // (execve(2), ETXTBSY), and what is open here while another test starts a process stays open there.
        try await ChildProcess.run("cp", [SluiceProcess.binary, directory.path("sluice")], in: directory)
        let start =
            "#!/bin/sh\nOPENAI_API_KEY=sk-stub exec \(directory.path("sluice")) serve --workers 1 --upstream \(upstream.url)\n"
        try await ChildProcess.run("sh", ["-c", "printf %s \"$1\" >start && chmod 755 start", "sh", start], in: directory)
        let server = try await RunningServer(.apache, socket: directory.path("nobody.sock"), startedBy: "start", in: directory)

        let stream = try HTTPStream.plain(chat(), port: server.plainPort)
        try await stream.arrives(frames, eachThrough: gate)
        let whole = try await HTTPStream.plain(chat(stream: false), port: server.plainPort).ended()
        #expect(whole.status == 200 && whole.content == Chunks.completion("Hello there"), "\(server.log)")
        let refused = try await HTTPStream.plain(ChatCall("{}", token: "wrong"), port: server.plainPort).ended()
        #expect(refused.status == 401)
        try await server.process.end()
        try await upstream.stop()
    }
}
