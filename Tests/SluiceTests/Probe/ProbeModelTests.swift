import Chat
import FastCGI
import Testing

@testable import Settings
@testable import Sluice

/// What `sluice-probe` says, and where it is.
@Suite struct ProbeModelTests {
    @Test(arguments: [
        ("Show your pace", 0), (ProbeModel.message(silence: .seconds(12)), 12_000), ("silence_ms=", 0), ("silence_ms=-5", 0),
        ("silence_ms=999999999999", 60_000), ("silence_ms=99999999999999999999999", 0),
    ])
    func `a message asks for a silence, within limits`(message: String, silence: Int) {
        #expect(ProbeModel.silence(askedBy: message) == .milliseconds(silence))
    }

    @Test(arguments: [0, 7, 950, 61_234, 999_999]) func `an event says when it was made`(milliseconds: Int) {
        var event = Array(#"data: {"choices":[{"delta":{"content":"\#(ProbeModel.texts[3])"}}]}"#.utf8)
        let count = event.count
        ProbeModel.stamp(&event, .milliseconds(milliseconds))
        #expect(event.count == count)
        #expect(ProbeModel.stamp(in: event) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "@", "@12345", "word", "@-12345", "a@bcdefg"]) func `other texts say nothing of that`(text: String) {
        #expect(ProbeModel.stamp(in: Array(text.utf8)) == nil)
    }

    @Test func `an event without room for it stays`() {
        var event = Array("data: [DONE]".utf8)
        ProbeModel.stamp(&event, .seconds(1))
        #expect(event == Array("data: [DONE]".utf8))
    }

    private func settings(_ models: [(name: String?, match: String)], hasProbe: Bool) -> Settings {
        var settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", url: "http://a")],
            models: models.map { name, match in
                var model = ModelSettings(match: ModelPattern(match), targets: [TargetSettings(upstream: "a")])
                model.name = name
                return model
            })
        settings.hasProbe = hasProbe
        return settings.withProbe
    }

    @Test func `it is there where it is wanted alone, ahead of other models, for each name of a route`() throws {
        let models: [(name: String?, match: String)] = [(nil, "*"), ("shop", "*"), ("shop", "gpt-4o")]
        let routes = Routes(settings(models, hasProbe: true))
        for name in [nil, "shop"] {
            let table = try #require(routes.table(for: name))
            let route = try table.route(for: chat(Settings.probeModel), of: nil)
            #expect(route.targets.map(\.upstreamName) == [Settings.probeUpstream])
            #expect(route.hook == nil && route.prompt == nil && route.filler?.countMax == 0)
            #expect(try table.route(for: chat("gpt-4o"), of: nil).targets.map(\.upstreamName) == ["a"])
        }
        #expect(routes.table(for: nil)?.modelNames(for: nil, nil) == [Settings.probeModel])
        #expect(routes.table(for: "other") == nil)
        let without = Routes(settings(models, hasProbe: false))
        #expect(try without.table(for: nil)?.route(for: chat(Settings.probeModel), of: nil).targets.map(\.upstreamName) == ["a"])
        #expect(without.table(for: nil)?.modelNames(for: nil, nil) == [])
        // Where no request without a name is served, none is.
        #expect(Routes(settings([("shop", "*")], hasProbe: true)).table(for: nil) == nil)
    }

    private func chat(_ model: String) throws -> ChatRequest {
        let body = #"{"model":"\#(model)","messages":[{"role":"user","content":"x"}]}"#
        return try ChatRequest(body: Array(body.utf8), depthMax: 64)
    }
}
