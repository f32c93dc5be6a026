import Foundation
import TestSupport
import Testing

/// The contract as a table: `Rule` says how to read it. Each rule goes through the real web server and the real program.
@Suite struct `The contract` {
    @Test(
        arguments: Chapter.all.flatMap { chapter in
            WebServer.selected.prefix(chapter.isOfWebServers ? WebServer.selected.count : 1).map { ($0, chapter) }
        })
    func `is kept, rule by rule`(server: WebServer, chapter: Chapter) async throws {
        let answer = Observed(Reply.silence)
        let upstream = try StubUpstream { _ in answer.value }
        let settings = "heartbeat = \"\(chapter.heartbeat)\"\n" + chapter.settings
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) { site in
            for rule in chapter.rules {
                answer.update { $0 = rule.answer }
                let before = upstream.requests.value.count
                let response = try await site.call(rule.call).ended()
                try check(rule, response)
                check(rule, upstream.requests.value.dropFirst(before))
            }
        }
    }

    @Test func `has a rule for everything`() {
        let names = Chapter.all.flatMap { chapter in chapter.rules.map { "\(chapter.title): \($0.name)" } }
        #expect(names.count >= 120)
        #expect(Set(names).count == names.count, "a name stands twice")
    }

    private func check(_ rule: Rule, _ requests: ArraySlice<UpstreamRequest>) {
        // Whoever asks for the models may have the upstream asked for its own, once for each worker.
        let chats = requests.filter { !($0.method == "GET" && $0.path == "/v1/models") }
        let requests = rule.mayComeTwice ? chats.suffix(1) : chats[...]
        #expect(requests.map(\.text) == (rule.upstreamGets.map { [$0] } ?? []), "\(rule.name)")
        guard let request = requests.first else { return }
        #expect(request.path == rule.upstreamPath, "\(rule.name)")
        for (name, value) in rule.upstreamFields { #expect(request.head[name] == value, "\(rule.name): \(name)") }
    }

    private func check(_ rule: Rule, _ response: Received) throws {
        let comment: Comment = "\(rule.name): \(response.status) \(response.text)"
        #expect(response.end == .complete, comment)
        switch rule.callerGets {
        case .same: expect(response, rule.answer.head?.status ?? 0, rule.answer.text, rule.answer.contentType, comment)
        case .stream(let text):
            #expect(shown(response, like: text) == text, comment)
            #expect(response.status == 200, comment)
            #expect(response.head?.contentType == Self.eventStream, comment)
        case .json(let status, let text):
            #expect(shown(response, like: text) == text, comment)
            #expect(response.status == status, comment)
            #expect(response.head?.contentType == "application/json", comment)
        case .says(let sentence):
            #expect(response.status == 200, comment)
            #expect(response.head?.contentType == Self.eventStream, comment)
            #expect(try sentence == said(in: response), comment)
            #expect(response.frames.last == Chunks.done, comment)
        case .error(let status, let type, let code, let param):
            #expect(response.status == status, comment)
            #expect(response.head?.contentType == "application/json", comment)
            expect(response.error, type, code, param, comment)
        case .brokenStream(let text, let type, let code):
            #expect(response.status == 200, comment)
            #expect(response.text.hasPrefix(text), comment)
            #expect(response.events.count == Received.events(of: text).count + 1, comment)
            expect(response.errorFrame, type, code, nil, comment)
            #expect(!response.text.contains("[DONE]"), comment)
        }
        for (name, value) in rule.callerFields { #expect(response.head?[name] == value, "\(rule.name): \(name)") }
        #expect(response.head?["X-Request-Id"]?.isEmpty == false, comment)
    }

    /// The content of all chunks, of a stream that ends by itself.
    private func said(in response: Received) throws -> String {
        struct Chunk: Decodable {
            struct Choice: Decodable {
                struct Delta: Decodable { let content: String? }
                let delta: Delta
                let finish_reason: String?
            }
            let choices: [Choice]
        }
        let chunks = try response.frames.dropLast().map {
            try JSONDecoder().decode(Chunk.self, from: Data($0.dropFirst("data: ".count).utf8))
        }
        #expect(chunks.last?.choices.first?.finish_reason == "stop")
        return chunks.flatMap(\.choices).compactMap(\.delta.content).joined()
    }

    /// The response's text, without the time of `created` where the expected one leaves that open.
    private func shown(_ response: Received, like text: String) -> String {
        guard text.contains("NUMBER") else { return response.text }
        return response.text.replacing(/"created":\d+/, with: #""created":NUMBER"#)
    }

    private static let eventStream = "text/event-stream; charset=utf-8"

    private func expect(_ response: Received, _ status: Int, _ text: String, _ type: String, _ comment: Comment) {
        #expect(response.status == status, comment)
        #expect(response.text == text, comment)
        #expect(response.head?.contentType == (type == "text/event-stream" ? Self.eventStream : type), comment)
    }

    private func expect(_ error: ErrorObject?, _ type: String, _ code: String?, _ param: String?, _ comment: Comment) {
        #expect(error?.type == type, comment)
        #expect(error?.code == code, comment)
        #expect(error?.param == param, comment)
        #expect(error?.message.isEmpty == false, comment)
    }
}
