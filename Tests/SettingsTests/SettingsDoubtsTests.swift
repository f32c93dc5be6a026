import Testing

@testable import Settings

/// What each value by itself may say, and what together probably does not do what somebody wants.
@Suite struct SettingsDoubtsTests {
    private static func upstream(_ url: String, _ more: String = "key = 'k'") -> String {
        "[upstreams.a]\nkind = 'compatible'\nurl = '\(url)'\n\(more)\n"
    }

    private static func warnings(_ text: String) throws -> [String] { try SettingsCase(text: text).loaded().warnings }

    @Test(arguments: [
        "http://api.example.com/v1", "http://api.openai.com/v1", "http://8.8.8.8/v1", "http://172.32.0.1/v1",
        "http://[2001:db8::1]:8000/v1", "http://localhost.example.com", "http://API.EXAMPLE.COM:80",
    ])
    func `a key that goes to anybody's host in the clear is a warning`(url: String) throws {
        let words = "begins with http://, so that keys go over the network in the clear: let it begin with https://"
        #expect(try Self.warnings(Self.upstream(url)) == ["dir/sluice.toml:3: upstreams.a.url \(words)"])
        #expect(try Self.warnings(Self.upstream(url, "key = 'passthrough'")).count == 1)
        #expect(try Self.warnings(Self.upstream(url, "")) == [])
    }

    @Test(arguments: [
        "https://api.example.com/v1", "http://localhost:8000/v1", "http://127.0.0.1:8000", "http://[::1]:8000/v1",
        "http://10.1.2.3/v1",
        "http://172.31.255.255", "http://192.168.0.7:8000/v1", "http://[fd00::7]/v1", "http://vllm:8000/v1", "http://gpu.lan/v1",
        "http://vllm.default.svc.cluster.local", "http://llm.example.internal/v1", "unix:/run/vllm.sock:/v1",
        "http://vllm.default.svc:8000/v1",
        "http://localhost.:8000/v1",
    ])
    func `a key that stays in its own network, or under TLS, is none`(url: String) throws {
        #expect(try Self.warnings(Self.upstream(url)) == [])
    }

    @Test(arguments: [
        ("https://api.openai.com", "", true), ("https://eu.api.openai.com:443/", "", true),
        ("https://api.openai.com/v1", "", false),
        ("https://api.openai.com", "path = '/v1/chat/completions'", false), ("https://example.com", "", false),
    ])
    func `OpenAI's API without its version is a warning`(url: String, more: String, isWarned: Bool) throws {
        let text = "[upstreams.a]\nurl = '\(url)'\nkey = 'k'\n\(more)"
        let words = "ends with its host: OpenAI's API begins at https://api.openai.com/v1"
        #expect(try Self.warnings(text) == (isWarned ? ["dir/sluice.toml:2: upstreams.a.url \(words)"] : []))
    }

    @Test func `all that is doubtful of a URL is told`() throws {
        let warnings = try Self.warnings("[upstreams.a]\nurl = 'http://api.openai.com'\nkey = 'k'")
        #expect(warnings == Self.doubtsOfOpenAI.map { "dir/sluice.toml:2: upstreams.a.url \($0)" })
    }

    private static let doubtsOfOpenAI = [
        "begins with http://, so that keys go over the network in the clear: let it begin with https://",
        "ends with its host: OpenAI's API begins at https://api.openai.com/v1",
    ]

