import Clock
import EventLoop
@testable import FastCGI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ManagementExchangeTests {
    static let query = getValues(["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"])
    static let result = [UInt8]("\u{e}\u{4}FCGI_MAX_CONNS4096\u{f}\u{1}FCGI_MPXS_CONNS0".utf8)

    @Test func `management records are answered before, between and after requests`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            for round in 1...3 {
                try await exchange.peer.send(Self.query)
                #expect(try await exchange.peer.readRecord()?.content == Self.result)
                try await exchange.peer.send(record(rawType: 50, id: 0, [1, 2, 3]))
                #expect(try await exchange.peer.readRecord()?.content == [50, 0, 0, 0, 0, 0, 0, 0])
                try await exchange.peer.send(SentRequest(body: pattern(round)).bytes)
                #expect(try await exchange.peer.readAnswer().body == pattern(round))
            }
        }
    }

    @Test func `a management record that comes in two parts makes the request behind it no older`() async throws {
        try await LoopActor.run { worker in
            var starts: [Instant] = []
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                starts.append(request.start)
                try await answerWithBody(request, &response)
            }
            try await exchange.peer.send(Array(Self.query.prefix(12)))
            while exchange.connection.arrival == nil { await worker.loop.turn() }
            try await exchange.peer.send(Array(Self.query.dropFirst(12)))
            #expect(try await exchange.peer.readRecord()?.content == Self.result)
            #expect(exchange.connection.arrival == nil)
            let sent = Instant.current
            try await exchange.peer.send(SentRequest(body: [1]).bytes)
            #expect(try await exchange.peer.readAnswer().body == [1])
            #expect(starts.count == 1 && starts[0] >= sent)
        }
    }

    @Test func `a management record in the middle of a stream is answered and disturbs nothing`() async throws {
        try await LoopActor.run { worker in
            let next = Wakeup(on: worker.loop)
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                for byte in UInt8(1)...5 {
                    try await response?.send([byte])
                    await next.wait()
                }
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest().bytes)
            var answer = Answer()
            for _ in 1...5 {
                for isQuery in [false, true] {
                    if isQuery { try await exchange.peer.send(Self.query) }
                    let record = try #require(try await exchange.peer.readRecord())
                    answer.add(record.header, record.content)
                }
                next.wake()
            }
            while !answer.isComplete, let (header, content) = try await exchange.peer.readRecord() { answer.add(header, content) }
            #expect(answer.content == [UInt8]("Status: 200\r\n\r\n".utf8) + [1, 2, 3, 4, 5])
            #expect(answer.management == Array(repeating: Self.result, count: 5))
            #expect(answer.faults.isEmpty && answer.status == 0)
        }
    }

    @Test(arguments: [record(.getValues, id: 0), query, record(rawType: 50, id: 0)], [false, true])
    func `a flood whose answers nobody reads is refused`(flood: [UInt8], isAnswering: Bool) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, handler: CallerLeftTests.waitForCallerToLeave)
            if isAnswering { try await exchange.peer.send(SentRequest().bytes) }
            let bytes = Array(repeating: flood, count: 1000).flatMap(\.self)
            while exchange.connection.refusal == nil {
                do { try await exchange.peer.send(bytes) } catch { break }
                await worker.loop.turn()
            }
            #expect(await exchange.end() == .answersNotRead)
            #expect(exchange.callersLeft == (isAnswering ? 1 : 0))
        }
    }

    @Test func `a flood whose answers are read is answered in full`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            let flood = Array(repeating: Self.query, count: 500).flatMap(\.self)
            for _ in 1...20 {
                try await exchange.peer.send(flood)
                for _ in 1...500 { #expect(try await exchange.peer.readRecord()?.content == Self.result) }
            }
            #expect(exchange.connection.refusal == nil)
        }
    }
}
