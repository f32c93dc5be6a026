import Glibc
import TestSupport
import Testing

@Suite struct `A reload` {
    private let frames = Chunks.stream(["one", "two", "three"])

    /// Settings by which a request goes out for that model.
    private func settings(model: String, _ lines: String...) -> String {
        """
        retries = 0
        \(lines.joined(separator: "\n"))
        [upstreams.stub]
        url = "UPSTREAM"
        key = "sk-stub"
        [[models]]
        match = "*"
        targets = [{upstream = "stub", model = "\(model)"}]
        """
    }

    /// Half of the calls for each client, so that no client's limit of requests is touched.
    private func call(_ number: Int) -> ChatCall {
        var call = chat("number \(number)")
        call.token = number.isMultiple(of: 2) ? RunningServer.token : RunningServer.otherToken
        return call
    }

    @Test(arguments: WebServer.selected, [SIGHUP, SIGUSR2])
    func `is in force for the next request, and leaves a stream as it is`(server: WebServer, signal: Int32) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(server, upstream: upstream, settings: settings(model: "before")) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            try await site.reload(settings(model: "after"), by: signal)
            gate.open(2)
            let (former, next) = (try await stream.ended(), try await site.call(chat()).ended())
            for response in [former, next] {
                #expect(response.content == frames.joined())
                #expect(response.end == .complete)
            }
            #expect(upstream.requests.value.map { $0.text.contains(#""model":"before""#) } == [true, false])
            #expect(upstream.requests.value.map { $0.text.contains(#""model":"after""#) } == [false, true])
        }
    }

    @Test(arguments: WebServer.selected)
    func `to a file that is wrong changes nothing, and says all that is wrong with it`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(server, upstream: upstream, settings: settings(model: "before")) { site in
            let bad = "heartbeat = 3\nlimits.requests = 0\nupstreams.other.url = \"UPSTREAM\""
            try await site.reload(bad, fails: 2)
            let lines = site.sluice.process.errors.value.lines
            for place in ["sluice.toml:1: heartbeat ", "sluice.toml:2: limits.requests "] {
                #expect(lines.contains { $0.contains(#""level":"error""#) && $0.contains(place) })
            }
            try await site.answers(frames)
            #expect(try await upstream.request().text.contains(#""model":"before""#))
        }
    }

    @Test func `to a log that cannot be had changes nothing, and names the setting`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(model: "before")) { site in
            try await site.reload(settings(model: "after", "log.to = \"file:none/sluice.log\""), fails: 1)
            #expect(site.sluice.process.errors.value.text.contains("log.to: the log cannot be written: "))
            try await site.answers(frames)
            #expect(try await upstream.request().text.contains(#""model":"before""#))
        }
    }

    @Test func `changes where the log goes, how it looks and what is in it`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(model: "m")) { site in
            try await site.answers(frames)
            _ = try await site.requestLines(1)
            let log = "log = {to = \"file:sluice.log\", format = \"logfmt\", level = \"info\"}"
            try site.directory.write(settings(model: "m", log).replacing("UPSTREAM", with: site.upstreamURL), to: "sluice.toml")
            site.sluice.process.signal(SIGHUP)
            try await site.answers(frames, untilFile: "sluice.log", contains: "message=answered")
            var call = chat()
            call.fields = [("X-Request-Id", "elsewhere")]
            #expect(try await site.call(call).ended().content == frames.joined())
            try await eventually("its line in the file") { try site.directory.read("sluice.log").contains("elsewhere") }
            #expect(!site.sluice.process.errors.value.text.contains("elsewhere"))
        }
    }

    /// An editor may have emptied the file, and not written it yet. At a start such settings would mean the demo.
    @Test func `that finds no upstream any more changes nothing`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings(model: "before"), environment: [:]
        ) { site in
            try await site.reload("", fails: 1)
            #expect(site.sluice.process.errors.value.text.contains("no upstream is named any more"))
            try await site.answers(frames)
            #expect(upstream.requests.value.count == 1)
        }
    }

    @Test func `of a file that is gone changes nothing`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(model: "before")) { site in
            #expect(unsafe unlink(site.directory.path("sluice.toml")) == 0)
            site.sluice.process.signal(SIGHUP)
            try await site.sluice.reloadFailures(1)
            try await site.answers(frames)
        }
    }

    @Test func `names the settings of which a change takes a restart`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(model: "before")) { site in
            try await site.reload(settings(model: "after", "socket.mode = \"0600\""))
            try await site.sluice.process.errors.wait(for: "the setting's name") { output in
                output.lines.contains {
                    $0.contains("settings have changed that take a restart") && $0.contains(#""settings":"socket.mode""#)
                }
            }
            try await site.answers(frames)
            #expect(try await upstream.request().text.contains(#""model":"after""#))
        }
    }

    /// Under load, with good and bad files in turn.
    @Test(arguments: WebServer.selected)
    func `again and again loses and refuses nothing`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            guard request.text.contains("number") else { return .stream(frames) }
            return .begun(frames, then: gate)
        }
        // The streams wait for as long as all rounds take.
        let first = settings(model: "m0", "timeouts = {first_token = \"10m\", idle = \"10m\"}")
        try await Site.with(server, upstream: upstream, settings: first) { site in
            let streams = try (0..<500).map { try site.call(call($0)) }
            for stream in streams { try await stream.arrival(of: "assistant") }
            for round in 1...25 {
                try await site.reload(settings(model: "m\(round)"), times: round)
                try await site.answers(frames)
                #expect(upstream.requests.value.last?.text.contains("\"model\":\"m\(round)\"") == true)
                try await site.reload("heartbeat = \(round)", fails: round)
                try await site.answers(frames)
                #expect(upstream.requests.value.last?.text.contains("\"model\":\"m\(round)\"") == true)
            }
            gate.open(streams.count)
            for stream in streams {
                let response = try await stream.ended()
                #expect(response.content == frames.joined())
                #expect(response.end == .complete)
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `changes the limits of connections that the web server keeps`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(frames))
        let long = chat(String(repeating: "long", count: 300))
        try await Site.with(server, upstream: upstream, settings: settings(model: "m", "limits.body = \"1KiB\"")) { site in
            #expect(try await site.call(long).ended().status == 413)
            try await site.reload(settings(model: "m", "limits.body = \"1MiB\""))
            #expect(try await site.call(long).ended().status == 200)
            try await site.reload(settings(model: "m", "limits.body = \"1KiB\""), times: 2)
            #expect(try await site.call(long).ended().status == 413)
        }
    }

    @Test func `reads a key's file again`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        let directory = try TemporaryDirectory()
        try directory.write("first-key\n", to: "stub.key")
        let settings = "[upstreams.stub]\nurl = \"UPSTREAM\"\nkey_file = \"stub.key\""
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings, in: directory) { site in
            try await site.answers(frames)
            try directory.write("second-key\n", to: "stub.key")
            try await site.reload(settings)
            try await site.answers(frames)
            let keys = upstream.requests.value.map { $0.head["Authorization"] }
            #expect(keys == ["Bearer first-key", "Bearer second-key"])
        }
    }
}

