import EventLoop
@testable import FastCGI
import TestSupport
import Testing

/// Bodies made of requests: whoever took a byte of one for a record would answer a request that nobody sent.
@Suite(.timeLimit(.minutes(5))) struct SmugglingTests {
    static func body(_ count: Int) -> [UInt8] {
        let smuggled = SentRequest(id: 1, parameters: [("SCRIPT_NAME", "/smuggled")], body: pattern(11)).bytes
        return [UInt8]((0...count / smuggled.count).flatMap { _ in smuggled }.prefix(count))
    }

    static let sizes = [1, 100] + (1...8).flatMap { multiple in (-16...16).map { multiple * 8192 + $0 } }

    /// - Parameter bodyBytesMax: below the sizes every body is too large, above it none is.
    @Test(arguments: [1000, 8 << 20], [65_535, 8192, 1001])
    func `an answer that does not look at the body leaves no byte of it for the next request`(
        bodyBytesMax: Int, recordBytesMax: Int
    ) async throws {
        try await LoopActor.run { worker in
            var paths: [String?] = []
            let exchange = try Exchange(
                on: worker, limits: .init(bodyBytesMax: bodyBytesMax)
            ) { request, response throws(FastCGIError) in
                paths.append(request["SCRIPT_NAME"])
                response?.start(status: 404, headers: [])
                try await response.take()?.finish()
            }
            for size in Self.sizes {
                let sent = SentRequest(
                    parameters: [("SCRIPT_NAME", "/\(size)")], body: Self.body(size), recordBytesMax: recordBytesMax)
                try await exchange.peer.send(sent.bytes)
                let answer = try await exchange.peer.readAnswer()
                #expect(answer.content == [UInt8]("Status: 404\r\n\r\n".utf8) && answer.faults.isEmpty)
            }
            exchange.connection.drain()
            #expect(try await exchange.peer.isAskedToClose())
            #expect(try await exchange.peer.waitForEnd(), "there may be no answer to what was not sent")
            #expect(paths == Self.sizes.map { "/\($0)" })
            #expect(await exchange.end() == nil)
        }
    }

    @Test func `a request behind another that is not answered yet is refused, and answered by neither`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            try await exchange.peer.send(SentRequest(id: 1).bytes + SentRequest(id: 1).bytes)
            _ = try await exchange.peer.readToEnd()
            #expect(await exchange.end() == .secondRequest)
            #expect(exchange.outcomes.count <= 1)
        }
    }

    @Test func `an answer cut in the middle of a large body closes the connection`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, timeouts: .init(request: .milliseconds(20)))
            let bytes = SentRequest(body: Self.body(100_000)).bytes
            try await exchange.peer.send([UInt8](bytes.prefix(50_000)))
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == .requestTimedOut)
            #expect(exchange.outcomes.isEmpty)
        }
    }
}
