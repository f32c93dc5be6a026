import Foundation
import TestSupport
import Testing

/// The upstream that answers in process, without a key or a network.
@Suite struct `The demo upstream` {
    private func with(_ server: WebServer, _ test: (Site) async throws -> Void) async throws {
        try await Site.with(
            server, upstream: try StubUpstream(.silence), upstreamURL: "demo", environment: [:], test)
    }

    /// The parsed chunks of a stream that ended well.
    private func chunks(_ response: Received) throws -> [[String: Any]] {
        #expect(response.status == 200)
        #expect(response.frames.last == Chunks.done)
        return try response.frames.dropLast().map { frame in
            let json = try JSONSerialization.jsonObject(with: Data(frame.dropFirst("data: ".count).utf8))
            return try #require(json as? [String: Any])
        }
    }

    private func choice(_ chunk: [String: Any]) -> [String: Any] { (chunk["choices"] as? [[String: Any]])?.first ?? [:] }

    private func text(_ chunks: [[String: Any]]) -> [String] {
        chunks.compactMap { (choice($0)["delta"] as? [String: Any])?["content"] as? String }.filter { !$0.isEmpty }
    }

    @Test(arguments: Route.all)
    func `streams an answer word by word and says that it is a demo`(route: Route) async throws {
        try await with(route.server) { site in
            let response = try await site.call(referenceCall, over: route.client).ended()
            let chunks = try chunks(response)
            #expect(text(chunks).count > 3)
            #expect(choice(try #require(chunks.last))["finish_reason"] as? String == "stop")
            #expect(chunks.allSatisfy { $0["object"] as? String == "chat.completion.chunk" })
            let fields = try #require(response.head).fields.map { "\($0.name): \($0.value)" }
            #expect(fields.contains { $0.lowercased().contains("demo") }, "\(fields)")
        }
    }

    @Test(arguments: [
        ("", "write [upstreams.NAME] with its url and key into the settings file"),
        ("[upstreams.a]\nkind = \"demo\"", "write [upstreams.NAME] with its url and key into the settings file"),
        (nil, "set OPENAI_API_KEY or --upstream"),
    ])
    func `is told of in the log, with what to do where`(settings: String?, words: String) async throws {
        let directory = try TemporaryDirectory()
        let sluice = try await SluiceProcess(
            settings.map { .settings($0) } ?? .upstream("demo"), environment: [:], in: directory)
        let line = try await ChildProcess.line(containing: "the demo upstream answers", in: sluice.process.errors)
        #expect(line.contains(words), "\(line)")
        #expect(line.contains("\"file\":\"\(directory.path("sluice.toml"))\"") == (settings != nil), "\(line)")
        try await sluice.process.end()
    }

    @Test(arguments: WebServer.selected)
    func `honours max_tokens and include_usage`(server: WebServer) async throws {
        try await with(server) { site in
            let members = #","max_tokens":3,"stream_options":{"include_usage":true}"#
            let chunks = try chunks(try await site.call(chat("Tell me a joke", members: members)).ended())
            #expect(chunks.contains { choice($0)["finish_reason"] as? String == "length" })
            let usage = try #require(chunks.last?["usage"] as? [String: Any])
            #expect(usage["completion_tokens"] as? Int == 3)
        }
    }

    @Test(arguments: WebServer.selected)
    func `answers without a stream`(server: WebServer) async throws {
        try await with(server) { site in
            let response = try await site.call(chat("Tell me a joke", stream: false)).ended()
            let answer = try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
            #expect(answer?["object"] as? String == "chat.completion")
        }
    }

    @Test(arguments: WebServer.selected)
    func `calls a tool that the request brings`(server: WebServer) async throws {
        let tools = #","tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}]"#
        try await with(server) { site in
            let chunks = try chunks(try await site.call(chat("Call get_weather for Paris", members: tools)).ended())
            #expect(chunks.contains { (choice($0)["delta"] as? [String: Any])?["tool_calls"] != nil })
            #expect(chunks.contains { choice($0)["finish_reason"] as? String == "tool_calls" })
        }
    }

    @Test(arguments: WebServer.selected)
    func `serves when no key is set and no upstream named`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("sluice.sock")
        let sluice = try ChildProcess(SluiceProcess.binary, ["serve", "--listen", "unix:\(socket)"], in: directory)
        try await sluice.accepts { try Socket.connected(path: socket) }
        let running = try await RunningServer(server, socket: socket, in: directory)
        let response = try await HTTPStream.plain(referenceCall, port: running.plainPort).ended()
        #expect(try !chunks(response).isEmpty)
        #expect(sluice.errors.value.text.lowercased().contains("demo"))
        try await running.process.end()
        try await sluice.end()
    }
}
