import Clock
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

private let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

/// Answers everything, and reports each request's head.
private func answeringServer(_ answer: String = answer) throws -> ScriptServer {
    try ScriptServer { peer in
        while let request = peer.request() {
            peer.report(request)
            peer.send(answer)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct WarmConnectionsTests {
    @Test func `a call finds a connection of HTTP/2 that was opened without a request`() async throws {
        let backend = try answeringServer()
        let server = try TLSServer(backend: backend.port)
        let (url, port, file) = (server.url, server.port, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let observed = try Warmth(session, url, count: 3, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 1))
            let warm = sockets { isConnected($0, to: port) }
            #expect(try await session.fetch(.post(url, "{}")).head?.status == 404)
            #expect(await backend.report()?.hasPrefix("POST") == true)
            #expect(sockets { isConnected($0, to: port) } == warm)
        }
    }

    @Test func `a connection of HTTP/2 that nobody has used may be dead, and a request goes out once more`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next(), peer.number > 1 else { return }
            peer.answer(stream, "another")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let warm = try Warmth(session, server.url, count: 1, .onlyOnce, .priorKnowledge)
            #expect(await warm.next() == .ready(connections: 1))
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .ok("another"))
        }
    }

    @Test func `a call finds a connection of HTTP/1 that a request without a secret has opened`() async throws {
        let server = try answeringServer()
        let url = "http://user:password@localhost:\(server.port)/v1/secret?key=secret#secret"
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, url, count: 1, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 1))
            let trial = try #require(await server.report())
            #expect(trial.hasPrefix("HEAD / HTTP/1.1\r\n"))
            for secret in ["secret", "password", "uthorization"] { #expect(!trial.contains(secret)) }
            #expect(try await session.fetch(.post(url, "{}")).head?.status == 404)
            #expect(server.connections == 1)
        }
    }

    @Test func `a server that closes after a HEAD is asked by a GET, from then on at once`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.prefix(4))\(peer.number)")
                if request.hasPrefix("POST") { gate.wait() }
                peer.send(request.hasPrefix("HEAD") ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" : answer)
                if request.hasPrefix("HEAD") { return }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, server.url, count: 1, .often)
            #expect(await observed.next().pauseAfterClose != nil)
            #expect(await observed.next() == .ready(connections: 1))
            for expected in ["HEAD1", "GET 2"] { #expect(await server.report() == expected) }
            try await session.withTransfer(.post(server.url, "{}")) { _ in
                #expect(await observed.next() == .ready(connections: 2))
            }
            #expect(Set([await server.report(), await server.report()]) == ["POST2", "GET 3"])
        }
        gate.open()
    }

    @Test func `calls at one moment find as many connections of HTTP/1 over TLS`() async throws {
        let gate = Gate()
        let backend = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report(request)
                if request.hasPrefix("POST") { gate.wait() }
                peer.send(answer)
            }
        }
        let server = try TLSServer(backend: backend.port, protocols: "")
        let (url, port, file) = (server.url, server.port, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let observed = try Warmth(session, url, count: 3, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 3))
            #expect(descriptorsConnected(to: port) == 3)
            let warm = [await backend.report(), await backend.report(), await backend.report()].map(connection(of:))
            try await session.withTransfer(.post(url, "1")) { one in
                try await session.withTransfer(.post(url, "2")) { two in
                    try await session.withTransfer(.post(url, "3")) { three in
                        let used = [await backend.report(), await backend.report(), await backend.report()]
                        #expect(Set(used.map(connection(of:))) == Set(warm))
                        #expect(descriptorsConnected(to: port) == 3)
                        for _ in 0..<3 { gate.open() }
                        for transfer in [one, two, three] { _ = try await transfer.rest() }
                    }
                }
            }
        }
    }

    @Test(arguments: [200, 301, 401, 404, 429, 500])
    func `any answer will do, and as many connections are opened as asked for`(status: Int) async throws {
        let server = try answeringServer("HTTP/1.1 \(status) Whatever\r\nContent-Length: 0\r\n\r\n")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, server.url, count: 3, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 3))
            #expect(server.connections == 3)
            _ = try await session.fetch(.post(server.url, "{}"))
            #expect(server.connections == 3)
        }
    }

    @Test func `idle connections that the server closes come back without a call`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.prefix(4)) on \(peer.number)")
                peer.send(answer)
                if peer.number <= 3 { return gate.wait() }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
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
                peer.send(answer)
                if peer.number == 1 { return gate.wait() }
            }
        }
        try await LoopActor.run { worker in
            var times = WarmConnections.Times.onlyOnce
            times.pauseMin = .microseconds(1)
            let session = Session(on: worker.loop)
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
        let server = try TLSServer(backend: backend.port, protocols: "", rules: "keepalive_timeout 20ms;")
        let elsewhere = try ScriptServer(answer: answer)
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
            let session = Session(on: worker.loop)
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
                guard frame.is(.ping), frame.flags == 0 else { continue }
                peer.report("ping \(peer.number)")
                peer.send(Frame(.ping, flags: Frame.acknowledgement, frame.payload))
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
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
                guard request.hasPrefix("POST") else { peer.send(answer); continue }
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<1000 { peer.chunk("more") }
                peer.report("sent")
                _ = peer.send("0\r\n\r\n")
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
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
            while let request = peer.request(), request.hasPrefix("HEAD") { peer.send(answer) }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            var times = WarmConnections.Times.often
            times.pauseMax = .seconds(3600)
            let observed = try Warmth(session, server.url, count: 1, times)
            try await take(20, from: observed, session, server.url)
            #expect(server.connections == 21)
        }
    }

    @Test func `an origin that refuses is tried ever more rarely, and found when it comes up`() async throws {
        let (descriptor, port) = try HTTPClientTests.listen(backlog: 1)
        close(descriptor)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, "http://127.0.0.1:\(port)/", count: 2, .often)
            for longest in pausesMax {
                let again = try #require(await observed.next().pauseAfterRefusal)
                #expect(again <= longest && again >= longest * 0.75)
            }
            let server = try ScriptServer(port: port) { peer in while peer.request() != nil { peer.send(answer) } }
            while await observed.next() != .ready(connections: 2) {}
            #expect(server.connections == 2)
        }
    }

    @Test func `a server that keeps no connection is asked ever more rarely`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, server.url, count: 3, .often)
            for longest in pausesMax {
                let again = try #require(await observed.next().pauseAfterClose)
                #expect(again <= longest && again >= longest * 0.75)
            }
        }
    }

    @Test func `a server that does not answer in time is a failure, and its connection is closed`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.waitForEnd()
            peer.report("left")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            var times = WarmConnections.Times.often
            times.answer = .milliseconds(1)
            let observed = try Warmth(session, server.url, count: 1, connectTimeout: .milliseconds(100), times)
            #expect(await observed.next().isLate)
            #expect(await server.report() == "left")
        }
    }

    @Test func `an answer to the opening request may be large`() async throws {
        let body = String(repeating: "x", count: 300_000)
        let server = try answeringServer("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let (_, pool) = try session.destination(of: server.url, .standard)
            let wakeup = Wakeup(on: worker.loop)
            let trial = try session.prepare(.get(server.url), waking: wakeup)
            var kept: Bool?
            trial.onEnd = { _, result in
                if case .success(let isKept) = result { kept = isKept } else { kept = false }
                wakeup.wake()
            }
            pool.beginTrial(trial)
            while kept == nil { await wakeup.wait() }
            #expect(kept == true)
            #expect(!trial.hasBytes)
        }
    }

    @Test func `connections that cannot even begin are one failure, however many there are to be`() async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, "unix:/nonexistent/socket", count: 8, .often)
            for longest in pausesMax {
                guard case .failed(.unreachable, let again) = await observed.next() else {
                    Issue.record("it did not fail")
                    return
                }
                #expect(again <= longest)
            }
        }
    }

    @Test func `closing the session closes the connections, and no more are opened`() async throws {
        let server = try answeringServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, server.url, count: 3, .often)
            #expect(await observed.next() == .ready(connections: 3))
            session.close()
            #expect(descriptorsConnected(to: server.port) == 0)
            try await manyLooks(worker)
            #expect(server.connections == 3)
        }
    }

    /// Reports when it is asked, and when its peer closes; it never answers.
    private static func silentServer() throws -> ScriptServer {
        try ScriptServer { peer in
            peer.waitForHead()
            peer.report("asked")
            peer.waitForEnd()
            peer.report("closed")
        }
    }

    @Test func `a session can be closed while connections are opened`() async throws {
        let server = try Self.silentServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            let observed = try Warmth(session, server.url, count: 3, .often)
            #expect(await server.report() == "asked")
            session.close()
            // The others may have been asked meanwhile.
            var report = await server.report()
            while report == "asked" { report = await server.report() }
            #expect(report == "closed")
            #expect(observed.reports == 0)
        }
    }

    @Test func `who lets go of them cancels what is on the way`() async throws {
        let server = try Self.silentServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            var observed: Warmth? = try Warmth(session, server.url, count: 1, .often)
            #expect(observed?.reports == 0)
            #expect(await server.report() == "asked")
            observed = nil
            #expect(await server.report() == "closed")
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test(arguments: ["", "localhost", "ftp://localhost/", "http://", "unix:run/socket"])
    func `a URL that nobody can connect to is refused at once`(url: String) async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop)
            #expect(throws: HTTPError.self) { _ = try Warmth(session, url, count: 1, .often) }
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

