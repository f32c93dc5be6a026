import Foundation
import TestSupport
import Testing

/// What is done, and what moves by it.
private enum Step: CaseIterable {
    case start, answers, fails, fallsBack, hedges, waits, ends, leaves, fills, strays
}

private struct MovingRow {
    let step: Step
    let name: String
    let labels: [String]

    init(_ step: Step, _ name: String, _ labels: String...) { (self.step, self.name, self.labels) = (step, name, labels) }
}

/// `sluice_log_lines_dropped_total` moves in `LogTroubleTests.swift`, `sluice_trace_spans_total` in `TraceTests.swift`, `sluice_fillers_failed_total` in
/// `FillerControlTests.swift`.
private let movingRows = [
    MovingRow(.start, "sluice_process_starts_total"), MovingRow(.start, "sluice_start_time_seconds"),
    MovingRow(.start, "sluice_build_info", "version="),
    MovingRow(.start, "sluice_connections_accepted_total"), MovingRow(.start, "sluice_open_descriptors", #"process="1""#),
    MovingRow(.start, "sluice_memory_limit_bytes", #"process="1""#),
    MovingRow(.start, "sluice_descriptors_limit", #"process="1""#),
    MovingRow(.start, "sluice_resident_memory_bytes", #"process="1""#),
    MovingRow(.answers, "sluice_requests_total", #"ending="done""#),
    MovingRow(.answers, "sluice_client_requests_total", #"client="first""#),
    MovingRow(.answers, "sluice_client_tokens_total", #"client="first""#, #"gen_ai_token_type="input""#),
    MovingRow(.answers, "sluice_first_token_added_seconds_count"),
    MovingRow(.answers, "sluice_upstream_attempts_total", #"route="plain""#, #"upstream="stub""#, #"outcome="won""#),
    MovingRow(
        .answers, "gen_ai_client_operation_duration_seconds_count", #"gen_ai_operation_name="chat""#,
        #"gen_ai_provider_name="stub""#, #"gen_ai_request_model="plain""#, #"gen_ai_response_model="stub-1""#),
    MovingRow(.answers, "gen_ai_client_operation_time_to_first_chunk_seconds_count", #"gen_ai_response_model="stub-1""#),
    MovingRow(.answers, "gen_ai_client_operation_time_per_output_chunk_seconds_count", #"gen_ai_response_model="stub-1""#),
    MovingRow(.answers, "gen_ai_client_token_usage_sum", #"gen_ai_token_type="input""#),
    MovingRow(.answers, "gen_ai_client_token_usage_sum", #"gen_ai_token_type="output""#),
    MovingRow(.fails, "sluice_requests_total", #"ending="failed.500""#),
    MovingRow(.fails, "sluice_upstream_attempts_total", #"route="broken""#, #"outcome="failed.500""#),
    MovingRow(.fails, "gen_ai_client_operation_duration_seconds_count", #"error_type="failed.500""#),
    MovingRow(.fails, "sluice_retries_total", #"upstream="stub""#, #"reason="retry""#),
    MovingRow(.fails, "sluice_target_rests_total", #"route="broken""#, #"upstream="stub""#),
    MovingRow(.fails, "sluice_targets_resting", #"process="1""#),
    MovingRow(.fallsBack, "sluice_retries_total", #"upstream="stub""#, #"reason="fallback""#),
    MovingRow(.fallsBack, "sluice_upstream_attempts_total", #"upstream="down""#, #"outcome="upstream_connection_refused""#),
    MovingRow(.hedges, "sluice_hedges_total", #"outcome="won""#),
    MovingRow(.hedges, "sluice_upstream_attempts_total", #"route="hedged""#, #"outcome="lost""#),
    MovingRow(.hedges, "gen_ai_client_operation_duration_seconds_count", #"error_type="lost""#),
    MovingRow(.waits, "sluice_active_requests"), MovingRow(.waits, "sluice_open_streams"),
    MovingRow(.waits, "sluice_upstream_open_requests", #"upstream="narrow""#),
    MovingRow(.waits, "sluice_upstream_queued_requests", #"upstream="narrow""#),
    MovingRow(.waits, "sluice_memory_used_bytes"),
    MovingRow(.ends, "sluice_queue_wait_seconds_count", #"upstream="narrow""#),
    MovingRow(.leaves, "sluice_callers_left_total", #"phase="streaming""#),
    MovingRow(.leaves, "sluice_callers_left_total", #"phase="waiting""#),
    MovingRow(.leaves, "sluice_requests_total", #"ending="caller_left""#),
    MovingRow(.fills, "sluice_fillers_total", #"speaker="stream""#),
    MovingRow(.strays, "sluice_connections_refused_total"),
]

private let movedElsewhere: Set<String> = [
    "sluice_log_lines_dropped_total", "sluice_trace_spans_total", "sluice_fillers_failed_total",
]

@Suite(.timeLimit(.minutes(10))) struct `Each metric` {
    private let frames: [String] =
        Array(Chunks.stream(["one", "two"]).dropLast()) + [Chunks.usage(prompt: 3, completion: 2), Chunks.done]

    private let settings = """
        control = "unix:control.sock"
        heartbeat = "20ms"
        metrics.clients = true
        retries = 1
        rest_after = 2
        rest_for = "5m"
        hedge_max = "100%"
        retry_budget = "100%"
        timeouts = {first_token = "10m", idle = "10m", total = "20m"}
        upstreams.stub = {url = "UPSTREAM", key = "sk-stub"}
        upstreams.narrow = {url = "UPSTREAM", key = "sk-stub", concurrent = 1, queue_wait = "10m"}
        upstreams.down = {url = "http://127.0.0.1:1", key = "sk-stub"}
        [[models]]
        match = "plain"
        targets = ["stub"]
        [[models]]
        match = "broken"
        targets = ["stub"]
        [[models]]
        match = "falls"
        retries = 0
        targets = ["down", "stub"]
        [[models]]
        match = "hedged"
        hedge_after = "1ms"
        targets = [{upstream = "stub", model = "silent"}, {upstream = "stub", model = "quick"}]
        [[models]]
        match = "narrow"
        targets = ["narrow"]
        [[models]]
        match = "filled"
        targets = ["stub"]
        filler = {after = "1ms", texts = ["One moment."]}
        """

    private func call(_ model: String, _ text: String = "Hello") -> ChatCall {
        ChatCall(#"{"model":"\#(model)","stream":true,"messages":[{"role":"user","content":"\#(text)"}]}"#)
    }

    @Test func `moves when that happens of which it tells`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            if request.text.contains(#""broken""#) { return .json("{}", status: 500) }
            if request.text.contains(#""silent""#) || request.text.contains("never") { return .silence }
            if request.text.contains("steps") { return .stream(frames, each: gate) }
            if request.text.contains("later") { return Reply([.wait(gate)] + frames.map(Reply.Step.text)) }
            return request.text.contains("open") ? .begun(frames, then: gate) : .stream(frames)
        }
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            var open: [HTTPStream] = []
            var before = try Scrape("")
            for step in Step.allCases {
                open = try await take(step, site, open, gate)
                for row in movingRows where row.step == step {
                    try await eventually("\(row.name) \(row.labels)") {
                        try await Scrape(of: site).sum(row.name, row.labels) > before.sum(row.name, row.labels)
                    }
                }
                before = try await Scrape(of: site)
            }
            let told = movingRows.map { row in row.name.replacing(/_(count|sum)$/, with: "") }
            #expect(before.names == Set(told).union(movedElsewhere))
            // What is over counts no longer, and the same is told by the control socket.
            try await eventually("nothing is open") {
                let now = try await Scrape(of: site)
                return now.sum("sluice_open_streams") == 0 && now.sum("sluice_upstream_open_requests") == 0
            }
            let asked = try await SluiceRun(["status", "--metrics", "--control", "unix:control.sock"], in: site.directory)
            #expect(try asked.exit == .code(0) && Scrape(asked.output).names == before.names)
            for flag in ["--json", "--full", "--watch"] {
                #expect(try await SluiceRun(["status", "--metrics", flag], in: site.directory).exit == .code(64))
            }
        }
    }

    /// - Returns: what it leaves open.
    private func take(_ step: Step, _ site: Site, _ open: [HTTPStream], _ gate: Gate) async throws -> [HTTPStream] {
        switch step {
        case .start: return []
        case .answers:
            // Events that come together are one.
            let stream = try site.call(call("plain", "steps"))
            try await stream.arrival(of: #""one""#)
            gate.open()
            try await stream.arrival(of: #""two""#)
            gate.open(3)
            #expect(try await stream.ended().end == .complete)
        case .fails:
            // By a status, unless a heartbeat came first.
            let answer = try await site.call(call("broken")).ended()
            #expect(answer.status == 503 || answer.errorFrame?.type == "upstream_error")
        case .fallsBack: #expect(try await site.call(call("falls")).ended().end == .complete)
        case .hedges: #expect(try await site.call(call("hedged")).ended().end == .complete)
        case .waits:
            let stream = try site.call(call("narrow", "open" + String(repeating: "x", count: 100_000)))
            try await stream.arrival(of: "assistant")
            return [stream, try site.call(call("narrow", "open" + String(repeating: "y", count: 100_000)))]
        case .ends:
            gate.open(2)
            for stream in open { #expect(try await stream.ended().end == .complete) }
        case .leaves:
            let streaming = try site.call(call("plain", "open"))
            try await streaming.arrival(of: "assistant")
            let waiting = try site.call(call("plain", "never"))
            _ = try await site.upstream.request(containing: "never")
            for stream in [streaming, waiting] { stream.close() }
        case .fills:
            let stream = try site.call(call("filled", "later"))
            try await stream.arrival(of: "One moment.")
            // Of those who have left one may still wait for it.
            gate.open(2)
            #expect(try await stream.ended().end == .complete)
        case .strays: try Socket.connected(path: site.sluice.socket).write([9, 9, 9, 9, 9, 9, 9, 9])
        }
        return []
    }

    @Test(arguments: WebServer.selected)
    func `is there in the format that is asked for, and for nobody to keep`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.stream(frames))) { site in
            var get = ChatCall("", token: nil, path: "/sluice/metrics", method: "GET")
            let plain = try await site.call(get).ended()
            #expect((plain.status, plain.head?.contentType) == (200, "text/plain; version=0.0.4; charset=utf-8"))
            #expect(plain.head?["Cache-Control"] == "no-store")
            get.fields = [("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3")]
            get.path = "/sluice/metrics/?x"
            let open = try await site.call(get).ended()
            #expect(
                (open.status, open.head?.contentType) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
            #expect(open.text.hasSuffix("\n# EOF\n"))
            get.method = "HEAD"
            #expect(try await site.call(get).ended().text == "")
            // It is no request.
            #expect(try await Scrape(of: site).sum("sluice_requests_total") == 0)
            #expect(
                try await DirectCall(to: site.sluice.socket, "GET", "/sluice/metrics").response().hasPrefix("Status: 404\r\n"))
        }
    }

    @Test(arguments: WebServer.selected)
    func `is not there for others`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.stream(frames)), changes: server.strangers) { site in
            let refused = try await site.call(ChatCall("", token: nil, path: "/sluice/metrics", method: "GET")).ended()
            #expect(refused.status == (server == .lighttpd ? 404 : 403))
            #expect(!refused.text.contains("sluice_"))
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct `The labels of the metrics` {
    /// Whoever asks, and whatever answers.
    @Test func `have no word of a caller's, no key, and of an upstream's a few that are sane`() async throws {
        let long = String(repeating: #"evil\"\n{}"#, count: 8_000)
        // It calls the model by the word in the prompt, or as it was asked for, which is what many do.
        let upstream = try StubUpstream { request in
            let served = request.text.firstMatch(of: /served-[0-9]+/).map { String($0.output) }
            let asked = request.text.firstMatch(of: /"model":("(?:[^"\\]|\\.)*")/).map { String($0.output.1) }
            let name = served.map { "\"\($0)\"" } ?? asked ?? "null"
            return .stream(Chunks.stream(["evil-answer"]).map { $0.replacing("\"stub-1\"", with: name) })
        }
        let server = WebServer.selected[0]
        let settings = plainSettings + "[[models]]\nmatch = \"plain\"\n[[models]]\nmatch = \"*\"\n"
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) { site in
            func ask(_ model: String, _ text: String = "evil-prompt") async throws {
                var call = ChatCall(#"{"model":"\#(model)","stream":true,"messages":[{"role":"user","content":"\#(text)"}]}"#)
                call.fields = [("X-Request-Id", "evil-request"), ("User-Agent", "evil-agent")]
                _ = try await site.call(call).ended()
            }
            for model in [long, #"evil\"\n"#, "evil-+14155550123"] { try await ask(model) }
            for number in 0..<60 { try await ask("evil-\(number)") }
            try await ask("plain")
            for number in 0..<20 { try await ask("plain", "served-\(number)") }
            // What callers call it is none of the upstream's where they choose that, but for what the settings call so.
            try await ask("evil", "served-0")
            try await eventually("all are counted") { try await Scrape(of: site).sum("sluice_requests_total") == 85 }
            let scrape = try await Scrape(of: site)
            for word in ["evil", "sk-stub", RunningServer.token, "14155550123"] {
                #expect(!scrape.text.contains(word), "\(word)")
            }
            #expect(scrape.values(of: "gen_ai_request_model") == ["other", "plain"])
            let served = scrape.values(of: "gen_ai_response_model")
            #expect(served.contains("other") && served.count == 9 && served.subtracting(["other", "plain"]).count >= 7)
            #expect(scrape.sum("gen_ai_client_operation_duration_seconds_count", [#"gen_ai_response_model="other""#]) == 74)
            #expect(scrape.sum("sluice_client_requests_total") == 0)
        }
    }
}
