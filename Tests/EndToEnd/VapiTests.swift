import Foundation
import TestSupport
import Testing

/// Everything that Vapi may post to a custom model, built with the types of its own SDK.
@Suite(.enabled(if: WebServer.selected.contains(.nginx))) struct `A request of Vapi's` {
    private struct Told: Decodable {
        let mode: String
        let call: String?
        let provider: String?
        /// The names of the body's members.
        let members: Set<String>
        /// How often the body holds the word that must not go anywhere.
        let `private`: Int
        /// The answer to the openai package.
        let content: [String]
        /// The answer to the same without `stream`.
        let type: String
        let text: String

        var textWithoutHeartbeats: String { text.replacing(": keep-alive\n\n", with: "") }
    }

    private static let words = ["Why", " did", " the", " chicken", "…"]
    private static let own: Set = ["model", "messages", "temperature", "max_tokens"]

    @Test func `streams, and nothing but the chat reaches the upstream or a log`() async throws {
        let upstream = try StubUpstream { request in
            do { return try request.answer(Self.words) } catch { return .json(Chunks.error("\(error)"), status: 400) }
        }
        try await Site.with(.nginx, upstream: upstream, options: ["--log-level", "trace"]) { site in
            let told: [Told] = try await site.told(by: "vapi_payloads.py")
            expectEveryKind(of: told)
            for line in told { expectAnswer(line) }
            #expect(upstream.requests.value.count == told.count * 2)
            for request in upstream.requests.value { try expectChatAlone(request) }
            try await expectNothingPrivate(in: site)
        }
    }

    private func expectEveryKind(of told: [Told]) {
        for mode in ["variable", "destructured"] {
            let lines = told.filter { $0.mode == mode }
            #expect(Set(lines.map(\.call)) == ["inboundPhoneCall", "outboundPhoneCall", "webCall", "vapi.websocketCall"])
            #expect(Set(lines.compactMap(\.provider)) == ["byo-phone-number", "twilio", "vonage", "vapi", "telnyx"])
            #expect(lines.allSatisfy { $0.members.isSuperset(of: ["call", "customer", "assistant"]) && $0.private > 10 })
            #expect(lines.allSatisfy { $0.members.contains("metadata") == (mode == "variable") })
            #expect(lines.allSatisfy { $0.members.contains("numModelRequestInTurn") == (mode == "destructured") })
        }
        #expect(told.filter { $0.mode == "off" }.map(\.members) == [Self.own])
    }

    /// In the mode `off` there is nothing of Vapi's in a request, so that without `stream` it is like anybody's.
    private func expectAnswer(_ line: Told) {
        let comment: Comment = "\(line.mode), \(line.call ?? "no call"), \(line.provider ?? "no number")"
        #expect(line.content == Self.words, comment)
        if line.mode == "off" {
            #expect(line.type == "application/json", comment)
            #expect(line.text == Chunks.completion(Self.words.joined()), comment)
        } else {
            #expect(line.type == "text/event-stream; charset=utf-8", comment)
            #expect(line.textWithoutHeartbeats == Chunks.stream(Self.words).joined(), comment)
        }
    }

    private func expectChatAlone(_ request: UpstreamRequest) throws {
        let body = try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any] ?? [:]
        #expect(Set(body.keys).subtracting(["stream", "stream_options"]) == Self.own, "\(request.text)")
        #expect(body["model"] as? String == "stub-1")
        #expect(body["temperature"] as? Double == 0.5)
        #expect(body["max_tokens"] as? Int == 250)
        #expect(try ChatBody(request).messages.map(\.content) == ["Be brief.", "Tell me a joke", nil])
        #expect(!request.text.contains("private"))
        #expect(!request.head.fields.contains { "\($0)".contains("private") })
    }

    /// All that Sluice and the web server have written, to their outputs and to files.
    private func expectNothingPrivate(in site: Site) async throws {
        try await eventually("a line for each call") {
            try site.directory.read("access.log").split(separator: "\n").count == site.upstream.requests.value.count
        }
        try await site.server.process.end()
        #expect(site.sluice.process.errors.value.text.contains("answered"))
        for process in [site.sluice.process, site.server.process] {
            #expect(!(process.output.value.text + process.errors.value.text).contains("private"), "\(process.name)")
        }
        let files = FileManager.default.enumerator(atPath: site.directory.path)?.compactMap { $0 as? String } ?? []
        for file in files where (try? FileManager.default.contentsOfDirectory(atPath: site.directory.path(file))) == nil {
            guard file != "sluice.sock" else { continue }
            #expect(!(try site.directory.read(file)).contains("private"), "\(file)")
        }
    }
}
