@testable import FastCGI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ConnectionTests {
    @Test func `parameters and body arrive as they were sent`() async throws {
        try await LoopActor.run { worker in
            let long = String(repeating: "x", count: 20_000)
            let sent = SentRequest(
                id: 513,
                parameters: [("METHOD", "POST"), ("EMPTY", ""), ("LONG", long), ("EQUALS", "a=b=c"), ("UMLAUT", "grüße")],
                body: pattern(1000), padding: 7, recordBytesMax: 999)
            var seen: [String: String?] = [:]
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                for name: StaticString in ["METHOD", "EMPTY", "LONG", "EQUALS", "UMLAUT", "ABSENT", "METHO", ""] {
                    seen[name.description] = request[name]
                }
                try await answerWithBody(request, &response)
            }
            try await exchange.peer.send(sent.bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.id == 513 && answer.status == 0 && answer.hasStreamEnd && answer.faults.isEmpty)
            #expect(answer.text.hasPrefix("Status: 200\r\nContent-Type: text/plain\r\n\r\n"))
            #expect(answer.body == sent.body)
            #expect(
                seen == [
                    "METHOD": "POST", "EMPTY": "", "LONG": long, "EQUALS": "a=b=c", "UMLAUT": "grüße", "ABSENT": nil,
                    "METHO": nil,
                    "": nil,
                ])
            exchange.peer.close()
            #expect(await exchange.end() == nil)
        }
    }

    @Test func `of a parameter's duplicates the first wins`() async throws {
        try await LoopActor.run { worker in
            var seen: String?
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                seen = request["A"]
                try await answerWithBody(request, &response)
            }
            let sent = SentRequest(parameters: [("A", "1"), ("B", "3"), ("A", "2"), ("A", "")])
            try await exchange.peer.send(sent.bytes)
            _ = try await exchange.peer.readAnswer()
            #expect(seen == "1")
        }
    }

    static let sizes = [0, 1, 2, 8 << 20] + (1...8).flatMap { multiple in (-16...16).map { multiple * 8192 + $0 } }

    @Test func `bodies of every size around multiples of 8 KiB arrive on one kept connection`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            for size in Self.sizes {
                let sent = SentRequest(body: pattern(size, seed: UInt64(size)))
                try await exchange.peer.send(sent.bytes)
                let answer = try await exchange.peer.readAnswer()
                #expect(answer.status == 0 && answer.faults.isEmpty)
                #expect(answer.body == sent.body, "\(size) bytes")
            }
        }
    }

    @Test func `without FCGI_KEEP_CONN the connection closes after END_REQUEST`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            try await exchange.peer.send(SentRequest(keepsConnection: false, body: pattern(10)).bytes)
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.body == pattern(10) && answer.status == 0)
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == nil)
            #expect(exchange.outcomes == [nil] && exchange.callersLeft == 0)
        }
    }

    @Test func `a body over the limit is told about, and the connection serves the next request`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            try await exchange.peer.send(SentRequest(body: pattern(20 << 20)).bytes)
            #expect(try await exchange.peer.readAnswer().text.hasPrefix("Status: 413\r\n"))
            try await exchange.peer.send(SentRequest(body: pattern(20)).bytes)
            #expect(try await exchange.peer.readAnswer().body == pattern(20))
        }
    }

    @Test func `a request that is gone says nothing more`() async throws {
        try await LoopActor.run { worker in
            var kept: [Request] = []
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                kept.append(request)
                #expect(kept.map { $0["NUMBER"] } == (kept.count == 1 ? ["1"] : [nil, "2"]))
                try await answerWithBody(request, &response)
                #expect(request["NUMBER"] == nil)
            }
            for number in ["1", "2"] {
                try await exchange.peer.send(SentRequest(parameters: [("NUMBER", number)]).bytes)
                _ = try await exchange.peer.readAnswer()
            }
            exchange.peer.close()
            _ = await exchange.end()
            #expect(kept.map { $0["NUMBER"] } == [nil, nil])
        }
    }

    @Test func `a caller that leaves in the middle of its request is nobody's fault`() async throws {
        try await LoopActor.run { worker in
            let sent = SentRequest(body: pattern(100), recordBytesMax: 30)
            for count in [0, 1, 7, 8, 20, sent.bytes.count - 1] {
                let exchange = try Exchange(on: worker)
                try await exchange.peer.send([UInt8](sent.bytes.prefix(count)))
                exchange.peer.close()
                #expect(await exchange.end() == nil)
                #expect(exchange.outcomes.isEmpty)
            }
        }
    }

    @Test(arguments: [
        ([UInt8]([2, 1, 0, 1, 0, 8, 0, 0]), ConnectionRefusal.unsupportedVersion(2), [UInt8]()),
        (record(.beginRequest, id: 1, begin(role: 2)), .unknownRole(2), endRequest(id: 1, .unknownRole)),
        (
            record(.beginRequest, id: 1, begin()) + record(.beginRequest, id: 2, begin()), .secondRequest,
            endRequest(id: 2, .cannotMultiplex)
        ),
        (record(.standardInput, id: 1, [1]), .unexpectedRecord(type: 5), []),
    ])
    func `a refused peer gets the protocol's answer and its connection is closed`(
        bytes: [UInt8], refusal: ConnectionRefusal, answer: [UInt8]
    ) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            try await exchange.peer.send(bytes)
            #expect(try await exchange.peer.readToEnd() == answer)
            #expect(await exchange.end() == refusal)
        }
    }
}
