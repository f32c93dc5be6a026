import Clock
import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

/// ASCII whose bytes differ from their shifts.
private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 19) } }

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Bodies that a server reads late, or never, or not before it answers; and what goes out twice.
@Suite(.timeLimit(.minutes(5))) struct SendingTests {
    @Test(arguments: [false, true]) func `a large body may wait for longer than an acknowledgement`(isKept: Bool) async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            if isKept {
                _ = peer.request()
                peer.send(ok)
            }
            peer.waitForHead()
            peer.report("begun")
            gate.wait()
            while let request = peer.request() {
                peer.report("\(request.utf8.count > 7_000_000)")
                peer.send(ok)
            }
        }
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .milliseconds(300)
            let session = Session(on: worker.loop, configuration)
            if isKept { #expect(try await session.fetch(.get(server.url)).body == "ok") }
            let body = String(repeating: "x", count: 7_000_000)
            let caller = worker.start {
                return try await session.fetch(.post(server.url, body)).body
            }
            #expect(await server.report() == "begun")
            let late = Wakeup(on: worker.loop)
            let timer = Timer(on: worker.loop) { late.wake() }
            timer.set(at: .current + .milliseconds(900))
            await late.wait()
            gate.open()
            #expect(try await caller.value == "ok")
            #expect(await server.report() == "true")
            #expect(server.connections == 1)
            session.expectNothingLeft(idle: 1)
        }
    }

    @Test(arguments: [1, 10, 16_384, 16_385, 200_000, 3_000_000], [[], [0], [5], [1, 1, 9_000, 70_000]])
    func `a body in parts goes out as one`(count: Int, cuts: [Int]) async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.utf8.suffix(count).elementsEqual(pattern(count)))")
                peer.send(ok)
            }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            var request = HTTPRequest.post(server.url, "")
            request.body = HTTPBody(pattern(count), cutAt: cuts)
            for _ in 0..<2 {
                #expect(try await session.fetch(request).body == "ok")
                #expect(await server.report() == "true")
            }
        }
    }

    @Test(arguments: [false, true], [false, true]) func `a server that takes nothing for too long is lost, and asked once`(
        isKept: Bool, isSecure: Bool
    ) async throws {
        let site = try SecureSite()
        let server = try ScriptServer { peer in
            let secure = isSecure ? SecurePeer(peer, site.context) : nil
            if isKept {
                _ = secure == nil ? peer.request() : secure?.request()
                if let secure { secure.send(ok) } else { peer.send(ok) }
            }
            _ = peer.some()
            peer.report("begun")
            peer.waitForHangUp()
            peer.report("closed")
        }
        try await LoopActor.run { worker throws in
            var configuration = isSecure ? Session.Configuration.trusting(site.file) : .init()
            configuration.sendTimeout = .milliseconds(500)
            configuration.patience = .seconds(3_600)
            let session = Session(on: worker.loop, configuration)
            let url = isSecure ? server.secureURL : server.url
            if isKept { #expect(try await session.fetch(.get(url)).body == "ok") }
            let failure = await session.failure(of: .post(url, String(repeating: "x", count: 20_000_000)))
            #expect(failure.error == .timedOut(.send, after: .milliseconds(500)))
            #expect(server.connections == 1)
            session.expectNothingLeft()
            #expect(worker.loop.timers.first == nil)
        }
    }

    /// To make a large body takes long on a busy machine, and the server can take none of it meanwhile.
    @Test func `a server has its time from when it is sent something, and not from when the loop last looked`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send(ok)
            gate.wait()
            while peer.request() != nil { peer.send(ok) }
        }
        try await LoopActor.run { worker throws in
            let limit = Duration.seconds(1)
            var configuration = Session.Configuration.patient
            configuration.sendTimeout = limit
            let session = Session(on: worker.loop, configuration)
            #expect(try await session.fetch(.get(server.url)).body == "ok")
            let body = String(repeating: "x", count: 20_000_000)
            while .current < worker.loop.now + limit { continue }
            let transfer = try session.start(.post(server.url, body), waking: Wakeup(on: worker.loop))
            for _ in 0..<3 { await worker.turn() }
            gate.open()
            #expect(await transfer.outcome() == .ok())
            #expect(server.connections == 1)
        }
    }

    /// The kernel tells of room only when a good part of its buffer is free, which takes longer here than the time limit.
    @Test func `a server that takes a little within each time limit is not lost`() async throws {
        let steps = 40
        let body = String(repeating: "x", count: 20_000_000)
        try await LoopActor.run { worker in
            try await withLongerAndLongerLimits(from: .seconds(1)) { limit in
                let gate = Gate()
                let server = try ScriptServer { peer in
                    peer.waitForHead()
                    peer.report("begun")
                    for _ in 0..<steps {
                        gate.wait()
                        _ = peer.bytes(50_000)
                    }
                    var rest = 20_000_000 - steps * 50_000
                    while rest > 0, let bytes = peer.some() { rest -= bytes.count }
                    peer.send(ok)
                    peer.waitForHangUp()
                }
                var configuration = Session.Configuration.patient
                configuration.sendTimeout = limit
                let session = Session(on: worker.loop, configuration)
                let transfer = try session.start(.post(server.url, body), waking: Wakeup(on: worker.loop))
                #expect(await server.report() == "begun")
                for _ in 0..<steps {
                    await worker.loop.sleep(for: limit / 10)
                    gate.open()
                }
                let outcome = await transfer.outcome()
                if outcome == .failed(.timedOut(.send, after: limit)) { return false }
                #expect(outcome == .ok())
                return true
            }
        }
    }

    /// Its bytes are with the kernel, and the server has no room for them for a while.
    @Test func `a large body that was given up takes no one along who shares its connection`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.initialWindow, 0x7FFF_FFFF)) else { return }
            peer.send(.windowUpdate(0, 0x7FFF_0000))
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next(), peer.frame(.headers) != nil else { return }
            peer.report("sending")
            gate.wait()
            guard peer.frame(.resetStream) != nil else { return }
            peer.answer(stream)
            reader.answerAll("next")
        }
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .milliseconds(300)
            let session = Session(on: worker.loop, configuration)
            let small = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            let body = String(repeating: "x", count: 20_000_000)
            let large = try session.start(.http2(server.url, body), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "sending")
            large.cancel()
            await worker.loop.sleep(for: .milliseconds(900))
            gate.open()
            #expect(await small.outcome() == .ok())
            #expect(try await session.fetch(.http2(server.url)).body == "next")
            #expect(server.connections == 1)
        }
    }

    /// What waits in the process is moved to the front again and again.
    @Test(arguments: [false, true]) func `a body that the kernel takes in small pieces is whole`(isHTTP2: Bool) async throws {
        let body = (0..<400_000).map { "\($0) " }.joined()
        let gate = Gate()
        let server = try ScriptServer { peer in
            peer.report("there")
            gate.wait()
            if isHTTP2 {
                guard peer.beginHTTP2(.settings(Frame.initialWindow, 0x7FFF_FFFF)) else { return }
                peer.send(.windowUpdate(0, 0x7FFF_0000))
                var reader = RequestReader(peer)
                guard let (stream, received) = reader.next(opensWindows: false) else { return }
                peer.answer(stream, "\(received == body)")
            } else {
                let text = "\(peer.request()?.hasSuffix("\r\n\r\n\(body)") == true)"
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            var request = HTTPRequest.post(server.url, body)
            if isHTTP2 { request.options = .priorKnowledge }
            let transfer = try session.start(request, waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "there")
            for descriptor in openDescriptors() where isConnected(descriptor, to: server.port) {
                // The kernel makes the least that it has of it (socket(7)).
                var size: Int32 = 1
                _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            }
            gate.open()
            #expect(await transfer.outcome() == .ok("true"))
            session.close()
        }
    }

    enum Early: CaseIterable { case refusalWithReset, refusalWithClose, success, successThenRead }

    @Test(arguments: Early.allCases, [300, 30_000, 20_000_000])
    func `an answer before the body is an answer, and ends the connection`(
        early: Early, count: Int
    ) async throws {
        let isRefusal = early == .refusalWithReset || early == .refusalWithClose
        let server = try ScriptServer { peer in
            peer.waitForHead()
            guard isRefusal else {
                peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"id\":\"1\"}  ")
                if early == .successThenRead { while peer.request() != nil {} } else { peer.waitForHangUp() }
                return
            }
            peer.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\nlarge !")
            if early == .refusalWithReset { peer.reset() }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for number in 1...(isRefusal || early == .success && count == 20_000_000 ? 3 : 1) {
                let (head, body) = try await session.fetch(.post(server.url, String(repeating: "x", count: count)))
                #expect(head?.status == (isRefusal ? 413 : 200))
                if isRefusal { #expect(body == "large !") }
                // With a small body all had gone out, and the connection may be kept.
                if early == .success, count == 20_000_000 { #expect(server.connections == number) }
            }
            session.expectNothingLeft(idle: session.context.idle.count)
        }
    }

    @Test(arguments: ["", "H", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"], [false, true])
    func `a request goes out again only where nothing has been heard on a kept connection`(
        heard: String, isKept: Bool
    ) async throws {
        let server = try ScriptServer { peer in
            if isKept, peer.number == 1 {
                _ = peer.request()
                peer.send(ok)
            }
            peer.report("\(peer.number) \(peer.request()?.hasSuffix("body") == true)")
            peer.send(heard)
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            if isKept { #expect(try await session.fetch(.get(server.url)).body == "ok") }
            #expect(await session.failure(of: .post(server.url, "body")).error == .cutOff(afterBytes: 0))
            #expect(await server.report() == "1 true")
            let isAgain = isKept && heard.isEmpty
            if isAgain { #expect(await server.report() == "2 true") }
            #expect(server.connections == (isAgain ? 2 : 1))
            session.expectNothingLeft()
        }
    }

    /// Where the server closes a kept connection without a word: what it has read, and what the kernel has reset for it.
    @Test(arguments: [false, true], [false, true])
    func `a request that is sent once goes out again only where nobody has read it`(isRead: Bool, isSentOnce: Bool) async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send(ok)
            guard peer.number == 1 else { return }
            if isRead {
                peer.report("\(peer.request()?.hasSuffix("body") == true)")
            } else {
                peer.waitForHead()
                peer.reset()
            }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            #expect(try await session.fetch(.get(server.url)).body == "ok")
            var request = HTTPRequest.post(server.url, "body")
            request.isSentOnce = isSentOnce
            if isRead, isSentOnce {
                #expect(await session.failure(of: request).error == .cutOff(afterBytes: 0))
            } else {
                #expect(try await session.fetch(request).body == "ok")
            }
            #expect(server.connections == (isRead && isSentOnce ? 1 : 2))
            if isRead { #expect(await server.report() == "true") }
        }
    }

    /// As when the kernel is out of memory or may not send: nothing is heard of that on the receiving side.
    @Test(arguments: [false, true])
    func `a kept connection that takes nothing any more is replaced, though its server keeps it`(isHTTP2: Bool) async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            if isHTTP2 {
                guard peer.beginHTTP2() else { return }
                var reader = RequestReader(peer)
                reader.answerAll()
            } else {
                while peer.request() != nil { peer.send(ok) }
            }
            gate.wait()
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let request = isHTTP2 ? HTTPRequest.http2(server.url) : .get(server.url)
            #expect(try await session.fetch(request).body == "ok")
            let kept = try #require(worker.loop.watches.compactMap { $0 }.first)
            shutdown(kept.descriptor, Int32(SHUT_WR))
            #expect(try await session.fetch(request).body == "ok")
            #expect(server.connections == 2)
            for _ in 0..<2 { gate.open() }
        }
    }

    @Test func `interim answers without end are refused`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            while peer.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") > 0 {}
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let error = await session.failure(of: .get(server.url)).error
            guard case .malformed = error else {
                if case .headTooLarge = error { return }
                Issue.record("\(String(describing: error))")
                return
            }
            session.expectNothingLeft()
        }
    }

    @Test(arguments: [("Connection: keep-alive\r\n", 1), ("", 2)]) func `HTTP 1.0 keeps a connection where it says so`(
        row: (field: String, connections: Int)
    ) async throws {
        let server = try ScriptServer { peer in
            while peer.request() != nil { peer.send("HTTP/1.0 200 OK\r\n\(row.field)Content-Length: 2\r\n\r\nok") }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            for _ in 0..<2 { #expect(try await session.fetch(.get(server.url)).body == "ok") }
            #expect(server.connections == row.connections)
            session.expectNothingLeft(idle: 2 - row.connections)
        }
    }
}
