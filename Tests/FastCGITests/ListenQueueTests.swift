import EventLoop
import TestSupport
import Testing

@testable import FastCGI

/// How many wait to be accepted, by the kernel's word.
@Suite(.timeLimit(.minutes(5))) struct ListenQueueTests {
    /// Some connections, none of which is accepted.
    private func expectCount(of socket: ListeningSocket, _ connect: () throws -> TestSupport.Socket) throws {
        let before = try #require(socket.queue)
        #expect(before.count == 0)
        #expect((1...Int(ListeningSocket.backlog)).contains(before.countMax))
        let waiting = try (0..<3).map { _ in try connect() }
        #expect(socket.queue == ListeningSocket.Queue(count: 3, countMax: before.countMax))
        _ = socket.accept()
        #expect(socket.queue?.count == 2)
        withExtendedLifetime(waiting) {}
    }

    @Test func `counts those of a unix socket`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        try expectCount(of: ListeningSocket(.unix(path))) { try .connected(path: path) }
    }

    @Test func `counts those of a TCP socket`() throws {
        let socket = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        try expectCount(of: socket) { try .connected(port: #require(socket.port)) }
    }

    /// As when all workers were busy, or out of descriptors.
    @Test func `keeps how many there were at most, also when they have been accepted`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let socket = try ListeningSocket(.unix(path))
        #expect(socket.queueMax == nil)
        ListeningSocket.prepareQueues(of: [socket])
        #expect(socket.queueMax == 0)
        let waiting = try (0..<3).map { _ in try TestSupport.Socket.connected(path: path) }
        try await LoopActor.run { actor in
            let wakeup = Wakeup(on: actor.loop)
            var accepted = 0
            let listener = Listener(socket, on: actor.loop) { _ in
                accepted += 1
                wakeup.wake()
            }
            while accepted < 3 { await wakeup.wait() }
            listener.close()
        }
        #expect(socket.queueMax == 3)
        #expect(socket.queue?.count == 0)
        withExtendedLifetime(waiting) {}
    }

    @Test func `counts each socket's own`() throws {
        let directory = try TemporaryDirectory()
        let paths = ["a", "b"].map(directory.path)
        let sockets = try paths.map { try ListeningSocket(.unix($0)) }
        let waiting = try TestSupport.Socket.connected(path: paths[1])
        #expect(sockets.map { $0.queue?.count } == [0, 1])
        withExtendedLifetime(waiting) {}
    }
}
