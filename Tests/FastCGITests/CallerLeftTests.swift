import EventLoop
@testable import FastCGI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct CallerLeftTests {
    /// Streams until the caller has left.
    static func streamForEver(_ request: Request, _ response: inout Response?) async throws(FastCGIError) {
        response?.start(status: 200, headers: [])
        while true {
            try await response?.send([UInt8]("data: x\n\n".utf8)[...])
            await request.connection.loop.turn()
        }
    }

    /// Says nothing until `onCallerLeft` is called, as one that waits for its upstream.
    static func waitForCallerToLeave(_ request: Request, _ response: inout Response?) async throws(FastCGIError) {
        let wakeup = Wakeup(on: request.connection.loop)
        let counted = request.connection.onCallerLeft
        request.connection.onCallerLeft = {
            counted?()
            wakeup.wake()
        }
        response?.start(status: 200, headers: [])
        try await response?.send([])
        await wakeup.wait()
        try await response?.send([UInt8]("data: x\n\n".utf8)[...])
    }

    static func handler(streams: Bool) -> Exchange.Handler {
        if streams { return streamForEver }
        return waitForCallerToLeave
    }

    @Test(arguments: [true, false])
    func `an abort in the middle of a stream is told, ends the request and closes the connection`(streams: Bool) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, handler: Self.handler(streams: streams))
            try await exchange.peer.send(SentRequest(id: 2).bytes)
            _ = try await exchange.peer.readRecord()
            try await exchange.peer.send(record(.abortRequest, id: 2))
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.status == 0 && answer.faults.isEmpty)
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    @Test(arguments: [true, false])
    func `an abort directly behind its request is answered`(keepsConnection: Bool) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, handler: Self.streamForEver)
            let bytes = SentRequest(id: 2, keepsConnection: keepsConnection).bytes + record(.abortRequest, id: 2)
            try await exchange.peer.send(bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.status == 0 && answer.faults.isEmpty)
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == nil)
        }
    }

    /// As one that reads its upstream's answer to the end for nobody.
    @Test(arguments: [true, false])
    func `an abort is answered at once, whatever is still done for the request`(hasBegun: Bool) async throws {
        try await LoopActor.run { worker in
            let (begun, end) = (Wakeup(on: worker.loop), Wakeup(on: worker.loop))
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                if hasBegun { try await response?.send([1]) }
                begun.wake()
                await end.wait()
                try await response.take()?.finish(sending: [2])
            }
            try await exchange.peer.send(SentRequest(id: 2).bytes)
            await begun.wait()
            try await exchange.peer.send(record(.abortRequest, id: 2))
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.status == 0 && answer.faults.isEmpty)
            #expect(try await exchange.peer.waitForEnd())
            end.wake()
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    /// One whose request was taken back while its peer took nothing, and that goes on until `end` is woken, as one that reads its
    /// upstream's answer to the end for nobody.
    /// - Returns: with it, how many bytes it has sent.
    private static func takenBack(until end: Wakeup, on worker: isolated LoopActor) async throws -> (Exchange, sentCount: Int) {
        let full = Wakeup(on: worker.loop)
        var sentCount = 0
        let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
            response?.start(status: 200, headers: [])
            while try response?.sendAtOnce(pattern(8000)[...]) == true { sentCount += 8000 }
            full.wake()
            await end.wait()
            try await response.take()?.finish()
        }
        try await exchange.peer.send(SentRequest(id: 2).bytes)
        await full.wait()
        try await exchange.peer.send(record(.abortRequest, id: 2))
        while exchange.callersLeft == 0 { await worker.loop.turn() }
        return (exchange, sentCount)
    }

    @Test func `an abort that comes while the peer takes nothing is answered as soon as it does`() async throws {
        try await LoopActor.run { worker in
            let end = Wakeup(on: worker.loop)
            let (exchange, sentCount) = try await Self.takenBack(until: end, on: worker)
            var answer = Answer()
            while answer.body.count < sentCount, let (header, content) = try await exchange.peer.readRecord() {
                answer.add(header, content)
            }
            await worker.loop.turn()
            // Whatever comes now is not what it has to wait for.
            let isTold = exchange.peer.hasBytes
            end.wake()
            while let (header, content) = try await exchange.peer.readRecord() { answer.add(header, content) }
            #expect(isTold && answer.status == 0 && answer.faults.isEmpty)
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    @Test func `a peer that leaves behind its abort, and has taken nothing, is not waited for`() async throws {
        try await LoopActor.run { worker in
            let end = Wakeup(on: worker.loop)
            let (exchange, _) = try await Self.takenBack(until: end, on: worker)
            exchange.peer.close()
            for _ in 0..<3 { await worker.loop.turn() }
            end.wake()
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    @Test func `an abort in the middle of a request is answered`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            try await exchange.peer.send(record(.beginRequest, id: 2, begin()) + record(.abortRequest, id: 2))
            #expect(try await exchange.peer.readToEnd() == endRequest(id: 2, .requestComplete))
            #expect(await exchange.end() == nil)
            #expect(exchange.outcomes.isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `an end of file in the middle of a stream is told once`(streams: Bool) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, handler: Self.handler(streams: streams))
            try await exchange.peer.send(SentRequest().bytes)
            _ = try await exchange.peer.readRecord()
            exchange.peer.close()
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    @Test(arguments: [
        (record(.data, id: 1, [1]), ConnectionRefusal.unexpectedRecord(type: 8)),
        (record(.standardInput, id: 1), .unexpectedRecord(type: 5)),
        (record(.beginRequest, id: 1, begin()), .secondRequest),
        (record(.beginRequest, id: 2, begin()), .secondRequest),
        ([UInt8]("GET / HTTP/1.1\r\n\r\n".utf8), .unsupportedVersion(71)),
    ])
    func `a protocol error in the middle of a stream is told and closes`(bytes: [UInt8], refusal: ConnectionRefusal) async throws
    {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, handler: Self.waitForCallerToLeave)
            try await exchange.peer.send(SentRequest().bytes)
            _ = try await exchange.peer.readRecord()
            try await exchange.peer.send(bytes)
            _ = try await exchange.peer.readToEnd()
            #expect(await exchange.end() == refusal)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    @Test func `a failed write is noticed, though libfcgi reports it once and the loop has not seen the end yet`() async throws {
        try await LoopActor.run { worker in
            var leave: () -> Void = {}
            var errors: [FastCGIError] = []
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                leave()
                for _ in 0..<3 {
                    do throws(FastCGIError) { try await response?.send([1]) } catch { errors.append(error) }
                    do throws(FastCGIError) { _ = try response?.sendAtOnce([1]) } catch { errors.append(error) }
                }
            }
            let peer = exchange.peer
            leave = { peer.close() }
            try await peer.send(SentRequest().bytes)
            #expect(await exchange.end() == nil)
            #expect(errors == Array(repeating: .callerLeft, count: 6))
            #expect(exchange.callersLeft == 1)
        }
    }

    @Test func `a write that fails while libfcgi makes room in its buffer is noticed`() async throws {
        try await LoopActor.run { worker in
            var leave: () -> Void = {}
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                leave()
                response?.start(status: 200, headers: [("LONG", String(repeating: "x", count: 30_000))])
                try await response?.send([])
            }
            let peer = exchange.peer
            leave = { peer.close() }
            try await peer.send(SentRequest().bytes)
            #expect(await exchange.end() == nil)
            #expect(exchange.outcomes == [.callerLeft] && exchange.callersLeft == 1)
        }
    }

    @Test func `a write that fails in the answer's last bytes is an error of finish`() async throws {
        try await LoopActor.run { worker in
            var leave: () -> Void = {}
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                leave()
                try await response.take()?.finish()
            }
            let peer = exchange.peer
            leave = { peer.close() }
            try await peer.send(SentRequest().bytes)
            #expect(await exchange.end() == nil)
            #expect(exchange.outcomes == [.callerLeft])
        }
    }

    @Test func `whoever asks late is told at once that the caller has left`() async throws {
        try await LoopActor.run { worker in
            let begun = Wakeup(on: worker.loop)
            let left = Wakeup(on: worker.loop)
            var calls = 0
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                request.connection.onCallerLeft = { left.wake() }
                begun.wake()
                await left.wait()
                request.connection.onCallerLeft = { calls += 1 }
            }
            try await exchange.peer.send(SentRequest().bytes)
            await begun.wait()
            exchange.peer.close()
            #expect(await exchange.end() == nil)
            #expect(calls == 1)
        }
    }
}

extension EventLoop {
    /// Lets the loop look at its descriptors once.
    func turn() async {
        let wakeup = Wakeup(on: self)
        // What is due at once comes ahead of the look, and what is due after that behind it.
        for _ in 0..<2 { await wakeup.wait(until: now) }
    }
}
