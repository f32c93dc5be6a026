import Foundation
import Glibc
import TestSupport
import Testing

/// What a collector of OpenTelemetry's gets of a request.
@Suite(.timeLimit(.minutes(20))) struct `A trace` {
    private let frames: [String] =
        Array(Chunks.stream(["Hello"]).dropLast()) + [Chunks.usage(prompt: 3, completion: 2), Chunks.done]

    private static let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")

    private func traceparent(sampled: Bool) -> (name: String, value: String) {
        ("traceparent", "00-\(Self.trace)-\(Self.span)-0\(sampled ? 1 : 0)")
    }

    private func with(
        _ upstream: StubUpstream, sample: String = "100%", _ lines: String = "", _ rest: String = plainSettings,
        endsSluice: Bool = false, _ test: (Site, Collector) async throws -> Void
    ) async throws {
        let collector = try await Collector()
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: collector.settings(sample: sample, lines) + rest,
            endsSluice: endsSluice
        ) {
            try await test($0, collector)
        }
        try await collector.process.end()
    }

    // MARK: What is in it

    @Test func `of a stream has the request, its attempt and what the answer says of itself`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await with(upstream) { site, collector in
            let response = try await site.call(chat().named("good")).ended()
            #expect(response.status == 200 && response.end == .complete)
            let (server, attempts) = try await collector.trace(of: "good")
            #expect(server.name == "chat stub-1" && server.parent == "" && server.state == "" && !server.failed)
            #expect(server.events == ["gen_ai.first_token"] && server.seconds > 0)
            var attributes = server.attributes
            let time = try #require(attributes.removeValue(forKey: "gen_ai.response.time_to_first_chunk").flatMap(Double.init))
            #expect(time > 0 && time <= server.seconds)
            #expect(
                attributes == [
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "stub", "gen_ai.system": "stub",
                    "gen_ai.request.model": "stub-1", "gen_ai.request.stream": "True", "gen_ai.response.id": "chatcmpl-stub",
                    "gen_ai.response.model": "stub-1", "gen_ai.response.finish_reasons": "['stop']",
                    "gen_ai.usage.input_tokens": "3", "gen_ai.usage.output_tokens": "2",
                    "http.response.status_code": "200", "sluice.request_id": "good", "sluice.client": "first",
                    "sluice.route": "*", "sluice.ending": "done",
                ])
            #expect(attempts.map(\.name) == ["attempt stub"] && attempts.allSatisfy { !$0.failed })
            #expect(
                attempts.first?.attributes == [
                    "gen_ai.provider.name": "stub", "gen_ai.system": "stub", "gen_ai.request.model": "stub-1",
                    "server.address": "127.0.0.1", "server.port": "\(upstream.port)", "http.request.method": "POST",
                    "http.response.status_code": "200", "sluice.upstream": "stub", "sluice.attempt.reason": "first",
                    "sluice.attempt.outcome": "won",
                ])
            // The upstream can go on with it.
            let sent = try await upstream.request().head
            #expect(sent["traceparent"] == "00-\(server.trace)-\(attempts.first?.id ?? "")-01" && sent["tracestate"] == nil)
        }
    }

    /// A key of words is like no key, so that it is told by its bytes alone.
    @Test(arguments: ["my-local-secret-key", "passthrough"])
    func `has no key that the upstream gives as a name, nor have the log and the metrics`(key: String) async throws {
        let names = ["\"stub-1\"", "\"chatcmpl-stub\"", "\"stop\""]
        let evil = frames.map { frame in
            names.reduce(frame) { $0.replacing($1, with: "\"my-local-secret-key\"") }
        }
        let settings = "[upstreams.stub]\nkind = \"compatible\"\nurl = \"UPSTREAM\"\nkey = \"\(key)\"\n"
        let models = "[[models]]\nmatch = \"stub-1\"\n"
        try await with(try StubUpstream(.stream(evil)), "", settings + models) { site, collector in
            var call = chat().named("evil")
            // The web server's token in the path, the caller's own key in the header.
            (call.path, call.token) = ("/v/\(RunningServer.token)/chat/completions", "my-local-secret-key")
            // To the caller the stream goes on as it came.
            let answer = try await site.call(call).ended().content
            #expect(answer.contains(#""model":"my-local-secret-key""#) && answer.hasSuffix("data: [DONE]\n\n"), "\(answer)")
            let (server, _) = try await collector.trace(of: "evil")
            for name in ["gen_ai.response.id", "gen_ai.response.model", "gen_ai.response.finish_reasons"] {
                #expect(server.attributes[name] == nil, "\(name)")
            }
            #expect(server.attributes.values.allSatisfy { !$0.contains("local-secret") }, "\(server.attributes)")
            _ = try await site.requestLines(1)
            #expect(!site.sluice.process.errors.value.text.contains("local-secret"))
            #expect(try await !Scrape(of: site).text.contains("local-secret"))
        }
    }

    @Test func `of an answer in one piece has no first token`() async throws {
        try await with(try StubUpstream(.json(Chunks.completion("Hello")))) { site, collector in
            #expect(try await site.call(chat(stream: false).named("whole")).ended().status == 200)
            let (server, attempts) = try await collector.trace(of: "whole")
            #expect(server.events == [] && server.attributes["gen_ai.response.time_to_first_chunk"] == nil)
            #expect(server.attributes["gen_ai.request.stream"] == "False")
            #expect(server.attributes["gen_ai.response.id"] == "chatcmpl-stub")
            #expect(server.attributes["gen_ai.response.finish_reasons"] == "['stop']")
            #expect(server.attributes["gen_ai.usage.output_tokens"] == "2" && server.attributes["sluice.ending"] == "done")
            #expect(attempts.map { $0.attributes["sluice.attempt.outcome"] } == ["won"])
        }
    }

    @Test func `has a span for each attempt, and each upstream is told of its own`() async throws {
        let upstream = try StubUpstream { request in
            request.text.contains(#""bad""#) ? .json("{}", status: 500) : .stream(frames)
        }
        let models = """
            [[models]]
            match = "*"
            retries = 1
            retry_budget = "100%"
            targets = [{upstream = "stub", model = "bad"}, {upstream = "stub", model = "good"}]
            """
        try await with(upstream, "", "\(plainSettings)\n\(models)") { site, collector in
            #expect(try await site.call(chat().named("falls")).ended().end == .complete)
            let (server, attempts) = try await collector.trace(of: "falls")
            #expect(server.attributes["sluice.ending"] == "done" && !server.failed && server.attributes["error.type"] == nil)
            func all(_ key: String) -> [String?] { attempts.map { $0.attributes[key] } }
            #expect(all("sluice.attempt.reason") == ["first", "retry", "fallback"])
            #expect(all("sluice.attempt.outcome") == ["failed.500", "failed.500", "won"])
            #expect(all("error.type") == ["failed.500", "failed.500", nil] && attempts.map(\.failed) == [true, true, false])
            #expect(all("http.response.status_code") == ["500", "500", "200"])
            #expect(all("gen_ai.request.model") == ["bad", "bad", "good"])
            let parents = upstream.requests.value.map { $0.head["traceparent"] }
            #expect(parents == attempts.map { "00-\(server.trace)-\($0.id)-01" })
        }
    }

    @Test func `says what went wrong, and whose failure it is`() async throws {
        let upstream = try StubUpstream { request in
            if request.text.contains("refused") { return .json(Chunks.error("no"), status: 400) }
            if request.text.contains("broken") { return .json("{}", status: 500) }
            return Reply([.text(Chunks.begun("Hel")), .close])
        }
        try await with(upstream) { site, collector in
            for name in ["refused", "broken", "cut"] { _ = try await site.call(chat(name).named(name)).ended() }
            _ = try await site.call(ChatCall("{").named("nonsense")).ended()
            func told(_ name: String) async throws -> [String] {
                let (server, attempts) = try await collector.trace(of: name)
                let keys = ["http.response.status_code", "error.type", "sluice.ending"]
                return keys.map { server.attributes[$0] ?? "" } + [server.failed ? "failed" : ""]
                    + attempts.map { $0.attributes["error.type"] ?? "" }
            }
            #expect(try await told("refused") == ["400", "refused.400", "refused.400", "", "refused.400"])
            #expect(try await told("broken") == ["503", "failed.500", "failed.500", "failed", "failed.500"])
            #expect(try await told("cut") == ["200", "cut", "cut", "failed", "cut"])
            let (nonsense, attempts) = try await collector.trace(of: "nonsense")
            #expect(nonsense.name == "chat" && attempts.isEmpty && !nonsense.failed)
            #expect(nonsense.attributes["http.response.status_code"] == "400")
        }
    }

    @Test func `of a caller who leaves says so`() async throws {
        let gate = try Gate()
        try await with(try StubUpstream(.begun(frames, then: gate))) { site, collector in
            let stream = try site.call(chat().named("gone"))
            try await stream.arrival(of: "assistant")
            stream.close()
            let (server, attempts) = try await collector.trace(of: "gone")
            #expect(server.attributes["sluice.ending"] == "caller_left" && server.attributes["error.type"] == nil)
            #expect(!server.failed && server.events == ["gen_ai.first_token"])
            #expect(attempts.map { $0.attributes["sluice.attempt.outcome"] } == ["cancelled"])
        }
    }

    // MARK: Which requests have one

    @Test func `goes on with the caller's, whatever share is sampled`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await with(upstream, sample: "0%") { site, collector in
            let call = chat().named("mine", traceparent(sampled: true), ("tracestate", "vendor=a:1,other=2"))
            #expect(try await site.call(call).ended().end == .complete)
            let (server, attempts) = try await collector.trace(of: "mine")
            #expect(server.trace == Self.trace && server.parent == Self.span && server.state == "vendor=a:1,other=2")
            let sent = try await upstream.request().head
            #expect(sent["traceparent"] == "00-\(Self.trace)-\(attempts.first?.id ?? "")-01")
            #expect(sent["tracestate"] == "vendor=a:1,other=2")
        }
    }

    @Test func `is not there for requests that are not sampled, and what their callers say goes on as it is`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await with(upstream, sample: "0%") { site, collector in
            let unsampled = traceparent(sampled: false)
            let calls = [
                chat().named("plain"), chat().named("unsampled", unsampled, ("tracestate", "a=1")),
                chat().named("wrong", ("traceparent", "00-\(Self.trace)-\(Self.span)-zz"), ("tracestate", "a=1")),
            ]
            for call in calls { #expect(try await site.call(call).ended().end == .complete) }
            let heads = upstream.requests.value.map(\.head)
            #expect(heads.map { $0["traceparent"] } == [nil, unsampled.value, nil])
            #expect(heads.map { $0["tracestate"] } == [nil, "a=1", nil])
            // What comes behind them has come.
            _ = try await site.call(chat().named("sampled", traceparent(sampled: true))).ended()
            _ = try await collector.trace(of: "sampled")
            let requests = try collector.exports.flatMap(\.spans).compactMap { $0.attributes["sluice.request_id"] }
            #expect(requests == ["sampled"])
            try await eventually("they are counted") {
                try await Scrape(of: site).sum("sluice_trace_spans_total", [#"outcome="sent""#]) == 2
            }
        }
    }

    @Test func `of a caller who says it wrongly begins anew`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await with(upstream) { site, collector in
            let wrong = ("traceparent", "00-\(String(repeating: "0", count: 32))-\(Self.span)-01")
            _ = try await site.call(chat().named("anew", wrong, ("tracestate", "a=1"))).ended()
            let (server, attempts) = try await collector.trace(of: "anew")
            #expect(server.parent == "" && server.state == "" && server.trace != String(repeating: "0", count: 32))
            let sent = try await upstream.request().head
            #expect(sent["traceparent"] == "00-\(server.trace)-\(attempts.first?.id ?? "")-01" && sent["tracestate"] == nil)
        }
    }

    @Test func `is begun and ended by a reload, and follows it elsewhere`() async throws {
        let next = try await Collector()
        let upstream = try StubUpstream(.stream(frames))
        try await with(upstream) { site, collector in
            func reload(_ settings: String, times: Int) async throws {
                try site.directory.write(settings.replacing("UPSTREAM", with: site.upstreamURL), to: "sluice.toml")
                site.sluice.process.signal(SIGHUP)
                try await site.sluice.process.errors.wait(for: "reload \(times)") { output in
                    output.lines.count { $0.contains(#""message":"the settings were reloaded""#) } == times
                }
            }
            _ = try await site.call(chat().named("one")).ended()
            _ = try await collector.trace(of: "one")
            try await reload(plainSettings, times: 1)
            _ = try await site.call(chat().named("two", traceparent(sampled: true))).ended()
            // As without the setting: what the caller says goes on.
            #expect(try await upstream.request(1).head["traceparent"] == traceparent(sampled: true).value)
            try await reload(next.settings() + plainSettings, times: 2)
            _ = try await site.call(chat().named("three")).ended()
            _ = try await next.trace(of: "three")
            let spans = try (collector.exports + next.exports).flatMap(\.spans)
            #expect(spans.compactMap { $0.attributes["sluice.request_id"] } == ["one", "three"])
        }
        try await next.process.end()
    }

    @Test func `that waits is sent when Sluice ends`() async throws {
        try await with(try StubUpstream(.stream(frames)), endsSluice: true) { site, collector in
            _ = try await site.call(chat().named("last")).ended()
            site.sluice.process.signal(SIGTERM)
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(try await collector.trace(of: "last").attempts.count == 1)
        }
    }

    // MARK: What is not in it

    @Test func `has no message, key, token, or header's value`() async throws {
        let tools = #""tools":[{"type":"function","function":{"name":"planted_tool"}}]"#
        let upstream = try StubUpstream { request in
            if request.text.contains("planted first") { return .stream(Chunks.stream(["planted answer"])) }
            return .json(Chunks.error("planted words of \(request.text)"), status: 400)
        }
        let lines = """
            log.level = "trace"
            prepend = {text = "planted prompt"}
            """
        let rest = """
            [upstreams.stub]
            url = "UPSTREAM"
            key = "sk-planted"
            headers = {X-Secret = "planted-header"}
            """
        try await with(upstream, lines, rest) { site, collector in
            for (name, text) in [("first", "planted first"), ("second", "planted second")] {
                let call = ChatCall(
                    """
                    {"model":"a planted model","messages":[{"role":"user","content":"\(text)"}],"stream":true,\(tools),\
                    "user":"planted-user","call":{"id":"call-7","monitor":{"controlUrl":"https://planted.example"}},\
                    "metadata":{"secret":"planted-metadata"}}
                    """)
                _ = try await site.call(call.named(name, ("Cookie", "planted=1"), ("X-Api-Key", "planted-key"))).ended()
                #expect(try await collector.trace(of: name).server.attributes["gen_ai.conversation.id"] == "call-7")
            }
            let sent = try collector.exports.map(\.raw).joined()
            for secret in ["planted", "sk-", RunningServer.token] { #expect(!sent.contains(secret), "\(secret)") }
            let log = site.sluice.process.errors.value.text
            #expect(!log.contains("planted"))
        }
    }

    @Test func `goes out with the settings' headers, whose values nothing shows`() async throws {
        let collector = try await Collector()
        let settings = """
            log.level = "trace"
            traces = {endpoint = "\(collector.url)", headers = {Authorization = "Basic ${TRACES_KEY}"}}

            """
        try await Site.with(
            WebServer.selected[0], upstream: try StubUpstream(.stream(frames)), settings: settings + plainSettings,
            environment: ["OPENAI_API_KEY": "sk-stub", "TRACES_KEY": "planted"]
        ) { site in
            _ = try await site.call(chat().named("headed")).ended()
            _ = try await collector.trace(of: "headed")
            #expect(try collector.exports[0].raw.contains("Authorization: Basic planted\n"))
            #expect(try collector.exports[0].raw.hasPrefix("/v1/traces\n"))
            let path = site.directory.path("sluice.toml")
            let shown = try await SluiceRun(["check", "--config", path, "--show"], environment: ["TRACES_KEY": "planted"])
            #expect(shown.exit == .code(0), "\(shown.errors)")
            #expect(shown.output.contains(#"sample = "100%", headers = {Authorization = "***"}}"#), "\(shown.output)")
            #expect(!shown.output.contains("planted") && !site.sluice.process.errors.value.text.contains("planted"))
        }
        try await collector.process.end()
    }
}

/// A collector that is late, away, or says no.
@Suite(.timeLimit(.minutes(20))) struct `A collector in trouble` {
    private let frames = Chunks.stream(["Hello"])

    private func settings(_ endpoint: String) -> String {
        "traces = {endpoint = \"\(endpoint)\"}\n" + plainSettings
    }

    /// - Parameter count: of requests.
    private func streams(_ site: Site, _ count: Int) async throws {
        for _ in 0..<count { try await site.answers(frames) }
    }

    private func dropped(_ count: Int, _ site: Site) async throws {
        try await eventually("\(count) spans are dropped") {
            try await Scrape(of: site).sum("sluice_trace_spans_total", [#"outcome="dropped""#]) == Double(count)
        }
        #expect(try await Scrape(of: site).sum("sluice_trace_spans_total", [#"outcome="sent""#]) == 0)
    }

    /// What the log says of it.
    private func lines(_ site: Site) -> [String] {
        site.sluice.process.errors.value.lines.filter { $0.contains("spans") }
    }

    @Test(arguments: ["away", "silent", "refusing"])
    func `costs no stream anything, and what it does not take is counted, and told of once`(trouble: String) async throws {
        let collector = try StubUpstream(trouble == "silent" ? .silence : .json("{}", status: 400))
        let port = trouble == "away" ? try freePort() : collector.port
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings("http://127.0.0.1:\(port)/v1/traces")
        ) { site in
            try await streams(site, 10)
            try await dropped(20, site)
            let told = lines(site)
            #expect(told.count == 1, "\(told)")
            let reasons = ["away": "connection refused", "silent": "no answer within 5s", "refusing": "status 400"]
            #expect(told.first?.contains(reasons[trouble] ?? "") == true && told.first?.contains(#""level":"warning""#) == true)
        }
        try await collector.stop()
    }

    @Test func `that rejects spans of those that it takes is told of in its words, with the service's name`() async throws {
        let collector = try StubUpstream(.json(#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one is too old"}}"#))
        let upstream = try StubUpstream(.stream(frames))
        let endpoint = "http://127.0.0.1:\(collector.port)/v1/traces"
        let settings = "traces = {endpoint = \"\(endpoint)\", service = \"voice north\"}\n" + plainSettings
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            try await streams(site, 1)
            try await site.sluice.process.errors.wait(for: "the rejection") { output in
                output.lines.contains { $0.contains("the collector rejects some of the spans") && $0.contains("one is too old") }
            }
            let scrape = try await Scrape(of: site)
            #expect(scrape.sum("sluice_trace_spans_total", [#"outcome="dropped""#]) == 1)
            #expect(try await collector.request().text.contains(#""service.name","value":{"stringValue":"voice north"}"#))
        }
        try await collector.stop()
    }

    @Test func `is told of when it takes spans again`() async throws {
        let isWell = Observed(false)
        let collector = try StubUpstream { _ in isWell.value ? .json("{}") : .json("{}", status: 400) }
        let upstream = try StubUpstream(.stream(frames))
        let settings = settings("http://127.0.0.1:\(collector.port)/v1/traces")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            try await streams(site, 1)
            try await dropped(2, site)
            isWell.update { $0 = true }
            try await streams(site, 1)
            try await site.sluice.process.errors.wait(for: "the word that all is well") { output in
                output.lines.contains { $0.contains("the collector takes spans again") && $0.contains(#""total":2"#) }
            }
            #expect(lines(site).count == 2)
        }
        try await collector.stop()
    }

    @Test func `holds nobody up at the end, and what waits is told of as dropped`() async throws {
        let collector = try StubUpstream(.silence)
        let upstream = try StubUpstream(.stream(frames))
        let settings = settings("http://127.0.0.1:\(collector.port)/v1/traces")
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings, options: ["--workers", "1"], endsSluice: true
        ) { site in
            try await streams(site, 3)
            site.sluice.process.signal(SIGTERM)
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(lines(site).count == 1 && lines(site).first?.contains("spans are dropped") == true)
        }
        try await collector.stop()
    }
}
