import Foundation
import TestSupport
import Testing

/// The official Python package, as most callers use it.
@Suite struct `The openai package` {
    private func seen(_ arguments: [String], in site: Site) async throws -> [[String: any Sendable]] {
        try await site.lines(of: "sdk.py", arguments).map(parsed)
    }

    private func parsed(_ line: String) throws -> [String: any Sendable] {
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: any Sendable] ?? [:]
    }

    @Test(arguments: WebServer.selected, ["stream", "async_stream"])
    func `sees a stream event by event`(server: WebServer, script: String) async throws {
        let words = ["Why", " did", " the", " chicken", "…"]
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(Chunks.stream(words), each: gate))
        try await Site.with(server, upstream: upstream) { site in
            let child = try Python.start("sdk.py", [script], site: site)
            for word in words {
                let line = try await ChildProcess.line(containing: quoted(word), in: child.output)
                #expect(try parsed(line)["content"] as? String == word)
                gate.open()
            }
            gate.open()
            #expect(try await child.exited() == .code(0), "\(child.errors.value.text)")
            try await child.output.wait(for: "the end of its output") { $0.ended }
            let lines = try child.output.value.lines.map(parsed)
            #expect(lines.count == words.count + 2)
            #expect(lines[words.count]["finish_reason"] as? String == "stop")
            #expect(lines.last?["end"] != nil)
        }
    }

    @Test(arguments: WebServer.selected, ["complete", "async_complete"])
    func `gets a whole completion`(server: WebServer, script: String) async throws {
        let upstream = try StubUpstream(.json(Chunks.completion("Because it could.")))
        try await Site.with(server, upstream: upstream) { site in
            let seen = try await seen([script], in: site)
            #expect(seen.first?["content"] as? String == "Because it could.")
            #expect(seen.first?["finish_reason"] as? String == "stop")
        }
    }

    /// What a status of the upstream becomes: the same with the upstream's words, or 503 when it speaks of our key or of itself.
    private static let statuses: [(upstream: Int, seen: Int, name: String)] = [
        (400, 400, "BadRequestError"), (401, 503, "InternalServerError"), (403, 503, "InternalServerError"),
        (404, 404, "NotFoundError"), (413, 413, "APIStatusError"), (422, 422, "UnprocessableEntityError"),
        (429, 429, "RateLimitError"), (500, 503, "InternalServerError"), (503, 503, "InternalServerError"),
    ]

    @Test(arguments: WebServer.selected)
    func `raises the error that belongs to the upstream's status`(server: WebServer) async throws {
        let upstream = try StubUpstream { request in
            let status = Self.statuses.map(\.upstream).first { request.text.contains("status \($0)") }!
            return .json(Chunks.error("upstream says no", type: "type_\(status)"), status: status)
        }
        try await Site.with(server, upstream: upstream) { site in
            let seen = try await seen(["errors"] + Self.statuses.map { "status \($0.upstream)" }, in: site)
            // Each is asked for with and without a stream, synchronously and not.
            try #require(seen.count == Self.statuses.count * 4)
            for (index, error) in seen.enumerated() {
                let (status, seen, name) = Self.statuses[index / 4]
                let isPassedOn = status == seen && status < 500
                #expect(error["error"] as? String == name, "status \(status)")
                #expect(error["status"] as? Int == seen, "status \(status)")
                #expect(error["type"] as? String == (isPassedOn ? "type_\(status)" : "upstream_error"))
                #expect((error["message"] as? String)?.contains("upstream says no") == true, "status \(status)")
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `raises the error that belongs to a refusal of Sluice's own`(server: WebServer) async throws {
        let expected: [(status: Int, name: String, param: String?)] = [
            (400, "BadRequestError", nil), (400, "BadRequestError", "messages"), (400, "BadRequestError", "messages[0].role"),
            (404, "NotFoundError", nil), (405, "APIStatusError", nil), (413, "APIStatusError", nil),
        ]
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream) { site in
            let seen = try await seen(["refusals"], in: site)
            try #require(seen.count == expected.count)
            for (error, (status, name, param)) in zip(seen, expected) {
                #expect(error["error"] as? String == name)
                #expect(error["status"] as? Int == status)
                #expect(error["type"] as? String == "invalid_request_error")
                #expect(error["param"] as? String == param)
                #expect((error["message"] as? String)?.isEmpty == false)
            }
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test(arguments: WebServer.selected, ["stream", "async_stream"])
    func `raises when a stream breaks off, with the reason`(server: WebServer, script: String) async throws {
        let upstream = try StubUpstream(Reply([.text(Chunks.role()), .text(Chunks.content("Hello")), .read, .reset]))
        try await Site.with(server, upstream: upstream) { site in
            let seen = try await seen([script], in: site)
            #expect(seen.first?["content"] as? String == "Hello")
            #expect(seen.last?["error"] as? String == "APIError")
            #expect(seen.last?["type"] as? String == "upstream_error")
            #expect((seen.last?["message"] as? String)?.isEmpty == false)
        }
    }

    @Test(arguments: WebServer.selected)
    func `hangs up and the upstream is closed`(server: WebServer) async throws {
        let more = Array(repeating: [Reply.Step.pause(.milliseconds(50)), .text(Chunks.content("more"))], count: 10_000)
        let upstream = try StubUpstream(Reply([.text(Chunks.role()), .text(Chunks.content("Hello"))] + more.flatMap { $0 }))
        try await Site.with(server, upstream: upstream) { site in
            let child = try Python.start("sdk.py", ["leave"], site: site)
            _ = try await ChildProcess.line(containing: "left", in: child.output)
            try await upstream.peerClosed()
            #expect(child.exit.value == nil)
        }
    }

    /// A 503 is tried again; the second answer is what the program gets.
    @Test(arguments: WebServer.selected)
    func `tries again when the service is unavailable`(server: WebServer) async throws {
        let asked = Observed(0)
        let upstream = try StubUpstream { _ in
            let number = asked.update { asked in
                asked += 1
                return asked
            }
            return number == 1 ? .raw(.close) : .json(Chunks.completion("Second try"))
        }
        try await Site.with(server, upstream: upstream) { site in
            let seen = try await seen(["retry"], in: site)
            #expect(seen.first?["content"] as? String == "Second try")
            #expect(upstream.requests.value.count == 2)
        }
    }

    @Test(arguments: WebServer.selected)
    func `raises for a token that nobody knows`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.silence)) { site in
            let child = try Python.start("sdk.py", ["complete"], site: site, token: "unknown")
            let line = try parsed(try await ChildProcess.line(containing: "error", in: child.output))
            #expect(line["error"] as? String == "AuthenticationError")
            #expect(line["status"] as? Int == 401)
            #expect(line["type"] as? String == "authentication_error")
        }
    }

    @Test(arguments: WebServer.selected, ["stream", "async_stream"])
    func `reads the demo upstream`(server: WebServer, script: String) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream, upstreamURL: "demo", environment: [:]) { site in
            let seen = try await seen([script], in: site)
            #expect(seen.filter { $0["content"] != nil }.count > 3)
            #expect(seen.last?["end"] != nil)
        }
    }
}
