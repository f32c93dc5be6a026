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
    let checks: [Check]

    func check(_ name: String) throws -> Check { try #require(checks.first { $0.check == name }) }

    var findings: [String] { checks.compactMap(\.finding) }
}

/// Deployments behind nginx and lighttpd, good ones and broken ones, as callers see them.
@Suite(.timeLimit(.minutes(20))) struct `sluice probe` {
    private static let demo = "[upstreams.demo]\nkind = \"demo\"\n"
    private static let settings = "probe = true\nheartbeat = \"1s\"\n" + demo

    private func probe(
        _ url: String, _ site: Site, silence: Int = 4, options: [String] = [], token: String? = RunningServer.token
    ) async throws -> (told: ProbeTold, run: SluiceRun) {
        let run = try await SluiceRun(
            ["probe", url, "--json", "--silence", "\(silence)", "--authorities-file", site.server.certificate.file] + options,
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
                testDescription: "nginx that waits for less than a silence", server: .nginx,
                changes: [Change("fastcgi_read_timeout 11m;", to: "fastcgi_read_timeout 2s;")],
                check: "heartbeat", finding: "cut_in_silence", directive: "fastcgi_read_timeout", heartbeat: "1m", silence: 8),
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

    @Test(arguments: [WebServer.nginx].filter(WebServer.selected.contains))
    func `tells what keeps it from asking`(server: WebServer) async throws {
        try await with(server) { site in
            let url = "\(site.server.secureURL)/v1"
            let none = try await probe(url, site, token: nil)
            #expect(none.run.exit == .code(EX_NOPERM) && none.told.findings.isEmpty, "\(none.run)")
            #expect(try none.told.check("token").verdict == "pass" && none.told.check("stream").verdict == "unknown")
            let wrong = try await probe(url, site, token: "wrong")
            #expect(wrong.run.exit == .code(1) && wrong.told.findings == ["token_refused"], "\(wrong.run)")
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
        (["probe", "https://host/v1", "--token", "a b"], "the token has a space", EX_USAGE),
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
