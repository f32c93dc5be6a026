import TestSupport
import Testing

/// A server that Sluice works behind, and a way to call it.
struct Route: Sendable, CustomTestStringConvertible {
    let server: WebServer
    let client: Client

    static let all = WebServer.selected.flatMap { server in Client.allCases.map { Route(server: server, client: $0) } }

    var testDescription: String { "\(server), \(client)" }
}

@Suite struct `A stream` {
    @Test(arguments: Route.all)
    func `arrives event by event`(route: Route) async throws {
        let frames = Chunks.stream(["Why", " did", " the", " chicken", "…"])
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(frames, each: gate))
        try await Site.with(route.server, upstream: upstream) { site in
            let stream = try site.call(chat(), over: route.client)
            try await stream.arrives(frames, eachThrough: gate)
        }
    }

    /// The head forbids it, whatever the configuration says. On a kept connection nginx would hold nothing back in any case.
    @Test(arguments: WebServer.selected.filter { $0 == .nginx })
    func `arrives event by event also from a server that would buffer it`(server: WebServer) async throws {
        let frames = Chunks.stream(["Why", " did"])
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(frames, each: gate))
        let changes = [
            Change("fastcgi_buffering off;", to: "fastcgi_buffering on;"),
            Change("fastcgi_keep_conn on;", to: "fastcgi_keep_conn off;"),
        ]
        try await Site.with(server, upstream: upstream, changes: changes) { site in
            let stream = try site.call(chat())
            try await stream.arrives(frames, eachThrough: gate)
        }
    }

    @Test(arguments: WebServer.selected)
    func `of more than every buffer on the way holds arrives whole`(server: WebServer) async throws {
        let frames = Chunks.stream((0..<20_000).map { "event \($0) \(String(repeating: "x", count: $0 % 500))" })
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.end == .complete)
            #expect(response.body.elementsEqual(frames.joined().utf8))
        }
    }

    @Test(arguments: Route.all)
    func `has the head that keeps every proxy from holding it back`(route: Route) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(route.server, upstream: upstream) { site in
            let stream = try site.call(referenceCall, over: route.client)
            let head = try await stream.head()
            #expect(head.status == 200)
            #expect(head.contentType == "text/event-stream; charset=utf-8")
            #expect(head["Cache-Control"] == "no-cache")
            #expect(head["X-Request-Id"]?.isEmpty == false)
            #expect(head.startLine.hasPrefix(route.client == .curlHTTP2 ? "HTTP/2" : "HTTP/1.1"))
            #expect(try await stream.ended().content == Chunks.stream(["Hello"]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `keeps the bytes of every event`(server: WebServer) async throws {
        let odd = [
            "data:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"no space\"}}]}\n\n",
            "event: message\nid: 7\ndata: {\"choices\": [ {\"delta\":{\"content\":\"\\u00e9 ü 🐔\"},\"index\":0} ], \"x\":1e3}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":4,\"id\":\"a\",\"type\":\"function\","
                + "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"\"}}]}}]}\r\n\r\n",
        ]
        let upstream = try StubUpstream(.stream([Chunks.role()] + odd + [Chunks.finish(), Chunks.done]))
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.content == ([Chunks.role()] + odd + [Chunks.finish(), Chunks.done]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `is the same wherever the upstream's writes split it`(server: WebServer) async throws {
        let frames = Chunks.stream(["Hello", " wörld"])
        let bytes = Array(frames.joined().utf8)
        let upstream = try StubUpstream { request in
            // Each request has a piece size of its own, down to one byte.
            let size = Int(request.text.split(separator: "size ")[1].prefix { $0.isNumber })!
            let pieces = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
            return Reply(pieces.map(Reply.Step.bytes))
        }
        try await Site.with(server, upstream: upstream) { site in
            for size in [1, 2, 3, 7, 64, 150, 1_000] {
                let response = try await site.call(chat("size \(size)")).ended()
                #expect(response.content == frames.joined(), "in pieces of \(size)")
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `ends with DONE also when the upstream leaves it out`(server: WebServer) async throws {
        let frames = Chunks.stream(["Hello"]).dropLast()
        for framing in [Reply.Framing.chunked, .untilClose] {
            let upstream = try StubUpstream(.stream(Array(frames), framing: framing))
            try await Site.with(server, upstream: upstream) { site in
                let response = try await site.call(chat()).ended()
                #expect(response.content == frames.joined() + Chunks.done)
                #expect(response.end == .complete)
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `shows the usage only to a caller who asks for it`(server: WebServer) async throws {
        let usage = Chunks.usage(prompt: 3, completion: 2)
        let (start, end) = ([Chunks.role(), Chunks.content("Hello"), Chunks.finish()], [Chunks.done])
        let upstream = try StubUpstream(.stream(start + [usage] + end))
        try await Site.with(server, upstream: upstream) { site in
            let silent = try await site.call(chat()).ended()
            #expect(silent.content == (start + end).joined())
            let asking = chat(members: #","stream_options":{"include_usage":true}"#)
            #expect(try await site.call(asking).ended().content == (start + [usage] + end).joined())
            let request = try await upstream.request()
            #expect(request.text.contains(#""include_usage":true"#))
        }
    }

    @Test(arguments: WebServer.selected)
    func `is made of one JSON completion when the upstream answers with that`(server: WebServer) async throws {
        let upstream = try StubUpstream(.json(Chunks.completion("Hello there")))
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.head?.contentType == "text/event-stream; charset=utf-8")
            #expect(response.text.contains("Hello there"))
            #expect(response.frames.last == Chunks.done)
        }
    }
}

@Suite struct `An answer that does not stream` {
    @Test(arguments: Route.all)
    func `is the upstream's completion`(route: Route) async throws {
        let upstream = try StubUpstream(.json(Chunks.completion("Hello there")))
        try await Site.with(route.server, upstream: upstream) { site in
            for call in [chat(stream: false), ChatCall(#"{"messages":[{"role":"user","content":"no stream member"}]}"#)] {
                let response = try await site.call(call, over: route.client).ended()
                #expect(response.status == 200)
                #expect(response.head?.contentType == "application/json")
                #expect(response.content == Chunks.completion("Hello there"))
            }
        }
    }
}
