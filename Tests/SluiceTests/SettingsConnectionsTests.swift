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

    @Test func `HTTP2 by prior knowledge and a proxy exclude each other`() {
        let problem = #"upstreams.a.http = "2" without TLS goes through no proxy; set proxy = "none""#
        let upstream = "[upstreams.a]\nhttp = '2'\nurl = 'http://a'"
        #expect(problems(upstream, ["http_proxy": "http://p:1"]) == [problem])
        #expect(problems("\(upstream)\nproxy = 'http://p:1'", [:]) == [problem])
        #expect(problems("\(upstream)\nproxy = 'none'", ["http_proxy": "http://p:1"]).isEmpty)
        #expect(problems("[upstreams.a]\nhttp = '2'\nurl = 'https://a'", ["https_proxy": "http://p:1"]).isEmpty)
        #expect(problems("[upstreams.a]\nhttp = '1.1'\nurl = 'http://a'", ["http_proxy": "http://p:1"]).isEmpty)
    }
}
