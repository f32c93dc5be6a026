import Foundation
import TestSupport
import Testing

@Suite struct `The stub upstream` {
    private let call = ChatCall(#"{"messages":[]}"#)

    /// Runs a test against the stub alone, without Sluice.
    private func with(_ reply: Reply, _ test: (StubUpstream) async throws -> Void) async throws {
        let upstream = try StubUpstream(reply)
        try await test(upstream)
        try await upstream.stop()
    }

    @Test(arguments: [Reply.Framing.chunked, .contentLength, .untilClose])
    func `sends its frames as they are`(framing: Reply.Framing) async throws {
        let frames = Chunks.stream(["Hello", " wörld", "\"\n"])
        try await with(.stream(frames, framing: framing)) { upstream in
            let response = try await HTTPStream.plain(call, port: upstream.port).ended()
            #expect(response.status == 200)
            #expect(response.text == frames.joined())
            #expect(response.end == .complete)
            try await upstream.request().finished()
        }
    }

    @Test(arguments: [Reply.Framing.chunked, .contentLength])
    func `answers HEAD without a body`(framing: Reply.Framing) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"]), framing: framing))
        let requests = ["HEAD", "GET"].map { "\($0) / HTTP/1.1\r\nHost: x\r\n\r\n" }
        let socket = try Socket.connected(port: upstream.port)
        try socket.write(Array(requests.joined().utf8))
        var text = ""
        while !text.contains("[DONE]") {
            let part = try socket.read()
            try #require(!part.isEmpty)
            text += String(decoding: part, as: UTF8.self)
        }
        #expect(text.components(separatedBy: "[DONE]").count == 2)
        #expect(text.components(separatedBy: "HTTP/1.1 200 Stub").count == 3)
        try await upstream.stop()
    }

    @Test func `records what it received`() async throws {
        try await with(.json("{}")) { upstream in
            _ = try await HTTPStream.plain(ChatCall("body", path: "/v1/x?y=z"), port: upstream.port).ended()
            let request = try await upstream.request()
            #expect(request.method == "POST")
            #expect(request.path == "/v1/x?y=z")
            #expect(request.head["content-type"] == "application/json")
            #expect(request.text == "body")
        }
    }

    @Test func `sends the next event when the gate opens`() async throws {
        let gate = try Gate()
        let frames = Chunks.stream(["one", "two"])
        try await with(.stream(frames, each: gate)) { upstream in
            let stream = try HTTPStream.plain(call, port: upstream.port)
            try await stream.arrives(frames, eachThrough: gate)
        }
    }

    @Test func `notices a close while it is silent`() async throws {
        try await with(.silence) { upstream in
            let stream = try HTTPStream.plain(call, port: upstream.port)
            let request = try await upstream.request()
            stream.close()
            try await request.closedByPeer()
        }
    }

    @Test func `notices a close in a pause and at a gate`() async throws {
        let gate = try Gate()
        for step in [Reply.Step.pause(.seconds(600)), .wait(gate)] {
            try await with(Reply([.text(Chunks.role()), step])) { upstream in
                let stream = try HTTPStream.plain(call, port: upstream.port)
                try await stream.arrival(of: "assistant")
                stream.close()
                try await upstream.peerClosed()
            }
        }
    }

    @Test func `notices a close while it is sending`() async throws {
        let steps = Array(repeating: Reply.Step.bytes([UInt8](repeating: 0x20, count: 1 << 20)), count: 1_000)
        try await with(Reply(steps)) { upstream in
            let stream = try HTTPStream.plain(call, port: upstream.port)
            _ = try await stream.head()
            stream.close()
            try await upstream.peerClosed()
        }
    }

    @Test func `cuts a stream where the script says`() async throws {
        for step in [Reply.Step.close, .reset] {
            try await with(Reply([.text("data: 1\n\n"), step])) { upstream in
                let response = try await HTTPStream.plain(call, port: upstream.port).ended()
                guard case .cut = response.end else {
                    Issue.record("the response ended with \(String(describing: response.end))")
                    return
                }
            }
        }
    }

    @Test func `answers each of many requests by its own script`() async throws {
        let upstream = try StubUpstream { request in .stream(Chunks.stream([request.text])) }
        let streams = try (0..<1_000).map { try HTTPStream.plain(ChatCall("request \($0)"), port: upstream.port) }
        for (number, stream) in streams.enumerated() {
            #expect(try await stream.ended().text == Chunks.stream(["request \(number)"]).joined())
        }
        try await upstream.stop()
    }

    @Test func `speaks HTTP2 over TLS behind nginx`() async throws {
        let directory = try TemporaryDirectory()
        let gate = try Gate()
        let frames = Chunks.stream(["one", "two"])
        let upstream = try StubUpstream(.stream(frames, each: gate))
        let front = try await TLSFront(for: upstream, in: directory)
        let stream = try HTTPStream.curl(
            call, url: "https://localhost:\(front.port)", authority: front.certificate.file, http2: true, in: directory)
        #expect(try await stream.head().startLine.hasPrefix("HTTP/2 200"))
        try await stream.arrives(frames, eachThrough: gate)
        try await upstream.stop()
    }

    @Test func `a deaf port never answers`() async throws {
        let deaf = try DeafPort()
        let directory = try TemporaryDirectory()
        let curl = try ChildProcess(
            "curl", ["-sS", "--connect-timeout", "1", "http://127.0.0.1:\(deaf.port)/"], in: directory)
        #expect(try await curl.exited() == .code(28))
    }
}

@Suite struct `A child process` {
    @Test func `ends with its owner`() async throws {
        let directory = try TemporaryDirectory()
        var child: ChildProcess? = try ChildProcess("sleep", ["1000"], in: directory)
        let exit = try #require(child).exit
        child = nil
        try await exit.wait(for: "the end of sleep") { $0 == .signal(9) }
    }

    @Test func `shows its lines as they come`() async throws {
        let directory = try TemporaryDirectory()
        let child = try ChildProcess("sh", ["-c", "echo one; exec sleep 1000"], in: directory)
        #expect(try await ChildProcess.line(containing: "on", in: child.output) == "one")
    }
}
