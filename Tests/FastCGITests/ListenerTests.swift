import EventLoop
@testable import FastCGI
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ListenerTests {
    @Test(arguments: [1, 100])
    func `connections are accepted and served`(count: Int) async throws {
        try await LoopActor.run { worker in
            let directory = try TemporaryDirectory()
            let socket = try ListeningSocket(.unix(directory.path("s")))
            let buffers = try SharedBuffers()
            let listener = Listener(socket, on: worker.loop) { descriptor in
                worker.serve(descriptor, buffers)
            }
            let peers = try (0..<count).map { _ in
                Peer(try connectedDescriptor(to: directory.path("s")), on: worker.loop)
            }
            for (index, peer) in peers.enumerated() {
                try await peer.send(SentRequest(body: pattern(10, seed: UInt64(index))).bytes)
            }
            for (index, peer) in peers.enumerated() {
                #expect(try await peer.readAnswer().body == pattern(10, seed: UInt64(index)))
            }
            listener.close()
        }
    }

    @Test func `an accepted connection is blocking, closes on exec and, over TCP, sends at once`() async throws {
        try await LoopActor.run { worker in
            let socket = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
            let wakeup = Wakeup(on: worker.loop)
            var accepted: [Int32] = []
            let listener = Listener(socket, on: worker.loop) { descriptor in
                accepted.append(descriptor.release())
                wakeup.wake()
            }
            let client = try connectedDescriptor(toPort: try #require(socket.port))
            await wakeup.wait()
            listener.close()
            let number = try #require(accepted.first)
            defer { close(number) }
            #expect(fcntl(number, F_GETFL) & O_NONBLOCK == 0)
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
            #expect(option(number, Int32(IPPROTO_TCP), TCP_NODELAY) == 1)
            #expect(option(number, SOL_SOCKET, SO_KEEPALIVE) == 1)
            #expect(option(number, SOL_SOCKET, SO_SNDBUF) >= 256 << 10)
            withExtendedLifetime(client.number) {}
        }
    }

    @Test func `close stops accepting, and so does the end of the listener`() async throws {
        try await LoopActor.run { worker in
            let directory = try TemporaryDirectory()
            let socket = try ListeningSocket(.unix(directory.path("s")))
            var accepted = 0
            for closes in [true, false] {
                var listener: Listener? = Listener(socket, on: worker.loop) { _ in accepted += 1 }
                if closes { listener?.close() }
                listener?.close()
                listener = nil
            }
            let waiting = try connectedDescriptor(to: directory.path("s"))
            for _ in 0..<3 { await worker.loop.turn() }
            #expect(accepted == 0)

            let wakeup = Wakeup(on: worker.loop)
            let next = Listener(socket, on: worker.loop) { _ in
                accepted += 1
                wakeup.wake()
            }
            await wakeup.wait()
            #expect(accepted == 1, "what waited in the kernel's queue is another listener's")
            next.close()
            withExtendedLifetime(waiting.number) {}
        }
    }

    @Test(arguments: [false, true])
    func `drain accepts whoever has connected, and leaves those of a socket that was passed on to the next`(
        isInherited: Bool
    ) async throws {
        try await LoopActor.run { worker in
            let directory = try TemporaryDirectory()
            let path = directory.path("s")
            let socket =
                isInherited
                ? try ListeningSocket(.inherited(#require(try leaveSocket(at: path, backlog: 50).first)))
                : try ListeningSocket(.unix(path))
            var accepted: [Int32] = []
            let listener = Listener(socket, on: worker.loop) { accepted.append($0.release()) }
            let waiting = try (0..<20).map { _ in Peer(try connectedDescriptor(to: path), on: worker.loop) }
            socket.removePath()
            #expect((mode(of: path) == nil) == !isInherited)
            listener.drain()
            #expect(accepted.count == (isInherited ? 0 : waiting.count))
            for number in accepted { close(number) }
        }
    }

    /// Another process may be waiting for it.
    @Test func `a port is free as soon as its listener has drained, whoever still has the listener`() async throws {
        try await LoopActor.run { worker in
            // Whoever else wants any port may be given the one that is free: not each time.
            let isFree = try (0..<10).contains { _ in
                var socket: ListeningSocket? = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
                let port = try #require(socket?.port)
                let listener = Listener(try #require(socket), on: worker.loop) { _ in }
                socket = nil
                #expect(throws: ListenError.self) { try ListeningSocket(.tcp(host: "127.0.0.1", port: port)) }
                listener.drain()
                defer { withExtendedLifetime(listener) {} }
                do { return try ListeningSocket(.tcp(host: "127.0.0.1", port: port)).port == port } catch is ListenError {
                    return false
                }
            }
            #expect(isFree)
        }
    }

    @Test func `a listener that its owner drops without a close says no more`() async throws {
        try await LoopActor.run { worker in
            let directory = try TemporaryDirectory()
            let socket = try ListeningSocket(.unix(directory.path("s")))
            var accepted = 0
            var listener: Listener? = Listener(socket, on: worker.loop) { _ in accepted += 1 }
            withExtendedLifetime(listener) {}
            listener = nil
            let waiting = try connectedDescriptor(to: directory.path("s"))
            for _ in 0..<3 { await worker.loop.turn() }
            #expect(accepted == 0)
            withExtendedLifetime(waiting.number) {}
        }
    }

    @Test func `out of descriptors the listener rests, and goes on when there are some again`() async {
        await #expect(processExitsWith: .success) {
            try await LoopActor.run { worker in
                let directory = try TemporaryDirectory()
                let socket = try ListeningSocket(.unix(directory.path("s")))
                let wakeup = Wakeup(on: worker.loop)
                var accepted: [Int32] = []
                var failures: [Int32] = []
                let listener = Listener(socket, on: worker.loop, onFailure: { failures.append($0.code) }) { descriptor in
                    accepted.append(descriptor.release())
                    wakeup.wake()
                }
                let client = try connectedDescriptor(to: directory.path("s"))
                await wakeup.wait()
                var hoard: [Int32] = []
                let last = try connectedDescriptor(to: directory.path("s"))
                try limitDescriptors(to: 256)
                while case let number = dup(client.number), number >= 0 { hoard.append(number) }
                #expect(!listener.isResting)
                while !listener.isResting { await worker.loop.turn() }
                #expect(accepted.count == 1)
                #expect(failures == [EMFILE])
                for number in hoard { close(number) }
                await wakeup.wait()
                #expect(accepted.count == 2 && !listener.isResting)
                listener.close()
                withExtendedLifetime((client.number, last.number)) {}
            }
        }
    }
}

extension LoopActor {
    fileprivate nonisolated func serve(_ descriptor: consuming Descriptor, _ buffers: SharedBuffers) {
        let number = descriptor.release()
        nonisolated(unsafe) let buffers = buffers
        Task(executorPreference: loop) { try await self.serve(number, unsafe buffers) }
    }

    private func serve(_ number: Int32, _ buffers: SharedBuffers) async throws {
        let connection = try Connection(
            Descriptor(owning: number), on: loop, sharing: buffers, limits: .init(), timeouts: .init())
        while let request = await connection.nextRequest() {
            var response: Response? = Response(on: connection)
            try await answerWithBody(request, &response)
        }
    }
}

private func connectedDescriptor(toPort port: UInt16) throws -> Descriptor {
    let client = Descriptor(owning: try SystemError.check("socket", socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe connect(client.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    _ = try SystemError.check("connect", result)
    return client
}

private func option(_ number: Int32, _ level: Int32, _ option: Int32) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    _ = unsafe getsockopt(number, level, option, &value, &size)
    return value
}

private func limitDescriptors(to count: UInt) throws {
    var limit = rlimit(rlim_cur: count, rlim_max: count)
    _ = try SystemError.check("setrlimit", unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
}
