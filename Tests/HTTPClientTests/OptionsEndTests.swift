import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Connections of options that nobody uses any more, as after a reload.
@Suite(.timeLimit(.minutes(5))) struct OptionsEndTests {
    @Test(arguments: [false, true]) func `are closed, and no others`(isSecure: Bool) async throws {
        let site = try SecureSite()
        let server = try ScriptServer { peer in
            guard isSecure else {
                while peer.request() != nil { peer.send(ok) }
                return
            }
            guard let secure = SecurePeer(peer, site.context) else { return }
            while secure.request() != nil { secure.send(ok) }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(site.file))
            let (former, next) = (ConnectionOptions(), ConnectionOptions())
            let url = isSecure ? server.secureURL : server.url
            for options in [former, next] {
                try await session.expectAnswer(.get(url, by: options))
            }
            #expect(server.connections == 2)
            session.closeConnections(of: former)
            session.expectConsistent()
            #expect(session.pools.count == 1)
            try await session.expectAnswer(.get(url, by: next))
            #expect(server.connections == 2)
            // Whoever asks by them all the same gets an answer.
            try await session.expectAnswer(.get(url, by: former))
            #expect(server.connections == 3)
        }
    }

    @Test func `go on by a configuration that differs in the number of idle ones alone`() async throws {
        let server = try ScriptServer(answer: ok)
        try await LoopActor.run { worker in
            var configuration = Session.Configuration()
            let session = Session(on: worker.loop, configuration)
            try await session.expectAnswer(.get(server.url))
            #expect(session.context.idle.count == 1)
            configuration.idleConnectionsMax = 0
            #expect(session.fits(configuration))
            #expect(session.context.idle.count == 1)
            session.idleConnectionsMax = 0
            #expect(session.context.idle.isEmpty)
            configuration.sendTimeout = .seconds(1)
            #expect(!session.fits(configuration))
        }
    }
}

extension Session {
    fileprivate func expectAnswer(_ request: HTTPRequest) async throws {
        let response = try await fetch(request)
        #expect(response.body == "ok")
    }
}

extension HTTPRequest {
    fileprivate static func get(_ url: String, by options: ConnectionOptions) -> HTTPRequest {
        var request = HTTPRequest.get(url)
        request.options = options
        return request
    }
}
