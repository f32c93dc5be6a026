import TestSupport
import Testing

@Suite struct `An upstream on a unix socket` {
    private func with(
        _ server: WebServer, _ reply: Reply, path: String = "", environment: [String: String] = [:],
        _ test: (Site) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("vllm.sock")
        let upstream = try StubUpstream(path: socket, reply)
        let settings = oneUpstream(url: "unix:\(socket)\(path)", "key = \"sk-stub\"")
        try await Site.with(server, upstream: upstream, settings: settings, environment: environment, in: directory, test)
    }

    @Test(arguments: WebServer.selected)
    func `streams event by event`(server: WebServer) async throws {
        let frames = Chunks.stream(["one", "two"])
        let gate = try Gate()
        // Nobody else is asked for the way.
        let environment = ["ALL_PROXY": "http://127.0.0.1:1"]
        try await with(server, .stream(frames, each: gate), path: ":/v1", environment: environment) { site in
            let stream = try site.call(chat())
            try await stream.arrives(frames, eachThrough: gate)
            let request = try await site.upstream.request()
            #expect(request.path == "/v1/chat/completions")
            #expect(request.head["Host"] == "localhost")
            #expect(request.head["Authorization"] == "Bearer sk-stub")
        }
    }

    @Test(arguments: [
        ("", "/chat/completions"), (":", "/chat/completions"), (":/", "/chat/completions"), (":/a/b", "/a/b/chat/completions"),
    ])
    func `is asked for the path behind the second colon`(written: String, asked: String) async throws {
        let frames = Chunks.stream(["Hello"])
        try await with(WebServer.selected[0], .stream(frames), path: written) { site in
            for _ in 0..<2 { try await site.answers(frames) }
            #expect(site.upstream.requests.value.map(\.path) == [asked, asked])
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `is told that the caller has left`(server: WebServer) async throws {
        try await with(server, Reply([.text(Chunks.begun()), .silence])) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            stream.close()
            try await site.upstream.peerClosed()
        }
    }

    @Test func `fails in words while there is no such socket, and answers once there is`() async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("later.sock")
        let settings = "retries = 0\nrest_for = \"0s\"\n[upstreams.stub]\nurl = \"unix:\(socket)\""
        try await Site.with(
            WebServer.selected[0], upstream: try StubUpstream(.silence), settings: settings, in: directory
        ) { site in
            try await site.fails(because: "No such file or directory")
            let frames = Chunks.stream(["Hello"])
            let upstream = try StubUpstream(path: socket, .stream(frames))
            try await site.answers(frames)
            try await upstream.stop()
            // The file is still there, and nobody listens.
            try await site.fails(because: "connection refused")
        }
    }

    @Test func `is found good before it listens`() async throws {
        let run = try await SluiceRun(["check", "--show", "--upstream", "unix:/run/none.sock:/v1"])
        #expect(run.exit == .code(0))
        #expect(run.output.contains("url = \"unix:/run/none.sock:/v1\"\n"))
    }
}
