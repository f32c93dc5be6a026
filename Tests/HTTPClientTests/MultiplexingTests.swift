import Clock
import EventLoop
import Foundation
import HTTPClient
import TestSupport
import Testing

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Transfers over HTTP/2 to an nginx whose upstream does what the test says.
@Suite(.timeLimit(.minutes(5))) struct MultiplexingTests {
    @Test func `two transfers share a connection, and cancelling one leaves the other alive`() async throws {
        let gate = Gate()
        let backend = try ScriptServer { peer in
            guard let request = peer.request() else { return }
            peer.report(request)
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            peer.chunk("first")
            guard request.contains("stays") else {
                peer.waitForEnd()
                return peer.report("left")
            }
            gate.wait()
            peer.chunk("second")
            peer.send("0\r\n\r\n")
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            try await session.withTransfer(.post(url, "stays")) { stays in
                try await session.withTransfer(.post(url, "leaves")) { leaves in
                    for transfer in [stays, leaves] {
                        _ = try await transfer.head()
                        #expect(try await transfer.next() == .bytes)
                        #expect(transfer.text() == "first")
                    }
                    leaves.cancel()
                    await #expect(throws: HTTPError.cancelled) { try await leaves.next() }
                }
                let requests = [await backend.report(), await backend.report()].map(connection(of:))
                #expect(requests[0] != nil && requests[0] == requests[1])
                #expect(await backend.report() == "left")
                gate.open()
                #expect(try await transferText(stays) == "second")
            }
            #expect(descriptorsConnected(to: URL(string: url).flatMap(\.port).map(UInt16.init) ?? 0) == 1)
        }
    }

    @Test func `a transfer is cancelled beside one that has no answer yet either, and the server knows at once`() async throws {
        let backend = try ScriptServer { peer in
            guard let request = peer.request() else { return }
            peer.report("requested")
            peer.waitForEnd()
            peer.report(request.contains("leaves") ? "left" : "the wrong one left")
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            try await session.withTransfer(.post(url, "stays")) { stays in
                try await session.withTransfer(.post(url, "leaves")) { leaves in
                    for _ in 0..<2 { #expect(await backend.report() == "requested") }
                    leaves.cancel()
                    #expect(await backend.report() == "left")
                    _ = try await stays.next(until: .current)
                }
            }
        }
    }

    @Test func `the only transfer of a connection is cancelled, and the server knows at once`() async throws {
        let backend = try ScriptServer { peer in
            guard peer.request() != nil else { return }
            peer.report("requested")
            // nginx keeps a head back until there is some of the body.
            if peer.number == 1 { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst") }
            peer.waitForEnd()
            peer.report("left")
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            for isAnswered in [true, false] {
                try await session.withTransfer(.post(url, "{}")) { transfer in
                    #expect(await backend.report() == "requested")
                    if isAnswered { _ = try await transfer.head() }
                }
                #expect(await backend.report() == "left")
            }
        }
    }

    @Test func `cancelling many streams disturbs none that stays`() async throws {
        let backend = try ScriptServer { peer in
            while let request = peer.request() {
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for number in 0..<200 {
                    peer.chunk("\(number);")
                    if request.contains("leaves") { peer.waitForEnd() }
                }
                peer.send("0\r\n\r\n")
            }
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let staying = (0..<20).map { _ in
                worker.start {
                    return try await session.fetch(.post(url, "stays")).body
                }
            }
            let leaving = (0..<20).map { number in
                worker.start {
                    try await session.withTransfer(.post(url, "leaves")) { transfer in
                        for _ in 0..<number { await Task.yield() }
                        if number % 2 == 0 { _ = try await transfer.head() }
                    }
                }
            }
            for task in leaving { try await task.value }
            let expected = (0..<200).map { "\($0);" }.joined()
            for task in staying { #expect(try await task.value == expected) }
        }
    }

    @Test func `a transfer that waits for another's handshake goes on when that one is cancelled`() async throws {
        let server = try await TLSServer(backend: try ScriptServer(answer: ok).port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            for turns in 0..<12 {
                let session = Session(on: worker.loop, .trusting(file))
                try await session.withTransfer(.post(url, "leaves")) { leaves in
                    try await session.withTransfer(.post(url, "stays")) { stays in
                        for _ in 0..<turns { await worker.loop.sleep(for: .microseconds(100)) }
                        leaves.cancel()
                        _ = try await stays.head()
                        #expect(try await transferText(stays) == "ok")
                    }
                }
            }
        }
    }

    @Test func `many transfers at once use few connections`() async throws {
        let backend = try ScriptServer(answer: ok)
        let server = try await TLSServer(backend: backend.port)
        let (url, file, port) = (server.url, server.certificateFile, server.port)
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .trusting(file))
            let tasks = (0..<100).map { _ in
                worker.start {
                    return try await session.fetch(.post(url, "{}")).body
                }
            }
            for task in tasks { #expect(try await task.value == "ok") }
            #expect(descriptorsConnected(to: port) == 1)
        }
    }

    @Test func `a reader that lags does not hold up the other transfers of its connection`() async throws {
        let lag = [UInt8](repeating: 7, count: 2 << 20)
        let backend = try ScriptServer { peer in
            guard let request = peer.request() else { return }
            if request.contains("large") {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(lag.count)\r\n\r\n")
                let sent = peer.sendUntilBlocked(lag)
                peer.report("blocked")
                peer.send(Array(lag[sent...]))
            } else {
                peer.send(ok)
            }
            peer.waitForEnd()
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            try await session.withTransfer(.post(url, "large")) { large in
                _ = try await large.head()
                #expect(await backend.report() == "blocked")
                for _ in 0..<20 { #expect(try await session.fetch(.post(url, "small")).body == "ok") }
                #expect(try await large.rest() == lag)
            }
        }
    }

    @Test func `a reader that takes nothing at all holds 64 KiB and nobody up, and its server is stopped`() async throws {
        let backend = try ScriptServer { peer in
            guard let request = peer.request() else { return }
            if request.contains("large") {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
                _ = peer.sendUntilBlocked([UInt8](repeating: 7, count: 100_000_000))
                peer.report("blocked")
                peer.waitForEnd()
                peer.report("left")
            } else {
                peer.send(ok)
            }
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            try await session.withTransfer(.post(url, "large")) { large in
                _ = try await large.head()
                #expect(await backend.report() == "blocked")
                #expect(try await session.fetch(.post(url, "small")).body == "ok")
                #expect(large.takeBytes().count == 64 << 10)
                #expect(try await large.next() == .bytes)
            }
            #expect(await backend.report() == "left")
        }
    }

    @Test func `a stream that the server resets is cut off`() async throws {
        let backend = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            peer.chunk("first")
        }
        let server = try await TLSServer(backend: backend.port)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let (error, body) = await session.failure(of: .post(url, "{}"))
            #expect(error == .cutOff(afterBytes: 5))
            #expect(body == 5)
        }
    }
}

private func transferText(_ transfer: Transfer) async throws(HTTPError) -> String {
    String(decoding: try await transfer.rest(), as: UTF8.self)
}
