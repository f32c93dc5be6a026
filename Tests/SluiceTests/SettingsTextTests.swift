import Testing

@testable import Sluice

/// What `sluice check --show` prints.
@Suite struct SettingsTextTests {
    private let rich = #"""
        listen = "tcp:[::1]:9000"
        workers = 3
        spoken_error = "a \"quote\", a \\, a\ttab, \u007F, ${X} and $${Y} $$"
        default_model = "gpt-4o"
        heartbeat = "0s"
        socket = {mode = "0600", group = "g", allowed_users = ["u", "v"]}
        limits.body = "1025B"
        timeouts.idle = "1500ms"
        [upstreams.b]
        url = "http://b/v1"
        key = "passthrough"
        parameters = {add = ["top_k", "min_p"], pass = "all"}
        obfuscation = true
        [upstreams.a]
        kind = "compatible"
        url = "http://a/v1"
        usage = true
        [upstreams.demo]
        kind = "demo"
        [[models]]
        match = "x-*"
        targets = [{upstream = "b", model = "$${Z}"}]
        rename = {max_tokens = "max_completion_tokens", "odd name" = "even"}
        drop = ["p", "o"]
        set = {z = [1, 2.5, 1e300, true, {"k k" = "$${V}", n = {}}], a = "x"}
        default.temperature = 0.7
        [[models]]
        match = "*"
        targets = ["demo"]
        """#

    @Test func `is a settings file that gives the same settings again`() throws {
        let original = try settings(rich, environment: ["X": "${IN}\u{7F}"])
        #expect(try settings(original.text) == original)
        #expect(try settings(original.text).text == original.text)
    }

    @Test func `shows the defaults of an empty file`() throws {
        let original = try settings("")
        #expect(try settings(original.text) == original)
        for keys in [SettingsKeys.limits, SettingsKeys.timeouts] {
            for key in keys { #expect(original.text.contains("\n\(key) = ")) }
        }
    }

    @Test func `shows nothing of a secret`() throws {
        let shown = try settings(
            """
            [upstreams.a]
            key = "${KEY}"
            headers = {X-Key = "header-secret"}
            [upstreams.b]
            url = "http://b"
            key_file = "key"
            [[models]]
            match = "*"
            targets = ["a"]
            """, environment: ["KEY": "environment-secret"], files: ["dir/key": "file-secret"]
        ).text
        #expect(!shown.contains("secret"))
        #expect(shown.contains(#"headers = {X-Key = "***"}"#))
        #expect(try settings(shown).upstreams.map(\.key) == [.secret("***"), .secret("***")])
    }
}
