import Testing

@testable import Sluice

/// What shows of connections before there is one.
@Suite struct SettingsConnectionsTests {
    private func problems(_ text: String, _ environment: [String: String]) -> [String] {
        SettingsCase(text: text, environment: environment).problems
    }

    private let sentence = "names a proxy that cannot be used: only http://HOST:PORT is understood"

    @Test(
        arguments: ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], ["https://p:1", "socks5://u:secret@p:1"])
    func `a proxy of the environment that cannot be used is told once, by its variable alone`(name: String, value: String) {
        let text = "[upstreams.a]\nurl = 'https://a'\n[upstreams.b]\nurl = 'https://b'\n[[models]]\nmatch = '*'\ntargets = ['a']"
        #expect(problems(text, [name: value]) == ["\(name) \(sentence)"])
    }

    @Test func `it is told without a settings file too`() {
        #expect(problems("", ["OPENAI_API_KEY": "k", "HTTPS_PROXY": "socks5://p"]) == ["HTTPS_PROXY \(sentence)"])
    }

    @Test(arguments: [
        "url = 'https://a'\nproxy = 'none'", "url = 'https://a'\nproxy = 'http://proxy:1'", "url = 'http://127.0.0.1:8000'",
        "url = 'https://excepted'", "url = 'unix:/a'", "kind = 'demo'",
    ])
    func `one that nobody is asked through may be anything`(upstream: String) {
        #expect(problems("[upstreams.a]\n\(upstream)", ["ALL_PROXY": "socks5://p", "no_proxy": "excepted"]).isEmpty)
    }

    @Test(arguments: ["1.1", "2"], ["http", "https"])
    func `a proxy serves every version of HTTP, with TLS and without`(version: String, scheme: String) {
        let upstream = "[upstreams.a]\nhttp = '\(version)'\nurl = '\(scheme)://a'"
        #expect(problems(upstream, ["all_proxy": "http://p:1"]).isEmpty)
        #expect(problems("\(upstream)\nproxy = 'http://p:1'", [:]).isEmpty)
    }
}