/// Waits for others on the same loop, at an origin that refuses, to have looked so often that the test's own have had their turns
/// as well: one to eight looks lie between two of these.
private func manyLooks(_ worker: isolated LoopActor) async throws {
    let (descriptor, port) = try HTTPClientTests.listen(backlog: 1)
    close(descriptor)
    let session = Session(on: worker.loop)
    let others = try Warmth(session, "http://127.0.0.1:\(port)/", count: 1, .often)
    for _ in 0..<5 { #expect(await others.next().pauseAfterRefusal != nil) }
}

/// The pauses of `.often`, without the random part.
private let pausesMax = [1, 2, 4, 8, 16, 32, 50, 50].map(Duration.milliseconds)

/// Warm connections and what they report.
private final class Warmth {
    private var connections: WarmConnections?
    private let wakeup: Wakeup
    private var unread: [WarmConnections.Report] = []
    private(set) var reports = 0

    init(
        _ session: Session, _ url: String, count: Int, connectTimeout: Duration = .seconds(10), _ times: WarmConnections.Times,
        _ options: ConnectionOptions = .standard
    ) throws {
        wakeup = Wakeup(on: session.loop)
        connections = try session.keepWarm(
            url, count: count, connectTimeout: connectTimeout, options: options, times: times
        ) { [unowned self] in
            unread.append($0)
            reports += 1
            wakeup.wake()
        }
    }

    func next() async -> WarmConnections.Report {
        while unread.isEmpty { await wakeup.wait() }
        return unread.removeFirst()
    }
}

extension WarmConnections.Times {
    /// The first look is the only one of a test.
    fileprivate static var onlyOnce: WarmConnections.Times {
        var times = WarmConnections.Times()
        times.look = .seconds(3600)
        times.pauseMin = .seconds(3600)
        return times
    }

    fileprivate static var often: WarmConnections.Times {
        var times = WarmConnections.Times()
        times.look = .milliseconds(1)
        times.pauseMin = .milliseconds(1)
        times.refresh = .seconds(3600)
        times.pauseMax = .milliseconds(50)
        return times
    }
}

extension WarmConnections.Report {
    fileprivate var pauseAfterRefusal: Duration? { if case .failed(.refused, let again) = self { again } else { nil } }

    fileprivate var pauseAfterClose: Duration? { if case .notKept(let again) = self { again } else { nil } }

    fileprivate var isLate: Bool { if case .failed(.timedOut(.total, _), _) = self { true } else { false } }
}
