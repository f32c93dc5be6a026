import EventLoop
import Foundation
import HTTPClient
import TestSupport
import Testing

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.timeLimit(.minutes(5))) struct RequestTests {
    @Test(arguments: [0, 1, 1000, 70_000, 3_000_000])
    func `method, headers and body arrive as given, and nothing waits for a 100 or allows compression`(count: Int) async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report(request)
                peer.send(ok)
            }
        }
        let body = String(repeating: "x", count: count)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let headers = [(name: "Authorization", value: "Bearer key"), (name: "X-Empty", value: "")]
            _ = try await session.fetch(.post(server.url, body, headers: headers))
        }
        let request = try #require(await server.report())
        let lines = request.components(separatedBy: "\r\n")
        #expect(lines.first == "POST /chat/completions HTTP/1.1")
        #expect(lines.contains("Authorization: Bearer key"))
        #expect(lines.contains("X-Empty:"))
        #expect(lines.contains("User-Agent: sluice"))
        #expect(lines.contains("Accept-Encoding: identity"))
        #expect(lines.contains("Content-Length: \(count)"))
        #expect(lines.last == body)
        for name in ["expect:", "cookie:", "upgrade:", "connection:", "transfer-encoding:"] {
            #expect(!lines.contains { $0.lowercased().hasPrefix(name) })
        }
    }

    @Test func `a response that comes before the body has been sent leaves the body whole`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            peer.waitForHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            gate.wait()
            peer.report(peer.request() ?? "")
            peer.send("ok")
            peer.waitForEnd()
        }
        let body = String(repeating: "0123456789", count: 2_000_000)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.post(server.url, body)) { transfer in
                _ = try await transfer.head()
                gate.open()
                #expect(await server.report()?.hasSuffix("\r\n\r\n" + body) == true)
                #expect(try await transfer.rest() == Array("ok".utf8))
            }
        }
    }

    @Test func `requests one after another use one connection, and nothing of the first is left in the second`() async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report(request)
                peer.send(ok)
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            _ = try await session.fetch(.post(server.url, "secret", headers: [(name: "Authorization", value: "Bearer key")]))
            _ = try await session.fetch(.get(server.url.replacing("http://", with: "http://user:password@")))
            _ = try await session.fetch(.get(server.url))
        }
        _ = await server.report()
        let second = try #require(await server.report())
        #expect(second.hasPrefix("GET "))
        #expect(second.contains("Authorization: Basic"))
        #expect(!second.contains("Bearer") && !second.contains("secret") && !second.contains("Content-"))
        let third = try #require(await server.report())
        #expect(third.hasPrefix("GET "))
        #expect(!third.contains("Authorization"))
        #expect(server.connections == 1)
    }

    @Test func `a kept connection that turns out dead is replaced, and the whole body is sent again`() async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report(request)
                // Of the first connection's second request nothing is answered.
                if peer.number == 1, request.contains("again") { return }
                peer.send(ok)
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            _ = try await session.fetch(.post(server.url, "once"))
            let (_, body) = try await session.fetch(.post(server.url, "again"))
            #expect(body == "ok")
        }
        _ = await server.report()
        let (first, second) = (await server.report(), await server.report())
        #expect(first == second)
        #expect(second?.hasSuffix("again") == true)
        #expect(server.connections == 2)
    }

    @Test func `when all kept connections turn out dead, the second attempt is made on a fresh one`() async throws {
        let (gate, keptCount) = (Gate(), 8)
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.suffix(5)) on \(peer.number)")
                if request.hasSuffix("first") { gate.wait() } else if peer.number <= keptCount { return }
                peer.send(ok)
            }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let first = (0..<keptCount).map { _ in
                worker.start {
                    return try await session.fetch(.post(server.url, "first"))
                }
            }
            for _ in first { _ = await server.report() }
            for _ in first { gate.open() }
            for task in first { _ = try await task.value }
            #expect(try await session.fetch(.post(server.url, "again")).body == "ok")
            #expect(await server.report() != "again on \(keptCount + 1)")
            #expect(await server.report() == "again on \(keptCount + 1)")
        }
    }

    @Test(arguments: [0, 20_000, 300_000, 8_000_000])
    func `a kept connection that a firewall has forgotten is replaced, long before the call's time is over`(
        size: Int
    ) async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.suffix(5)) on \(peer.number)")
                peer.send(ok)
                if peer.number == 1 {
                    peer.vanish()
                    peer.report("gone")
                    return gate.wait()
                }
            }
        }
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .milliseconds(300)
            let session = Session(on: worker.loop, configuration)
            #expect(try await session.fetch(.post(server.url, "first")).body == "ok")
            #expect(await server.report() == "first on 1")
            #expect(await server.report() == "gone")
            let body = String(repeating: "x", count: size) + "again"
            #expect(try await session.fetch(.post(server.url, body)).body == "ok")
            #expect(await server.report() == "again on 2")
        }
        gate.open()
    }

    @Test(arguments: [false, true], [0, 100_000, 300_000, 8_000_000])
    func `one of HTTP 2 is replaced too, and one that is lost while a first body goes out fails its call`(
        isFirst: Bool, size: Int
    ) async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.initialWindow, 0x7FFF_FFFF)) else { return }
            peer.send(.windowUpdate(0, 0x7FFF_0000))
            var reader = RequestReader(peer)
            if peer.number == 1, isFirst {
                guard peer.frame(.headers) != nil else { return }
            } else {
                guard let (stream, _) = reader.next(opensWindows: false) else { return }
                peer.answer(stream)
            }
            guard peer.number == 1 else { return peer.waitForEnd() }
            peer.vanish()
            peer.report("gone")
            gate.wait()
        }
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .milliseconds(300)
            let session = Session(on: worker.loop, configuration)
            if !isFirst {
                #expect(try await session.fetch(.http2(server.url)).body == "ok")
                #expect(await server.report() == "gone")
            }
            // What a window holds may be acknowledged before; the rest is not.
            let body = String(repeating: "x", count: isFirst ? size + 20_000_000 : size)
            let outcome = try await session.withTransfer(.http2(server.url, body)) { await $0.outcome() }
            #expect(outcome == (isFirst ? .failed(.cutOff(afterBytes: 0)) : .ok()))
        }
        gate.open()
    }

    @Test(arguments: [2, 300_000, 8_000_000])
    func `what a server repeats is no sign that anything reaches it`(size: Int) async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.initialWindow, 0x7FFF_FFFF)) else { return }
            peer.send(.windowUpdate(0, 0x7FFF_0000))
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next(opensWindows: false) else { return }
            // Nobody tells its kernel that the answer has come: it is sent again, ever more rarely.
            if peer.number == 1 { peer.vanish() }
            peer.answer(stream)
            guard peer.number == 1 else { return peer.waitForEnd() }
            gate.wait()
        }
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .milliseconds(300)
            let session = Session(on: worker.loop, configuration)
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            #expect(try await session.fetch(.http2(server.url, String(repeating: "x", count: size))).body == "ok")
            #expect(server.connections == 2)
        }
        gate.open()
    }

    @Test(arguments: [
        ("a: b\r\nx", "1"), ("", "1"), ("a b", "1"), ("a:", "1"), ("ä", "1"), ("a\0", "1"),
        ("a", "1\r\nb: 2"), ("a", "1\nb: 2"), ("a", "1\r"), ("a", "1\0"), ("a", "\u{7F}"),
    ])
    func `a header that would smuggle in another is refused before anything is sent`(name: String, value: String) async throws {
        let server = try ScriptServer(answer: ok)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let request = HTTPRequest.post(server.url, "{}", headers: [(name, value)])
            guard case .invalidRequest(let reason) = await session.failure(of: request).error else {
                Issue.record("it was not refused")
                return
            }
            #expect(!reason.contains("2"))
        }
        #expect(server.connections == 0)
    }

    @Test(arguments: [
        "Host", "content-length", "Transfer-Encoding", "Connection", "keep-alive", "TE", "Trailer", "Upgrade", "Proxy-Connection",
        "Accept-Encoding",
    ])
    func `a header that the client alone may send is refused by name`(name: String) async throws {
        let server = try ScriptServer(answer: ok)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let error = await session.failure(of: .post(server.url, "{}", headers: [(name, "1")])).error
            #expect(error == .invalidRequest(reason: "the header \(name) is the client's own"))
        }
        #expect(server.connections == 0)
    }

    @Test(arguments: [false, true])
    func `a head that no server takes is refused before anything is sent, in any version of HTTP`(isHTTP2: Bool) async throws {
        let server = try ScriptServer(answer: ok)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let headers = (0..<1200).map { ("x-\($0)", "some") }
            var request = HTTPRequest.post(server.url, "{}", headers: headers)
            if isHTTP2 { request.options = .priorKnowledge }
            #expect(await session.failure(of: request).error == .invalidRequest(reason: "its head is larger than 49152 bytes"))
        }
        #expect(server.connections == 0)
    }

    @Test(arguments: [
        "", "127.0.0.1", "ftp://127.0.0.1/", "file:///etc/passwd", "HTTP://127.0.0.1/", "http://a b/", "http://a/\r\nX: 1",
        "http://a/\0", "http://user:secret@[", "http://127.0.0.1:99999/",
    ])
    func `a URL that is not plainly http or https is refused`(url: String) async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            guard case .invalidRequest(let reason) = await session.failure(of: .get(url)).error else {
                Issue.record("it was not refused")
                return
            }
            #expect(!reason.contains("secret"))
        }
    }

    @Test func `a thousand requests, finished and cancelled, leave no descriptor behind`() async throws {
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for number in 0..<1000 {
                try await session.withTransfer(.post(server.url, "{}")) { transfer in
                    if number % 3 == 0 { return }
                    _ = try await transfer.head()
                    if number % 3 == 1 { return }
                    #expect(try await transfer.rest().count == 2)
                }
            }
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }
}
