import Testing

@testable import HTTPClient
@testable import Sluice

/// What is shown of a run.
@Suite struct ProbeReportTests {
    private var report: ProbeReport {
        var report = ProbeReport(url: "https://host.example/v1/chat/completions", model: "sluice-probe", answering: .lighttpd)
        report.checks = [
            .pass(.reachable, "\u{1B}[2Jnginx \u{202E}answers"), .finding(.stream, .buffered, "20 events came in one lump"),
            .unknown(.leaving, "not shown"),
        ]
        return report
    }

    @Test func `a finding comes with the directives of each server, first of the one that answers`() {
        let lines = report.text(isColoured: false).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "https://host.example/v1/chat/completions, by the model sluice-probe")
        #expect(lines[3] == "FINDING  stream     20 events came in one lump")
        #expect(lines[4].contains("lighttpd    server.stream-response-body = 2"))
        #expect(lines[5].contains("nginx       fastcgi_buffering off;"))
        #expect(lines.suffix(2).first == "1 passed, 1 finding, 1 not known")
        #expect(lines.last == "No model of your own was asked, and no upstream: --model NAME asks one")
        for server in ["Apache", "Caddy", "HAProxy", "Cloudflare"] { #expect(lines.contains { $0.contains(server) }) }
    }

    @Test func `a server's words reach no terminal as they are`() {
        let plain = report.text(isColoured: false)
        #expect(!plain.utf8.contains(0x1B))
        #expect(plain.contains(#"PASS     reachable  \u001b[2Jnginx \u202eanswers"#))
        // Colours are the only ones.
        #expect(report.text(isColoured: true).contains("\u{1B}[32mPASS\u{1B}[0m"))
        #expect(!report.json.utf8.contains(0x1B))
        for text in [plain, report.json] { #expect(!text.unicodeScalars.contains("\u{202E}")) }
    }

    @Test func `a token that a server says again is not shown, nor its beginning where it is clipped`() throws {
        let target = try ProbeTarget("https://host.example/v/4f0c3a9e41d27b86/v1", token: "5f0c3a9e41d27b86")
        var report = ProbeReport(url: target.shown, secrets: target.secrets)
        report.model = "5f0c3a9e41d27b86"
        let long = String(repeating: "x", count: 70) + "5f0c3a9e41d27b86"
        report.checks = [
            .pass(.reachable, "a 5f0c3a9e41d27b86 of 4f0c3a9e41d27b86 answers"),
            .finding(.stream, .broken, "Content-Type says \(long.clipped)"), .unknown(.leaving, "5f0c3a9e41d27b86"),
        ]
        for text in [report.text(isColoured: false), report.json] {
            #expect(!text.contains("f0c3a"), "\(text)")
            #expect(text.contains("a TOKEN of TOKEN answers") && text.contains("xTOKEN…"), "\(text)")
            #expect(text.contains("https://host.example/v/TOKEN/v1/chat/completions"))
        }
    }

    @Test func `text to be shown says no token, and moves no terminal`() throws {
        let target = try ProbeTarget("https://host.example/v1", token: "5f0c3a9e41d27b86")
        let words = "model a\u{1B}[2J-5f0c3a9e41d27b86-b"
        #expect(ProbeReport.visible(words, without: target.secrets) == #"model a\u001b[2J-TOKEN-b"#)
    }

    @Test func `a token too short to be one hides no words`() {
        var report = report
        report.secrets = [Array("lump".utf8), []]
        #expect(report.text(isColoured: false).contains("20 events came in one lump"))
    }

    @Test func `what is not known for the same reason stands in one line, and in JSON one by one`() {
        var report = report
        report.checks = [.finding(.reachable, .unreachable, "connection refused")]
        report.leaveOut([.token, .paths, .stream], because: "not looked at")
        report.checks.append(.unknown(.leaving, "not shown"))
        let lines = report.text(isColoured: false).split(separator: "\n")
        #expect(
            lines.dropFirst() == [
                "FINDING  reachable  connection refused", "?        3 checks   token, paths, stream: not looked at",
                "?        leaving    not shown", "0 passed, 1 finding, 4 not known",
                "No model of your own was asked, and no upstream: --model NAME asks one",
            ])
        for name in ["token", "paths", "stream"] {
            #expect(report.json.contains(#"{"check":"\#(name)","verdict":"unknown","finding":null,"evidence":"not looked at""#))
        }
    }

