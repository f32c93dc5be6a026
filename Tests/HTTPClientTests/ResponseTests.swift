import Clock
import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ResponseTests {
    @Test func `status and headers arrive before the body, and each chunk before the next is sent`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 201 Created\r\nContent-Type:  text/plain \r\nX-Twice: a\r\nX-TWICE: b\r\n")
            peer.send("Transfer-Encoding: chunked\r\n\r\n")
            for number in 0..<20 {
                gate.wait()
                peer.chunk("chunk \(number)\n")
            }
            gate.wait()
            peer.send("0\r\n\r\n")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { transfer in
                let head = try await transfer.head()
                #expect(head?.status == 201)
                #expect(head?["content-type"] == "text/plain")
                #expect(head?.headers.filter { $0.name == "x-twice" }.map(\.value) == ["a", "b"])
                for number in 0..<20 {
                    gate.open()
                    #expect(try await transfer.next() == .bytes)
                    #expect(transfer.text() == "chunk \(number)\n")
                }
                gate.open()
                #expect(try await transfer.next() == .end)
                #expect(try await transfer.next() == .end)
            }
        }
    }

    @Test(
        arguments: [
            (nil, ["content-length", "retry-after", "retry", "retry-after-ms", "x-limit-", "x-limit-left", "x-limi"]),
            (["*"], ["content-length", "retry-after", "retry", "retry-after-ms", "x-limit-", "x-limit-left", "x-limi"]),
            ([], []), (["", "retry-after"], ["retry-after"]), (["x-limit-*"], ["x-limit-", "x-limit-left"]),
        ] as [([String]?, [String])])
    func `of many headers only those are kept that are asked for`(kept: [String]?, expected: [String]) async throws {
        let lines = "Retry-After: 1\r\nretry: 2\r\nRETRY-AFTER-MS: 3\r\nX-Limit-: 4\r\nX-Limit-Left: 5\r\nX-Limi: 6\r\n"
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + lines + "\r\nok")
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.patient
            configuration.keptHeaders = kept
            let (head, body) = try await Session(on: worker.loop, configuration).fetch(.get(server.url))
            #expect(head?.headers.map(\.name) == expected)
            #expect(body == "ok")
        }
    }

    @Test(arguments: [
        ("content-length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n"),
        ("until the connection closes", "HTTP/1.1 200 OK\r\n\r\nhello"),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello"),
        ("interim responses before it", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ("encoded as itself", "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"),
    ])
    func `a whole response ends`(kind: String, answer: String) async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send(answer)
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let (head, body) = try await session.fetch(.get(server.url))
            #expect(head?.status == 200)
            #expect(head?["a"] == nil && head?["trailer"] == nil)
            #expect(body == "hello")
        }
    }

    @Test(arguments: ["gzip", "deflate", "br", "zstd"])
    func `a body that is compressed all the same is refused by name`(coding: String) async throws {
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Encoding: \(coding)\r\nContent-Length: 5\r\n\r\nhello")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            guard case .malformed(let reason) = await session.failure(of: .get(server.url)).error else {
                Issue.record("it was not refused")
                return
            }
            #expect(reason.contains("compressed with \(coding)"))
        }
    }

    @Test func `an error whose words are compressed keeps its status and headers, and loses its words`() async throws {
        let server = try ScriptServer(
            answer: "HTTP/1.1 429 No\r\nContent-Encoding: gzip\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nhello")
        try await LoopActor.run { worker in
            let (head, body) = try await Session(on: worker.loop, .patient).fetch(.get(server.url))
            #expect(head?.status == 429)
            #expect(head?["retry-after"] == "7")
            #expect(body.isEmpty)
        }
    }

    @Test(arguments: ["204 No Content", "304 Not Modified"])
    func `a response without a body ends at once`(status: String) async throws {
        let server = try ScriptServer(answer: "HTTP/1.1 \(status)\r\n\r\n")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let (head, body) = try await session.fetch(.get(server.url))
            #expect(head?.status == Int(status.prefix(3)))
            #expect(body.isEmpty)
        }
    }

    @Test func `an error's status and body come like any other, and a redirect is not followed`() async throws {
        let server = try ScriptServer(answer: "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let (head, body) = try await session.fetch(.post(server.url, "{}"))
            #expect(head?.status == 307)
            #expect(head?["location"] == "http://127.0.0.1:1/")
            #expect(body == "no")
        }
    }

    @Test func `a deadline that passes returns, and the transfer goes on`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            _ = peer.request()
            gate.wait()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            gate.wait()
            peer.send("ok")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { transfer in
                let early = try await transfer.head(until: worker.loop.now + .milliseconds(1))
                #expect(early == nil)
                gate.open()
                #expect(try await transfer.head()?.status == 200)
                #expect(try await transfer.next(until: worker.loop.now + .milliseconds(1)) == .deadline)
                gate.open()
                #expect(try await transfer.next(until: .distantFuture) == .bytes)
                #expect(transfer.text() == "ok")
                #expect(transfer.text().isEmpty)
            }
        }
    }

    @Test func `bytes that were not taken are found together`() async throws {
        let server = try ScriptServer(
            answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { transfer in
                _ = try await transfer.head()
                #expect(try await transfer.next() == .bytes)
                #expect(transfer.text() == "ab")
            }
        }
    }
}
