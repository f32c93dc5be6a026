import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite struct ResponseTests {
    @Test func `status and headers arrive before the body, and each chunk before the next is sent`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send(
                "HTTP/1.1 201 Created\r\nContent-Type:  text/plain \r\nX-Twice: a\r\nX-TWICE: b\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            for number in 0..<20 {
                gate.wait()
                peer.chunk("chunk \(number)\n")
            }
            gate.wait()
            peer.send("0\r\n\r\n")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = try Session(on: worker.loop)
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
}
