import TestSupport
import Testing

/// What the caller sees when something goes wrong after the first event: a cut stream must never look complete.
@Suite struct `A stream that breaks off` {
    private let start = [Chunks.role(), Chunks.content("Hello")]

    private func expectError(_ type: String, in response: Received) throws {
        #expect(response.end == .complete)
        #expect(response.status == 200)
        #expect(response.text.hasPrefix(start.joined()))
        #expect(response.frames.count == start.count + 1)
        #expect(response.errorFrame?.type == type)
        #expect(!response.text.contains("[DONE]"))
    }

    @Test(
        arguments: WebServer.selected,
        [[Reply.Step.close], [.read, .reset], [.text("data: {\"choices\":[{\"del"), .close], [.text(": comment\n\n"), .close]])
    func `ends with an error frame and without DONE`(server: WebServer, steps: [Reply.Step]) async throws {
        for framing in [Reply.Framing.chunked, .untilClose] {
            let upstream = try StubUpstream(Reply(framing: framing, start.map(Reply.Step.text) + steps))
            try await Site.with(server, upstream: upstream) { site in
                try expectError("upstream_error", in: try await site.call(chat()).ended())
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `ends with an error frame when it stops without a finish reason`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(start))
        try await Site.with(server, upstream: upstream) { site in
            try expectError("upstream_error", in: try await site.call(chat()).ended())
        }
    }

    @Test(arguments: WebServer.selected)
    func `ends at the upstream's own error frame`(server: WebServer) async throws {
        let error = "data: \(Chunks.error("the engine is gone", type: "server_error"))\n\n"
        let upstream = try StubUpstream(.stream(start + [error]))
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(chat()).ended()
            try expectError("upstream_error", in: response)
            #expect(response.errorFrame?.message.isEmpty == false)
        }
    }

    @Test(arguments: WebServer.selected)
    func `leaves the other streams alone`(server: WebServer) async throws {
        let gate = try Gate()
        let whole = Chunks.stream(["Hello"])
        let upstream = try StubUpstream { request in
            request.text.contains("cut")
                ? Reply(start.map(Reply.Step.text) + [.read, .reset])
                : .begun(whole, then: gate)
        }
        try await Site.with(server, upstream: upstream) { site in
            let other = try site.call(chat("go on"))
            try await other.arrival(of: "assistant")
            for _ in 0..<20 { try expectError("upstream_error", in: try await site.call(chat("cut")).ended()) }
            gate.open()
            #expect(try await other.ended().content == whole.joined())
        }
    }
}

/// `on_cut = "speak"`: a voice says a sentence where an answer breaks off.
@Suite struct `A stream that breaks off for a voice` {
    private static func timeouts(idle: String) -> String {
        "heartbeat = \"0s\"\ntimeouts = {first_token = \"10m\", idle = \"\(idle)\"}\n" + plainSettings
    }

    private static let settings = "on_cut = \"speak\"\nspoken_cut = \"Sorry, say \\\"that\\\" again?\"\n"

    @Test(
        arguments: WebServer.selected,
        [
            ([.close], "cut"), ([.read, .reset], "cut"), ([.silence], "timeout.idle"),
            ([.text("data: {\"choices\":[{\"del"), .close], "cut"),
            ([.text("data: \(Chunks.error("gone", type: "server_error"))\n\n"), .silence], "upstream_reported_error"),
        ] as [([Reply.Step], String)])
    func `ends with a sentence, and says why in the log`(server: WebServer, cut: (steps: [Reply.Step], cause: String))
        async throws
    {
        let upstream = try StubUpstream(Reply([.text(Chunks.begun("Hel"))] + cut.steps))
        try await Site.with(
            server, upstream: upstream,
            settings: Self.settings + Self.timeouts(idle: cut.cause == "timeout.idle" ? "300ms" : "10m")
        ) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 200 && response.end == .complete)
            #expect(response.text.hasPrefix(Chunks.begun("Hel")))
            #expect(response.frames.suffix(3).first?.contains(quoted(#" Sorry, say "that" again?"#)) == true, "\(response.text)")
            #expect(response.frames.suffix(2).first?.contains(#""finish_reason":"stop""#) == true)
            #expect(response.frames.last == "data: [DONE]\n\n")
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#""ending":"spoken_cut","cause":"\#(cut.cause)""#), "\(line)")
        }
    }

    @Test func `ends with the error where a sentence would be none`() async throws {
        let upstream = try StubUpstream { request in
            let call = Chunks.toolCall(0, id: "c", name: "f", arguments: "{\"a")
            let more = request.text.contains("tools") ? call : request.text.contains("seed") ? Chunks.finish() : ""
            return Reply([.text(Chunks.begun("Hel") + more), .read, request.text.contains("seed") ? .reset : .close])
        }
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings + plainSettings) { site in
            for members in [
                #","tools":[{"type":"function","function":{"name":"f"}}]"#, #","n":2"#, #","seed":1"#,
                #","response_format":{"type":"json_object"}"#,
            ] {
                let response = try await site.call(chat(members: members)).ended()
                #expect(response.errorFrame?.code == "upstream_cut_off", "\(response.text)")
                #expect(!response.text.contains("[DONE]") && !response.text.contains("Sorry"))
            }
        }
    }

    @Test func `is a whole answer to the openai package`() async throws {
        let upstream = try StubUpstream(Reply([.text(Chunks.begun("Hel")), .read, .reset]))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings + plainSettings) { site in
            let child = try Python.start("sdk.py", ["stream"], site: site)
            #expect(try await child.exited() == .code(0), "\(child.errors.value.text)")
            try await child.output.wait(for: "the end of its output") { $0.ended }
            let text = child.output.value.text
            #expect(text.contains("Sorry") && text.contains("\"finish_reason\": \"stop\"") && text.contains("\"end\""), "\(text)")
        }
    }
}

