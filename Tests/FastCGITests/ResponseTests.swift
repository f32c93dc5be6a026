import EventLoop
@testable import FastCGI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ResponseTests {
    static let pieces: [[Int]] = [
        [], [0], [1], [0, 0, 1, 0], [8175], [8176], [8177], [8183], [8184], [8185], [8191], [8192], [8193], [16_352], [65_536],
        [1, 8176, 3, 8175, 100_000, 0, 7], Array(repeating: 100, count: 500), [3 << 20],
    ]

    @Test(arguments: pieces)
    func `what was sent comes out in well-formed records, and one END_REQUEST`(pieces: [Int]) async throws {
        try await LoopActor.run { worker in
            let content = pattern(pieces.reduce(0, +))
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                var rest = content[...]
                for count in pieces {
                    try await response?.send(rest.prefix(count))
                    rest = rest.dropFirst(count)
                }
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest(id: 9, keepsConnection: false).bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.id == 9 && answer.status == 0 && answer.hasStreamEnd && answer.faults.isEmpty)
            #expect(answer.content == [UInt8]("Status: 200\r\n\r\n".utf8) + content)
            #expect(try await exchange.peer.waitForEnd(), "nothing may follow END_REQUEST")
            #expect(exchange.outcomes == [nil])
        }
    }

    @Test(arguments: [0, 1, 8100, 8150, 8176, 8177, 8192, 100_000])
    func `finish takes the last bytes along, few of them in one write`(count: Int) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                try await response.take()?.finish(sending: pattern(count)[...])
            }
            try await exchange.peer.send(SentRequest().bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.body == pattern(count) && answer.status == 0 && answer.faults.isEmpty)
            #expect(exchange.outcomes == [nil])
            if count < 8100 { #expect(answer.records == 3, "content, its end, END_REQUEST") }
        }
    }

    @Test func `each send leaves at once, the header with the first, also when that is empty`() async throws {
        try await LoopActor.run { worker in
            let next = Wakeup(on: worker.loop)
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                for text in ["", "data: 1\n\n", "data: 2\n\n"] {
                    try await response?.send([UInt8](text.utf8)[...])
                    await next.wait()
                }
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest().bytes)
            for text in ["Status: 200\r\n\r\n", "data: 1\n\n", "data: 2\n\n"] {
                let record = try await exchange.peer.readRecord()
                #expect(record.map { String(decoding: $0.content, as: UTF8.self) } == text)
                next.wake()
            }
            #expect(try await exchange.peer.readAnswer().status == 0)
        }
    }

    @Test func `a header of any length arrives, one with a line break or NUL does not`() async throws {
        try await LoopActor.run { worker in
            let long = String(repeating: "x", count: 30_000)
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(
                    status: 503,
                    headers: [
                        ("A", "1"), ("B", "1\r\nX: 2"), ("C", "1\nX: 2"), ("D", "\0"), ("E\r\nX", "2"), ("F", ""), ("LONG", long),
                    ])
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest().bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.text == "Status: 503\r\nA: 1\r\nF: \r\nLONG: \(long)\r\n\r\n")
        }
    }

    @Test(arguments: [false, true], [0, 1, 50_000])
    func `a response that is not finished cuts the connection without END_REQUEST`(starts: Bool, sends: Int) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                if starts {
                    response?.start(status: 200, headers: [])
                    try await response?.send(pattern(sends)[...])
                }
                response = nil
            }
            try await exchange.peer.send(SentRequest().bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.status == nil && !answer.hasStreamEnd && answer.faults.isEmpty)
            #expect(answer.body == (starts ? pattern(sends) : []))
            #expect(exchange.peer.hasEnded)
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 0)
        }
    }
}
