import Clock
import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct CancelTests {
    /// How far a response has come when it is cancelled.
    enum Moment: CaseIterable { case atOnce, beforeHead, afterHead, inBody, paused }

    /// Sends as much of a response as the moment needs, and reports when the client has closed.
    static func server(_ moment: Moment) throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.request() != nil else { return peer.report("closed") }
            peer.report("requested")
            if moment >= .afterHead { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n") }
            if moment == .inBody { peer.send("hello") }
            if moment == .paused {
                _ = peer.sendUntilBlocked([UInt8](repeating: 1, count: 9_000_000))
                peer.report("blocked")
            }
            peer.waitForEnd()
            peer.report("closed")
        }
    }

    static func reach(_ moment: Moment, _ transfer: Transfer, _ server: ScriptServer) async throws {
        if moment == .atOnce { return }
        #expect(await server.report() == "requested")
        if moment >= .afterHead { #expect(try await transfer.head()?.status == 200) }
        if moment >= .inBody { #expect(try await transfer.next() == .bytes) }
        if moment == .paused { #expect(await server.report() == "blocked") }
    }

    @Test(arguments: Moment.allCases)
    func `a cancelled transfer closes its connection before cancel returns`(moment: Moment) async throws {
        let server = try Self.server(moment)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.post(server.url, "{}")) { transfer in
                try await Self.reach(moment, transfer, server)
                transfer.cancel()
                #expect(descriptorsConnected(to: server.port) == 0)
                await #expect(throws: HTTPError.cancelled) { try await transfer.next() }
                await #expect(throws: HTTPError.cancelled) { try await transfer.head() }
                transfer.cancel()
            }
            if moment != .atOnce { #expect(await server.report() == "closed") }
        }
    }

    @Test(arguments: Moment.allCases)
    func `a cancelled task closes its transfer's connection at once and is told`(moment: Moment) async throws {
        let server = try Self.server(moment)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let reached = Wakeup(on: worker.loop)
            let task = worker.start {
                try await session.withTransfer(.post(server.url, "{}")) { transfer in
                    try await Self.reach(moment, transfer, server)
                    reached.wake()
                    while true {
                        _ = moment >= .afterHead ? nil : try await transfer.head()
                        _ = try await transfer.next()
                        await worker.loop.sleep(for: .seconds(3600))
                    }
                }
            }
            await reached.wait()
            task.cancel()
            #expect(descriptorsConnected(to: server.port) == 0)
            await #expect(throws: HTTPError.cancelled) { try await task.value }
        }
    }

    @Test func `a task that was cancelled before starts nothing that stays`() async throws {
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\n\r\n")
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let task = worker.start {
                return await session.failure(of: .get(server.url)).error
            }
            task.cancel()
            #expect(try await task.value == .cancelled)
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test func `a transfer that is cancelled while it resolves its host holds nobody up`() async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for _ in 0..<20 {
                try await session.withTransfer(.get("http://name.invalid/")) { transfer in
                    // A few turns, for the transfer to begin.
                    for _ in 0..<5 { await Task.yield() }
                    transfer.cancel()
                }
            }
        }
    }

    @Test func `leaving in the middle of a response closes its connection, leaving after it keeps it`() async throws {
        let server = try ScriptServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            try await session.withTransfer(.get(server.url)) { _ = try await $0.head(until: .current) }
            #expect(descriptorsConnected(to: server.port) == 0)
            try await session.withTransfer(.get(server.url)) { _ = try await $0.rest() }
            #expect(descriptorsConnected(to: server.port) == 1)
        }
    }
}

extension CancelTests.Moment: Comparable {}
