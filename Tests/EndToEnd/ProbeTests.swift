import Foundation
import Glibc
import TestSupport
import Testing

/// What `sluice probe --json` says.
private struct ProbeTold: Decodable {
    struct Check: Decodable {
        struct Directive: Decodable {
            let server: String
            let directive: String
        }

        let check: String
        let verdict: String
        let finding: String?
        let evidence: String
        let directives: [Directive]
    }

    let model: String?
    let obstacle: String?
    let checks: [Check]

    func check(_ name: String) throws -> Check { try #require(checks.first { $0.check == name }) }

    var findings: [String] { checks.compactMap(\.finding) }
}

/// Deployments behind nginx and lighttpd, good ones and broken ones, as callers see them.
@Suite(.timeLimit(.minutes(20))) struct `sluice probe` {
    private static let demo = "[upstreams.demo]\nkind = \"demo\"\n"
    private static let settings = "probe = true\nheartbeat = \"1s\"\n" + demo

    private func probe(
        _ url: String, _ site: Site, silence: Int = 4, limit: Int = 600, options: [String] = [],
        token: String? = RunningServer.token
    ) async throws -> (told: ProbeTold, run: SluiceRun) {
        let run = try await SluiceRun(
            [
                "probe", url, "--json", "--silence", "\(silence)", "--limit", "\(limit)", "--authorities-file",
                site.server.certificate.file,
            ] + options,
            environment: token.map { ["SLUICE_TOKEN": $0] } ?? [:], in: site.directory)
        #expect(!(run.output + run.errors).contains(RunningServer.token))
        return (try JSONDecoder().decode(ProbeTold.self, from: Data(run.output.utf8)), run)
    }

    private func with(
        _ server: WebServer, settings: String = Self.settings, changes: [Change] = [], _ test: (Site) async throws -> Void
    ) async throws {
        try await Site.with(
            server, upstream: try StubUpstream(.silence), settings: settings, environment: [:], changes: changes, test)
    }

    // MARK: Good ones

    @Test(arguments: [WebServer.nginx, .lighttpd].filter(WebServer.selected.contains))
    func `passes all that is shipped`(server: WebServer) async throws {
        try await with(server) { site in
            let (told, run) = try await probe("\(site.server.secureURL)/v1", site, options: ["--vapi"])
            #expect(told.model == "sluice-probe")
            for check in told.checks { #expect(check.verdict == "pass", "\(check)") }
            #expect(told.checks.count == 16)
            #expect(try told.check("stream").evidence.hasSuffix(", over HTTP/2 and HTTP/1.1"))
            #expect(run.exit == .code(0), "\(run.errors)")
        }
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `takes the token from the path, from a file, or from the command line`(server: WebServer) async throws {
        try await with(server) { site in
            let inPath = try await probe("\(site.server.secureURL)/v/\(RunningServer.token)", site, token: nil)
            #expect(inPath.told.findings.isEmpty && inPath.run.exit == .code(0), "\(inPath.run)")
            let file = site.directory.path("sluice.tokens")
            for options in [["--token-file", file], ["--token", RunningServer.token]] {
                let (told, run) = try await probe("\(site.server.secureURL)/v1", site, silence: 2, options: options, token: nil)
                #expect(try told.check("token").verdict == "pass" && told.model == "sluice-probe", "\(run)")
            }
        }
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `says what it cannot know without its model`(server: WebServer) async throws {
        try await with(server, settings: Self.demo) { site in
            let (told, _) = try await probe("\(site.server.secureURL)/v1", site, options: ["--model", "any"])
            #expect(told.model == "any")
            #expect(try told.check("stream").finding == nil)
            #expect(try told.check("heartbeat").verdict == "unknown" && told.check("leaving").verdict == "unknown")
            #expect(try told.check("token").verdict == "pass" && told.check("errors").verdict == "pass")
        }
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `prints what README's picture of it shows`(server: WebServer) async throws {
        try await with(server) { site in
            let run = try await SluiceRun(
                [
                    "probe", "\(site.server.secureURL)/v1", "--silence", "4", "--authorities-file", site.server.certificate.file,
                ], environment: ["SLUICE_TOKEN": RunningServer.token], in: site.directory)
            let printed = run.output.split(separator: "\n").map(String.init)
            #expect(try pictured().map(timeless) == printed.map(timeless), "docs/pictures/make makes it anew")
        }
    }

    /// The lines of the run that the picture shows.
    private func pictured() throws -> [String] {
        let picture = try String(contentsOfFile: "\(repository)/docs/pictures/probe.svg", encoding: .utf8)
        let lines = picture.matches(of: /<text class="line"[^>]*>(.*)<\/text>/)
        return lines.map { String($0.1.replacing(/<[^>]*>/, with: "")) }
    }

    /// Without what is otherwise in each run: durations, and the port.
    private func timeless(_ line: String) -> String {
        line.replacing(/[0-9.]+ (ms|s|days?)\b/, with: "…").replacing(/localhost:[0-9]+/, with: "localhost")
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `says that a silence is too short for the heartbeat`(server: WebServer) async throws {
        try await with(server, settings: "probe = true\nheartbeat = \"30s\"\n" + Self.demo) { site in
            let (told, run) = try await probe("\(site.server.secureURL)/v1", site, silence: 1)
            let check = try told.check("heartbeat")
            #expect(check.verdict == "unknown" && check.evidence.contains("--silence 32"), "\(check)")
            #expect(told.findings.isEmpty && run.exit == .code(0), "\(told)")
        }
    }

    // MARK: Broken ones

    /// A deployment in which one thing is wrong.
    struct Broken: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let server: WebServer
        let changes: [Change]
        let check: String
        let finding: String
        /// Words of the directive that comes first.
        let directive: String
        var heartbeat = "1s"
        var silence = 4

        static let all = [
            Broken(
                testDescription: "nginx that buffers", server: .nginx,
                changes: [
                    Change(
                        "fastcgi_buffering off;", to: "fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;"),
                    Change("fastcgi_keep_conn on;", to: "fastcgi_keep_conn off;"),
                ], check: "stream", finding: "buffered", directive: "fastcgi_buffering off;"),
            Broken(
                testDescription: "nginx that compresses", server: .nginx,
                changes: [
                    Change("gzip off;                           ", to: "gzip on; gzip_types text/event-stream;")
                ], check: "compression", finding: "compressed", directive: "gzip off;"),
            Broken(
                testDescription: "nginx that keeps no connection", server: .nginx,
                changes: [Change("keepalive_timeout 5m;", to: "keepalive_timeout 0;")],
                check: "connection", finding: "closes_connections", directive: "keepalive_timeout"),
            Broken(
                testDescription: "nginx that lets anybody in", server: .nginx,
                changes: [Change(#"if ($sluice_client = "") { return 401; }"#, to: "")],
                check: "token", finding: "unguarded", directive: "return 401"),
            Broken(
                testDescription: "nginx that lets in no machine", server: .nginx,
                changes: [Change("fastcgi_buffering off;", to: "fastcgi_buffering off; deny all;")],
                check: "token", finding: "denied", directive: "allow ADDRESS;"),
            Broken(
                testDescription: "nginx that waits for less than a silence", server: .nginx,
                changes: [Change("fastcgi_read_timeout 11m;", to: "fastcgi_read_timeout 2s;")],
                check: "heartbeat", finding: "cut_in_silence", directive: "fastcgi_read_timeout", heartbeat: "1m", silence: 8),
            Broken(
                testDescription: "nginx that tells nobody when callers leave", server: .nginx,
                changes: [Change("fastcgi_ignore_client_abort off;", to: "fastcgi_ignore_client_abort on;")],
                check: "leaving", finding: "caller_not_noticed", directive: "fastcgi_ignore_client_abort off;"),
            Broken(
                testDescription: "nginx that hands on no method", server: .nginx,
                changes: [Change("fastcgi_param REQUEST_METHOD    $request_method;", to: "")],
                check: "paths", finding: "parameters", directive: "include fastcgi_params;"),
            Broken(
                testDescription: "nginx that hands on no path", server: .nginx,
                changes: [
                    Change("fastcgi_param REQUEST_URI       $sluice_path$is_args$args;", to: ""),
                    Change("fastcgi_param SCRIPT_NAME       $sluice_path;", to: ""),
                ], check: "paths", finding: "parameters", directive: "include fastcgi_params;"),
            Broken(
                testDescription: "lighttpd that buffers", server: .lighttpd,
                changes: [Change("server.stream-response-body = 2", to: "server.stream-response-body = 0")],
                check: "stream", finding: "buffered", directive: "server.stream-response-body = 2"),
        ]
    }

    @Test(arguments: Broken.all.filter { WebServer.selected.contains($0.server) })
    func `names what is wrong, and where it is changed`(broken: Broken) async throws {
        let settings = "probe = true\nheartbeat = \"\(broken.heartbeat)\"\n" + Self.demo
        try await with(broken.server, settings: settings, changes: broken.changes) { site in
            let (told, run) = try await probe("\(site.server.secureURL)/v1", site, silence: broken.silence)
            try expect(broken.finding, broken.check, broken.directive, in: told)
            #expect(run.exit == .code(1), "\(run.errors)")
        }
    }

    private func expect(_ finding: String, _ name: String, _ directive: String, in told: ProbeTold) throws {
        let check = try told.check(name)
        #expect(check.finding == finding, "\(check)")
        #expect(told.findings == [finding], "\(told)")
        let first = try #require(check.directives.first)
        #expect(first.directive.contains(directive), "\(first)")
        #expect(check.evidence.contains(first.server) || name != "stream", "\(check)")
    }

    /// Two calls a minute, and no more.
    @Test(arguments: [429, 503].filter { _ in WebServer.selected.contains(.nginx) })
    func `names a limit of the web server's that refuses calls`(status: Int) async throws {
        let changes = [
            Change("zone=sluice_requests:1m rate=100r/s;", to: "zone=sluice_requests:1m rate=1r/m;"),
            Change("limit_req zone=sluice_requests burst=500 nodelay;", to: "limit_req zone=sluice_requests burst=1 nodelay;"),
            Change("limit_req_status 429;", to: "limit_req_status \(status);"),
        ]
        try await with(.nginx, changes: changes) { site in
            let (told, run) = try await probe("\(site.server.secureURL)/v1", site)
            try expect("limits", "limits", "limit_req zone=", in: told)
            let evidence = try told.check("limits").evidence
            #expect(evidence.contains("refused with \(status) by the web server"), "\(evidence)")
            let reason = try told.check("stream").evidence
            #expect(reason.contains("the list of models was refused (\(status))"), "\(reason)")
            #expect(run.exit == .code(1), "\(run.errors)")
        }
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `names a proxy in front that buffers`(server: WebServer) async throws {
        try await with(server) { site in
            let proxy = try await startProxy(
                before: site.server.plainPort, ["proxy_buffering on", "proxy_ignore_headers X-Accel-Buffering"],
                in: site.directory)
            let (told, run) = try await probe("http://127.0.0.1:\(proxy.port)/v1", site)
            try expect("buffered", "stream", "proxy_buffering off;", in: told)
            #expect(run.exit == .code(1))
            try await proxy.process.end()
        }
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `names a proxy in front that buffers one version of HTTP alone`(server: WebServer) async throws {
        try await with(server) { site in
            let origin = "proxy_pass http://127.0.0.1:\(site.server.plainPort);"
            let (certificate, key) = (site.server.certificate.file, site.server.certificate.key)
            let proxy = try await startServer(
                listen: "ssl http2",
                """
                ssl_certificate \(certificate);
                ssl_certificate_key \(key);
                error_page 418 = @held;
                location / {
                    if ($server_protocol = "HTTP/1.1") { return 418; }
                    proxy_buffering off;
                    \(origin)
                }
                location @held {
                    proxy_buffering on;
                    proxy_ignore_headers X-Accel-Buffering;
                    \(origin)
                }
                """, in: site.directory)
            let (told, run) = try await probe("https://localhost:\(proxy.port)/v1", site)
            try expect("buffered", "stream", "proxy_buffering off;", in: told)
            let evidence = try told.check("stream").evidence
            #expect(evidence.hasPrefix("over HTTP/1.1: ") && evidence.hasSuffix("over HTTP/2: \(Self.flowing)"), "\(evidence)")
            #expect(run.exit == .code(1))
            try await proxy.process.end()
        }
    }

    private static let flowing = "20 events, made 50 ms apart, came one by one"

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `names a proxy in front that speaks HTTP of the first version`(server: WebServer) async throws {
        try await with(server) { site in
            let port = try freePort()
            let script = "\(repository)/Tests/EndToEnd/clients/http10_proxy.py"
            let proxy = try ChildProcess(
                "python3", ["-u", script, "\(port)", "\(site.server.plainPort)"], in: site.directory)
            try await proxy.accepts { try Socket.connected(port: port) }
            let (told, run) = try await probe("http://127.0.0.1:\(port)/v1", site)
            try expect("http_1_0", "connection", "proxy_http_version 1.1;", in: told)
            #expect(run.exit == .code(1))
            try await proxy.end()
        }
    }

    // MARK: None

    @Test(arguments: WebServer.fronts)
    func `says that a web server has nobody behind it`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let running = try await RunningServer(server, socket: directory.path("nobody.sock"), in: directory)
        let run = try await SluiceRun(
            ["probe", "\(running.secureURL)/v1", "--json", "--authorities-file", running.certificate.file],
            environment: ["SLUICE_TOKEN": RunningServer.token], in: directory)
        let told = try JSONDecoder().decode(ProbeTold.self, from: Data(run.output.utf8))
        let check = try told.check("reachable")
        #expect(check.finding == "nothing_behind" && check.evidence.contains("is Sluice running"), "\(check)")
        for other in told.checks.dropFirst() {
            #expect(other.verdict == "unknown" && other.evidence.hasPrefix("not looked at"), "\(other)")
        }
        #expect(run.exit == .code(1), "\(run.errors)")
        try await running.process.end()
    }

    private static let redirects = [
        ("return 301 https://www.example.com$request_uri;", "", "wrong_scheme", "https://www.example.com/v1/chat/completions"),
        ("return 308 http://www.example.com$request_uri;", "", "redirected", "http://www.example.com/v1/chat/completions"),
        (
            "return 302 http://www.example.com$request_uri;", "/v/\(RunningServer.token)", "redirected",
            "http://www.example.com/v/TOKEN/v1/chat/completions"
        ),
    ]

    @Test(arguments: redirects.filter { _ in WebServer.selected.contains(.nginx) })
    func `says where callers are sent on to`(content: String, path: String, finding: String, location: String) async throws {
        let directory = try TemporaryDirectory()
        let server = try await startServer(content, in: directory)
        let run = try await SluiceRun(
            ["probe", "http://127.0.0.1:\(server.port)\(path)/v1", "--json"],
            environment: ["SLUICE_TOKEN": RunningServer.token], in: directory)
        let told = try JSONDecoder().decode(ProbeTold.self, from: Data(run.output.utf8))
        let check = try told.check("reachable")
        #expect(check.finding == finding && check.evidence.contains(location) && check.directives.isEmpty, "\(check)")
        #expect(told.checks.dropFirst().allSatisfy { $0.verdict == "unknown" }, "\(told)")
        #expect(run.exit == .code(1) && !(run.output + run.errors).contains(RunningServer.token), "\(run)")
        try await server.process.end()
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `ends when its time is over, and says what it has not looked at`(server: WebServer) async throws {
        try await with(server, settings: "probe = true\nheartbeat = \"0s\"\n" + Self.demo) { site in
            let (told, run) = try await probe("\(site.server.secureURL)/v1", site, silence: 60, limit: 10)
            let check = try told.check("heartbeat")
            #expect(check.verdict == "unknown" && check.evidence.contains("--limit"), "\(check)")
            #expect(told.findings.isEmpty && run.exit == .code(EX_TEMPFAIL), "\(told)")
            #expect(run.errors.contains("--limit"), "\(run.errors)")
            #expect(try told.check("reachable").verdict == "pass")
        }
    }

    private func probe(_ url: String, limit: Int, options: [String] = []) async throws -> (told: ProbeTold, run: SluiceRun) {
        let run = try await SluiceRun(
            ["probe", url, "--json", "--limit", "\(limit)"] + options, environment: ["SLUICE_TOKEN": RunningServer.token])
        return (try JSONDecoder().decode(ProbeTold.self, from: Data(run.output.utf8)), run)
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `finds nothing in what its limit cuts off`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let alone = try await startServer("return 502;", in: directory)
        // The limit is over before it asks again.
        let again = try await probe("http://127.0.0.1:\(alone.port)/v1", limit: 1)
        #expect(try again.told.check("reachable").evidence.hasPrefix("status 502, and the limit"), "\(again.run)")
        #expect(again.told.findings.isEmpty && again.run.exit == .code(EX_TEMPFAIL), "\(again.run)")
        try await alone.process.end()
        let upstream = try StubUpstream(.silence)
        let silent = try await probe(upstream.url, limit: 1)
        let check = try silent.told.check("reachable")
        #expect(check.verdict == "unknown" && check.evidence.hasPrefix("no answer within the limit"), "\(check)")
        #expect(silent.told.findings.isEmpty && silent.run.exit == .code(EX_TEMPFAIL), "\(silent.run)")
        try await upstream.stop()
    }

    @Test func `tells the first tokens that came before its limit`() async throws {
        // Of the ten calls for that the first is answered, and the second is not.
        let calls = Observed(0)
        let upstream = try StubUpstream { request in
            let id = [(name: "X-Request-Id", value: "req_1")]
            func refusal(_ status: Int) -> Reply {
                .json(#"{"error":{"message":"No.","type":"x","param":null,"code":"x"}}"#, status: status, fields: id)
            }
            guard request.head["Authorization"] == "Bearer \(RunningServer.token)" else { return refusal(401) }
            guard request.method == "POST" else { return refusal(405) }
            guard request.text.contains(#""stream":true"#) else { return refusal(400) }
            guard request.text.contains(#""max_tokens":16,"#) else { return .stream(Chunks.stream(["Hello"])) }
            let before = calls.update { count in
                defer { count += 1 }
                return count
            }
            return before == 0 ? .stream(Chunks.stream(["Hello"])) : .silence
        }
        let (told, run) = try await probe(upstream.url, limit: 10, options: ["--model", "any"])
        let check = try told.check("first token")
        #expect(check.verdict == "pass" && check.evidence.hasSuffix("of 1 call"), "\(check)")
        #expect(try told.check("heartbeat").evidence.contains("--limit"))
        #expect(told.findings.isEmpty && run.exit == .code(EX_TEMPFAIL), "\(run)")
        try await upstream.stop()
    }

    @Test(arguments: [
        ("gpt-4o-mini", [], "gpt-4o-mini" as String?, "") as (String, [String], String?, String),
        ("gone", [], nil, "retired, gpt-4o-mini are no chat models, or not to be had"),
        ("gpt-4o-mini", ["--model", "tpyo"], nil, "there is no model tpyo (status 404)"),
    ])
    func `asks the model that it is named, or the first that answers`(
        served: String, options: [String], asked: String?, words: String
    ) async throws {
        let upstream = try StubUpstream { request in
            func refusal(_ status: Int, _ code: String) -> Reply {
                .json(
                    #"{"error":{"message":"No.","type":"x","param":null,"code":"\#(code)"}}"#, status: status,
                    fields: [(name: "X-Request-Id", value: "req_1")])
            }
            guard request.head["Authorization"] == "Bearer \(RunningServer.token)" else { return refusal(401, "x") }
            if request.method == "GET", request.path.hasSuffix("/models") {
                return .json(#"{"data":[{"id":"text-embedding-3-small"},{"id":"retired"},{"id":"gpt-4o-mini"}]}"#)
            }
            guard request.method == "POST" else { return refusal(405, "x") }
            guard request.text.contains(#""stream":true"#) else { return refusal(400, "x") }
            guard request.text.contains("\"model\":\"\(served)\"") else { return refusal(404, "model_not_found") }
            return .stream(Chunks.stream(["Hello"]))
        }
        let (told, run) = try await probe(upstream.url, limit: 60, options: options)
        #expect(told.model == asked, "\(run)")
        let check = try told.check("stream")
        #expect(check.verdict == "unknown" && (asked != nil || check.evidence.contains(words)), "\(check)")
        #expect(upstream.requests.value.allSatisfy { !$0.text.contains("embedding") })
        try await upstream.stop()
    }

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `tells what keeps it from asking`(server: WebServer) async throws {
        try await with(server) { site in
            let url = "\(site.server.secureURL)/v1"
            let none = try await probe(url, site, token: nil)
            #expect(none.run.exit == .code(EX_NOPERM) && none.told.findings.isEmpty, "\(none.run)")
            #expect(none.told.obstacle == "no_token" && none.run.output.contains("a token is wanted"), "\(none.run)")
            #expect(try none.told.check("token").verdict == "pass" && none.told.check("stream").verdict == "unknown")
            let wrong = try await probe(url, site, token: "wrong")
            #expect(wrong.run.exit == .code(1) && wrong.told.findings == ["token_refused"], "\(wrong.run)")
            let proxy = try await startProxy(
                before: site.server.plainPort, ["proxy_set_header Authorization \"\""], in: site.directory)
            let dropped = try await probe("http://127.0.0.1:\(proxy.port)/v1", site)
            #expect(dropped.run.exit == .code(1) && dropped.told.findings == ["token_refused"], "\(dropped.run)")
            #expect(try dropped.told.check("token").evidence.contains("drops the header Authorization"))
            try await proxy.process.end()
            let strange = try await SluiceRun(["probe", url, "--json"], in: site.directory)
            #expect(strange.exit == .code(1) && strange.output.contains(#""finding":"insecure""#), "\(strange)")
            #expect(strange.output.contains("--authorities-file"), "\(strange)")
            let plain = try await probe(url.replacing("https://", with: "http://"), site)
            #expect(plain.run.exit == .code(1) && plain.told.findings == ["wrong_scheme"], "\(plain.run)")
            #expect(try plain.told.check("reachable").evidence.contains("https://"))
            let nobody = try await probe("http://127.0.0.1:\(freePort())/v1", site)
            #expect(nobody.run.exit == .code(EX_UNAVAILABLE) && nobody.told.findings == ["unreachable"], "\(nobody.run)")
        }
    }

    @Test(arguments: [
        (["probe", "ftp://host/v1"], "https://", EX_USAGE), (["probe"], "url", EX_USAGE),
        (["probe", "https://host/v1?a=b"], "query", EX_USAGE),
        (["probe", "https://host/v1", "--silence", "61"], "--silence", EX_USAGE),
        (["probe", "https://host/v1", "--token", "a", "--token-file", "b"], "--token-file", EX_USAGE),
        (["probe", "https://host/v1", "--token-file", "none"], "none", EX_NOINPUT),
        (
            ["probe", "https://host/v1", "--token-file", "\(repository)/nginx/sluice.tokens.example"], "names no token",
            EX_NOINPUT
        ),
        (["probe", "https://host/v1", "--token", "a b"], "the token has a space", EX_USAGE),
        (["probe", "https://host/v1", "--limit", "0"], "--limit", EX_USAGE),
        (["probe", "https://host/v1", "--authorities-file", "none"], "authorities file none cannot be read", EX_NOINPUT),
        (["probe", "https://host/v1", "--authorities-file", "/dev/null"], "not a regular file", EX_NOINPUT),
    ])
    func `says what is wrong with its options`(arguments: [String], named: String, status: Int32) async throws {
        let run = try await SluiceRun(arguments)
        #expect(run.exit == .code(status), "\(run.errors)")
        #expect(run.errors.contains(named), "\(run.errors)")
    }

    // MARK: The model

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `has a model that clients may use as their models say`(server: WebServer) async throws {
        let settings = Self.settings + "[clients.first]\nmodels = [\"sluice-*\"]\n[clients.second]\nmodels = [\"gpt-*\"]\n"
        try await with(server, settings: settings) { site in
            var call = chat("Show your pace", members: #","model":"sluice-probe""#)
            let answer = try await site.call(call).ended()
            #expect(answer.status == 200 && answer.frames.last == Chunks.done)
            #expect(answer.head?["X-Sluice-Upstream"] == "sluice.probe" && answer.head?["X-Sluice-Heartbeat-Ms"] == "1000")
            #expect(answer.text.contains("20@"))
            call.token = RunningServer.otherToken
            #expect(try await site.call(call).ended().status == 404)
            let list = ChatCall("", path: "/v1/models", method: "GET")
            #expect(try await site.call(list).ended().text.contains("sluice-probe"))
        }
        try await with(server, settings: Self.demo) { site in
            let list = ChatCall("", path: "/v1/models", method: "GET")
            let told = try await site.call(list).ended().text
            #expect(!told.contains("sluice-probe"))
        }
    }
}
