import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// What is sent there vanishes.
private let deafNetworks = "ip route add 10.9.0.0/24 dev lo src 127.0.0.1; ip -6 route add fd00:9::/64 dev lo"

/// A caller who leaves, or whose time is up, at every moment.
@Suite(.timeLimit(.minutes(5))) struct LeaveTests {
    enum Way: CaseIterable { case cancel, connectDeadline, totalDeadline }

    /// How the caller's transfer ends once `condition` holds, and that nothing is left.
    static func leave(
        _ request: HTTPRequest, _ session: Session, _ worker: isolated LoopActor, when condition: () async -> Void = {}
    ) async throws {
        do {
            let transfer = try session.start(request, waking: Wakeup(on: worker.loop))
            await condition()
            session.expectConsistent()
            if request.totalTimeout > .seconds(5), request.connectTimeout > .seconds(5) { transfer.cancel() }
            await worker.wait { transfer.isOver }
        }
        session.expectNothingLeft()
        #expect(worker.loop.timers.first == nil)
    }

    static func request(_ way: Way, _ url: String, body: Int = 0) -> HTTPRequest {
        let (short, long) = (Duration.milliseconds(60), Duration.seconds(3_600))
        return HTTPRequest(
            .post, url, body: [UInt8](repeating: 120, count: body), connectTimeout: way == .connectDeadline ? short : long,
            totalTimeout: way == .totalDeadline ? short : long)
    }

    @Test(arguments: Way.allCases) func `in the look-up`(way: Way) async throws {
        let names = Names([.addresses(addresses("127.0.0.1"))], isHeld: true)
        let server = try ScriptServer(answer: ok)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient, names.resolver())
            let url = "http://name:\(server.port)/"
            for _ in 0..<3 {
                try await Self.leave(Self.request(way, url), session, worker) {
                    if way == .cancel { await worker.wait { names.calls.value.count == 1 } }
                }
            }
            names.open(1)
            #expect(try await session.fetch(.get(url)).body == "ok")
        }
    }

    @Test(.enabled(if: mayMakeNetworks, "network namespaces need root"), arguments: Way.allCases, [1, 2])
    func `in each half of happy eyeballs`(way: Way, attempts: Int) async throws {
        let resolver = try fixedResolver(["fd00:9::2", "10.9.0.2"])
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            // A busy machine may stand still until attempts that the kernel gives up after seconds are over, and be waited for in vain.
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .seconds(3_600)
            let session = Session(on: worker.loop, configuration, resolver)
            var request = Self.request(way, "http://name:8080/")
            if attempts == 2, way == .connectDeadline { request.connectTimeout = .milliseconds(400) }
            if attempts == 2, way == .totalDeadline { request.totalTimeout = .milliseconds(400) }
            try await Self.leave(request, session, worker) { [port = UInt16(8080)] in
                guard way == .cancel else { return }
                await worker.wait { (try? openSockets(to: port)) ?? 0 >= attempts }
            }
            // A child of another test that has not come to its program yet holds copies.
            await worker.wait { (try? openSockets(to: 8080)) == 0 }
        }
    }

    @Test(.enabled(if: mayMakeNetworks, "network namespaces need root"))
    func `a deaf IPv6 beside a good IPv4 costs nobody anything`() async throws {
        let resolver = try fixedResolver(["fd00:9::2", "127.0.0.1"])
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            let listener = try KernelListener(address("127.0.0.1", 8080))
            let session = Session(on: worker.loop, .patient, resolver)
            for _ in 0..<3 {
                let transfer = try session.start(.get("http://name:8080/"), waking: Wakeup(on: worker.loop))
                await worker.wait { if case .http1 = transfer.place { true } else { false } }
                #expect(worker.loop.watches.count { $0 != nil } == 1)
                transfer.cancel()
                session.expectNothingLeft()
            }
            withExtendedLifetime(listener) {}
        }
    }

    @Test(.enabled(if: mayMakeNetworks, "network namespaces need root"))
    func `a host that hears nothing leaves the descriptors to those who come next`() async throws {
        let resolver = try fixedResolver(["10.9.0.2"])
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            var defects = 0
            worker.loop.onDefect = { _ in defects += 1 }
            let listener = try KernelListener(address("127.0.0.1", 8080))
            let session = Session(on: worker.loop, .patient, resolver)
            for turn in 0..<20 {
                let way = Way.allCases[turn % 3]
                try await Self.leave(Self.request(way, "http://name:8080/"), session, worker) {}
                let good = try session.start(.get("http://127.0.0.1:8080/"), waking: Wakeup(on: worker.loop))
                await worker.wait { if case .http1 = good.place { true } else { false } }
                good.cancel()
            }
            #expect(defects == 0)
            // A child of another test that has not come to its program yet holds copies.
            await worker.wait { (try? openSockets(to: 8080)) == 0 }
            withExtendedLifetime(listener) {}
        }
    }

    enum Hang: CaseIterable { case hello, connect, tunnel }

    @Test(arguments: Way.allCases, Hang.allCases) func `in the handshake and in the proxy's CONNECT`(
        way: Way, hang: Hang
    ) async throws {
        let server = try ScriptServer { peer in
            if hang == .tunnel {
                peer.waitForHead()
                _ = peer.request()
                peer.send("HTTP/1.1 200 Fine\r\n\r\n")
            }
            guard peer.bytes(1) != nil else { return peer.report("closed too early") }
            peer.report("begun")
            peer.waitForEnd()
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let proxy = hang == .hello ? nil : try Proxy("http://127.0.0.1:\(server.port)")
            let route = Route(target: .host("127.0.0.1", port: server.port), proxy: proxy)
            let session = Session(on: worker.loop, .patient, .shared, route: route)
            var request = Self.request(way, "https://localhost:\(server.port)/")
            if way == .connectDeadline { request.connectTimeout = .seconds(2) }
            if way == .totalDeadline { request.totalTimeout = .seconds(2) }
            try await Self.leave(request, session, worker) { #expect(await server.report() == "begun") }
            #expect(await server.report() == "closed")
        }
    }

    /// A deadline that is forgotten there would hold up all who come after.
    @Test(arguments: [false, true]) func `a handshake that hangs in its middle has the time limit of whoever began it`(
        isTunnelled: Bool
    ) async throws {
        let site = try SecureSite(versions: TLS12...TLS12)
        let server = try ScriptServer { peer in
            if isTunnelled {
                _ = peer.request()
                peer.send("HTTP/1.1 200 Fine\r\n\r\n")
            }
            let tls = TLSPeer(site.context)
            guard let hello = peer.some() else { return }
            tls.receive(hello)
            tls.handshake()
            peer.send(tls.takeOutput())
            guard let answer = peer.some() else { return }
            peer.report("answered")
            if peer.number == 1 {
                peer.waitForEnd()
                return peer.report("closed")
            }
            tls.receive(answer)
            tls.handshake()
            peer.send(tls.takeOutput())
            guard let request = peer.some() else { return }
            tls.receive(request)
            tls.write(Array(ok.utf8))
            peer.send(tls.takeOutput())
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let proxy = isTunnelled ? try Proxy("http://127.0.0.1:\(server.port)") : nil
            let route = Route(target: .host("127.0.0.1", port: server.port), proxy: proxy)
            var configuration = Session.Configuration.trusting(site.file)
            configuration.patience = .seconds(3_600)
            let session = Session(on: worker.loop, configuration, .shared, route: route)
            let first = try session.start(
                .get(server.secureURL, connect: .seconds(2)), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "answered")
            let second = worker.start {
                return try await session.fetch(.get(server.secureURL)).body
            }
            await worker.wait { first.isOver }
            #expect(Set([await server.report(), await server.report()]) == ["closed", "answered"])
            #expect(try await second.value == "ok")
            session.expectNothingLeft(idle: 1)
        }
    }

    enum Moment: CaseIterable { case body, beforeHead, afterHead, inBody, paused }

    @Test(arguments: [Way.cancel, .totalDeadline], Moment.allCases) func `while the body goes out and while the answer comes`(
        way: Way, moment: Moment
    ) async throws {
        let server = try ScriptServer { peer in
            if moment == .body { peer.waitForHead() } else { _ = peer.request() }
            switch moment {
            case .body, .beforeHead: break
            case .afterHead: peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            case .inBody: peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nhello")
            case .paused:
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
                _ = peer.sendUntilBlocked([UInt8](repeating: 1, count: 9_000_000))
            }
            peer.report("there")
            peer.waitForEnd()
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var request = Self.request(way, server.url, body: moment == .body ? 20_000_000 : 10)
            if way == .totalDeadline { request.totalTimeout = .seconds(1) }
            try await Self.leave(request, session, worker) { #expect(await server.report() == "there") }
            #expect(await server.report() == "closed")
        }
    }

    @Test func `a paused connection that its server resets costs no turns of the loop, and is found cut`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.waitForHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            _ = peer.sendUntilBlocked([UInt8](repeating: 1, count: 9_000_000))
            peer.reset()
            peer.report("reset")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 20_000_000)
            try await session.withTransfer(.post(server.url, body)) { transfer in
                let head = try await transfer.head()
                #expect(head?.status == 200)
                #expect(await server.report() == "reset")
                // One turn for the error at the most, and then none: nothing is watched.
                await worker.wait { worker.loop.watches.allSatisfy { $0 === nil } }
                do {
                    _ = try await transfer.rest()
                    Issue.record("it counts as whole")
                } catch {}
            }
            session.expectNothingLeft()
        }
    }

    @Test func `a trial that leaves takes no one along who waits for its connection`() async throws {
        let site = try SecureSite()
        let server = try ScriptServer { peer in
            if peer.number == 1 { return peer.waitForEnd() }
            guard let secure = SecurePeer(peer, site.context) else { return }
            while secure.request() != nil { secure.send(ok) }
        }
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.trusting(site.file)
            configuration.patience = .seconds(3_600)
            let session = Session(on: worker.loop, configuration)
            let warm = try session.keepWarm(server.secureURL, count: 1, connectTimeout: .seconds(60)) { _ in }
            await worker.wait { server.connections == 1 }
            let caller = worker.start {
                return try await session.fetch(.get(server.secureURL)).body
            }
            await worker.wait { session.pools.values.contains { !$0.waiting.isEmpty } }
            withExtendedLifetime(warm) {}
            for trial in session.transfers where trial.onEnd != nil {
                trial.onEnd = nil
                trial.cancel()
            }
            #expect(try await caller.value == "ok")
            session.expectConsistent()
        }
    }
}

private let TLS12: Int32 = 0x0303
