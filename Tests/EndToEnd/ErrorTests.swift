import TestSupport
import Testing

/// What happens at the upstream before the first event, and what the caller gets for it.
struct Failure: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let reply: Reply
    let status: Int
    let type: String

    init(_ description: String, _ reply: Reply, status: Int = 503, type: String = "upstream_error") {
        testDescription = description
        self.reply = reply
        self.status = status
        self.type = type
    }

    /// Statuses that speak of the caller's request come through with the upstream's own object.
    static let passedOn = [400, 404, 413, 422, 429].map { status in
        Failure(
            "status \(status)", .json(Chunks.error("upstream says \(status)", type: "type_\(status)", code: "c"), status: status),
            status: status, type: "type_\(status)")
    }

    /// Those that speak of our key or of the upstream's own state say nothing about the caller.
    static let ours = [401, 403, 500, 502, 503, 504, 529].map { status in
        Failure("status \(status)", .json(Chunks.error("upstream says \(status)"), status: status))
    }

    static let broken = [
        Failure("closed without a word", .raw(.close)),
        Failure("reset without a word", .raw(.reset)),
        Failure("garbage", .raw(.text("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n"), .close)),
        Failure("half a head", .raw(.text("HTTP/1.1 200 OK\r\nContent-Ty"), .close)),
        Failure("cut after the head", Reply([.close])),
        Failure("cut in the first event", Reply([.text("data: {\"choi"), .close])),
        Failure("an empty stream", Reply([])),
        Failure(
            "an HTML page for an error", Reply(status: 502, contentType: "text/html", framing: .contentLength, [.text("<h1>")])),
    ]
}

@Suite struct `An upstream that fails before the first event` {
    /// Runs each failure through one site, streaming or not.
    private func expect(_ failures: [Failure], from server: WebServer, stream: Bool) async throws {
        let upstream = try StubUpstream { request in
            failures.first { request.text.contains("<\($0.testDescription)>") }!.reply
        }
        try await Site.with(server, upstream: upstream) { site in
            for failure in failures {
                let response = try await site.call(chat("<\(failure.testDescription)>", stream: stream)).ended()
                let comment: Comment = "\(failure.testDescription): \(response.text)"
                #expect(response.status == failure.status, comment)
                #expect(response.head?.contentType == "application/json", comment)
                #expect(response.error?.type == failure.type, comment)
                #expect(response.error?.message.isEmpty == false, comment)
            }
        }
    }

    @Test(arguments: WebServer.selected, [true, false])
    func `has its word about the request passed on`(server: WebServer, stream: Bool) async throws {
        try await expect(Failure.passedOn, from: server, stream: stream)
    }

    @Test(arguments: WebServer.selected, [true, false])
    func `has its own trouble shown as an unavailable service`(server: WebServer, stream: Bool) async throws {
        try await expect(Failure.ours, from: server, stream: stream)
    }

    @Test(arguments: WebServer.selected, [true, false])
    func `is an unavailable service when it breaks off`(server: WebServer, stream: Bool) async throws {
        try await expect(Failure.broken, from: server, stream: stream)
    }

    @Test(arguments: WebServer.selected)
    func `keeps its own object`(server: WebServer) async throws {
        let object = Chunks.error("Invalid 'messages[0].role'", type: "invalid_request_error", code: "invalid_value")
        let upstream = try StubUpstream(.json(object, status: 400))
        try await Site.with(server, upstream: upstream) { site in
            let error = try await site.call(chat()).ended().error
            #expect(error?.message == "Invalid 'messages[0].role'")
            #expect(error?.code == "invalid_value")
        }
    }

    @Test(arguments: WebServer.selected)
    func `does not have our key shown`(server: WebServer) async throws {
        let upstream = try StubUpstream(.json(Chunks.error("Incorrect API key provided: sk-stub"), status: 401))
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 503)
            #expect(!response.text.contains("sk-stub"))
            #expect(!site.sluice.process.errors.value.text.contains("sk-stub"))
            #expect(try await upstream.request().head["Authorization"] == "Bearer sk-stub")
        }
    }

    @Test(arguments: WebServer.selected)
    func `has its limits and request id come through and nothing else`(server: WebServer) async throws {
        let fields = [
            ("Retry-After", "7"), ("retry-after-ms", "6500"), ("x-ratelimit-remaining-requests", "0"),
            ("x-request-id", "req_upstream"), ("Set-Cookie", "secret=1"), ("openai-organization", "org"),
        ]
        let upstream = try StubUpstream(
            .json(
                Chunks.error("Rate limit reached", type: "requests"), status: 429,
                fields: fields.map { (name: $0.0, value: $0.1) }))
        try await Site.with(server, upstream: upstream) { site in
            let head = try await site.call(chat()).head()
            #expect(head.status == 429)
            #expect(head["Retry-After"] == "7")
            #expect(head["retry-after-ms"] == "6500")
            #expect(head["x-ratelimit-remaining-requests"] == "0")
            #expect(head["x-upstream-request-id"] == "req_upstream")
            #expect(head["X-Request-Id"] != "req_upstream")
            #expect(head["Set-Cookie"] == nil)
            #expect(head["openai-organization"] == nil)
        }
    }

    @Test(arguments: WebServer.selected)
    func `becomes an HTTP error when its first event is one`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(["data: \(Chunks.error("overloaded", type: "server_error"))\n\n"]))
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 503)
            #expect(response.head?.contentType == "application/json")
            #expect(response.error?.type == "upstream_error")
            #expect(response.error?.message.isEmpty == false)
        }
    }

    @Test(arguments: WebServer.selected, [true, false])
    func `is an unavailable service when nobody listens`(server: WebServer, stream: Bool) async throws {
        let url = "http://127.0.0.1:\(try freePort())/v1"
        try await Site.with(server, upstream: try StubUpstream(.silence), upstreamURL: url) { site in
            let response = try await site.call(chat(stream: stream)).ended()
            #expect(response.status == 503)
            #expect(response.error?.type == "upstream_error")
        }
    }

    @Test(arguments: WebServer.selected, [true, false])
    func `is an unavailable service when nobody accepts`(server: WebServer, stream: Bool) async throws {
        let deaf = try DeafPort()
        let url = "http://127.0.0.1:\(deaf.port)/v1"
        // Three attempts last almost as long as the silence that a heartbeat would end, with a status of 200.
        let settings = "heartbeat = \"0s\"\nupstreams.stub.url = \"UPSTREAM\""
        try await Site.with(server, upstream: try StubUpstream(.silence), upstreamURL: url, settings: settings) { site in
            let response = try await site.call(chat(stream: stream)).ended()
            #expect(response.status == 503)
            #expect(["upstream_error", "upstream_timeout"].contains(response.error?.type))
        }
        withExtendedLifetime(deaf) {}
    }
}
