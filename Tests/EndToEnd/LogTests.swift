import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct `The log` {
    /// The lines that tell of a request.
    private func requests(in site: Site, count: Int) async throws -> [[String: any Sendable]] {
        let lines = try await site.requestLines(count)
        return try lines.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: any Sendable] ?? [:] }
    }

    @Test(arguments: WebServer.selected)
    func `has one line for each request, with whose it was and how it ended`(server: WebServer) async throws {
        let vapi = #","call":{"id":"4f2c7a1e-vapi-call"}"#
        let calls: [(call: ChatCall, expected: [String: String])] = [
            (
                chat("whole", members: vapi),
                [
                    "ending": "done", "call": "4f2c7a1e-vapi-call", "client": "first", "upstream": "stub", "route": "*",
                    "model": "stub-1",
                ]
            ),
            (
                chat("whole", stream: false, members: vapi),
                ["ending": "done", "status": "200", "completion_tokens": "2", "model": "stub-1"]
            ),
            (
                ChatCall(
                    #"{"messages":[{"role":"user","content":"whole"}],"stream":true}"#,
                    path: "/chat/completions?custom_session_id=hume-1"),
                ["ending": "done", "call": "hume-1"]
            ),
            (chat("whole", members: #","call":{"id":"+15551234567"}"#), ["ending": "done", "call": "nil"]),
            (chat("cut"), ["ending": "cut", "status": "200", "level": "warning"]),
            (chat("refused"), ["ending": "refused.400", "status": "400", "level": "info", "model": "nil"]),
            (chat("key"), ["ending": "key_refused.401", "status": "503", "level": "error"]),
            (
                ChatCall(#"{"model":"silent","messages":[{"role":"user","content":"Hello"}],"stream":true}"#),
                ["ending": "timeout.first_token", "status": "503"]
            ),
            (ChatCall("{"), ["ending": "invalid_json", "status": "400", "level": "info"]),
            (ChatCall("", path: "/v1/models", method: "GET"), ["ending": "done", "client": "first"]),
        ]
        let upstream = try StubUpstream { request in
            if request.text.contains("cut") { return .stream([Chunks.begun()]) }
            if request.text.contains("refused") { return .json(Chunks.error("no"), status: 400) }
            if request.text.contains("key") { return .json(Chunks.error("no"), status: 401) }
            if request.text.contains("silent") { return .silence }
            return request.text.contains(#""stream":true"#) ? .stream(Chunks.stream(["Hi"])) : .json(Chunks.completion("Hi"))
        }
        let settings =
            plainSettings + """
                [[models]]
                match = "silent"
                targets = ["stub"]
                timeouts.first_token = "300ms"
                [[models]]
                match = "*"
                targets = ["stub"]
                """
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            for (number, (call, _)) in calls.enumerated() {
                var call = call
                call.fields.append(("X-Request-Id", "request-\(number)"))
                _ = try await site.call(call).ended()
            }
            let lines = try await requests(in: site, count: calls.count)
            #expect(lines.count == calls.count)
            for (number, (_, expected)) in calls.enumerated() {
                let line = lines.first { $0["request"] as? String == "request-\(number)" }
                for (name, value) in expected {
                    #expect("\(line?[name] ?? "nil")" == value, "request \(number), \(name): \(line ?? [:])")
                }
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `has the callers who left, once each`(server: WebServer) async throws {
        let upstream = try StubUpstream(
            Reply(Array(repeating: [.text(Chunks.begun()), .pause(.milliseconds(20))], count: 10_000).flatMap { $0 }))
        try await Site.with(server, upstream: upstream) { site in
            for _ in 0..<5 {
                let stream = try site.call(chat())
                try await stream.arrival(of: "assistant")
                stream.close()
            }
            let lines = try await requests(in: site, count: 5)
            #expect(lines.map { $0["ending"] as? String } == Array(repeating: "caller_left", count: 5))
        }
    }

    @Test(arguments: WebServer.selected)
    func `has the status that a caller got who heard a sentence instead of an error`(server: WebServer) async throws {
        let upstream = try StubUpstream(.json(Chunks.error("no"), status: 500))
        try await Site.with(server, upstream: upstream, settings: "spoken_error = \"Sorry.\"\n" + plainSettings) { site in
            _ = try await site.call(chat()).ended()
            let line = try await requests(in: site, count: 1).first
            #expect(line?["status"] as? Int == 200)
            #expect(line?["ending"] as? String == "failed.500")
        }
    }

    /// Behind nginx alone: lighttpd notices that a caller left when it writes.
    @Test(arguments: WebServer.selected)
    func `ends no service when its file may grow no more`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hi"])))
        try await Site.with(server, upstream: upstream, redirections: "2>log") { site in
            let process = site.sluice.process.identifier
            let command = ["-c", "exec prlimit --pid \(process) --fsize=4096"]
            let limit = try ChildProcess("/bin/sh", command, environment: [:], in: site.directory)
            #expect(try await limit.exited() == .code(0))
            for _ in 0..<30 { try await site.answers(Chunks.stream(["Hi"])) }
        }
    }

    @Test(
        arguments: WebServer.selected.filter { $0 == .nginx },
        [(nil, 499), (": keep-alive", 200), ("assistant", 200)] as [(text: String?, status: Int)])
    func `has the status that a caller got before it left`(server: WebServer, moment: (text: String?, status: Int)) async throws {
        let upstream = try StubUpstream(moment.text == "assistant" ? Reply([.text(Chunks.begun()), .silence]) : .silence)
        let heartbeat = moment.text == ": keep-alive" ? "20ms" : "0s"
        try await Site.with(server, upstream: upstream, settings: "heartbeat = \"\(heartbeat)\"\n" + plainSettings) { site in
            let stream = try site.call(chat())
            let request = try await upstream.request()
            if let text = moment.text { try await stream.arrival(of: text) }
            stream.close()
            try await request.closedByPeer()
            let line = try await requests(in: site, count: 1).first
            #expect(line?["status"] as? Int == moment.status)
            #expect(line?["ending"] as? String == "caller_left")
        }
    }

    @Test(arguments: WebServer.selected)
    func `has what an answer cost whose caller left, where the settings say to drain it`(server: WebServer) async throws {
        let gate = try Gate()
        let rest = [Chunks.content("more"), Chunks.finish(), Chunks.usage(prompt: 30, completion: 20), Chunks.done]
        // The usage may not be late behind the finish reason.
        let upstream = try StubUpstream(Reply([.text(Chunks.begun()), .wait(gate), .text(rest.joined())]))
        let settings = "heartbeat = \"20ms\"\non_disconnect = \"drain\"\n" + plainSettings
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            stream.close()
            try await site.drains()
            gate.open()
            try await upstream.request().finished()
            let line = try await requests(in: site, count: 1).first
            #expect(line?["ending"] as? String == "caller_left")
            #expect(line?["prompt_tokens"] as? Int == 30)
            #expect(line?["completion_tokens"] as? Int == 20)
        }
    }

    @Test(arguments: WebServer.selected)
    func `has what an answer cost whose caller left during the heartbeats before it`(server: WebServer) async throws {
        let gate = try Gate()
        let frames = Chunks.stream(["Hi"]).dropLast() + [Chunks.usage(prompt: 30, completion: 20), Chunks.done]
        let upstream = try StubUpstream(Reply([.wait(gate), .text(frames.joined())]))
        let settings = "heartbeat = \"20ms\"\non_disconnect = \"drain\"\n" + plainSettings
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: ": keep-alive")
            stream.close()
            try await site.drains()
            gate.open()
            let line = try await requests(in: site, count: 1).first
            #expect(line?["ending"] as? String == "caller_left")
            #expect(line?["prompt_tokens"] as? Int == 30)
            #expect(line?["completion_tokens"] as? Int == 20)
        }
    }

    @Test(arguments: WebServer.selected)
    func `has no further attempt for a caller who left, where answers are drained`(server: WebServer) async throws {
        let gate = try Gate()
        let failure = "HTTP/1.1 503 Stub\r\nContent-Length: 0\r\n\r\n"
        let upstream = try StubUpstream(.raw(.wait(gate), .text(failure)))
        let settings = "heartbeat = \"20ms\"\non_disconnect = \"drain\"\n" + plainSettings
        let retrying = settings.replacing("retries = 0", with: "retries = 2\nretry_budget = \"100%\"")
        try await Site.with(server, upstream: upstream, settings: retrying) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: ": keep-alive")
            stream.close()
            try await site.drains()
            gate.open(3)
            let line = try await requests(in: site, count: 1).first
            #expect(line?["ending"] as? String == "caller_left")
            #expect(upstream.requests.value.count == 1)
        }
    }

    @Test(arguments: WebServer.selected)
    func `has one line when a target rests, and one when it is back`(server: WebServer) async throws {
        let works = Observed(false)
        let upstream = try StubUpstream { _ in
            works.value ? .stream(Chunks.stream(["Hi"])) : .json(Chunks.error("no"), status: 500)
        }
        try await Site.with(server, upstream: upstream, settings: "rest_after = 3\n" + plainSettings) { site in
            for _ in 0..<8 { _ = try await site.call(chat()).ended() }
            works.update { $0 = true }
            for _ in 0..<3 { try await site.answers(Chunks.stream(["Hi"])) }
            _ = try await site.requestLines(11)
            let lines = try site.sluice.process.errors.value.lines.filter { $0.contains("a target") }.map { line in
                try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            }
            #expect(lines.map { $0["message"] as? String } == ["a target rests", "a target is back"])
            #expect(lines.map { $0["level"] as? String } == ["warning", "notice"])
            #expect(lines.allSatisfy { $0["upstream"] as? String == "stub" && $0["route"] as? String == "*" })
            #expect(lines.first?["for"] as? String == "10s")
            #expect(lines.first?["reason"] as? String == "failed.500")
        }
    }

    // MARK: Secrets

    /// A secret for each place where one can stand.
    private static func secret(_ place: String) -> String { "sEcReT-\(place)" }

    private static let body = """
        {"\(secret("unknown"))":1,"model":"\(secret("model"))","messages":[{"role":"user","name":"\(secret("name"))","content":"\(secret("content"))"},\
        {"role":"user","content":[{"type":"text","text":"\(secret("part"))"},{"type":"image_url","image_url":{"url":"\(secret("image"))"}}]},\
        {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"\(secret("arguments"))"}}]},\
        {"role":"tool","tool_call_id":"c","content":"\(secret("result"))"}],"user":"\(secret("user"))",\
        "tools":[{"type":"function","function":{"name":"f","description":"\(secret("tool"))"}}],"metadata":{"a":"\(secret("metadata"))"},\
        "call":{"id":"c-1","type":"\(secret("variable"))"},"customer":{"number":"+1555\(secret("customer"))"},\
        "phoneNumber":{"number":"\(secret("phone"))","twilioAuthToken":"\(secret("twilio"))"},"assistant":{"serverUrlSecret":"\(secret("server"))"}
        """

    private static let endings = [
        #","stream":true}"#, #","stream":false}"#, "", #","stream":"yes"}"#, #","stream":true,"tools":5}"#, #","n":"#, "}\u{1}",
    ]

    private func reply(_ kind: Int) -> Reply {
        let secret = Self.secret
        let fields = [("X-Secret", secret("upstreamheader"))]
        let error = Chunks.error(secret("error"), code: secret("code"))
        return switch kind {
        case 0: Reply(fields: fields, Chunks.stream([secret("answer")]).map(Reply.Step.text))
        case 1: .json(error, status: 400, fields: fields)
        case 2: .json(error, status: 401, fields: fields)
        case 3: .json(error, status: 500, fields: fields)
        case 4: .stream([Chunks.content(secret("answer")), "data: \(secret("answer"))\n\n"])
        case 5: .stream([Chunks.content(secret("answer")), "data: \(error)\n\n"])
        case 6: .json(Chunks.completion(secret("answer")), fields: fields)
        default: .raw(.text("HTTP/1.1 200 \(secret("answer"))\r\n\(secret("upstreamheader")): x\r\n"), .close)
        }
    }

    @Test(arguments: WebServer.selected, [secret("key"), "passthrough"])
    func `holds no secret at any level`(server: WebServer, key: String) async throws {
        let kind = Observed(0)
        let upstream = try StubUpstream { _ in reply(kind.value) }
        let settings = """
            log.level = "trace"
            [upstreams.stub]
            url = "UPSTREAM"
            key = "\(key)"
            headers = { X-Extra = "\(Self.secret("header"))" }
            """
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            for number in 0...7 {
                kind.update { $0 = number }
                for ending in Self.endings {
                    for path in [
                        "/v/\(RunningServer.token)/chat/completions", "/v/\(Self.secret("token"))/chat/completions",
                        "/v1/chat/completions",
                    ] {
                        var call = ChatCall(
                            Self.body + ending,
                            path: "\(path)?custom_session_id=%2B\(Self.secret("session"))&a=\(Self.secret("query"))")
                        // The token in the path, and the caller's own key in the header.
                        if path.hasPrefix("/v/") { call.token = Self.secret("callerskey") }
                        call.fields = [
                            ("Cookie", Self.secret("cookie")), ("OpenAI-Organization", Self.secret("organization")),
                            ("X-Forwarded-For", Self.secret("forwarded")), ("X-Request-Id", "\u{2B}\(Self.secret("id"))"),
                        ]
                        _ = try await site.call(call).ended()
                    }
                }
            }
            #expect(try await upstream.request().head["X-Extra"] == Self.secret("header"))
            try expectNoSecret(
                in: site.sluice.process.errors.value.text + site.sluice.process.output.value.text, "what Sluice wrote")
            try expectNoSecret(in: site.server.process.errors.value.text, "what the web server wrote")
            let own = ["settings.toml"]
            for name in try FileManager.default.subpathsOfDirectory(atPath: site.directory.path) where !own.contains(name) {
                guard FileManager.default.isReadableFile(atPath: site.directory.path(name)), name.hasSuffix(".log") else {
                    continue
                }
                try expectNoSecret(in: try site.directory.read(name), name)
            }
        }
    }

    private func expectNoSecret(in text: String, _ place: String) throws {
        // With their configuration's exception both servers keep tokens to themselves.
        let line = text.split(separator: "\n").first { $0.contains("sEcReT") || $0.contains(RunningServer.token) }
        #expect(line == nil, "\(place)")
    }
}

extension Site {
    /// Waits until an answer is read to its end for a caller who has left.
    fileprivate func drains() async throws {
        try await eventually("the drain") {
            try await DirectCall(to: sluice.socket, "GET", "/sluice/status?json&full", [("SLUICE_STATUS", "on")]).response()
                .contains("\"state\":\"draining\"")
        }
    }
}
