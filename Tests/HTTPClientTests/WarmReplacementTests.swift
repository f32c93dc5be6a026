import Clock
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// Connections that stand ready come back when calls have taken them, or their server has closed them.
@Suite(.timeLimit(.minutes(5))) struct WarmReplacementTests {
    @Test func `idle connections that the server closes come back without a call`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.prefix(4)) on \(peer.number)")
                peer.send(notFound)
                if peer.number <= 3 { return gate.wait() }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 3, .often)
            #expect(await observed.next() == .ready(connections: 3))
            for _ in 0..<3 { gate.open() }
            var requests: [String?] = []
            while requests.count < 6 { requests.append(await server.report()) }
            #expect(Set(requests) == Set((1...6).map { "HEAD on \($0)" }))
            #expect(await observed.next() == .ready(connections: 3))
            _ = try await session.fetch(.post(server.url, "{}"))
            // Another connection may have been opened for the one that the call takes.
            var call = await server.report()
            while call?.hasPrefix("HEAD") == true { call = await server.report() }
            #expect(["POST on 4", "POST on 5", "POST on 6"].contains(call))
        }
    }

    @Test func `an idle connection that the server closes comes back at once, long before the next look`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.prefix(4)) on \(peer.number)")
                peer.send(notFound)
                if peer.number == 1 { return gate.wait() }
            }
        }
        try await LoopActor.run { worker in
            var times = WarmConnections.Times.onlyOnce
            times.pauseMin = .microseconds(1)
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 1, times)
            #expect(await observed.next() == .ready(connections: 1))
            gate.open()
            #expect(await server.report() == "HEAD on 1")
            #expect(await server.report() == "HEAD on 2")
            #expect(await observed.next() == .ready(connections: 1))
        }
    }

    @Test func `no call is given a connection of HTTP/1 over TLS that the server has closed`() async throws {
        let backend = try answeringServer()
        let server = try await TLSServer(backend: backend.port, protocols: "", rules: "keepalive_timeout 20ms;")
        let elsewhere = try ScriptServer(answer: notFound)
        let (url, port, file) = (server.url, server.port, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            var observed: Warmth? = try Warmth(session, url, count: 3, .often)
            var lost: Set<UInt64> = []
            for _ in 0..<6 {
                // On a busy machine the server closes some before they have been seen open.
                while let report = await observed?.next(), report != .ready(connections: 3) {}
                lost.formUnion(sockets { isConnected($0, to: port) })
            }
            observed = nil
            // Nobody looks at the last three any more.
            lost.subtract(sockets { isConnected($0, to: port) })
            #expect(lost.count >= 3)
            // What is found closed is closed here too, whatever a call is for.
            let start = ContinuousClock.now
            while !sockets().isDisjoint(with: lost), ContinuousClock.now < start + .seconds(30) {
                _ = try await session.fetch(.get(elsewhere.url))
            }
            #expect(sockets().isDisjoint(with: lost))
            #expect(try await session.fetch(.post(url, "{}")).head?.status == 404)
        }
    }

    @Test func `a connection of HTTP/2 that the server closes comes back without a call`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            peer.report("\(peer.number)")
            if peer.number < 4 { gate.wait() } else { peer.waitForEnd() }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 1, .often, ConnectionOptions(version: .http2))
            for number in 1...4 {
                #expect(await observed.next() == .ready(connections: 1))
                #expect(await server.report() == "\(number)")
                gate.open()
            }
        }
    }

    @Test func `an idle connection of HTTP/2 gets a PING from time to time, and no request`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            while let frame = peer.frame() {
                if frame.is(.headers) { peer.report("request") }
                guard frame.isPingToAnswer else { continue }
                peer.report("ping \(peer.number)")
                peer.acknowledge(frame)
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var times = WarmConnections.Times.often
            times.refresh = .milliseconds(1)
            let observed = try Warmth(session, server.url, count: 1, times, ConnectionOptions(version: .http2))
            for _ in 0..<10 { #expect(await server.report() == "ping 1") }
            #expect(await observed.next() == .ready(connections: 1))
        }
    }

    @Test func `a connection that a call uses is left to it, and another one stands ready`() async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                guard request.hasPrefix("POST") else { peer.send(notFound); continue }
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<1000 { peer.chunk("more") }
                peer.report("sent")
                _ = peer.send("0\r\n\r\n")
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 1, .often)
            #expect(await observed.next() == .ready(connections: 1))
            try await session.withTransfer(.post(server.url, "{}")) { stream in
                #expect(await server.report() == "sent")
                #expect(await observed.next() == .ready(connections: 2))
                #expect(server.connections == 2)
                let body = try await stream.rest()
                #expect(body.count == 4000)
            }
            try await manyLooks(worker)
            #expect(descriptorsConnected(to: server.port) == 2)
            #expect(observed.reports == 2)
        }
    }

    @Test func `call after call takes a connection of HTTP/1, and each time another one stands ready soon`() async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request(), request.hasPrefix("HEAD") { peer.send(notFound) }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var times = WarmConnections.Times.often
            times.pauseMax = .seconds(3600)
            let observed = try Warmth(session, server.url, count: 1, times)
            try await take(20, from: observed, session, server.url)
            #expect(server.connections == 21)
        }
    }
}

/// Begins calls one after another, each while those before it go on and as soon as a connection is ready for it.
private func take(_ calls: Int, from warmth: Warmth, _ session: Session, _ url: String, taken: Int = 0) async throws {
    #expect(await warmth.next() == .ready(connections: taken + 1))
    guard calls > taken else { return }
    try await session.withTransfer(.post(url, "{}")) { _ in
        try await take(calls, from: warmth, session, url, taken: taken + 1)
    }
}
