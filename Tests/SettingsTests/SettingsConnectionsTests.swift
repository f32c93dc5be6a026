import HTTPClient
import Testing

@testable import Settings

/// What shows of connections before there is one.
@Suite struct SettingsConnectionsTests {
    private func problems(_ text: String, _ environment: [String: String]) -> [String] {
        SettingsCase(text: text, environment: environment).problems
    }

    private let sentence = "names a proxy that cannot be used: only http://HOST:PORT is understood"

    @Test(
        arguments: ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], ["https://p:1", "socks5://u:secret@p:1"])
    func `a proxy of the environment that cannot be used is told once, by its variable alone`(name: String, value: String) {
        let upstreams = "[upstreams.a]\nurl = 'https://a'\n[upstreams.b]\nurl = 'https://b'\n"
        let text = upstreams + "[[models]]\nmatch = '*'\ntargets = ['a', 'b']"
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

    private let files = ["dir/a.pem": "", "dir/a.key": "", "dir/b.pem": "", "dir/ca.pem": ""]

    @Test func `files that TLS cannot use are all told, each where the file names it`() {
        let text = """
            authorities_file = 'ca.pem'
            [upstreams.a]
            kind = 'compatible'
            url = 'https://a'
            certificate = 'a.pem'
            certificate_key = 'a.key'
            [upstreams.b]
            kind = 'compatible'
            url = 'https://b'
            certificate = 'b.pem'
            certificate_key = 'b.pem'
            [upstreams.c]
            kind = 'compatible'
            url = 'https://c'
            [[models]]
            match = '*'
            targets = ['a', 'b', 'c']
            """
        let problems = SettingsCase(
            text: text, files: files,
            tlsProblems: ["dir/ca.pem": "authorities are empty", "dir/a.key": "the key is none", "dir/b.pem": "it is locked"]
        ).problems
        #expect(
            problems == [
                "dir/sluice.toml:1: authorities_file cannot be used: authorities are empty",
                "dir/sluice.toml:5: upstreams.a.certificate cannot be used: the key is none",
                "dir/sluice.toml:10: upstreams.b.certificate cannot be used: it is locked",
            ])
    }

    private let certified =
        "[upstreams.a]\nkind = 'compatible'\nurl = 'https://a'\ncertificate = 'a.pem'\ncertificate_key = 'a.key'"

    @Test(arguments: [
        (CertificateValidity(notBefore: 0, notAfter: 1_577_923_200), "names a certificate that expired at 2020-01-02T00:00:00Z"),
        (
            CertificateValidity(notBefore: 253_402_214_400, notAfter: 253_402_300_799),
            "names a certificate that is not valid before 9999-12-31T00:00:00Z"
        ),
    ])
    func `a certificate that is not valid now is a warning, told beside mistakes too`(
        validity: CertificateValidity, words: String
    ) throws {
        var settings = SettingsCase(text: certified, files: files, validities: ["dir/a.pem": validity])
        let sentence = "dir/sluice.toml:4: upstreams.a.certificate \(words)"
        #expect(try settings.loaded().warnings == [sentence])
        settings.text = certified + "\nwarm = -1"
        #expect(settings.problems.first == "warning: \(sentence)")
        #expect(settings.problems.count == 2)
    }

    @Test func `one that is valid now is none`() throws {
        let validity = CertificateValidity(notBefore: 0, notAfter: 253_402_300_799)
        #expect(try SettingsCase(text: certified, files: files, validities: ["dir/a.pem": validity]).loaded().warnings == [])
        #expect(try SettingsCase(text: certified, files: files).loaded().warnings == [])
    }

    @Test func `a key that cannot be read is told once, not as a certificate without one too`() {
        let text = "[upstreams.a]\nkind = 'compatible'\nurl = 'https://a'\ncertificate = 'a.pem'\ncertificate_key = 'absent'"
        let problems = SettingsCase(text: text, files: files, tlsProblems: ["dir/a.pem": "there is no key in it"]).problems
        #expect(
            problems == [
                "dir/sluice.toml:5: upstreams.a.certificate_key names a file that cannot be read: No such file or directory"
            ])
    }

    @Test(arguments: ["", "[upstreams.a]\nkind = 'compatible'\nurl = 'https://a'"])
    func `authorities of the environment that cannot be used are told by the variable's name`(text: String) {
        let problems = SettingsCase(
            text: text, environment: ["SSL_CERT_FILE": "/ca", "OPENAI_API_KEY": "k"], tlsProblems: ["/ca": "it is empty"]
        ).problems
        #expect(problems == ["SSL_CERT_FILE cannot be used: it is empty"])
    }

    @Test func `files that nothing with TLS needs may be anything`() {
        let text = "authorities_file = 'ca.pem'\n[upstreams.a]\nkind = 'compatible'\nurl = 'http://a'"
        #expect(SettingsCase(text: text, files: files, tlsProblems: ["dir/ca.pem": "it is empty"]).problems.isEmpty)
    }
}