    @Test func `the environment's URL and the command line's are looked at as a file's`() throws {
        let environment = ["OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://api.openai.com/"]
        func warnings(_ environment: [String: String], upstream: String? = nil) throws -> [String] {
            try SettingsCase(text: "", environment: environment, options: SettingsOptions(upstream: upstream)).loaded().warnings
        }
        #expect(try warnings(environment) == Self.doubtsOfOpenAI.map { "OPENAI_BASE_URL \($0)" })
        #expect(
            try warnings(environment, upstream: "https://api.openai.com") == ["--upstream \(Self.doubtsOfOpenAI[1])"])
        #expect(try warnings(environment, upstream: "demo") == [])
        #expect(try warnings(["OPENAI_API_KEY": "k"]) == [])
        #expect(try warnings(["OPENAI_BASE_URL": "http://llm.example.com/v1"]) == [])
    }

    @Test(arguments: [
        ("timeouts.first_token = '30m'\ntimeouts.total = '15m'", "1: timeouts.first_token", "15m"),
        ("timeouts.first_token = '11m'", "1: timeouts.first_token", "10m"),
        ("[[models]]\nmatch = '*'\ntimeouts = {first_token = '2m', total = '1m'}", "3: models[0].timeouts.first_token", "1m"),
        (
            "timeouts.total = '20s'\n[[models]]\nmatch = '*'\ntargets = [{upstream = 'demo', first_token = '21s'}]",
            "4: models[0].targets[0].first_token", "20s"
        ),
    ])
    func `a first token that may take longer than all of the answer is a warning`(
        text: String, place: String, total: String
    ) throws {
        let words = "is longer than total, \(total), which ends a request before"
        #expect(try Self.warnings(text) == ["dir/sluice.toml:\(place) \(words)"])
    }

    @Test(arguments: [
        "timeouts.total = '5s'", "timeouts = {first_token = '1m', total = '1m'}",
        "timeouts.total = '5s'\n[[models]]\nmatch = '*'\ntimeouts = {first_token = '6s', total = '7s'}",
    ])
    func `a first token that is told no longer than that is none`(text: String) throws {
        #expect(try Self.warnings(text) == [])
    }

    private static let models = "[[models]]\nmatch = 'gpt-*'\n[[models]]\nmatch = 'o3'\nname = 'shop'\n"

    @Test func `a model of a client's that there is not is a warning, and what a pattern may fit is none`() throws {
        let patterns = "'o*', 'g*', '*', 'gpt-5*', '?3', 'gpt-[45]', '*-mini'"
        let text =
            Self.models + "[clients.a]\nmodels = ['gpt-5', 'o3',\n 'zzz', 'zz*', 'o4*']\n[clients.b]\nmodels = [\(patterns)]"
        let place = "dir/sluice.toml:8: clients.a.models"
        let models = "models that no match of [[models]] fits: its callers get 404 for them"
        #expect(
            try Self.warnings(text) == [
                "\(place)[2] names a model that no match of [[models]] fits: its callers get 404 for it",
                "\(place)[3] names \(models)", "\(place)[4] names \(models)",
            ])
        #expect(try Self.warnings("[clients.a]\nmodels = ['zzz']") == [])
    }

    @Test(arguments: [(1, true), (1023, true), (1024, false)])
    func `a day of tokens that has no room for a request without max_tokens is a warning`(tokens: Int, isWarned: Bool) throws {
        let words = """
            is less than a request without max_tokens needs, 1024 and its prompt, so that each of these gets 429: set more, or have \
            callers send a max_tokens
            """
        let warnings = try Self.warnings("[clients.a]\nconcurrent = 1\ntokens_per_day = \(tokens)")
        #expect(warnings == (isWarned ? ["dir/sluice.toml:3: clients.a.tokens_per_day \(words)"] : []))
    }

    @Test func `an upstream that nothing goes to is a warning`() throws {
        let upstreams = Self.upstream("https://a") + "[upstreams.b]\nkind = 'demo'\n"
        let text = upstreams + "[[models]]\nmatch = '*'\ntargets = ['a']"
        let words = "stands in no targets of [[models]]: no request goes there"
        #expect(try Self.warnings(text) == ["dir/sluice.toml:5: upstreams.b \(words)"])
        #expect(try Self.warnings(upstreams + "[[models]]\nmatch = '*'\ntargets = ['a', 'b']") == [])
        #expect(try Self.warnings(Self.upstream("https://a")) == [])
    }
}
