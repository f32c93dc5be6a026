import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

/// Handshakes that hang, and those who come after.
@Suite(.timeLimit(.minutes(5))) struct ConvoyTests {
    @Test(arguments: [(1, true), (1, false), (3, true), (3, false)], [false, true])
    func `a handshake that hangs holds up nobody who comes after it`(
        row: (hung: Int, areLong: Bool), comeAtOnce: Bool
    ) async throws {
        let (hung, areLong) = row
        let (count, site, gate) = (50, try SecureSite(), Gate())
        let server = try ScriptServer { peer in
            if peer.number <= hung {
                peer.waitForEnd()
                return peer.report("hung up")
            }
            guard let secure = SecurePeer(peer, site.context) else { return }
            while let request = secure.request() {
                let nonce = String(request.split(separator: "\r\n").last ?? "")
                if areLong {
                    peer.report("asked")
                    gate.wait()
                }
                secure.send("HTTP/1.1 200 OK\r\nContent-Length: \(nonce.utf8.count)\r\n\r\n\(nonce)")
            }
        }
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.trusting(site.file)
            configuration.patience = .milliseconds(20)
            let session = Session(on: worker.loop, configuration)
            var callers: [Task<String, any Error>] = []
            for number in 0..<count {
                var request = HTTPRequest.post(server.secureURL, "nonce-\(number)")
                request.connectTimeout = number == 0 ? .seconds(2) : .seconds(10)
                callers.append(
                    worker.start { [request] in
                        return try await session.fetch(request).body
                    })
                if !comeAtOnce { await worker.loop.sleep(for: .milliseconds(3)) }
            }
            var hangUps = 0
            if areLong {
                var asked = 0
                while asked < count - 1 { if await server.report() == "asked" { asked += 1 } else { hangUps += 1 } }
                for _ in 0...count { gate.open() }
            }
            for (number, caller) in callers.enumerated() {
                do { #expect(try await caller.value == "nonce-\(number)") } catch { #expect(number == 0, "\(error)") }
            }
            while hangUps < hung { if await server.report() == "hung up" { hangUps += 1 } }
            await worker.wait { session.pools.values.allSatisfy(\.connecting.isEmpty) }
            session.expectNothingLeft(idle: session.context.idle.count)
        }
    }

    @Test func `400 callers behind a slow resolver cost one thread, and all are served`() async throws {
        let names = Names([.addresses(addresses("127.0.0.1"))], isHeld: true)
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        try await LoopActor.run { worker throws in
            let resolver = names.resolver()
            let session = Session(on: worker.loop, .patient, resolver)
            let callers = (0..<400).map { _ in
                worker.start {
                    return try await session.fetch(.get("http://name:\(server.port)/", connect: .seconds(60))).body
                }
            }
            await worker.wait { resolver.waiterCount(of: "name") == 400 }
            #expect(resolver.threadCount == 1)
            session.expectConsistent()
            names.open(1)
            for caller in callers { #expect(try await caller.value == "ok") }
            #expect(names.calls.value.count == 1)
            await worker.wait { session.pools.values.allSatisfy(\.connecting.isEmpty) }
            session.expectNothingLeft(idle: session.context.idle.count)
        }
    }

    @Test func `a caller who waits for a name has one connection that waits for it`() async throws {
        let names = Names([.addresses(addresses("127.0.0.1"))], isHeld: true)
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        try await LoopActor.run { worker in
            var configuration = Session.Configuration()
            configuration.patience = .milliseconds(1)
            let session = Session(on: worker.loop, configuration, names.resolver())
            let call = try session.start(.get("http://name:\(server.port)/"), waking: Wakeup(on: worker.loop))
            for _ in 0..<10 { await worker.loop.sleep(for: .milliseconds(1)) }
            #expect(session.pools.values.map(\.connecting.count) == [1])
            names.open(1)
            #expect(try await call.rest() == Array("ok".utf8))
        }
    }

    @Test func `300 callers at once have 300 connections and each its own bytes`() async throws {
        let (count, gate) = (300, Gate())
        let server = try ScriptServer { peer in
            guard let request = peer.request(), let nonce = request.split(separator: "\r\n").last else { return }
            peer.report("asked")
            gate.wait()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(nonce.utf8.count)\r\n\r\n\(nonce)")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let callers = (0..<count).map { number in
                worker.start { [request = HTTPRequest.post(server.url, "nonce-\(number)")] in
                    var request = request
                    request.connectTimeout = .seconds(60)
                    request.totalTimeout = .seconds(60)
                    return try await session.fetch(request).body
                }
            }
            for _ in 0..<count { #expect(await server.report() == "asked") }
            session.expectConsistent()
            for _ in 0..<count { gate.open() }
            for (number, caller) in callers.enumerated() { #expect(try await caller.value == "nonce-\(number)") }
            await worker.wait { session.pools.values.allSatisfy(\.connecting.isEmpty) }
            session.expectNothingLeft(idle: session.context.idle.count)
        }
    }
}
