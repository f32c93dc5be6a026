import Chat
import FastCGI
import Testing

@testable import Settings
@testable import Sluice

extension Routes {
    /// Of a request for a model that has nothing else in it, and of no client.
    func route(for model: String?) throws(ChatError) -> Route {
        var body = [UInt8](#"{"messages":[{"role":"user","content":"Hi"}],"model":"#.utf8)
        if let model { body.appendJSONString(model) } else { body += Array("null".utf8) }
        let chat = try ChatRequest(body: body + [UInt8(ascii: "}")], depthMax: 64)
        guard let table = table(for: nil) else { throw .unknownRoute }
        return try table.route(for: chat, of: nil)
    }
}

/// Which of the models a request goes to by the web server's word, its client and its body.
@Suite struct RouteTableTests {
    private func model(
        _ match: String, name: String? = nil, client: String? = nil, _ values: [String: String] = [:]
    ) -> ModelSettings {
        var model = ModelSettings(match: ModelPattern(match), targets: [TargetSettings(upstream: "a")])
        model.name = name
        model.conditions = client.map { [ModelCondition(subject: .client, pattern: ModelPattern($0))] } ?? []
        for (path, pattern) in values {
            guard let path = RequestPath(path) else { continue }
            model.conditions.append(ModelCondition(subject: .value(path), pattern: ModelPattern(pattern)))
        }
        return model
    }

    private func routes(_ models: ModelSettings..., defaultModel: String? = nil) -> Routes {
        var settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", url: "http://a")], models: models)
        settings.defaultModel = defaultModel
        return Routes(settings)
    }

