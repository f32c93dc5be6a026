import HTTPClient
import Testing

@testable import Settings

/// What callers hear while the model is silent: `filler`.
@Suite struct FillerSettingsTests {
    @Test func `a filler is said by the stream unless the platform is to say it`() throws {
        let settings = try settings(
            """
            filler = {texts = ["One moment."]}
            [upstreams.a]
            kind = "demo"
            [[models]]
            match = "own"
            [models.filler]
            texts = ["Wait."]
            by = "control"
            hosts = ["*.example.com", "localhost:8443"]
            timeout = "500ms"
            [[models]]
            match = "*"
            """)
        #expect(settings.filler?.speaker == .stream && settings.filler?.hosts.map(\.description) == ["*.vapi.ai"])
        let own = settings.models[0].filler
        #expect(own?.speaker == .control && own?.timeout == .milliseconds(500))
        #expect(own?.hosts.map(\.description) == ["*.example.com", "localhost:8443"])
        #expect(settings.asksPlatforms)
    }

    @Test(arguments: [
        (#"filler = {texts = ["a"], by = "control"}"#, "", true), (#"filler = {texts = ["a"]}"#, "", false),
        (#"filler = {texts = ["a"], by = "control"}"#, #"filler = {texts = ["b"]}"#, false), ("", "", false),
    ])
    func `the platform is asked where a model has it so`(all: String, own: String, isAsked: Bool) throws {
        let text = "\(all)\nupstreams.a = {kind = \"demo\"}\n[[models]]\nmatch = \"*\"\n\(own)"
        #expect(try settings(text).asksPlatforms == isAsked)
    }

    private static let mistakes = [
        Mistake("filler = {texts = ['a'], by = 'secret'}", #"1: filler.by must be "stream" or "control""#),
        Mistake("filler = {texts = ['a'], hosts = []}", "1: filler.hosts must be an array of 1 to 16 hosts"),
        Mistake("filler = {texts = ['a'], hosts = '*.vapi.ai'}", "1: filler.hosts must be an array of 1 to 16 hosts"),
        Mistake(
            "[filler]\ntexts = ['a']\nby = 'control'\nmark = 'vapi'\ntimeout = '61s'",
            #"4: filler.mark has no meaning with by = "control""#, "5: filler.timeout must be from 1ms to 1m"),
        Mistake(
            "filler = {texts = ['a'], hosts = ['https://secret.example/x']}",
            #"1: filler.hosts[0] must be a host, as "api.example.com", "*.example.com" or "10.0.0.1:8443""#),
        Mistake(
            "filler = {texts = ['a'], hosts = ['a.example.com', '*']}",
            #"1: filler.hosts[1] must be a host, as "api.example.com", "*.example.com" or "10.0.0.1:8443""#),
    ]

    @Test(arguments: mistakes)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test func `a platform that is asked needs the authorities too`() {
        let text = "authorities_file = 'ca.pem'\nfiller = {texts = ['a'], by = 'control'}\n[upstreams.a]\nkind = 'demo'"
        let problems = SettingsCase(text: text, files: ["dir/ca.pem": ""], tlsProblems: ["dir/ca.pem": "it is broken"]).problems
        #expect(problems == ["dir/sluice.toml:1: authorities_file cannot be used: it is broken"])
    }
}
