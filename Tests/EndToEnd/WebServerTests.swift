import TestSupport
import Testing

/// What the web servers answer themselves.
@Suite struct `The web server` {
    private func with(_ kind: WebServer, _ test: (RunningServer) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let server = try await RunningServer(kind, socket: directory.path("nobody.sock"), in: directory)
        try await test(server)
        try await server.process.end()
    }

    @Test(arguments: WebServer.fronts)
    func `refuses a caller without a token in JSON`(kind: WebServer) async throws {
        try await with(kind) { server in
            for token in [nil, "wrong", ""] {
                let response = try await HTTPStream.plain(ChatCall("{}", token: token), port: server.plainPort).ended()
                #expect(response.status == 401)
                #expect(response.head?.contentType == "application/json")
                #expect(response.head?["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
                #expect(response.error?.type == "authentication_error")
            }
        }
    }

    @Test(arguments: WebServer.fronts)
    func `says in JSON that Sluice is not there`(kind: WebServer) async throws {
        try await with(kind) { server in
            let response = try await HTTPStream.plain(chat(), port: server.plainPort).ended()
            #expect(response.status == 503)
            #expect(response.head?.contentType == "application/json")
            #expect(response.error?.type == "upstream_error")
        }
    }

    @Test(arguments: WebServer.fronts)
    func `says so in its error log without a token and without the query`(kind: WebServer) async throws {
        try await with(kind) { server in
            // nginx adds the query to each error that it logs: below the token alone it logs none.
            // lighttpd says but once that all are down.
            let paths = (kind == .nginx ? [] : ["/v1/chat/completions"]) + ["/v/\(RunningServer.token)/chat/completions"]
            for path in paths {
                let call = ChatCall("{}", path: path + "?custom_session_id=15551234567")
                #expect(try await HTTPStream.plain(call, port: server.plainPort).ended().status == 503)
            }
            try await server.process.end()
            try await server.process.errors.wait(for: "the end of its errors") { $0.ended }
            let log = server.process.errors.value.text
            #expect(!log.contains(RunningServer.token))
            #expect(!log.contains("15551234567"))
        }
    }
}