@Suite struct `What is known of an upstream` {
    private let frames = Chunks.stream(["Hello"])

    /// One place at the upstream unless told otherwise, and nobody waits for it.
    private func settings(concurrent: Int = 1, heartbeat: Int = 10) -> String {
        """
        retries = 0
        heartbeat = "\(heartbeat)s"
        [upstreams.stub]
        url = "UPSTREAM"
        key = "sk-stub"
        concurrent = \(concurrent)
        queue = 0
        """
    }

    @Test func `holds after a reload: streams from before it count`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let first = try site.call(chat())
            try await first.arrival(of: "assistant")
            try await site.reload(settings(heartbeat: 9))
            #expect(try await site.call(chat()).ended().status == 503)
            try await site.reload(settings(concurrent: 2), times: 2)
            let second = try site.call(chat())
            try await second.arrival(of: "assistant")
            #expect(try await site.call(chat()).ended().status == 503)
            try await site.reload(settings(concurrent: 1), times: 3)
            gate.open()
            let ended = Observed<[Received]>([])
            for stream in [first, second] {
                Task {
                    let response = try await stream.ended()
                    ended.update { $0.append(response) }
                }
            }
            #expect(try await ended.wait(for: "one of them to end") { $0.first }.text == frames.joined())
            // The other one is still there.
            #expect(try await site.call(chat()).ended().status == 503)
            gate.open()
            for stream in [first, second] { #expect(try await stream.ended().content == frames.joined()) }
            gate.open()
            try await site.answers(frames)
        }
    }

    private func resting(_ key: String) -> String {
        """
        retries = 0
        rest_after = 1
        rest_for = "5m"
        [upstreams.stub]
        url = "UPSTREAM"
        key = "\(key)"
        [upstreams.other]
        url = "UPSTREAM"
        key = "sk-other"
        [[models]]
        match = "*"
        targets = ["stub", "other"]
        """
    }

    /// Whom the requests were for, by their keys.
    private func keys(_ upstream: StubUpstream) -> [String] {
        upstream.requests.value.map { $0.head["Authorization"].map { String($0.dropFirst("Bearer sk-".count)) } ?? "" }
    }

    @Test func `holds after a reload: it rests as it did, unless its key is another`() async throws {
        let upstream = try StubUpstream { request in
            request.head["Authorization"] == "Bearer sk-bad" ? .json("{}", status: 500) : .stream(frames)
        }
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: resting("sk-bad")) { site in
            try await site.answers(frames)
            try await site.answers(frames)
            #expect(keys(upstream) == ["bad", "other", "other"])
            try await site.reload("heartbeat = \"9s\"\n" + resting("sk-bad"))
            try await site.answers(frames)
            #expect(keys(upstream) == ["bad", "other", "other", "other"])
            try await site.reload(resting("sk-good"), times: 2)
            try await site.answers(frames)
            #expect(keys(upstream) == ["bad", "other", "other", "other", "good"])
        }
    }

    @Test func `ends with its address: connections to the former one are closed`() async throws {
        let former = try StubUpstream(.stream(frames))
        let upstream = try StubUpstream(.stream(frames))
        let settings = settings().replacing("UPSTREAM", with: former.url) + "\nwarm = 2"
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            try await site.answers(frames)
            // Two for each worker, besides the one that the call has taken.
            try await eventually("warm connections") { former.connectionsEver >= 4 }
            try await site.reload(settings.replacing(former.url, with: upstream.url))
            try await site.answers(frames)
            try await former.connectionsOpen(0)
        }
        try await former.stop()
    }

    @Test func `holds after a reload: its connections serve on`() async throws {
        // What follows DONE on the connection may be late, and then it is not kept.
        let upstream = try StubUpstream(.stream(frames, framing: .contentLength))
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings(), options: ["--workers", "1"]
        ) { site in
            try await site.answers(frames)
            #expect(upstream.connectionsEver == 1)
            try await site.reload(settings(heartbeat: 9))
            try await site.answers(frames)
            #expect(upstream.connectionsEver == 1)
            try await site.reload(settings().replacing("queue = 0", with: "queue = 0\nhttp = \"1.1\""), times: 2)
            try await site.answers(frames)
            #expect(upstream.connectionsEver == 2)
            // Nothing uses the first one any more.
            try await upstream.connectionsOpen(1)
        }
    }
}