    private func chat(_ members: String = #""model":"m""#) throws -> ChatRequest {
        try ChatRequest(body: [UInt8](#"{"messages":[{"role":"user","content":"Hi"}],\#(members)}"#.utf8), depthMax: 64)
    }

    private func index(
        _ routes: Routes, _ name: String? = nil, _ client: String? = nil, _ members: String = #""model":"m""#
    ) throws -> Int {
        try #require(routes.table(for: name)).route(for: try chat(members), of: client).index
    }

    @Test func `a name sees its own models alone`() throws {
        let routes = routes(model("*", name: "a"), model("m", name: "b"), model("x*"), model("*", name: "b"))
        #expect(try index(routes, "a") == 0)
        #expect(try index(routes, "b") == 1)
        #expect(try index(routes, "b", nil, #""model":"x""#) == 3)
        #expect(try index(routes, nil, nil, #""model":"x""#) == 2)
        #expect(try index(routes, "", nil, #""model":"x""#) == 2)
        #expect(throws: ChatError.modelNotFound(known: [])) { try index(routes) }
    }

    @Test(arguments: ["c", "A", "a ", " a", "a\0", "*", "e\u{301}", String(repeating: "a", count: 129)])
    func `a name that no model has leads nowhere`(name: String) {
        let routes = routes(model("*"), model("*", name: "a"), model("*", name: "\u{E9}"))
        #expect(routes.table(for: name) == nil)
        #expect(routes.table(for: "\u{E9}") != nil)
    }

    @Test func `where all have names, a request without one leads nowhere`() {
        #expect(routes(model("*", name: "a")).table(for: nil) == nil)
        #expect(routes(model("*", name: "a")).table(for: "") == nil)
    }

    @Test func `the first whose conditions fit counts`() throws {
        let routes = routes(
            model("m", client: "acme*", ["call.assistantId": "a", "metadata.tenant": "t"]), model("m", ["call.assistantId": "a"]),
            model("m", client: "acme*"), model("*"))
        let call = #""model":"m","call":{"assistantId":"a"}"#
        #expect(try index(routes, nil, "acme-1", call + #","metadata":{"tenant":"t"}"#) == 0)
        #expect(try index(routes, nil, "acme-1", call) == 1)
        #expect(try index(routes, nil, "acme-1") == 2)
        #expect(try index(routes, nil, "other", call + #","metadata":{"tenant":"t"}"#) == 1)
        #expect(try index(routes, nil, "other") == 3)
        #expect(try index(routes) == 3)
    }

    @Test(arguments: [nil, String(repeating: "a", count: 129)] as [String?])
    func `a client without a name, or with one that is too long, fits no pattern`(client: String?) throws {
        #expect(try index(routes(model("*", client: "*"), model("*")), nil, client) == 1)
    }

    @Test func `a request that fits no conditions finds no model, and is told those of its own route`() throws {
        let routes = routes(
            model("one", client: "acme"), model("two"), model("three", ["a": "b"]), model("four", name: "x"), model("p-*"))
        #expect(throws: ChatError.modelNotFound(known: ["two", "three"])) { try index(routes, nil, "other") }
        #expect(throws: ChatError.modelNotFound(known: ["one", "two", "three"])) { try index(routes, nil, "acme") }
        #expect(throws: ChatError.modelNotFound(known: ["four"])) { try index(routes, "x", "acme") }
        var rule = ClientSettings(match: ModelPattern("acme"))
        rule.models = [ModelPattern("t*")]
        let table = try #require(routes.table(for: nil))
        #expect(throws: ChatError.modelNotFound(known: ["two", "three"])) { try table.route(for: try chat(), of: "acme", rule) }
        #expect(table.modelNames(for: "acme", rule) == ["two", "three"])
    }

    @Test func `a request without a model whose conditions fail is not told that it lacks one`() throws {
        #expect(throws: ChatError.modelNotFound(known: [])) { try index(routes(model("*", ["a": "b"])), nil, nil, #""n":1"#) }
        #expect(throws: ChatError.invalidParameter("model", .missing)) {
            try index(routes(model("m", ["a": "b"])), nil, nil, #""n":1"#)
        }
    }

    @Test func `the default is among the models of a route that has it`() throws {
        let routes = routes(
            model("gpt-*"), model("x", name: "a"), model("*", name: "b", client: "c"), model("d", name: "d"),
            model("d", name: "d", ["a": "b"]),
            defaultModel: "d")
        let names = { (name: String?, client: String?) in routes.table(for: name)?.modelNames(for: client, nil) }
        #expect(names(nil, nil) == [])
        #expect(names("a", nil) == ["x"])
        #expect(names("b", "c") == ["d"])
        #expect(names("b", nil) == [])
        #expect(names("d", nil) == ["d"])
        #expect(try index(routes, "d", nil, #""n":1"#) == 3)
    }

    @Test func `a model that a client finds by a pattern alone is among its models`() throws {
        let routes = routes(
            model("gpt-4o", client: "acme"), model("o3", client: "acme"), model("m", ["a": "b"]), model("gpt-*", client: "shop"),
            model("o?", ["a": "b"]))
        let table = try #require(routes.table(for: nil))
        #expect(table.modelNames(for: "acme", nil) == ["gpt-4o", "o3", "m"])
        #expect(table.modelNames(for: "shop", nil) == ["gpt-4o", "o3", "m"])
        #expect(table.modelNames(for: "kiosk", nil) == ["o3", "m"])
        #expect(table.modelNames(for: nil, nil) == ["o3", "m"])
        #expect(try index(routes, nil, "shop", #""model":"gpt-4o""#) == 3)
        var rule = ClientSettings(match: ModelPattern("shop"))
        rule.models = [ModelPattern("gpt-*")]
        #expect(table.modelNames(for: "shop", rule) == ["gpt-4o"])
    }

    @Test func `entries that differ in their conditions alone are numbered where they are told of, and others keep their names`()
    {
        let routes = routes(
            model("*", name: "other", client: "a"), model("gpt-*", name: "other", client: "a"), model("*", client: "a"),
            model("*", name: "other", ["a": "b"]), model("m", name: "other", client: "a"), model("*", name: "other"))
        #expect(routes.targets.map(\.route) == ["other:*#1", "other:gpt-*", "*", "other:*#2", "other:m", "other:*#3"])
    }

    @Test func `of many models no more are told than it takes`() throws {
        let models = (0..<20).map { model("m\($0)", name: "a") }
        var settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", url: "http://a")], models: models)
        settings.defaultModel = "m3"
        let table = try #require(Routes(settings).table(for: "a"))
        guard case .modelNotFound(let known) = table.notFound(for: nil, nil) else {
            Issue.record("another error")
            return
        }
        #expect(known == (0..<11).map { "m\($0)" })
        #expect(table.modelNames(for: nil, nil).count == 20)
    }

    @Test func `a table keeps its name, and not its neighbour's state, when a reload puts others before it`() {
        var first = model("*", name: "a")
        #expect(RouteBudgets(first).identity != RouteBudgets(model("*", name: "b")).identity)
        #expect(RouteBudgets(first).identity != RouteBudgets(model("*")).identity)
        #expect(RouteBudgets(first).identity == RouteBudgets(model("*", name: "a")).identity)
        first.conditions = model("*", client: "c").conditions
        #expect(RouteBudgets(first).identity != RouteBudgets(model("*", name: "a")).identity)
        #expect(routes(first, model("*")).targets.map(\.route) == ["a:*", "*"])
    }
}
