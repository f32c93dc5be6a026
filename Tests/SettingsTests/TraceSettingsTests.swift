import HTTPClient
import Testing

@testable import Settings

/// Whom traces are sent to: `traces`.
@Suite struct TraceSettingsTests {
    @Test func `there are none unless a collector is named`() throws {
        #expect(try settings("[upstreams.a]\nkind = 'demo'").traces == nil)
        let traces = try settings("traces.endpoint = 'http://127.0.0.1:4318/v1/traces'\n[upstreams.a]\nkind = 'demo'").traces
        #expect(traces?.endpoint == "http://127.0.0.1:4318/v1/traces")
        #expect(traces?.sample == .all && traces?.headers == [] && traces?.service == "sluice")
    }

    @Test func `the service has a name, which may come from the environment`() throws {
        let text = "traces = {endpoint = 'http://h/v1/traces', service = '${OTEL_SERVICE_NAME}'}\n[upstreams.a]\nkind = 'demo'"
        let settings = try settings(text, environment: ["OTEL_SERVICE_NAME": "Stimme „Nord“"])
        #expect(settings.traces?.service == "Stimme „Nord“")
        #expect(try SettingsCase(text: settings.text).load().traces?.service == "Stimme „Nord“")
    }

    @Test func `a collector's URL is whole, and its headers may come from the environment`() throws {
        let text = """
            traces = {endpoint = "unix:/run/otel.sock:/v1/traces/", sample = "0.5%", headers = {Authorization = "Basic ${KEY}"}}
            [upstreams.a]
            kind = "demo"
            """
        let settings = try settings(text, environment: ["KEY": "secret"])
        #expect(settings.traces?.endpoint == "unix:/run/otel.sock:/v1/traces/")
        #expect(settings.traces?.headers == [UpstreamSettings.Header(name: "Authorization", value: "Basic secret")])
        let shown = settings.text
        #expect(!shown.contains("secret"))
        let line = """
            traces = {endpoint = "unix:/run/otel.sock:/***", service = "sluice", sample = "0.5%", \
            headers = {Authorization = "***"}}
            """
        #expect(shown.contains("\n\(line)\n"))
        #expect(try SettingsCase(text: shown).load().text == shown)
    }

    @Test(arguments: [
        ("'100%'", "100%"), ("'0%'", "0%"), ("'1%'", "1%"), ("'0.5%'", "0.5%"), ("'0.0001%'", "0.0001%"),
        ("'12.3400%'", "12.34%"), ("'007%'", "7%"), ("1", "100%"), ("0", "0%"), ("0.0", "0%"), ("1.0", "100%"),
        ("0.005", "0.5%"), ("0.1", "10%"), ("1e-6", "0.0001%"),
    ])
    func `a share is a percentage, or a number from 0 to 1`(value: String, shown: String) throws {
        let traces = try settings("traces = {endpoint = 'http://h/v1/traces', sample = \(value)}").traces
        #expect(traces?.sample.setting == shown)
        #expect(traces?.sample == SampledShare(setting: shown))
    }

