import CLinux
import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

extension StreamSocket {
    func send(_ text: String) -> Sent { unsafe Array(text.utf8).withUnsafeBytes { unsafe send($0) } }

    func receive(max: Int = 100) -> (Descriptor.Received, String) {
        var buffer = [UInt8](repeating: 0, count: max)
        let received = unsafe buffer.withUnsafeMutableBytes { unsafe receive(into: $0) }
        guard case .bytes(let count) = received else { return (received, "") }
        return (received, String(decoding: buffer[..<count], as: UTF8.self))
    }
}

extension LoopActor {
    /// A socket that is connected to a listener, the listener's end of it, and what is woken when the socket's handler is called.
    fileprivate func connection(
        to listener: KernelListener, _ port: UInt16
    ) async throws -> (socket: StreamSocket, peer: Int32, heard: Wakeup) {
        let socket = try await dial(.host("127.0.0.1", port: port)).get()
        let heard = Wakeup(on: loop)
        socket.handler = { _ in heard.wake() }
        return (socket, listener.accept(), heard)
    }
}

@Suite(.timeLimit(.minutes(5))) struct StreamSocketTests {
    @Test func `bytes go both ways, and what is not there is not waited for`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let (socket, peer, heard) = try await worker.connection(to: listener, port)
            #expect(socket.receive().0 == .nothing)
            #expect(socket.receive(max: 0).0 == .nothing)
            #expect(socket.send("ping") == .bytes(4))
            var bytes: [UInt8] = Array("pong".utf8)
            #expect(unsafe write(peer, &bytes, 4) == 4)
            socket.setInterest(.readable)
            await heard.wait()
            #expect(socket.receive() == (.bytes(4), "pong"))
            shutdown(peer, Int32(SHUT_RDWR))
            await heard.wait()
            await worker.wait { socket.receive().0 == .endOfFile }
        }
    }

    @Test(arguments: [3, 4, 5, 9, 100], [false, true])
    func `whoever takes a part of what has come is told of the rest, and of the end`(max: Int, isEnded: Bool) async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let (socket, peer, heard) = try await worker.connection(to: listener, port)
            var bytes: [UInt8] = Array("12345678".utf8)
            #expect(unsafe write(peer, &bytes, 8) == 8)
            // The end comes with the bytes, or behind the last of them.
            if isEnded { shutdown(peer, Int32(SHUT_WR)) }
            var text = ""
            var last = Descriptor.Received.nothing
            socket.setInterest(.readable)
            while last != .endOfFile {
                await heard.wait()
                let (received, part) = socket.receive(max: max)
                (last, text) = (received, text + part)
                if text.utf8.count == 8, !isEnded { shutdown(peer, Int32(SHUT_WR)) }
            }
            #expect(text == "12345678")
        }
    }

    /// The kernel ends a read there, though there is more (tcp(7), MSG_OOB).
    @Test func `what stands behind urgent bytes is told too`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let (socket, peer, heard) = try await worker.connection(to: listener, port)
            for (text, flags) in [("one", 0), ("!", Int32(MSG_OOB)), ("two", 0)] {
                let bytes = Array(text.utf8)
                #expect(unsafe send(peer, bytes, bytes.count, flags) == bytes.count)
            }
            var text = ""
            socket.setInterest(.readable)
            while text != "onetwo" {
                await heard.wait()
                text += socket.receive().1
            }
        }
    }

    /// As there behind bytes with which a descriptor comes (unix(7), SCM_RIGHTS).
    @Test func `what stands behind a descriptor is told too`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("socket")
        let program = """
            import socket, sys, time
            listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(); print("there", flush=True)
            peer = listener.accept()[0]
            peer.send(b"one"); socket.send_fds(peer, [b"two"], [0]); peer.send(b"three"); peer.recv(1)
            """
        let python = try ChildProcess("python3", ["-c", program, path], in: directory)
        _ = try await ChildProcess.line(containing: "there", in: python.output)
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.unix(path: path)).get()
            let heard = Wakeup(on: worker.loop)
            socket.handler = { _ in heard.wake() }
            var text = ""
            socket.setInterest(.readable)
            while text != "onetwothree" {
                await heard.wait()
                text += socket.receive().1
            }
        }
    }

    @Test func `a peer that reads nothing fills the kernel's buffer, and a reset is an error`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.host("127.0.0.1", port: port)).get()
            let peer = listener.accept()
            let block = String(repeating: "x", count: 1 << 20)
            var last = socket.send(block)
            while case .bytes = last { last = socket.send(block) }
            #expect(last == .nothing)
            var option = linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(peer, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            listener.close(peer)
            await worker.wait { if case .failed = socket.send("x") { true } else { false } }
            #expect(socket.send("x") == .failed(EPIPE))
            socket.close()
            socket.close()
            #expect(socket.send("x") == .failed(EBADF))
            #expect(socket.receive().0 == .failed(EBADF))
            socket.setInterest(.readable)
            socket.setAcknowledgementTimeout(5)
        }
    }

    @Test func `its options are those of a connection that must not wait nor hang`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.host("127.0.0.1", port: port)).get()
            #expect(socket.option(TCP_NODELAY, of: Int32(IPPROTO_TCP)) == 1)
            #expect(socket.option(SO_KEEPALIVE, of: SOL_SOCKET) == 1)
            #expect(socket.option(TCP_KEEPIDLE, of: Int32(IPPROTO_TCP)) == 30)
            #expect(socket.option(TCP_KEEPINTVL, of: Int32(IPPROTO_TCP)) == 10)
            for milliseconds: UInt32 in [1500, 0, 7] {
                socket.setAcknowledgementTimeout(milliseconds)
                #expect(socket.option(TCP_USER_TIMEOUT, of: Int32(IPPROTO_TCP)) == Int32(milliseconds))
            }
        }
        withExtendedLifetime(listener) {}
    }

    @Test func `a socket that the kernel does not watch any more fails, in a turn of its own`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.host("127.0.0.1", port: port)).get()
            let heard = Wakeup(on: worker.loop)
            var readiness: Readiness = []
            socket.handler = {
                readiness = $0
                heard.wake()
            }
            socket.setInterest(.readable)
            // That cannot be asked of a watch that exists (epoll_ctl(2), EINVAL).
            socket.setInterest(.exclusive)
            #expect(readiness == [])
            await heard.wait()
            #expect(readiness == .error)
            #expect(socket.send("x") == .failed(EINVAL))
            #expect(socket.receive().0 == .failed(EINVAL))
        }
        withExtendedLifetime(listener) {}
    }

    @Test func `a socket that fails while nobody asks says so to whoever asks again`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.host("127.0.0.1", port: port)).get()
            let heard = Wakeup(on: worker.loop)
            var count = 0
            socket.handler = { _ in
                count += 1
                heard.wake()
            }
            socket.setInterest(.readable)
            socket.setInterest(.exclusive)
            socket.setInterest([])
            await worker.loop.sleep(for: .milliseconds(1))
            #expect(count == 0)
            for asked in 1...2 {
                socket.setInterest(.readable)
                await heard.wait()
                #expect(count == asked)
                socket.setInterest([])
            }
            #expect(worker.leftovers == (0, false))
        }
        withExtendedLifetime(listener) {}
    }

    @Test func `a socket may be let go inside its handler`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            let heard = Wakeup(on: worker.loop)
            var socket: StreamSocket? = try await worker.dial(.host("127.0.0.1", port: port)).get()
            socket?.handler = { _ in
                socket = nil
                heard.wake()
            }
            socket?.setInterest(.writable)
            let inodes = worker.watchedSockets
            await heard.wait()
            #expect(worker.leftovers == (0, false))
            #expect(inodes.isDisjoint(with: openSockets()))
        }
        withExtendedLifetime(listener) {}
    }
}
