import Foundation
import TestSupport
import Testing

/// Apache's mod_fcgid starts Sluice itself, and passes its listening socket on as descriptor 0. On demand: beside other work its first call
/// was answered with 500 in two of three runs, and why is not known.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SLUICE_TEST_FCGID"] == "1")) struct `Sluice that mod_fcgid has started` {
    @Test func `streams event by event, and answers in one piece`() async throws {
        guard WebServer.fronts.contains(.apache) else { return }
        let frames = Chunks.stream(["Why", " did", " the", " chicken"])
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains(#""stream":true"#) ? .stream(frames, each: gate) : .json(Chunks.completion("Hello there"))
        }
        let directory = try TemporaryDirectory()
        // Where Apache's user can get at it.
        try FileManager.default.copyItem(atPath: SluiceProcess.binary, toPath: directory.path("sluice"))
        let start =
            "#!/bin/sh\nOPENAI_API_KEY=sk-stub exec \(directory.path("sluice")) serve --workers 1 --upstream \(upstream.url)\n"
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: try directory.write(start, to: "start"))
        let server = try await RunningServer(.apache, socket: directory.path("nobody.sock"), startedBy: "start", in: directory)

        let stream = try HTTPStream.plain(chat(), port: server.plainPort)
        try await stream.arrives(frames, eachThrough: gate)
        let whole = try await HTTPStream.plain(chat(stream: false), port: server.plainPort).ended()
        #expect(whole.status == 200 && whole.content == Chunks.completion("Hello there"))
        let refused = try await HTTPStream.plain(ChatCall("{}", token: "wrong"), port: server.plainPort).ended()
        #expect(refused.status == 401)
        try await server.process.end()
        try await upstream.stop()
    }
}
