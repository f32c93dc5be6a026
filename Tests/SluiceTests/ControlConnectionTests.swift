import Clock
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `A connection to the control socket` {
    /// The server's side, and the client's.
    private func pair(_ actor: isolated LoopActor, _ slowReaders: ControlRoom = ControlRoom()) throws -> (
        ControlConnection, LocalSocket
    ) {
        let (server, client) = try LocalSocket.pair()
        return (ControlConnection(server.takeDescriptor(), on: actor.loop, slowReaders), client)
    }

    /// What a conversation has come to.
    private func result<Value: Sendable>(
        _ connection: ControlConnection, _ conversation: @escaping @Sendable () async -> Value
    ) -> Awaited<Value> {
        let result = Awaited<Value>()
        connection.start { result.come(await conversation()) }
        return result
    }

    @Test func `has a line in whatever parts it comes`() async throws {
        try await LoopActor.run { actor in
            let (connection, client) = try pair(actor)
            let line = result(connection) { await connection.line(within: .seconds(60)) }
            for part in ["sta", "tus", "\nmore"] {
                await actor.turn()
                #expect(client.send(Array(part.utf8)))
            }
            #expect(await line.value() == "status")
        }
    }

    /// Whoever has said a byte has not more time for the next.
    @Test func `is not waited for without end by dripping bytes`() async throws {
        try await LoopActor.run { actor in
            let (connection, client) = try pair(actor)
            let line = result(connection) { await connection.line(within: .milliseconds(20)) }
            // Two hundred milliseconds at least.
            var left = 200
            var timer: Timer?
            timer = Timer(on: actor.loop) {
                left -= 1
                client.send(Array((left == 0 ? "\n" : "x").utf8))
                if left > 0 { timer?.set(at: .current + .milliseconds(1)) }
            }
            timer?.set(at: .current)
            #expect(await line.value() == .some(nil))
            timer?.cancel()
            timer = nil
        }
    }

    @Test(arguments: ["", "status", String(repeating: "x", count: 300) + "\n"])
    func `that ends without a line, or with too long a one, has none`(text: String) async throws {
        try await LoopActor.run { actor in
            let (connection, client) = try pair(actor)
            let line = result(connection) { await connection.line(within: .seconds(60)) }
            await actor.turn()
            #expect(client.send(Array(text.utf8)) || text.isEmpty)
            _ = client.takeDescriptor()
            #expect(await line.value() == .some(nil))
        }
    }

    @Test func `has been heard also when the client does not wait for the answer`() async throws {
        try await LoopActor.run { actor in
            let (connection, client) = try pair(actor)
            let line = result(connection) { await connection.line(within: .seconds(60)) }
            await actor.turn()
            client.send(Array("stop\n".utf8))
            _ = client.takeDescriptor()
            #expect(await line.value() == "stop")
        }
    }

    @Test func `ends what is waited for when the client leaves`() async throws {
        try await LoopActor.run { actor in
            let end = OneTimeEvent()
            let (connection, client) = try pair(actor)
            let hasLeft = result(connection) {
                await end.wait()
                return Task.isCancelled
            }
            await actor.turn()
            _ = client.takeDescriptor()
            #expect(await hasLeft.value() == true)
        }
    }

    /// As a client does that has written all that it has to say.
    @Test func `waits for one that only has nothing more to say`() async throws {
        try await LoopActor.run { actor in
            let end = OneTimeEvent()
            let (connection, client) = try pair(actor)
            let hasLeft = result(connection) {
                await end.wait()
                await connection.send("over")
                return Task.isCancelled
            }
            await actor.turn()
            #expect(shutdown(client.number, Int32(SHUT_WR)) == 0)
            // The loop hears of another one's end behind that.
            let (other, otherClient) = try pair(actor)
            let otherEnd = result(other) { await OneTimeEvent().wait() }
            await actor.turn()
            _ = otherClient.takeDescriptor()
            _ = await otherEnd.value()
            end.come()
            #expect(await hasLeft.value() == false)
            #expect(client.receive() == Array("over".utf8))
        }
    }

    private static let long = String(repeating: "x", count: 4 << 20)

    /// Has a client read until all has been sent to it, or the other side has given up.
    private func bytesRead(
        by client: LocalSocket, until isSent: Awaited<Bool>, _ actor: isolated LoopActor
    ) async -> Int {
        let isOver = OneTimeEvent()
        Task(executorPreference: actor.loop) {
            _ = await isSent.value()
            isOver.come()
        }
        var count = 0
        while !isOver.hasCome {
            await actor.turn()
            count += client.receive().count
        }
        return count + client.receive().count
    }

    @Test func `says more than there is room for to whoever reads`() async throws {
        try await LoopActor.run { actor in
            let (connection, client) = try pair(actor)
            let isSent = result(connection) {
                await connection.send(Self.long, within: .seconds(60))
                return !Task.isCancelled
            }
            #expect(await bytesRead(by: client, until: isSent, actor) == Self.long.utf8.count)
            #expect(await isSent.value() == true)
        }
    }

    @Test func `is over for a client that does not read`() async throws {
        try await LoopActor.run { actor in
            let (connection, client) = try pair(actor)
            let end = OneTimeEvent()
            let hasLeft = result(connection) {
                await connection.send(Self.long, within: .milliseconds(1))
                // A last word behind half an answer would be no answer.
                await connection.send("over")
                await end.wait()
                return Task.isCancelled
            }
            #expect(await hasLeft.value() == true)
            let received = client.receive()
            #expect(received.count > 0 && received.allSatisfy { $0 == UInt8(ascii: "x") })
        }
    }

    @Test func `is over for the client that has not read for longest when too many do not`() async throws {
        try await LoopActor.run { actor in
            let slowReaders = ControlRoom(max: 2)
            var clients: [LocalSocket] = []
            var areSent: [Awaited<Bool>] = []
            for _ in 0..<3 {
                let (connection, client) = try pair(actor, slowReaders)
                clients.append(client)
                areSent.append(
                    result(connection) {
                        await connection.send(Self.long, within: .seconds(60))
                        return !Task.isCancelled
                    })
                await actor.turn()
            }
            #expect(await areSent[0].value() == false)
            for (client, isSent) in zip(clients, areSent).dropFirst() {
                #expect(await bytesRead(by: client, until: isSent, actor) == Self.long.utf8.count)
                #expect(await isSent.value() == true)
            }
        }
    }
}
