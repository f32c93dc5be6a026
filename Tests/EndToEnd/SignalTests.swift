import Glibc
import TestSupport
import Testing

@Suite struct `A stop of the process` {
    /// As a debugger does, and whoever suspends a machine. All that the upstream sends comes meanwhile, and the time for it passes.
    @Test(arguments: WebServer.selected) func `costs no stream`(server: WebServer) async throws {
        let frames = Chunks.stream(["one", "two", "three"])
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        let idle = Duration.seconds(15)
        let settings = "timeouts.idle = \"15s\"\n" + oneUpstream(url: "UPSTREAM")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let streams = try (0..<20).map { _ in try site.call(chat()) }
            for stream in streams { try await stream.arrival(of: "assistant") }
            site.sluice.process.signal(SIGSTOP)
            try await eventually("it to stand still") { isStopped(site.sluice.process.identifier) }
            gate.open(streams.count)
            for number in streams.indices { try await upstream.request(number).finished() }
            try await Task.sleep(for: idle + .milliseconds(500))
            site.sluice.process.signal(SIGCONT)
            for stream in streams {
                let response = try await stream.ended()
                #expect(response.content == frames.joined())
                #expect(response.end == .complete)
            }
        }
    }
}

@Suite struct `A signal to end` {
    private let frames = Chunks.stream(["one", "two", "three"])

    @Test(arguments: WebServer.selected, [SIGTERM, SIGINT, SIGQUIT])
    func `lets open streams finish and takes no new ones`(server: WebServer, signal: Int32) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(server, upstream: upstream, endsSluice: true) { site in
            let streams = try (0..<100).map { _ in try site.call(chat()) }
            for stream in streams { try await stream.arrival(of: "assistant") }
            site.sluice.process.signal(signal)
            try await site.sluice.refuses()
            let late = try await site.call(chat()).ended()
            #expect(late.status == 503)
            #expect(late.error?.type != nil)
            #expect(site.sluice.process.exit.value == nil)
            gate.open(streams.count)
            for stream in streams {
                let response = try await stream.ended()
                #expect(response.content == frames.joined())
                #expect(response.end == .complete)
            }
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(upstream.requests.value.count == streams.count)
        }
    }

    @Test(arguments: WebServer.selected)
    func `ends an idle Sluice with status 0`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(server, upstream: upstream, endsSluice: true) { site in
            // Afterwards nginx keeps its connection, which must not hold the end up.
            let response = try await site.call(chat()).ended()
            #expect(response.content == frames.joined())
            site.sluice.process.signal(SIGTERM)
            #expect(try await site.sluice.process.exited(within: .seconds(15)) == .code(0))
        }
    }

    /// The drain limit is longer than this test waits.
    @Test(arguments: WebServer.selected)
    func `ends everything at once when it comes twice`(server: WebServer) async throws {
        let upstream = try StubUpstream(.begun(frames))
        try await Site.with(server, upstream: upstream, endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            #expect(site.sluice.process.exit.value == nil)
            site.sluice.process.signal(SIGTERM)
            _ = try await site.sluice.process.exited(within: .seconds(15))
            try await upstream.peerClosed()
            #expect(!(try await stream.ended().text.contains("[DONE]")))
        }
    }

    @Test func `ends it in order also when it has just begun to listen`() async throws {
        for _ in 0..<10 {
            let sluice = try await SluiceProcess(upstream: "demo", in: TemporaryDirectory())
            sluice.process.signal(SIGTERM)
            #expect(try await sluice.process.exited() == .code(0))
        }
    }
}

@Suite struct `Another signal` {
    @Test func `ends nothing`() async throws {
        let sluice = try await SluiceProcess(upstream: "demo", in: TemporaryDirectory())
        for signal in [SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGPIPE] {
            sluice.process.signal(signal)
        }
        _ = try await ChildProcess.line(containing: "\"signal\":\(SIGPWR)", in: sluice.process.errors)
        #expect(sluice.process.exit.value == nil)
        try await sluice.process.end()
    }
}