    @Test(arguments: [
        "'101%'", "'1'", "'%'", "'.5%'", "'5.%'", "'-1%'", "'+1%'", "'1.00001%'", "'1e1%'", "'0001%'", "'100.0001%'", "'1 %'",
        "'1,5%'", "2", "-1", "1.5", "nan", "inf", "1e-7", "true", "[]",
    ])
    func `any other share is a mistake`(value: String) {
        let problems = SettingsCase(text: "traces = {endpoint = 'http://h/v1/traces', sample = \(value)}").problems
        #expect(
            problems == [
                #"dir/sluice.toml:1: traces.sample must be a percentage, as "1%" or "0.5%", or a number from 0 to 1"#
            ])
    }

    @Test(arguments: [("0%", 0), ("100%", 1_000_000), ("1%", 10_000), ("0.0001%", 1), ("50%", 500_000)])
    func `a share takes as many of all numbers`(setting: String, count: Int) throws {
        let share = try #require(SampledShare(setting: setting))
        #expect((0..<1_000_000).count { share.takes(UInt64($0)) } == count)
        #expect(share.takes(.max) == (setting == "100%"))
    }

    private static let mistakes = [
        Mistake(
            "traces = 'http://secret'",
            #"1: traces must be a table, as in traces = {endpoint = "http://127.0.0.1:4318/v1/traces"}"#),
        Mistake("traces = {sample = '1%'}", "1: traces needs endpoint: where traces go"),
        Mistake("traces = {endpoint = ''}", "1: traces.endpoint must not be empty"),
        Mistake("traces = {endpoint = 'http://h/v1/traces', service = ''}", "1: traces.service must not be empty"),
        Mistake(
            "traces = {endpoint = 'http://h/v1/traces', service = '\(String(repeating: "a", count: 256))'}",
            "1: traces.service must be a name of at most 255 bytes, without control characters"),
        Mistake(
            "[traces]\nendpoint = 'http://h/v1/traces'\nservice = \"a\\nb\"",
            "3: traces.service must be a name of at most 255 bytes, without control characters"),
        Mistake(
            "traces = {endpoint = 'localhost:4318'}",
            "1: traces.endpoint must be a URL like http://127.0.0.1:4318/v1/traces or unix:/run/otel.sock:/v1/traces"),
        Mistake(
            "traces = {endpoint = 'http://h:4318'}",
            "1: traces.endpoint must be whole, with its path, as http://127.0.0.1:4318/v1/traces"),
        Mistake(
            "traces = {endpoint = 'https://h/'}",
            "1: traces.endpoint must be whole, with its path, as http://127.0.0.1:4318/v1/traces"),
        Mistake(
            "traces = {endpoint = 'unix:/run/otel.sock'}",
            "1: traces.endpoint must be whole, with its path, as http://127.0.0.1:4318/v1/traces"),
        Mistake(
            "traces = {endpoint = 'http://u:secret@h/v1/traces'}",
            "1: traces.endpoint must not hold a user name or password; headers may say who sends"),
        Mistake(
            "traces = {endpoint = 'http://h/v1/traces?key=secret'}",
            "1: traces.endpoint must be a plain URL of ASCII without spaces, '?' and '#'"),
        Mistake(
            "traces = {endpoint = 'http://h:99999/v1/traces'}",
            "1: traces.endpoint must name a host, and as its port, if it has one, a number from 1 to 65535"),
        Mistake(
            "[traces]\nendpoint = 'http://h/v1/traces'\nheaders = {Content-Type = 'secret', 'a b' = 'c', A = 'b', a = 'c'}",
            "3: traces.headers.Content-Type cannot be set; Sluice sends its own",
            "3: traces.headers.\"a b\" is no header's name",
            "3: traces.headers.a is set twice: header names do not tell upper from lower case"),
        Mistake(
            "[traces]\nendpoint = 'http://h/v1/traces'\nheaders = {A = 'é'}",
            "3: traces.headers.A must be printable ASCII without spaces at its ends"),
    ]

    @Test(arguments: mistakes)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test func `a collector with TLS needs the authorities too, and one by a proxy the proxy`() {
        let text = "authorities_file = 'ca.pem'\ntraces.endpoint = 'https://h/v1/traces'\n[upstreams.a]\nkind = 'demo'"
        let files = ["dir/ca.pem": ""]
        #expect(SettingsCase(text: text, files: files).problems.isEmpty)
        let problems = SettingsCase(text: text, files: files, tlsProblems: ["dir/ca.pem": "it is broken"]).problems
        #expect(problems == ["dir/sluice.toml:1: authorities_file cannot be used: it is broken"])
        let proxied = SettingsCase(text: text, environment: ["https_proxy": "socks5://p"], files: files).problems
        #expect(proxied == ["https_proxy names a proxy that cannot be used: only http://HOST:PORT is understood"])
    }
}
