import CLinux
import Clock
import EventLoop
import Glibc
import HTTPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ErrorTests {
    @Test(
        arguments: [
            ("nothing", "", 0),
            ("in the head", "HTTP/1.1 200 OK\r\nContent-Le", 0),
            ("after the head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0),
            ("in a sized body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 3),
            ("in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 3),
            ("between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 5),
            ("before the last line break", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", 5),
        ], [false, true])
    func `a response that breaks off is cut off after the bytes that came`(
        cut: (place: String, sent: String, body: Int), byReset: Bool
    ) async throws {
        let server = try ScriptServer { peer in
            // Two requests a connection would be a kept one's, which is sent once more.
            _ = peer.request()
            peer.send(cut.sent)
            guard byReset else { return }
            peer.waitUntilRead()
            peer.reset()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let (error, body) = await session.failure(of: .post(server.url, "{}"))
            #expect(error == .cutOff(afterBytes: cut.body))
            #expect(body == cut.body)
        }
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "\0\0\0\0", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/0.9\r\n\r\n", "HTTP/7.3 200 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
    ])
    func `what is not HTTP is malformed`(answer: String) async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send(answer)
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let error = await session.failure(of: .get(server.url)).error
            guard case .malformed(let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(!reason.isEmpty)
        }
    }

    @Test(arguments: [
        ("settings of HTTP/2", "\0\0\u{6}\u{4}\0\0\0\0\0\0\u{3}\0\0\0\u{64}", #"http = "2" may be needed"#),
        ("an alert of TLS", "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}", "https:// may be needed"),
    ])
    func `a server of another protocol is told with what to do`(answer: (kind: String, bytes: String, hint: String)) async throws
    {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send(answer.bytes)
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let error = await session.failure(of: .get(server.url)).error
            #expect("\(try #require(error))".hasSuffix(answer.hint))
        }
    }

    @Test(arguments: [(0, "cut off before the first byte of the body"), (3, "cut off after 3 bytes of the body")])
    func `where a response broke off is told in words`(cut: (bytes: Int, words: String)) {
        #expect("\(HTTPError.cutOff(afterBytes: cut.bytes))" == cut.words)
    }

    @Test(arguments: [("X-Name: value\r\n", 5000), ("X-Long: ", 8800), ("X-Longer: ", 40_000), ("y", 400_000)])
    func `a head without end is refused`(piece: String, count: Int) async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\n" + String(repeating: piece, count: count) + "\r\n")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            #expect(await session.failure(of: .get(server.url)).error == .headTooLarge(bytesMax: 64 << 10))
        }
    }

    @Test func `a port where nobody listens refuses`() async throws {
        let port = try freePort()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            #expect(await session.failure(of: .get("http://127.0.0.1:\(port)/")).error == .refused)
            #expect(await session.failure(of: .get("http://localhost:\(port)/")).error == .refused)
        }
    }

    @Test func `a name that does not exist cannot be resolved, and the error names the host alone`() async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let error = await session.failure(of: .get("http://user:secret@name.invalid:8080/secret?key=secret")).error
            #expect(error == .cannotResolve(host: "name.invalid"))
        }
    }

    @Test func `a listener that accepts no more is the connect deadline's`() async throws {
        // The kernel completes backlog + 1 handshakes by itself and leaves the others waiting.
        let (listener, port) = try listen(backlog: 0)
        let waiting = (0..<4).map { _ in beginConnecting(to: port) }
        defer { for descriptor in waiting + [listener] { close(descriptor) } }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let request = HTTPRequest.get("http://127.0.0.1:\(port)/", connect: .milliseconds(50))
            #expect(await session.failure(of: request).error == .timedOut(.connect, after: .milliseconds(50)))
        }
    }

    @Test func `a second attempt has a connection's time, and no more`() async throws {
        // The kernel lets one connection wait for an accept, and leaves the handshakes of others without an answer.
        let (listener, port) = try listen(backlog: 0)
        defer { close(listener) }
        let ended = Observed<[Int32]?>(nil)
        TestSupport.startThread("server") {
            let first = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
            var buffer = [UInt8](repeating: 0, count: 4096)
            _ = unsafe recv(first, &buffer, buffer.count, 0)
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
            _ = unsafe send(first, answer, answer.count, Int32(MSG_NOSIGNAL))
            _ = unsafe recv(first, &buffer, buffer.count, 0)
            let waiting = (0..<4).map { _ in beginConnecting(to: port) }
            close(first)
            ended.update { $0 = waiting }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let url = "http://127.0.0.1:\(port)/"
            #expect(try await session.fetch(.get(url)).body == "ok")
            let request = HTTPRequest.get(url, connect: .milliseconds(200), total: .seconds(600))
            #expect(await session.failure(of: request).error == .timedOut(.connect, after: .milliseconds(200)))
        }
        for descriptor in try await ended.wait(for: "the server's end", until: { $0 }) { close(descriptor) }
    }

    /// Its descriptor's number is the next caller's.
    @Test func `a connection that was never made leaves nothing behind for the next caller`() async throws {
        let (listener, port) = try listen(backlog: 0)
        let waiting = (0..<4).map { _ in beginConnecting(to: port) }
        defer { for descriptor in waiting + [listener] { close(descriptor) } }
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        try await LoopActor.run { worker in
            let (session, other) = (Session(on: worker.loop, .patient), Session(on: worker.loop, .patient))
            let late = HTTPRequest.get("http://127.0.0.1:\(port)/", connect: .milliseconds(20))
            for turn in 0..<20 {
                if turn.isMultiple(of: 2) {
                    #expect(await session.failure(of: late).error == .timedOut(.connect, after: .milliseconds(20)))
                } else {
                    try await session.withTransfer(.get("http://127.0.0.1:\(port)/")) {
                        _ = try await $0.head(until: worker.loop.now + .milliseconds(5))
                    }
                }
                #expect(try await other.fetch(.get(server.url)).body == "ok")
            }
        }
    }

    @Test func `a TLS handshake without answer is the connect deadline's, for those who wait for that connection too`()
        async throws
    {
        let server = try ScriptServer { peer in peer.waitForEnd() }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let request = HTTPRequest.get("https://127.0.0.1:\(server.port)/", connect: .milliseconds(50))
            let tasks = (0..<3).map { _ in
                worker.start {
                    return await session.failure(of: request).error
                }
            }
            for task in tasks { #expect(try await task.value == .timedOut(.connect, after: .milliseconds(50))) }
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test(arguments: [10, 0.7], [0, 3])
    func `the total deadline ends a response, in its head and in its body`(connectShare: Double, body: Int) async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            if body > 0 { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") }
            peer.waitForEnd()
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            await withLongerAndLongerLimits(from: .milliseconds(700)) { limit in
                let connect = limit * connectShare
                let failure = await session.failure(of: .get(server.url, connect: connect, total: limit))
                guard failure.error != .timedOut(.connect, after: connect), failure.body == body else { return false }
                #expect(failure.error == .timedOut(.total, after: limit))
                #expect(await server.report() == "closed")
                return true
            }
        }
    }

    @Test func `a session that is closed cancels its transfers and takes no more`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.waitForEnd()
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { transfer in
                _ = try await transfer.head(until: worker.loop.now + .milliseconds(5))
                session.close()
                await #expect(throws: HTTPError.cancelled) { try await transfer.head() }
            }
            session.close()
            #expect(await session.failure(of: .get(server.url)).error == .unavailable(reason: "the session is closed"))
        }
    }
}
