import Testing

@testable import Settings

/// What `sluice check --show` prints.
@Suite struct SettingsTextTests {
    private let rich = #"""
        listen = "tcp:[::1]:9000"
        allowed_addresses = ["0.0.0.0/0", "192.0.2.7", "fd00::/8"]
        workers = 3
        page = true
        spoken_error = "a \"quote\", a \\, a\ttab, \u007F, ${X} and $${Y} $$"
        default_model = "gpt-4o"
        heartbeat = "0s"
        authorities_file = "/ca"
        dns_ttl = "1h"
        retries = 0
        retry_after_max = "0s"
        retry_budget = "100%"
        hedge_max = "0%"
        rest_after = 1
        rest_share = "1%"
        rest_for = "0s"
        rest_max = "1h"
        hook = {url = "https://hook/***", timeout = "1ms", on_failure = "deny", headers = {A-B = "***"}, send = "messages"}
        traces = {endpoint = "https://collector/***", service = "voice", sample = "0.25%", headers = {A-B = "***"}}
        socket = {mode = "0600", group = "g", allowed_users = ["u", "v"]}
        limits.body = "1025B"
        limits.memory = "1048577B"
        timeouts.idle = "1500ms"
        timeouts.send = "8s"
        [upstreams.b]
        url = "http://b/v1"
        key = "passthrough"
        parameters = {add = ["top_k", "min_p"], pass = "all"}
        continue = {prompt = "Go \"on\", ${X}", message = {prefix = true, n = [1]}, set = {a = "$${call}", b = {c = "d"}}}
        obfuscation = true
        http = "2"
        streams_per_connection = 7
        proxy = "none"
        warm = 3
        concurrent = 4
        queue = 0
        queue_wait = "0s"
        rest_after = 7
        rest_share = "70%"
        rest_for = "7s"
        rest_max = "7m"
        [upstreams.a]
        kind = "compatible"
        url = "http://a/v1"
        usage = true
        continue.prompt = ""
        proxy = "http://[::1]:3128/"
        [upstreams.tls]
        url = "https://c"
        http = "1.1"
        certificate = "/a ${X}.pem"
        certificate_key = "/a.key"
        [upstreams.socket]
        url = "unix:/run/a.sock"
        http = "2"
        [upstreams.path]
        url = "unix:/run/a.sock:/v1"
        [upstreams.demo]
        kind = "demo"
        [[models]]
        match = "x-*"
        targets = [
            {upstream = "b", model = "$${Z}", weight = 2, set = {y = "$${W}", x = {v = 1}}, connect = "1ms", first_token = "2ms"},
            {upstream = "a", weight = 1, idle = "3ms", total = "4ms"},
            "a",
        ]
        retries = 10
        retry_after_max = "9s"
        retry_budget = "8%"
        hedge_max = "7%"
        hedge_after = "p95"
        fallback_on = [404, 400]
        timeouts = {connect = "5ms", first_token = "6ms", idle = "7ms", total = "8ms"}
        rename = {max_tokens = "max_completion_tokens", "odd name" = "even"}
        drop = ["p", "o"]
        set = {z = [1, 2.5, 1e300, true, {"k k" = "$${V}", n = {}}], a = "x"}
        default.temperature = 0.7
        [[models]]
        match = "*"
        targets = ["demo", "demo"]
        hedge_after = "800ms"
        hook = {url = "none"}
        """#

    @Test func `what only a start can change gives the same again, and has nothing secret in it`() throws {
        let text = #"""
            control = "unix:/c ${X} d.sock"
            processes = 2
            supervise = true
            core_dumps = true
            """# + "\n" + rich.replacing("1048577B", with: "4MiB").replacing("passthrough", with: "sk-planted")
        let files = ["/ca": "", "/a ${IN}\u{7F}.pem": "", "/a.key": ""]
        let settings = try settings(text, environment: ["X": "${IN}\u{7F}"], files: files)
        #expect(!settings.startOnlyText.contains("sk-"))
        #expect(!settings.startOnlyText.contains("gpt-4o"))
        var other = try Settings(startOnlyText: settings.startOnlyText)
        #expect(other.restoreStartOnlySettings(of: settings) == [])
        #expect((other.control, other.processes, other.workers) == ("/c ${IN}\u{7F} d.sock", 2, 3))
        #expect((other.isSupervised, other.dumpsCore) == (true, true))
        #expect(other.listen == settings.listen)
        #expect(other.socket == settings.socket)
        #expect(throws: SettingsError.self) { try Settings(startOnlyText: "workers = 0") }
    }

    @Test func `is a settings file that gives the same settings again`() throws {
        let files = ["/ca": "", "/a ${IN}\u{7F}.pem": "", "/a.key": ""]
        let original = try settings(rich, environment: ["X": "${IN}\u{7F}"], files: files)
        #expect(try settings(original.text, files: files) == original)
        #expect(try settings(original.text, files: files).text == original.text)
    }

    @Test(arguments: [
        ("https://hooks.example/T0/planted/", "https://hooks.example/***"),
        ("http://[::1]:9000/planted", "http://[::1]:9000/***"),
        ("http://h:9000", "http://h:9000"), ("http://h/", "http://h/"),
        ("unix:/run/hook.sock:/planted", "unix:/run/hook.sock:/***"), ("unix:/run/hook.sock", "unix:/run/hook.sock"),
        ("none", "none"),
    ])
    func `shows of a hook where it is, and nothing of its path`(url: String, shown: String) throws {
        let text = try settings("hook.url = '\(url)'\n[upstreams.a]\nkind = 'demo'").text
        #expect(text.contains("hook = {url = \"\(shown)\", "), "\(text)")
    }

    @Test(arguments: [
        ("https://collector.example/v1/planted/traces", "https://collector.example/***"),
        ("unix:/run/otel.sock:/planted", "unix:/run/otel.sock:/***"),
    ])
    func `shows of a collector where it is, and nothing of its path`(url: String, shown: String) throws {
        let text = try settings("traces.endpoint = '\(url)'\n[upstreams.a]\nkind = 'demo'").text
        #expect(text.contains("traces = {endpoint = \"\(shown)\", "), "\(text)")
    }

    @Test func `shows nothing that has no meaning beside what else it shows`() throws {
        let text = "[upstreams.a]\nurl = 'http://a'\nparameters.only = ['tools']"
        let shown = try SettingsCase(text: settings(text).text).loaded()
        #expect(shown.warnings == [] && shown.settings.upstreams[0].onlyParameters == ["tools"])
    }

    @Test(arguments: [("https", "auto", true), ("https", "1.1", false), ("http", "auto", false), ("http", "2", true)])
    func `shows the streams of a connection where there are any`(scheme: String, version: String, isShown: Bool) throws {
        let shown = try settings("[upstreams.a]\nurl = '\(scheme)://a'\nhttp = '\(version)'").text
        #expect(shown.contains("\nstreams_per_connection = 100\n") == isShown)
        #expect(shown.contains("\nhttp = \"\(version)\"\n"))
    }

    @Test func `shows the defaults of an empty file`() throws {
        let original = try settings("")
        #expect(try settings(original.text) == original)
        let others = [
            "retries", "retry_after_max", "retry_budget", "hedge_max", "rest_after", "rest_share", "rest_for", "rest_max",
            "dns_ttl",
        ]
        let tables = Settings.Limits.fields.map(\.key) + Settings.Timeouts.fields.map(\.key)
        for key in tables + others { #expect(original.text.contains("\n\(key) = ")) }
    }

    @Test func `shows nothing of a secret`() throws {
        let shown = try settings(
            """
            hook = {url = "http://hook", headers = {Authorization = "Bearer ${KEY}", X-Key = "header-secret"}}
            [upstreams.a]
            key = "${KEY}"
            headers = {X-Key = "header-secret"}
            proxy = "http://name-secret:password-secret@proxy:3128"
            [upstreams.b]
            url = "http://b"
            key_file = "key"
            [[models]]
            match = "*"
            targets = ["a"]
            hook = {url = "http://hook/own", headers = {X-Key = "header-secret"}}
            """, environment: ["KEY": "environment-secret"], files: ["dir/key": "file-secret"]
        ).text
        #expect(!shown.contains("secret"))
        #expect(shown.contains(#"headers = {X-Key = "***"}"#))
        #expect(shown.contains(#"headers = {Authorization = "***", X-Key = "***"}, send = "last"}"#))
        #expect(shown.contains(#"proxy = "http://***@proxy:3128""#))
        #expect(try settings(shown).upstreams.map(\.key) == [.secret("***"), .secret("***")])
    }
}
