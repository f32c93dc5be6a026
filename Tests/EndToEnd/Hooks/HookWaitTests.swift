import Glibc
import TestSupport
import Testing

/// What goes on while a hook is asked, how it is asked, and how often.
@Suite(.timeLimit(.minutes(20))) struct `A hook that is asked` {
    private static let filler = #"filler = {after = "50ms", again = "50ms", max = 2, texts = ["One moment."]}"#

    // MARK: Its caller

    @Test(arguments: [
        (#"{"say":"Good day."}"#, "One moment. One moment.  Good day."), ("{}", "One moment. One moment. Hello"),
        (#"{"append":[{"role":"user","content":"a"}]}"#, "One moment. One moment. Hello"),
    ])
    func `leaves its caller heartbeats and fillers, and one message`(answer: String, said: String) async throws {
        let gate = try Gate()
        let hook = try StubUpstream(Reply(contentType: "application/json", [.wait(gate), .text(answer)]))
        try await HookSite.with(hook, settings: Self.filler, heartbeat: "20ms") { site in
            let stream = try site.site.call(chat())
            try await stream.arrival(of: ": keep-alive")
            try await stream.received.wait(for: "both fillers") { $0.frames.count >= 2 }
            #expect(site.site.upstream.requests.value.isEmpty)
            gate.open()
            let response = try await stream.ended()
            #expect(response.said.text == said && response.said.rolesCount == 1, "\(response.text)")
            #expect(response.frames.last == Chunks.done)
            #expect(try await site.line().contains(#""fillers":2,"#))
            try await eventually("the fillers are counted, whoever has answered") {
                try await Scrape(of: site.site).sum("sluice_fillers_total", [#"speaker="stream""#]) == 2
            }
        }
    }

    @Test(arguments: [
        (#"{"deny":{"status":451,"message":"Not here."}}"#, "pass", "request_denied"), ("[]", "deny", "hook_unavailable"),
    ])
    func `and refuses behind a heartbeat ends the stream with the error`(answer: String, onFailure: String, code: String)
        async throws
    {
        let gate = try Gate()
        let hook = try StubUpstream(Reply(contentType: "application/json", [.wait(gate), .text(answer)]))
        let members = #"timeout = "60s", on_failure = "\#(onFailure)""#
        try await HookSite.with(hook, members, heartbeat: "20ms") { site in
            let stream = try site.site.call(chat())
            try await stream.arrival(of: ": keep-alive")
            gate.open()
            let response = try await stream.ended()
            #expect(response.status == 200 && response.errorFrame?.code == code, "\(response.text)")
            #expect(!response.text.contains("[DONE]"))
        }
    }

    @Test(arguments: [true, false])
    func `hears at once that its caller has left`(stream: Bool) async throws {
        guard WebServer.selected[0].noticesLeavingClients else { return }
        let hook = try StubUpstream(.silence)
        try await HookSite.with(hook) { site in
            let leaving = try site.site.call(chat(stream: stream))
            let request = try await hook.request()
            leaving.close()
            try await request.closedByPeer()
            let line = try await site.line()
            #expect(line.contains(#""hook":"cancelled","#) && line.contains(#""ending":"caller_left""#), "\(line)")
            #expect(site.site.upstream.requests.value.isEmpty)
        }
    }

    @Test func `hears that the server ends`() async throws {
        let hook = try StubUpstream(.silence)
        try await HookSite.with(hook, drain: "0s", endsSluice: true) { site in
            let stream = try site.site.call(chat())
            let request = try await hook.request()
            site.site.sluice.process.signal(SIGTERM)
            try await request.closedByPeer()
            let response = try await stream.ended()
            #expect(response.status == 503 && response.error?.code == "shutting_down", "\(response.text)")
            #expect(try await site.site.sluice.process.exited() == .code(0))
            #expect(site.site.upstream.requests.value.isEmpty)
        }
    }

    // MARK: Its connections

    @Test(arguments: [Reply.nothingToSay, .json("{}"), .json(#"{"say":"a"}"#), .json(#"{"deny":{}}"#), .json("[]")])
    func `is asked over the same connection again`(answer: Reply) async throws {
        let hook = try StubUpstream(answer)
        try await HookSite.with(hook, options: ["--workers", "1"]) { site in
            for _ in 0..<5 { _ = try await site.site.call(chat()).ended() }
            #expect(hook.requests.value.count == 5)
            #expect(hook.connectionsEver == 1)
        }
    }

    @Test func `may listen on a unix socket`() async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("hook.sock")
        let hook = try StubUpstream(path: socket, .json(#"{"say":"a"}"#))
        let text = HookSite.settings("unix:\(socket):/turn", #"timeout = "60s""#) + plainSettings
        let environment = ["ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"]
        try await Site.with(
            WebServer.selected[0], upstream: try HookSite.upstream(), settings: text, environment: environment, in: directory
        ) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.said.text == "a", "\(response.text)")
            #expect(hook.requests.value.map(\.path) == ["/turn"])
        }
        try await hook.stop()
    }

    @Test(arguments: [true, false])
    func `may have TLS, by the authorities of the settings`(isTrusted: Bool) async throws {
        let hook = try StubUpstream(.json(#"{"say":"a"}"#))
        let front = try await TLSFront(for: hook, in: TemporaryDirectory())
        let trust = isTrusted ? #"authorities_file = "\#(front.certificate.file)""# : ""
        let text = HookSite.settings(front.url, #"timeout = "60s", on_failure = "deny""#, trust) + plainSettings
        try await Site.with(WebServer.selected[0], upstream: try HookSite.upstream(), settings: text, environment: [:]) { site in
            let response = try await site.call(chat()).ended()
            if isTrusted {
                #expect(response.said.text == "a", "\(response.text)")
                #expect(try await hook.request().head["X-Front-Protocol"] == "HTTP/2.0")
            } else {
                #expect(response.status == 503 && response.error?.code == "hook_unavailable")
                #expect(hook.requests.value.isEmpty)
                _ = try await site.requestLines(1)
                #expect(
                    site.sluice.process.errors.value.lines.contains { $0.contains("the hook failed") && $0.contains("TLS: ") })
            }
        }
        try await front.end()
        try await hook.stop()
    }

    // MARK: Its turns

    private static func two(_ first: StubUpstream, _ more: String) -> String {
        """
        [upstreams.first]
        url = "\(first.url)"
        [upstreams.second]
        url = "UPSTREAM"
        [[models]]
        match = "*"
        \(more)
        """
    }

    /// What the first upstream does, which setting has another asked then, and how many there are.
    @Test(arguments: [
        (Reply.json("no", status: 500), "targets = [\"first\", \"second\"]\nretries = 0"),
        (.silence, "targets = [\"first\", \"second\"]\nhedge_after = \"50ms\"\nretries = 0"),
        (.silence, "targets = [{upstream = \"first\", first_token = \"3s\"}, \"second\"]\nretries = 0"),
    ])
    func `is asked once, whatever attempts there are behind it`(reply: Reply, model: String) async throws {
        let first = try StubUpstream(reply)
        let hook = try StubUpstream(.json(#"{"append":[{"role":"user","content":"It rains."}]}"#))
        // A timeout is shorter than any of a target.
        try await HookSite.with(hook, #"timeout = "2900ms", on_failure = "deny""#, rest: Self.two(first, model)) { site in
            site.answers(try await site.site.call(chat()).ended())
            #expect(hook.requests.value.count == 1)
            for request in [try await first.request(), try await site.site.upstream.request()] {
                #expect(request.text.contains(#"{"role":"user","content":"It rains."}]"#), "\(request.text)")
            }
        }
        try await first.stop()
    }

    /// What the hook does, and whether a target that is silent rests behind it.
    @Test(arguments: [(Reply.silence, false), (.status(204), true)])
    func `takes no time of a target's that this would rest for`(reply: Reply, rests: Bool) async throws {
        let (first, hook) = (try StubUpstream(.silence), try StubUpstream(reply))
        let model = "targets = [{upstream = \"first\", first_token = \"4s\"}, \"second\"]\nretries = 0"
        try await HookSite.with(hook, #"timeout = "3900ms""#, settings: "rest_after = 1", rest: Self.two(first, model)) { site in
            site.answers(try await site.site.call(chat()).ended())
            #expect(try await site.line().contains(#"{"upstream":"first","outcome":"timeout.first_token""#))
            #expect(site.site.sluice.process.errors.value.text.contains("a target rests") == rests)
        }
        try await first.stop()
    }

    @Test func `is another one behind a reload, and the former's connections are closed`() async throws {
        let former = try StubUpstream(.json(#"{"say":"former"}"#))
        let next = try StubUpstream(.json(#"{"say":"next"}"#))
        let sent = try Gate()
        let open = try StubUpstream(Reply(contentType: "application/json", [.wait(sent), .text(#"{"say":"open"}"#)]))
        try await HookSite.with(former) { whole in
            let site = whole.site
            func reload(_ hook: String, _ count: Int) async throws {
                let text = (hook + plainSettings).replacing("UPSTREAM", with: site.upstreamURL)
                try site.directory.write(text, to: "sluice.toml")
                site.sluice.process.signal(SIGHUP)
                try await site.sluice.process.errors.wait(for: "reload \(count)") { output in
                    output.lines.count { $0.contains(#""message":"the settings were reloaded""#) } == count
                }
            }
            #expect(try await site.call(chat()).ended().said.text == "former")
            try await reload(HookSite.settings(open.turnURL, #"timeout = "60s""#), 1)
            let stream = try site.call(chat())
            _ = try await open.request()
            try await reload(HookSite.settings(next.turnURL, #"timeout = "60s""#), 2)
            #expect(try await site.call(chat()).ended().said.text == "next")
            // What has begun goes by what it began with.
            sent.open()
            #expect(try await stream.ended().said.text == "open")
            try await former.connectionsOpen(0)
            try await open.connectionsOpen(0)
            try await reload("", 3)
            try await site.answers(HookSite.frames)
            #expect(former.requests.value.count == 1 && next.requests.value.count == 1)
        }
        try await next.stop()
        try await open.stop()
    }

    @Test func `keeps its connections through a reload that changes nothing of it`() async throws {
        let hook = try StubUpstream(.json(#"{"say":"a"}"#))
        try await HookSite.with(hook, options: ["--workers", "1"]) { site in
            _ = try await site.site.call(chat()).ended()
            site.site.sluice.process.signal(SIGHUP)
            try await site.site.sluice.process.errors.wait(for: "a reload") { output in
                output.lines.contains { $0.contains(#""message":"the settings were reloaded""#) }
            }
            _ = try await site.site.call(chat()).ended()
            #expect(hook.requests.value.count == 2 && hook.connectionsEver == 1)
        }
    }

    // MARK: Its client's budget

    private func ask(_ site: ProcessSite, stream: Bool = false) async throws -> BudgetAnswer {
        let body = String(decoding: chat(stream: stream, members: #","max_tokens":50"#).body, as: UTF8.self)
        let call = try DirectCall(
            to: site.sluice.socket, "POST", "/v1/chat/completions", [(name: "SLUICE_CLIENT", value: "shop")], body: body)
        return try await BudgetAnswer(call.response())
    }

    @Test(arguments: [(#"{"say":"Good day."}"#, 200), (#"{"deny":{}}"#, 403), ("[]", 503)], [true, false])
    func `takes nothing of the budget where no model is asked`(answer: (text: String, status: Int), stream: Bool) async throws {
        let hook = try StubUpstream(.json(answer.text))
        let line = "hook = {url = \"\(hook.turnURL)\", timeout = \"60s\", on_failure = \"deny\"}"
        try await ProcessSite.with(
            line, upstream: try HookSite.upstream(), upstreamLines: "[clients.shop]\ntokens_per_day = 1000", options: []
        ) { site in
            for _ in 0..<3 {
                let response = try await ask(site, stream: stream)
                #expect(response.status == answer.status && response.tokensLeft == 1000, "\(response.text)")
            }
            #expect(site.upstream.requests.value.isEmpty)
        }
        try await hook.stop()
    }

    @Test func `takes of it what it puts in`() async throws {
        let text = String(repeating: "It rains. ", count: 40)
        let hook = try StubUpstream(.json(#"{"append":[{"role":"user","content":"\#(text)"}]}"#))
        let upstream = try HookSite.upstream()
        let line = "hook = {url = \"\(hook.turnURL)\", timeout = \"60s\"}"
        try await ProcessSite.with(
            line, upstream: upstream, upstreamLines: "[clients.shop]\ntokens_per_day = 1000", options: []
        ) { site in
            // With nothing put in, 1,000 less the body's quarter and what it may have is left at the head of a stream.
            let left = try await ask(site, stream: true).tokensLeft ?? 1000
            #expect(left < 1000 - 50 - text.utf8.count / 4, "\(left)")
        }
        try await hook.stop()
    }
}
