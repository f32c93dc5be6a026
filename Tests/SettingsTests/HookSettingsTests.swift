import Chat
import HTTPClient
import Testing

@testable import Settings

/// What is asked before each turn: `hook`.
@Suite struct HookSettingsTests {
    @Test func `a hook is asked for all models, and a model's own in its place`() throws {
        let settings = try settings(
            """
            hook = {url = "http://127.0.0.1:9000/turn/"}
            [upstreams.a]
            kind = "demo"
            [[models]]
            match = "own"
            [models.hook]
            url = "unix:/run/hook.sock:/chat/completions"
            timeout = "1s"
            on_failure = "deny"
            send = "messages"
            headers = {Authorization = "Bearer ${KEY}"}
            [[models]]
            match = "quiet"
            hook = {url = "none"}
            [[models]]
            match = "*"
            """, environment: ["KEY": "k"])
        let hooks = settings.models.map { settings.hook(of: $0) }
        // Whole, as it is written.
        #expect(hooks.map { $0?.url } == ["unix:/run/hook.sock:/chat/completions", nil, "http://127.0.0.1:9000/turn/"])
        #expect(settings.hookURLs == ["http://127.0.0.1:9000/turn/", "unix:/run/hook.sock:/chat/completions"])
        #expect(hooks[0]?.timeout == .seconds(1) && hooks[0]?.onFailure == .deny && hooks[0]?.scope == .messages)
        #expect(hooks[0]?.headers == [UpstreamSettings.Header(name: "Authorization", value: "Bearer k")])
        #expect(hooks[2]?.timeout == .milliseconds(250) && hooks[2]?.onFailure == .pass && hooks[2]?.scope == .last)
    }

    private static let mistakes = [
        Mistake("hook = 'secret'", #"1: hook must be a table, as in hook = {url = "http://127.0.0.1:9000/turn"}"#),
        Mistake("hook = {timeout = '1s'}", "1: hook needs url: whom to ask"),
        Mistake(
            "hook = {url = 'localhost:9000'}",
            #"1: hook.url must be a URL like http://127.0.0.1:9000/turn or unix:/run/hook.sock:/turn, or "none""#),
        Mistake(
            "hook = {url = 'http://u:secret@h/x'}",
            "1: hook.url must not hold a user name or password; headers may say who asks"),
        Mistake("hook = {url = 'unix:a'}", "1: hook.url must name a socket by its absolute path, as unix:/run/vllm.sock"),
        Mistake(
            "hook = {url = 'http://h:99999'}",
            "1: hook.url must name a host, and as its port, if it has one, a number from 1 to 65535"),
        Mistake(
            "hook = {url = 'http://h/?secret'}", "1: hook.url must be a plain URL of ASCII without spaces, '?' and '#'"),
        Mistake(
            "[hook]\nurl = 'http://h'\ntimeout = '61s'\non_failure = 'stop'\nsend = 'first'",
            "3: hook.timeout must be from 1ms to 1m", #"4: hook.on_failure must be "pass" or "deny""#,
            #"5: hook.send must be "last" or "messages""#),
        Mistake(
            "[hook]\nurl = 'http://h'\nheaders = {Host = 'secret', traceparent = 'secret'}",
            "3: hook.headers.Host cannot be set; it comes from url",
            "3: hook.headers.traceparent cannot be set; Sluice sends its own"),
        Mistake(
            "[hook]\nurl = 'http://h'\ntimeout = '15s'",
            "3: hook.timeout leaves no time for an answer where the hook is late: timeout must be shorter than first_token"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [{upstream = 'demo', first_token = '200ms'}]\nhook = {url = 'http://h'}",
            "4: models[0].hook leaves no time for an answer where the hook is late: timeout must be shorter than first_token"),
    ]

    @Test(arguments: mistakes)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test func `a hook with TLS needs the authorities too, and one by a proxy the proxy`() {
        let text = "authorities_file = 'ca.pem'\nhook.url = 'https://h'\n[upstreams.a]\nkind = 'demo'"
        let files = ["dir/ca.pem": ""]
        #expect(SettingsCase(text: text, files: files).problems.isEmpty)
        let problems = SettingsCase(text: text, files: files, tlsProblems: ["dir/ca.pem": "it is broken"]).problems
        #expect(problems == ["dir/sluice.toml:1: authorities_file cannot be used: it is broken"])
        let proxied = SettingsCase(text: text, environment: ["https_proxy": "socks5://p"], files: files).problems
        #expect(proxied == ["https_proxy names a proxy that cannot be used: only http://HOST:PORT is understood"])
    }
}
