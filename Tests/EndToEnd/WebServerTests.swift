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

    @Test(arguments: WebServer.selected)
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

    @Test(arguments: WebServer.selected)
    func `says in JSON that Sluice is not there`(kind: WebServer) async throws {
        try await with(kind) { server in
            let response = try await HTTPStream.plain(chat(), port: server.plainPort).ended()
            #expect(response.status == 503)
            #expect(response.head?.contentType == "application/json")
            #expect(response.error?.type == "upstream_error")
        }
    }
}
