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
        retries = 0
        retry_after_max = "0s"
        retry_budget = "100%"
        hedge_max = "0%"
        rest_after = 1
        rest_share = "1%"
        rest_for = "0s"
        rest_max = "1h"
        socket = {mode = "0600", group = "g", allowed_users = ["u", "v"]}
        limits.body = "1025B"
        timeouts.idle = "1500ms"
        [upstreams.b]
        url = "http://b/v1"
        key = "passthrough"
        parameters = {add = ["top_k", "min_p"], pass = "all"}
        obfuscation = true
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
        [upstreams.demo]
        kind = "demo"
        [[models]]
        match = "x-*"
        targets = [
            {upstream = "b", model = "$${Z}", weight = 2, set = {y = "$${W}", x = {v = 1}}, connect = "1ms", first_token = "2ms"},
            {upstream = "a", idle = "3ms", total = "4ms"},
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
        """#

    @Test func `is a settings file that gives the same settings again`() throws {
        let original = try settings(rich, environment: ["X": "${IN}\u{7F}"])
        #expect(try settings(original.text) == original)
        #expect(try settings(original.text).text == original.text)
    }

    @Test func `shows the defaults of an empty file`() throws {
        let original = try settings("")
        #expect(try settings(original.text) == original)
        let others = [
            "retries", "retry_after_max", "retry_budget", "hedge_max", "rest_after", "rest_share", "rest_for", "rest_max",
        ]
        for key in SettingsKeys.limits + SettingsKeys.timeouts + others { #expect(original.text.contains("\n\(key) = ")) }
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
