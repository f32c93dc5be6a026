import Foundation
import TestSupport
import Testing

@Suite struct `A request` {
    /// The messages of a body that is `size` bytes long, written as no encoder would write them again.
    private func messages(bodyOf size: Int) -> String {
        let start = #"[ {"content":"\u00e9 \/ é 🐔 \"" , "role":"user"},\#u{9}{"role":"user","name":"n\u002D","content":""#
        let end = #""}  ]"#
        let filler = size - body(messages: start + end).utf8.count
        return start + String(repeating: "a", count: filler) + end
    }

    private func body(messages: String) -> String { #"{"model":"stub-1","stream":true,"messages":\#(messages)}"# }

    /// Around every size at which a buffer on the way could end.
    @Test(arguments: WebServer.selected)
    func `of any size has its messages passed on byte for byte`(server: WebServer) async throws {
        let edges = [8 << 10, 16 << 10, 64 << 10, 128 << 10, 1 << 20].flatMap { [$0 - 1, $0, $0 + 1] }
        let sizes = [200, 1_000] + edges + [5_000_000, 8 << 20]
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream) { site in
            for (number, size) in sizes.enumerated() {
                let messages = messages(bodyOf: size)
                let body = body(messages: messages)
                #expect(body.utf8.count == size)
                let response = try await site.call(ChatCall(body)).ended()
                #expect(response.status == 200, "\(size) bytes: \(response.text)")
                #expect(response.content == Chunks.stream(["Hello"]).joined(), "\(size) bytes")
                let arrived = try await upstream.request(number)
                #expect(Data(arrived.body).range(of: Data(messages.utf8)) != nil, "\(size) bytes")
                #expect(arrived.head["Expect"] == nil, "nobody waits for a 100")
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `that is too large is refused and nothing of it is taken for another`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream) { site in
            for size in [(8 << 20) + 1, 20 << 20] {
                let response = try await site.call(ChatCall(body(messages: messages(bodyOf: size)))).ended()
                #expect(response.status == 413)
                #expect(response.head?.contentType == "application/json")
                #expect(response.error?.code == "request_too_large")
            }
            #expect(try await site.call(chat()).ended().status == 200)
            #expect(upstream.requests.value.count == 1)
        }
    }

    @Test(arguments: WebServer.selected)
    func `goes to the upstream with OpenAI's parameters alone`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream) { site in
            _ = try await site.call(referenceCall).ended()
            let request = try await upstream.request()
            #expect(request.path == "/v1/chat/completions")
            #expect(request.head["Authorization"] == "Bearer sk-stub")
            let sent = try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any] ?? [:]
            #expect(Set(sent.keys).isSubset(of: ["model", "messages", "temperature", "stream", "stream_options"]))
            #expect(sent["model"] as? String == "gpt-3.5-turbo")
            #expect(request.text.contains(#""messages":[{"role":"user","content":"Tell me a joke"}]"#))
        }
    }

    @Test(
        arguments: WebServer.selected,
        ["/chat/completions", "/v1/chat/completions", "/some/prefix/chat/completions", "/chat/completions/chat/completions"])
    func `is served on every path that ends in chat completions`(server: WebServer, path: String) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream) { site in
            var call = referenceCall
            call.path = path
            let response = try await site.call(call).ended()
            #expect(response.content == Chunks.stream(["Hello"]).joined())
            #expect(try await upstream.request().path == "/v1/chat/completions")
        }
    }

    @Test(arguments: WebServer.selected)
    func `may carry its token in the path`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream) { site in
            var call = referenceCall
            call.token = nil
            call.path = "/v/\(RunningServer.token)/chat/completions"
            let response = try await site.call(call).ended()
            #expect(response.content == Chunks.stream(["Hello"]).joined())
            call.path = "/v/wrong/chat/completions"
            #expect(try await site.call(call).ended().status == 401)
            #expect(!site.sluice.process.errors.value.text.contains(RunningServer.token))
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let status: Int
        let param: String?

        init(_ body: String, _ status: Int = 400, param: String? = nil) {
            testDescription = body
            self.status = status
            self.param = param
        }

        static let all = [
            Refusal("{"), Refusal("7"), Refusal("not JSON"), Refusal("[]"), Refusal("{}", param: "messages"),
            Refusal(#"{"messages":[{"role":"user","content":"no end"}"#), Refusal(#"{"messages":"text"}"#, param: "messages"),
            Refusal(#"{"messages":[]}"#, param: "messages"),
            Refusal(#"{"messages":[{"role":"user","content":"Hello"}],"stream":"yes"}"#, param: "stream"),
            Refusal(#"{"message":{"type":"status-update","status":"in-progress"}}"#, param: "messages"),
        ]
    }

    @Test(arguments: WebServer.selected)
    func `that is malformed is told what is wrong`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream) { site in
            for refusal in Refusal.all {
                let response = try await site.call(ChatCall(refusal.testDescription)).ended()
                let comment: Comment = "\(refusal.testDescription): \(response.text)"
                #expect(response.status == refusal.status, comment)
                #expect(response.head?.contentType == "application/json", comment)
                #expect(response.error?.type == "invalid_request_error", comment)
                if let param = refusal.param { #expect(response.error?.param == param, comment) }
            }
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test(arguments: WebServer.selected)
    func `of another method or path is refused in JSON`(server: WebServer) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream) { site in
            var call = ChatCall("", method: "GET")
            let method = try await site.call(call).ended()
            #expect(method.status == 405)
            #expect(method.head?["Allow"] == "POST")
            #expect(method.error?.type == "invalid_request_error")
            call.path = "/v/\(RunningServer.token)/completions"
            let path = try await site.call(call).ended()
            #expect(path.status == 404)
            #expect(path.error?.type == "invalid_request_error")
        }
    }

    @Test(arguments: WebServer.selected, ["/v1/models", "/openapi.json"])
    func `for the head alone gets it`(server: WebServer, path: String) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream) { site in
            let head = try await site.call(ChatCall("", path: path, method: "HEAD")).head()
            #expect(head.status == 200)
            #expect(head.contentType == "application/json")
        }
    }

    /// By FastCGI itself: most web servers leave a body out (RFC 3875 §4.3.3), and HAProxy takes it for a broken answer.
    @Test func `for the head alone is answered without a body`() async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(WebServer.selected[0], upstream: upstream) { site in
            for (uri, status) in [
                ("/v1/models", 200), ("/v1/openapi.json", 200), ("/v1/chat/completions", 405), ("/nothing", 404),
            ] {
                let answer = try await DirectCall(to: site.sluice.socket, "HEAD", uri).response()
                #expect(answer.hasPrefix("Status: \(status)\r\n"), "\(answer)")
                #expect(answer.contains("Content-Length: ") && answer.hasSuffix("\r\n\r\n"), "\(answer)")
            }
        }
    }

    /// What a web server may hand on, and no parameter can hold.
    @Test(arguments: [
        ("HTTP_X_LONG", String(repeating: "x", count: 70_000), 431, "headers_too_large"),
        ("HTTP_X_NUL", "a\0b", 400, "malformed_headers"), ("HTTP_X\0NUL", "a", 400, "malformed_headers"),
        ("HTTP_A=B", "c", 400, "malformed_headers"),
    ])
    func `with unusable headers is refused with its body, and told why`(
        name: String, value: String, status: Int, code: String
    ) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await Site.with(WebServer.selected[0], upstream: upstream) { site in
            let body = String(decoding: chat().body, as: UTF8.self)
            let parameters = [("SLUICE_CLIENT", "first"), (name: name, value: value), ("HTTP_X_REQUEST_ID", "r-1")]
            let answer = try await DirectCall(to: site.sluice.socket, "POST", "/v1/chat/completions", parameters, body: body)
                .response()
            #expect(answer.hasPrefix("Status: \(status)\r\n") && answer.contains(#""code":"\#(code)""#), "\(answer)")
            try await site.sluice.process.errors.wait(for: "its line in the log") { $0.text.contains(#""status":\#(status)"#) }
            #expect(upstream.requests.value.isEmpty)
            #expect(try await site.call(chat()).ended().status == 200)
        }
    }

    /// What nginx passes without its `include fastcgi_params`.
    @Test(arguments: [
        (["REQUEST_METHOD"], 405, "REQUEST_METHOD"), (["REQUEST_URI"], 404, "REQUEST_URI"),
        (["REQUEST_METHOD", "REQUEST_URI"], 404, "REQUEST_METHOD, REQUEST_URI"),
    ])
    func `without the parameters that say what it asks for is told in the log as what it is`(
        left: [String], status: Int, named: String
    ) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(WebServer.selected[0], upstream: upstream) { site in
            // Whoever passes them has done nothing of that kind, whatever else is wrong.
            _ = try await DirectCall(to: site.sluice.socket, "GET", "/nothing").response()
            let answer = try await DirectCall(
                to: site.sluice.socket, "POST", "/v1/chat/completions", body: String(decoding: chat().body, as: UTF8.self),
                leavingOut: left
            ).response()
            #expect(answer.hasPrefix("Status: \(status)\r\n"), "\(answer)")
            try await site.sluice.process.errors.wait(for: "what is missing") {
                $0.text.contains("a request lacks parameters of FastCGI") && $0.text.contains(#""parameters":"\#(named)""#)
            }
            #expect(site.sluice.process.errors.value.lines.count { $0.contains("lacks parameters") } == 1)
        }
    }

    /// nginx refuses `TRACE` itself, before it has looked for the location.
    @Test(
        arguments: WebServer.selected,
        [("/v1/chat/completions", "POST"), ("/v1/models", "GET, HEAD"), ("/v1/openapi.json", "GET, HEAD")])
    func `of the method TRACE is told the right ones`(server: WebServer, endpoint: (path: String, methods: String)) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream) { site in
            let response = try await site.call(ChatCall("", path: endpoint.path, method: "TRACE"), over: .curl).ended()
            #expect(response.status == 405)
            #expect(response.head?["Allow"] == endpoint.methods)
            #expect(response.error?.code == "method_not_allowed")
        }
    }
}
