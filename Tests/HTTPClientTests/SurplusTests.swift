import Dispatch
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

private func answer(_ text: String) -> String { "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)" }
private let late408 = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 6\r\nConnection: close\r\n\r\nstolen"

extension String {
    /// The body of a request of these tests.
    fileprivate var nonce: String { String(split(separator: "\r\n").last ?? "") }
}

/// Bytes behind an answer reach nobody.
@Suite(.timeLimit(.minutes(5))) struct SurplusTests {
    enum Moment: CaseIterable { case sameSegment, nextSegment, whileIdle, beforeNext }

    static let surpluses = [answer("stolen"), late408, "x", "\r\n\r\n" + answer("stolen")]

    /// What comes behind an answer is on its way while the loop's thread waits here.
    static func block(until semaphore: DispatchSemaphore) { semaphore.wait() }

    @Test(arguments: Moment.allCases, surpluses) func `surplus bytes behind an answer are given to none of the next callers`(
        moment: Moment, surplus: String
    ) async throws {
        let (gate, sent) = (Gate(), DispatchSemaphore(value: 0))
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                let answer = answer(request.nonce)
                guard peer.number == 1 else {
                    peer.send(answer)
                    continue
                }
                peer.send(moment == .sameSegment ? answer + surplus : answer)
                if moment == .nextSegment { peer.send(surplus) }
                if moment == .whileIdle || moment == .beforeNext {
                    gate.wait()
                    peer.send(surplus)
                }
                sent.signal()
                peer.waitForEnd()
                return peer.report("closed")
            }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            #expect(try await session.fetch(.post(server.url, "first")).body == "first")
            gate.open()
            if moment == .whileIdle { #expect(await server.report() == "closed") }
            if moment == .beforeNext || moment == .nextSegment { Self.block(until: sent) }
            for number in 0..<10 {
                #expect(try await session.fetch(.post(server.url, "nonce-\(number)")).body == "nonce-\(number)")
            }
            if moment != .whileIdle { #expect(await server.report() == "closed") }
            #expect(server.connections == 2)
            session.expectNothingLeft(idle: 1)
        }
    }

    enum SecureMoment: CaseIterable { case sameRecord, secondRecord, halfARecord, whileIdle, beforeNext }

    /// What comes when the next request has gone out already cannot be told from its answer.
    static let secureRows =
        SecureMoment.allCases.map { ($0, false) } + [
            (.sameRecord, true), (.secondRecord, true), (.halfARecord, true),
        ]

    @Test(arguments: secureRows) func `nor over TLS, where half a record may have come`(
        row: (moment: SecureMoment, isWaitedFor: Bool)
    ) async throws {
        let (moment, isWaitedFor) = row
        let (site, gate, sent) = (try SecureSite(), Gate(), DispatchSemaphore(value: 0))
        let server = try ScriptServer { peer in
            // While the second connection hangs, a second caller waits for the first one's.
            if isWaitedFor, peer.number == 2 { return peer.waitForEnd() }
            guard let secure = SecurePeer(peer, site.context) else { return }
            while let request = secure.request() {
                guard peer.number == 1 else {
                    secure.send(answer(request.nonce))
                    continue
                }
                peer.report("asked")
                if isWaitedFor { gate.wait() }
                switch moment {
                case .sameRecord: secure.send(answer(request.nonce) + answer("stolen"))
                case .secondRecord: peer.send(secure.record(answer(request.nonce)) + secure.record(answer("stolen")))
                case .halfARecord:
                    let (good, bad) = (secure.record(answer(request.nonce)), secure.record(answer("stolen")))
                    peer.send(good + bad.prefix(5))
                    gate.wait()
                    peer.send(Array(bad.dropFirst(5)))
                case .whileIdle, .beforeNext:
                    secure.send(answer(request.nonce))
                    gate.wait()
                    secure.send(answer("stolen"))
                }
                sent.signal()
                peer.waitForEnd()
                return peer.report("closed")
            }
        }
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.trusting(site.file)
            configuration.patience = isWaitedFor ? .seconds(1) : .seconds(3_600)
            let session = Session(on: worker.loop, configuration)
            let first = worker.start {
                return try await session.fetch(.post(server.secureURL, "first")).body
            }
            #expect(await server.report() == "asked")
            let second =
                isWaitedFor
                ? worker.start {
                    return try await session.fetch(.post(server.secureURL, "second")).body
                } : nil
            if isWaitedFor { await worker.wait { session.pools.values.contains { !$0.waiting.isEmpty } } }
            gate.open()
            #expect(try await first.value == "first")
            gate.open()
            if moment == .whileIdle, !isWaitedFor { #expect(await server.report() == "closed") }
            if moment == .beforeNext { Self.block(until: sent) }
            for number in 0..<10 {
                #expect(try await session.fetch(.post(server.secureURL, "nonce-\(number)")).body == "nonce-\(number)")
            }
            if let second { #expect(try await second.value == "second") }
            session.expectConsistent()
        }
    }

    @Test(arguments: [false, true]) func `a late ticket does not cost an idle connection`(isUnread: Bool) async throws {
        let (site, gate, sent) = (try SecureSite(), Gate(), DispatchSemaphore(value: 0))
        let server = try site.server { secure in
            while let request = secure.request() {
                secure.send(answer(request.nonce))
                gate.wait()
                let ticket = secure.ticket()
                if ticket.isEmpty { secure.peer.report("no ticket") }
                secure.peer.send(ticket)
                sent.signal()
            }
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .trusting(site.file))
            for number in 0..<5 {
                #expect(try await session.fetch(.post(server.secureURL, "\(number)")).body == "\(number)")
                gate.open()
                Self.block(until: sent)
                // It is passed over while the ticket has not been read.
                if !isUnread { await worker.wait { session.context.idle.allSatisfy(\.isSilent) } }
            }
            if !isUnread { #expect(server.connections == 1) }
            await worker.wait { session.context.idle.allSatisfy(\.isSilent) }
            session.expectNothingLeft(idle: server.connections)
        }
    }

    /// What it makes the client send is for that connection, whatever others send in the meantime.
    @Test func `a key update behind an answer is answered to the server that asked for it`() async throws {
        let site = try SecureSite()
        let script = { @Sendable (secure: SecurePeer) in
            while let request = secure.request() {
                secure.peer.send(secure.record(answer(request.nonce)) + secure.keyUpdate())
            }
            secure.peer.report("closed")
        }
        let servers = [try site.server(script), try site.server(script)]
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.trusting(site.file)
            configuration.idleConnectionsMax = 1
            let session = Session(on: worker.loop, configuration)
            for number in 0..<6 {
                for server in servers {
                    #expect(try await session.fetch(.post(server.secureURL, "\(number)")).body == "\(number)")
                    #expect(try await session.fetch(.post(server.secureURL, "again")).body == "again")
                    session.expectNothingLeft(idle: 1)
                }
            }
            #expect(servers.allSatisfy { $0.connections == 6 })
        }
    }

    @Test func `idle connections of all origins are bounded, and the longest idle goes first`() async throws {
        let gate = Gate()
        let servers = try (0..<3).map { _ in
            try ScriptServer { peer in
                while let request = peer.request() {
                    peer.report("asked")
                    gate.wait()
                    peer.send(answer(request.nonce))
                }
                peer.report("closed \(peer.number)")
            }
        }
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.patient
            configuration.idleConnectionsMax = 4
            let session = Session(on: worker.loop, configuration)
            for (number, server) in servers.enumerated() {
                let callers = (0..<2).map { caller in
                    worker.start {
                        return try await session.fetch(.post(server.url, "\(number)\(caller)")).body
                    }
                }
                for _ in callers { #expect(await server.report() == "asked") }
                session.expectConsistent()
                for _ in callers { gate.open() }
                for (caller, task) in callers.enumerated() { #expect(try await task.value == "\(number)\(caller)") }
                session.expectNothingLeft(idle: min(4, 2 * number + 2))
            }
            // The first origin's have gone.
            #expect(Set([await servers[0].report(), await servers[0].report()]) == ["closed 1", "closed 2"])
            gate.open()
            #expect(try await session.fetch(.post(servers[1].url, "again")).body == "again")
            #expect(servers[1].connections == 2)
            session.expectNothingLeft(idle: 4)
        }
    }

    @Test func `a connection that stood idle before its first request may have been dead, and the request goes out once more`()
        async throws
    {
        let first = Gate()
        let site = try SecureSite()
        let server = try ScriptServer { peer in
            if peer.number == 1 { first.wait() }
            guard let secure = SecurePeer(peer, site.context) else { return }
            while let request = secure.request() {
                // The first connection was made too late for the first caller, and the next one's request kills it.
                if peer.number == 1 { return }
                secure.send(answer(request.nonce))
            }
        }
        try await LoopActor.run { worker throws in
            var configuration = Session.Configuration.trusting(site.file)
            configuration.patience = .milliseconds(10)
            let session = Session(on: worker.loop, configuration)
            #expect(try await session.fetch(.post(server.secureURL, "one")).body == "one")
            first.open()
            await worker.wait { session.context.idle.count == server.connections }
            #expect(try await session.fetch(.post(server.secureURL, "two")).body == "two")
        }
    }
}
