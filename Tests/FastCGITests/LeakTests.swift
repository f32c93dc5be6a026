import EventLoop
@testable import FastCGI
import TestSupport
import Testing

/// In processes of their own: what other tests open and hold would be counted too. Sanitizers keep freed memory on purpose.
@Suite(.disabled(if: isSanitized)) struct LeakTests {
    @Test func `connections dropped at every stage leave no descriptor and no memory behind`() async {
        await #expect(processExitsWith: .success) {
            try await LoopActor.run { worker in
                let buffers = try SharedBuffers()
                for _ in 0..<100 { try await dropAtEveryStage(worker, buffers) }
                let (descriptors, memory) = (openDescriptors(), residentBytes())
                for _ in 0..<100 { try await dropAtEveryStage(worker, buffers) }
                #expect(openDescriptors() == descriptors)
                // 2,000 connections: 256 bytes lost with each would be seen.
                #expect(residentBytes() - memory < 512 << 10)
            }
        }
    }

    @Test func `an answer is not held twice while a slow peer takes it`() async {
        await #expect(processExitsWith: .success) {
            try await LoopActor.run { worker in
                let content = pattern(32 << 20)
                let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                    response?.start(status: 200, headers: [("Content-Type", "text/plain")])
                    try await response.take()?.finish(sending: content[...])
                }
                try await exchange.peer.send(SentRequest().bytes)
                let memory = residentBytes(peak: true)
                while !exchange.connection.isWaitingToWrite { await worker.loop.turn() }
                #expect(residentBytes(peak: true) - memory < 8 << 20)
                #expect(try await exchange.peer.readAnswer().body == content)
            }
        }
    }

    @Test func `a body over the limit is not held in memory while it comes`() async {
        await #expect(processExitsWith: .success) {
            try await LoopActor.run { worker in
                let exchange = try Exchange(on: worker, limits: .init(bodyBytesMax: 1 << 20))
                try await exchange.peer.send(SentRequest(body: pattern(2 << 20)).bytes)
                _ = try await exchange.peer.readAnswer()
                let memory = residentBytes(peak: true)
                let (start, end) = (
                    record(.beginRequest, id: 1, begin()) + record(.parameters, id: 1), record(.standardInput, id: 1)
                )
                try await exchange.peer.send(start)
                let piece = record(.standardInput, id: 1, pattern(65_535))
                for _ in 0..<2000 { try await exchange.peer.send(piece) }
                try await exchange.peer.send(end)
                #expect(try await exchange.peer.readAnswer().text.hasPrefix("Status: 413"))
                #expect(residentBytes(peak: true) - memory < 4 << 20)
            }
        }
    }
}

/// Twenty connections, each dropped at another moment.
private func dropAtEveryStage(_ worker: isolated LoopActor, _ buffers: SharedBuffers) async throws {
    let sent = SentRequest(body: pattern(20_000), padding: 3, recordBytesMax: 9000)
    let abort = record(.abortRequest, id: 1)
    let beginnings = [0, 5, 8, 20, 60, 9000, sent.bytes.count - 4].map { [UInt8](sent.bytes.prefix($0)) }
    let refused = [[2, 2, 2, 2, 2, 2, 2, 2], SentRequest(role: 3).bytes, record(.data, id: 1, [1]), sent.bytes + sent.bytes]
    for bytes in beginnings + refused + [Array(sent.bytes.prefix(30)) + abort, sent.bytes + abort] {
        let exchange = try Exchange(on: worker, sharing: buffers)
        try await exchange.peer.send(bytes)
        await worker.loop.turn()
        exchange.peer.close()
        _ = await exchange.end()
    }
    for handler in [CallerLeftTests.handler(streams: true), CallerLeftTests.handler(streams: false)] {
        for bytes in [[], abort, record(.data, id: 1, [1])] {
            let exchange = try Exchange(on: worker, sharing: buffers, handler: handler)
            try await exchange.peer.send(sent.bytes)
            _ = try await exchange.peer.readRecord()
            try await exchange.peer.send(bytes)
            exchange.peer.close()
            _ = await exchange.end()
        }
    }
    let exchange = try Exchange(on: worker, sharing: buffers)
    for _ in 0..<3 {
        try await exchange.peer.send(sent.bytes)
        _ = try await exchange.peer.readAnswer()
    }
    exchange.peer.close()
    _ = await exchange.end()
}
