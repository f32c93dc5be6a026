import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct BackpressureTests {
    private static let total = 24 << 20

    @Test(arguments: ["Content-Length: \(total)\r\n", "Transfer-Encoding: chunked\r\n", ""])
    func `a reader that lags stops its upstream, and every byte arrives after`(framing: String) async throws {
        let bytes = pattern(Self.total)
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\n\(framing)\r\n")
            let isChunked = framing.hasPrefix("Transfer")
            if isChunked { peer.send("\(String(bytes.count, radix: 16))\r\n") }
            let sent = peer.sendUntilBlocked(bytes)
            peer.report("\(sent)")
            peer.send(Array(bytes[sent...]))
            if isChunked { peer.send("\r\n0\r\n\r\n") }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { transfer in
                _ = try await transfer.head()
                #expect(try await transfer.next() == .bytes)
                // What has left the server is in the kernel's buffers; of the 24 MiB this process holds very little.
                let sent = Int(await server.report() ?? "") ?? 0
                #expect(sent < Self.total)
                let held = transfer.takeBytes()
                #expect((64 << 10..<128 << 10).contains(held.count))
                #expect(try await held + transfer.rest() == bytes)
            }
        }
    }

    @Test(arguments: [1, 7, 1000]) func `a reader that takes a little late gets every byte in order`(turns: Int) async throws {
        let bytes = pattern(3_000_000)
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(bytes.count)\r\n\r\n")
            peer.send(bytes)
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { transfer in
                _ = try await transfer.head()
                var received: [UInt8] = []
                while try await transfer.next() == .bytes {
                    for _ in 0..<turns { await Task.yield() }
                    received += transfer.takeBytes()
                }
                #expect(received == bytes)
            }
        }
    }
}

/// Bytes in which no piece can stand for its neighbour.
private func pattern(_ count: Int) -> [UInt8] {
    let piece = (0..<65_521).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 11) }
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += piece.prefix(count - bytes.count) }
    return bytes
}