/// The upstream may end it whenever no request is on it, and does not know that one is on its way (RFC 9112 §9.5).
@Suite struct `A kept connection` {
    @Test(arguments: WebServer.selected, [Reply.Step.close, .reset])
    func `that ends at the next request is no problem of the caller's`(server: WebServer, end: Reply.Step) async throws {
        let whole = Chunks.stream(["Hello"])
        let requestsCount = Observed(0)
        let upstream = try StubUpstream { _ in
            let number = requestsCount.update { count in
                count += 1
                return count
            }
            return number == 2 ? .raw(end) : .stream([whole.joined()], framing: .contentLength)
        }
        let settings = "retries = 0\n[upstreams.stub]\nurl = 'UPSTREAM'\n"
        try await Site.with(server, upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            for text in ["first", "second"] {
                let answer = try await site.call(chat(text)).ended()
                #expect(answer.content == whole.joined())
            }
            let requests = upstream.requests.value.map(\.text)
            #expect(requests.count == 3)
            #expect(requests[1] == requests[2])
        }
    }
}

/// An upstream that says nothing is given up after the limits, while heartbeats keep the caller's connection alive.
@Suite struct `A silent upstream` {
    @Test(arguments: WebServer.selected)
    func `is given up for a timeout`(server: WebServer) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream, settings: timeouts("first_token = '300ms'")) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 503)
            #expect(response.error?.type == "upstream_timeout")
            #expect(!response.text.contains("[DONE]"))
            try await upstream.peerClosed()
        }
    }

    @Test(arguments: WebServer.selected)
    func `is given up inside the stream once a heartbeat has begun it`(server: WebServer) async throws {
        let upstream = try StubUpstream(.silence)
        let settings = timeouts("first_token = '4s'", heartbeat: "100ms")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 200)
            #expect(response.text.hasPrefix(": keep-alive\n\n"))
            #expect(response.errorFrame?.type == "upstream_timeout")
            #expect(!response.text.contains("[DONE]"))
            try await upstream.peerClosed()
        }
    }

    @Test(arguments: WebServer.selected)
    func `is an unavailable service to a caller who does not stream`(server: WebServer) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream, settings: timeouts("total = '500ms'")) { site in
            let response = try await site.call(chat(stream: false)).ended()
            #expect(response.status == 503)
            #expect(response.error?.type == "upstream_timeout")
            try await upstream.peerClosed()
        }
    }

    @Test(arguments: WebServer.selected)
    func `is given up also when only its head comes`(server: WebServer) async throws {
        let upstream = try StubUpstream(Reply([.silence]))
        try await Site.with(server, upstream: upstream, settings: timeouts("first_token = '300ms'")) { site in
            let response = try await site.call(chat()).ended()
            #expect(!response.text.contains("[DONE]"))
            #expect(response.text.contains("upstream_timeout"))
            try await upstream.peerClosed()
        }
    }

    @Test(arguments: WebServer.selected)
    func `is given up in the middle of its stream`(server: WebServer) async throws {
        let upstream = try StubUpstream(Reply([.text(Chunks.begun()), .silence]))
        let settings = timeouts("first_token = '1h', idle = '300ms'", heartbeat: "0s")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 200)
            #expect(response.text.hasPrefix(Chunks.begun()))
            #expect(response.errorFrame?.type == "upstream_timeout")
            #expect(!response.text.contains("[DONE]"))
            try await upstream.peerClosed()
        }
    }

    @Test(arguments: WebServer.selected)
    func `has its silence filled with heartbeats`(server: WebServer) async throws {
        let upstream = try StubUpstream(Reply([.text(Chunks.begun()), .silence]))
        try await Site.with(server, upstream: upstream, settings: "heartbeat = '200ms'\n\(upstreamTable)") { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: ": keep-alive\n\n: keep-alive\n\n")
            #expect(stream.received.value.end == nil)
        }
    }

    @Test(arguments: [
        ("targets = [{upstream = 'stub', first_token = '300ms'}]\ntimeouts = {first_token = '1h'}", true, ""),
        ("timeouts = {first_token = '300ms'}", true, ""),
        ("targets = [{upstream = 'stub', idle = '300ms'}]", true, Chunks.begun()),
        ("timeouts = {idle = '300ms'}", true, Chunks.begun()),
        ("targets = [{upstream = 'stub', total = '300ms'}]", false, ""),
        ("timeouts = {total = '300ms'}", true, Chunks.begun()),
    ])
    func `is given up for its own timeouts before all others`(model: String, isStreaming: Bool, start: String) async throws {
        let upstream = try StubUpstream(Reply([.text(start), .silence]))
        let settings = """
            \(timeouts("first_token = '1h', idle = '1h', total = '2h'"))
            [[models]]
            match = "*"
            \(model)
            """
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let response = try await site.call(chat(stream: isStreaming)).ended()
            #expect(response.text.contains("upstream_timeout"))
            try await upstream.peerClosed()
        }
    }

    private let upstreamTable = "[upstreams.stub]\nurl = 'UPSTREAM'\n"

    private func timeouts(_ limit: String, heartbeat: String = "0s") -> String {
        "heartbeat = '\(heartbeat)'\ntimeouts = {\(limit)}\n\(upstreamTable)"
    }
}
