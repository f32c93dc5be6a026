import Testing

@testable import Sluice

/// The URLs by which a deployment is asked.
@Suite struct ProbeTargetTests {
    @Test(arguments: [
        "https://host.example/v1", "https://host.example/v1/", "https://host.example/v1/chat/completions",
        "https://host.example/v1/chat/completions/chat/completions/",
    ])
    func `a base URL may have what callers append`(url: String) throws {
        let target = try ProbeTarget(url, token: "secret")
        #expect(target.completions() == "https://host.example/v1/chat/completions")
        #expect(target.shown == "https://host.example/v1/chat/completions")
        #expect(target.models == "https://host.example/v1/models")
        #expect(target.status == "https://host.example/sluice/status?json&full")
        #expect(
            target.variants.map(\.url) == [
                "https://host.example/chat/completions", "https://host.example/v1/chat/completions/",
                "https://host.example/v1//chat/completions", "https://host.example/v1/chat/completions/chat/completions",
            ])
        #expect(target.isSecure && target.hasToken && !target.isLocal)
    }

    @Test func `a host alone is asked with and without the version too`() throws {
        let target = try ProbeTarget("http://127.0.0.1:8080", token: nil)
        #expect(target.completions() == "http://127.0.0.1:8080/chat/completions")
        #expect(target.variants[0].url == "http://127.0.0.1:8080/v1/chat/completions")
        #expect(!target.isSecure && !target.hasToken && target.isLocal)
    }

    @Test func `a token in the path is not shown, and is left out or wrong where it is to be`() throws {
        let target = try ProbeTarget("https://host.example/v/secret/v1", token: nil)
        #expect(target.hasToken)
        #expect(target.completions() == "https://host.example/v/secret/v1/chat/completions")
        #expect(target.shown == "https://host.example/v/TOKEN/v1/chat/completions")
        #expect(target.completions(.none) == "https://host.example/v1/chat/completions")
        #expect(target.completions(.wrong) == "https://host.example/v/sluice-probe-wrong-token/v1/chat/completions")
        #expect(target.headers(.right).isEmpty && target.headers(.wrong).isEmpty && target.headers(.none).isEmpty)
    }

    @Test(arguments: [
        "//v/secret/v1", "/./v/secret/v1", "/x/../v/secret/v1", "/v//secret/v1", "/v/./secret//v1/", "/%76/secret/v1",
        "/%2e/v/secret/v1", "/v/%73ecret/v1", "///v/secret/./v1//chat/completions",
    ])
    func `a token in the path is seen however the path is written`(path: String) throws {
        let target = try ProbeTarget("https://host.example" + path, token: nil)
        #expect(target.hasTokenInPath && target.shown == "https://host.example/v/TOKEN/v1/chat/completions")
        #expect(target.completions() == "https://host.example/v/secret/v1/chat/completions")
        #expect(target.completions(.none) == "https://host.example/v1/chat/completions")
    }

    @Test(arguments: [
        ("https://host.example", "/chat/completions"), ("https://host.example/..", "/chat/completions"),
        ("https://host.example/a%20b/v1", "/a%20b/v1/chat/completions"), ("https://host.example/a//b", "/a/b/chat/completions"),
    ])
    func `other paths stay what they are`(url: String, path: String) throws {
        #expect(try ProbeTarget(url, token: nil).completions() == "https://host.example" + path)
    }

    @Test func `a token goes along as Bearer`() throws {
        let target = try ProbeTarget("https://host.example/v1", token: "secret")
        #expect(target.headers(.right).map(\.value) == ["Bearer secret"])
        #expect(target.headers(.wrong).map(\.value) == ["Bearer sluice-probe-wrong-token"])
        #expect(target.headers(.none).isEmpty)
    }

    @Test(arguments: [
        ("secret vapi;\nother elevenlabs;\n", "secret" as String?), ("secret", "secret"), ("secret;", "secret"),
        ("# TOKEN NAME;\n#\n# old vapi;\n\nsecret vapi;\n", "secret"), ("\n  \t\r\n  secret\tvapi;\r\n", "secret"), ("", nil),
        ("# TOKEN NAME;\n\n#secret vapi;\n", nil), (" \n\n;\n", nil),
    ])
    func `a file's token is the first that no comment has`(text: String, token: String?) {
        #expect(ProbeTarget.token(inFile: Array(text.utf8)) == token)
    }

    @Test(arguments: [
        ("http://host.example:8443/v1", "https://host.example:8443/v1/chat/completions"),
        ("http://[::1]:8443/v/secret/v1", "https://[::1]:8443/v1/chat/completions"),
        ("http://host.example/v1", nil), ("http://[::1]/v1", nil), ("https://host.example:8443/v1", nil),
    ])
    func `the same port may be asked by TLS, without the token`(url: String, overTLS: String?) throws {
        #expect(try ProbeTarget(url, token: "secret").completionsOverTLS == overTLS)
    }

    @Test(arguments: [
        ("http://localhost:1/v1", true), ("http://[::1]:1/v1", true), ("http://127.8.9.1/v1", true),
        ("http://LOCALHOST:1/v1", true), ("http://localhost./v1", true), ("http://127.0.0.1", true),
        ("http://localhost.example/v1", false), ("http://10.0.0.1/v1", false), ("http://127.example.com/v1", false),
        ("http://127.0.0.1.example.com/v1", false), ("http://127.0.0.256/v1", false), ("http://[::2]:1/v1", false),
    ])
    func `this machine is known by its names`(url: String, isLocal: Bool) throws {
        #expect(try ProbeTarget(url, token: nil).isLocal == isLocal)
    }

    @Test(arguments: [
        "", "host.example/v1", "ftp://host.example", "unix:/run/x.sock", "https://", "https://host.example/v1?a=b",
        "https://host.example/#x", "https://host.example/v%2Fsecret/v1", "https://host.example/v%2fsecret/v1",
        "https://user:secret@host.example/v1", "https://host.example:0/v1", "https://ho st/v1",
    ])
    func `other URLs are refused without being repeated`(url: String) {
        do throws(ProbeTarget.Problem) {
            _ = try ProbeTarget(url, token: nil)
            Issue.record("taken")
        } catch {
            #expect(!error.reason.contains("secret"))
        }
    }
}