    @Test func `JSON has each check with its verdict, finding and directives`() {
        let json = report.json
        let members = #""model":"sluice-probe","obstacle":null,"checks":["#
        #expect(json.hasPrefix(#"{"url":"https://host.example/v1/chat/completions","# + members))
        let finding =
            #"{"check":"stream","verdict":"finding","finding":"buffered","evidence":"20 events came in one lump","#
            + #""directives":[{"server":"lighttpd","directive":"server.stream-response-body = 2"},"#
        #expect(json.contains(finding))
        #expect(json.contains(#"{"check":"leaving","verdict":"unknown","finding":null,"evidence":"not shown","directives":[]}"#))
    }

    @Test(arguments: ProbeFinding.allCases) func `what a server does wrong is mended there`(finding: ProbeFinding) {
        let servers = finding.directives().map(\.server)
        switch finding {
        // Nobody is there, the URL or this machine is at fault, or an upstream does it.
        case .unreachable, .redirected, .wrongScheme, .noAuthorities, .broken: #expect(servers.isEmpty)
        case .slow, .failedCalls, .noHeartbeat, .ownBody, .vapiURL, .vapiStream, .vapiTimeout: #expect(servers == [.sluice])
        case .callerNotNoticed, .oldHTTP: #expect(servers.contains(.nginx))
        default: #expect(Set(servers).isSuperset(of: [.nginx, .lighttpd, .apache, .caddy, .haproxy]))
        }
        #expect(finding.directives(.apache).first?.server == (servers.contains(.apache) ? .apache : servers.first))
    }

    @Test(arguments: [
        ([(name: "server", value: "nginx/1.22")], ProbeServer.nginx), ([(name: "server", value: "Apache")], .apache),
        ([(name: "server", value: "nginx"), (name: "cf-ray", value: "1")], .cloudflare), ([(name: "server", value: "x")], nil),
        ([], nil),
    ])
    func `who answers is known by its own word`(fields: [(name: String, value: String)], server: ProbeServer?) {
        #expect(ProbeServer(head(200, fields)) == server)
    }

    @Test(arguments: ["gpt-4o", nil]) func `only of the built-in model the sum says that no other was asked`(model: String?) {
        var report = report
        report.model = model
        #expect(report.text(isColoured: false).hasSuffix("\n1 passed, 1 finding, 1 not known"))
    }

    @Test func `what is wrong with a certificate or a token is mended where that stands`() {
        for finding in [ProbeFinding.insecure, .certificate, .handshake, .tokenRefused] {
            for directive in finding.directives() { #expect(!directive.text.contains("listen"), "\(directive)") }
        }
        #expect(ProbeFinding.insecure.directives(.nginx).first?.text.hasPrefix("ssl_certificate ") == true)
        for directive in ProbeFinding.tokenRefused.directives() { #expect(directive.text.contains("sluice.tokens")) }
        for server in [ProbeServer.nginx, .lighttpd, .apache, .caddy, .haproxy, .sluice] {
            let first = ProbeFinding.nothingBehind.directives(server).first
            #expect(first?.server == server && first?.text.contains("sluice.sock") == true)
        }
    }

    @Test func `two findings of one check are told with the directives of both, in their order`() {
        var report = report
        report.checks = [
            .pass(.paths, "c"), .finding(.stream, .oldHTTP, "a"), .pass(.token, "d"), .finding(.stream, .buffered, "b"),
        ]
        report.sort(by: ProbeCheck.Name.allCases)
        #expect(report.checks.map(\.evidence) == ["d", "c", "a", "b"])
        for text in [report.text(isColoured: false), report.json] {
            #expect(text.contains("proxy_http_version 1.1;") && text.contains("fastcgi_buffering off;"))
        }
        #expect(report.text(isColoured: false).contains("2 passed, 2 findings, 0 not known"))
    }

    @Test(arguments: [
        (ProbeReport.Obstacle.noToken, "no_token", "a token is wanted, and none was given"),
        (.limit, "limit", "the limit of 10.0 s was over"), (.found, "found", "what stands above"),
        (.unreachable, "unreachable", "what stands above"),
    ])
    func `why the rest was not looked at is told`(obstacle: ProbeReport.Obstacle, word: String, reason: String) {
        var report = report
        report.obstacle = obstacle
        report.leaveOut([.body, .errors], limit: .seconds(10))
        #expect(report.json.contains(#","obstacle":"\#(word)","#))
        for text in [report.text(isColoured: false), report.json] {
            #expect(text.contains("not looked at, since \(reason)"), "\(text)")
        }
    }

    @Test func `what was not looked at is told, each once`() {
        var report = report
        // Limits are told where there is one.
        report.leaveOut([.reachable, .token, .stream, .limits], because: "nobody is there")
        #expect(report.checks.map(\.name) == [.reachable, .stream, .leaving, .token])
        #expect(report.hasFinding)
    }
}
