import Chat
import FastCGI
import Testing

@testable import Settings
@testable import Sluice

@Suite struct RoutesTests {
    private func routes(_ models: [(match: String, upstream: String)], defaultModel: String? = nil) -> Routes {
        var settings = Settings(
            listen: [.inherited(0)], workers: 1,
            upstreams: [UpstreamSettings(name: "a", url: "http://a"), UpstreamSettings(name: "b", url: "http://b")],
            models: models.map { model in
                ModelSettings(match: ModelPattern(model.match), targets: [TargetSettings(upstream: model.upstream)])
            })
        settings.defaultModel = defaultModel
        return Routes(settings)
    }

    @Test(arguments: [
        ("gpt-4o-mini", "a"), ("gpt-4o", "b"), ("gpt-4o-mini-2024", "b"), ("o3", "a"), ("o0", "b"), ("", "b"), (nil, "b"),
        ("a/b", "b"),
    ])
    func `the first pattern that matches decides`(_ model: String?, upstream: String) throws {
        let routes = routes([("gpt-4o-mini", "a"), ("o[1-9]*", "a"), ("*", "b")])
        #expect(try routes.route(for: model).targets.map(\.upstreamName) == [upstream])
    }

    @Test func `a request without a model takes the default's route`() throws {
        let routes = routes([("gpt-4o-mini", "a"), ("*", "b")], defaultModel: "gpt-4o-mini")
        #expect(try routes.route(for: nil).targets.map(\.upstreamName) == ["a"])
    }

    @Test func `a model without a route is not found, and the known ones are named`() {
        let routes = routes([("gpt-4o-mini", "a"), ("llama*", "b")])
        #expect(throws: ChatError.modelNotFound(known: ["gpt-4o-mini"])) { try routes.route(for: "gpt-4o") }
        #expect(throws: ChatError.invalidParameter("model", .missing)) { try routes.route(for: nil) }
    }

    @Test func `a route has its targets in the settings' order, each with its own model`() throws {
        let route = try routes(
            [TargetSettings(upstream: "b", model: "x"), TargetSettings(upstream: "a"), TargetSettings(upstream: "b")]
        ).route(for: "m")
        #expect(route.targets.map(\.upstream) == [1, 0, 1])
        #expect(route.targets.map(\.upstreamName) == ["b", "a", "b"])
        #expect(route.targets.map { $0.model(for: "m") } == ["x", "m", "m"])
    }