extension Site {
    /// Replaces the settings file, in which `UPSTREAM` stands for the stub's URL, and waits until that is in force.
    ///
    /// - Parameter times: how many reloads there have been then, with this one.
    fileprivate func reload(_ settings: String, by signal: Int32 = SIGHUP, times: Int = 1) async throws {
        try directory.write(settings.replacing("UPSTREAM", with: upstreamURL), to: "sluice.toml")
        sluice.process.signal(signal)
        try await sluice.process.errors.wait(for: "reload \(times)") { output in
            output.lines.count { $0.contains(#""message":"the settings were reloaded""#) } == times
        }
    }

    /// Replaces the settings file by one that is wrong, and waits until so many mistakes have been told, since the start.
    fileprivate func reload(_ settings: String, fails mistakes: Int) async throws {
        try directory.write(settings.replacing("UPSTREAM", with: upstreamURL), to: "sluice.toml")
        sluice.process.signal(SIGHUP)
        try await sluice.reloadFailures(mistakes)
    }
}

extension Site {
    /// Calls it until a file of its directory contains a text.
    fileprivate func answers(_ frames: [String], untilFile file: String, contains text: String) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            try await answers(frames)
            if let content = try? directory.read(file), content.contains(text) { return }
            guard ContinuousClock.now < deadline else { throw Missing(text: text) }
        }
    }

    fileprivate struct Missing: Error { let text: String }
}

extension SluiceProcess {
    fileprivate func reloadFailures(_ count: Int) async throws {
        try await process.errors.wait(for: "\(count) mistakes of settings") { output in
            output.lines.count { $0.contains(#""message":"the settings were not reloaded"#) } == count
        }
    }
}