    @Test func `a target's own values go over its model's`() throws {
        var edits = ParameterEdits()
        edits.set = [.init("seed", json: [UInt8]("1".utf8)), .init("top_p", json: [UInt8]("0.5".utf8))]
        let set = [ParameterEdits.Value("seed", json: [UInt8]("2".utf8))]
        let route = try routes([TargetSettings(upstream: "a", set: set), TargetSettings(upstream: "b")], edits).route(for: "m")
        let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],"seed":3}"#
        let request = try ChatRequest(body: [UInt8](body.utf8), depthMax: 64)
        let bodies = route.targets.map {
            String(decoding: request.upstreamBody($0.rules(for: request).upstream).bytes, as: UTF8.self)
        }
        #expect(bodies.map { $0.contains(#""seed":2"#) } == [true, false])
        #expect(bodies.map { $0.contains(#""seed":1"#) } == [false, true])
        #expect(bodies.allSatisfy { $0.contains(#""top_p":0.5"#) && !$0.contains(#""seed":3"#) })
    }

    @Test func `a target's timeouts go before its model's, and those before all others`() throws {
        let own = Settings.Timeouts.Own(firstToken: .seconds(2), idle: .seconds(4))
        let route = try routes(
            [TargetSettings(upstream: "a", timeouts: .init(connect: .seconds(1), firstToken: .seconds(3)))], timeouts: own
        ).route(for: "m")
        var expected = Settings.Timeouts()
        (expected.connect, expected.firstToken, expected.idle) = (.seconds(1), .seconds(3), .seconds(4))
        #expect(route.targets.map(\.timeouts) == [expected])
    }

    private func routes(
        _ targets: [TargetSettings], _ edits: ParameterEdits = ParameterEdits(), timeouts: Settings.Timeouts.Own = .init()
    ) -> Routes {
        Routes(
            Settings(
                listen: [.inherited(0)], workers: 1,
                upstreams: [UpstreamSettings(name: "a", url: "http://a"), UpstreamSettings(name: "b", url: "http://b")],
                models: [ModelSettings(match: ModelPattern("*"), targets: targets, edits: edits, timeouts: timeouts)]))
    }

    @Test(arguments: [
        ("gpt-5", true), ("gpt-5-mini", true), ("gpt-5.1", true), ("gpt-5-chat-latest", false), ("o1", true), ("o3-mini", true),
        ("o4-mini-2025-04-16", true), ("o0", nil), ("omni-moderation", nil), ("gpt-4o", nil), ("my-gpt-5", nil),
    ])
    func `the shipped edits are for reasoning models`(_ model: String, dropsTemperature: Bool?) {
        let edits = ShippedPattern.of(model)?.edits(isReasoning: true).edits
        #expect(edits?.dropped.contains("temperature") == dropsTemperature)
        #expect(edits?.dropped.contains("stop") == dropsTemperature)
        #expect(edits?.renamed.isEmpty == dropsTemperature.map { _ in false })
    }

    @Test(arguments: [("gpt-5.1", true), ("gpt-5.2-mini", true), ("gpt-5", false), ("gpt-5-nano", false), ("o3", false)])
    func `models from GPT-5_1 on take a temperature while they do not reason`(_ model: String, takesTemperature: Bool) {
        let edits = ShippedPattern.of(model)?.edits(isReasoning: false).edits
        #expect(edits?.dropped.contains("temperature") == !takesTemperature)
        #expect(edits?.dropped.contains("stop") == true)
    }

    @Test(
        arguments: [
            (#","reasoning_effort":"low""#, nil, false), (#","reasoning_effort":"none""#, nil, true), ("", nil, true),
            (#","reasoning_effort":"low""#, #""none""#, true), ("", #""high""#, false),
        ] as [(String, String?, Bool)])
    func `the effort that counts is the one that goes out`(_ members: String, settings: String?, takesTemperature: Bool) throws {
        var edits = ParameterEdits()
        edits.set = settings.map { [.init("reasoning_effort", json: [UInt8]($0.utf8))] } ?? []
        var upstream = UpstreamSettings(name: "a", url: "http://a")
        upstream.kind = .openai
        let model = ModelSettings(
            match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")], edits: edits, timeouts: .init())
        let target = try Routes(Settings(listen: [.inherited(0)], workers: 1, upstreams: [upstream], models: [model])).route(
            for: "m"
        ).targets[0]
        let body = #"{"model":"gpt-5.1","messages":[{"role":"user","content":"x"}],"temperature":0.5\#(members)}"#
        let request = try ChatRequest(body: [UInt8](body.utf8), depthMax: 64)
        let sent = String(decoding: request.upstreamBody(target.rules(for: request).upstream).bytes, as: UTF8.self)
        #expect(sent.contains("temperature") == takesTemperature)
    }

    @Test(arguments: [
        (#"{"type":"json_object"}"#, false), (#"{"type":"text"}"#, true), ("{}", false), ("\"x\"", false),
    ]) func `JSON that the settings ask for is not spoken`(format: String, isSpoken: Bool) throws {
        var target = TargetSettings(upstream: "a")
        target.set = [.init("response_format", json: [UInt8](format.utf8))]
        var settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", url: "http://a")],
            models: [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a"), target])])
        settings.speech = [.markdown]
        settings.filler = FillerSettings()
        (settings.onCut, settings.spokenCut) = (.speak, "Sorry.")
        let route = try Routes(settings).route(for: "m")
        #expect((route.speech == [.markdown]) == isSpoken)
        #expect((route.filler != nil) == isSpoken)
        #expect((route.cutSentence != nil) == isSpoken)
    }

    @Test func `many stars in a pattern cost nothing worth speaking of`() {
        let pattern = ModelPattern(String(repeating: "*a", count: 20) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 256)))
    }
}
