// Blocking sockets, for servers and callers of the tests' own.

import Glibc
import Synchronization

package struct SystemError: Error, CustomStringConvertible {
    package let call: String
    package let code: Int32

    init(_ call: String, _ code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    package var description: String { "\(call): \(unsafe String(cString: strerror(code)))" }
}

/// A blocking stream socket or pipe end. One thread reads and writes; any thread may end it.
package final class Socket: Sendable {
    private let descriptor: Mutex<Int32>

    /// Takes the descriptor over.
    init(_ descriptor: Int32) {
        self.descriptor = Mutex(descriptor)
    }

    deinit { close() }

    var fileDescriptor: Int32 { descriptor.withLock { $0 } }

    package func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { _ = Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    /// Wakes whoever reads, writes or accepts here; each finds the end.
    package func shutdown() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Closes with a TCP reset instead of an end of file.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(fileDescriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// At least one byte; none at the end of file.
    package func read(max: Int = 64 << 10) throws -> [UInt8] {
        var count = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max) { buffer, initialized in
            repeat { count = unsafe Glibc.read(fileDescriptor, buffer.baseAddress, max) } while count < 0 && errno == EINTR
            initialized = Swift.max(count, 0)
        }
        guard count >= 0 else { throw SystemError("read") }
        return bytes
    }

    /// Makes a read fail for which nothing has come for so long.
    package func limitReads(seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(fileDescriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    package func write(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = unsafe send(fileDescriptor, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw SystemError("send") }
                sent += count
            }
        }
    }

    enum Wakeup { case readable, closedByPeer, gate, timeout }

    /// Waits for the peer, for a gate, or until the time is up, whatever comes first.
    func wait(milliseconds: Int? = nil, gate: Gate? = nil) throws -> Wakeup {
        var polled = [pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0)]
        if let gate { polled.append(pollfd(fd: gate.descriptor, events: Int16(POLLIN), revents: 0)) }
        var count: Int32
        repeat {
            count = unsafe poll(&polled, nfds_t(polled.count), milliseconds.map(Int32.init) ?? -1)
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw SystemError("poll") }
        if polled[0].revents != 0 { return peerHasClosed() ? .closedByPeer : .readable }
        return count == 0 ? .timeout : .gate
    }

    private func peerHasClosed() -> Bool {
        var byte: UInt8 = 0
        return unsafe recv(fileDescriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) <= 0
    }
}

extension Socket {
    /// Listens on 127.0.0.1; port 0 takes a free one.
    package static func listening(port: UInt16 = 0, backlog: Int32 = 4_096) throws -> Socket {
        let socket = try stream(AF_INET)
        var one: Int32 = 1
        unsafe setsockopt(socket.fileDescriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard unsafe withLoopback(port, { unsafe bind(socket.fileDescriptor, $0, $1) }) == 0 else { throw SystemError("bind") }
        guard listen(socket.fileDescriptor, backlog) == 0 else { throw SystemError("listen") }
        _ = fcntl(socket.fileDescriptor, F_SETFL, O_NONBLOCK)  // accept() runs under the fork lock and must not block there
        return socket
    }

    /// Listens on a unix socket.
    static func listening(path: String) throws -> Socket {
        let socket = try stream(AF_UNIX)
        guard unsafe withPath(path, { unsafe bind(socket.fileDescriptor, $0, $1) }) == 0 else { throw SystemError("bind") }
        guard listen(socket.fileDescriptor, 4_096) == 0 else { throw SystemError("listen") }
        _ = fcntl(socket.fileDescriptor, F_SETFL, O_NONBLOCK)
        return socket
    }

    /// - Parameter source: the last number of the address that it comes from, 127.0.0.1 or another of this machine's.
    package static func connected(port: UInt16, from source: UInt8 = 1) throws -> Socket {
        let socket = try stream(AF_INET)
        if source != 1 {
            let isBound = unsafe withLoopback(0, number: source) { unsafe bind(socket.fileDescriptor, $0, $1) } == 0
            guard isBound else { throw SystemError("bind") }
        }
        guard unsafe withLoopback(port, { unsafe connect(socket.fileDescriptor, $0, $1) }) == 0 else {
            throw SystemError("connect")
        }
        var one: Int32 = 1
        unsafe setsockopt(socket.fileDescriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return socket
    }

    /// To ::1.
    package static func connected(portOverIPv6 port: UInt16) throws -> Socket {
        let socket = try stream(AF_INET6)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_addr = in6addr_loopback
        let result = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket.fileDescriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
        guard result == 0 else { throw SystemError("connect") }
        return socket
    }

    package static func connected(path: String) throws -> Socket {
        let socket = try stream(AF_UNIX)
        guard unsafe withPath(path, { unsafe connect(socket.fileDescriptor, $0, $1) }) == 0 else {
            throw SystemError("connect")
        }
        return socket
    }

    private static func withPath<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        precondition(bytes.count < 108, "a unix socket's path has at most 107 bytes: \(path)")
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Starts to connect and does not wait for it.
    static func connecting(port: UInt16) throws -> Socket {
        let socket = try stream(AF_INET)
        _ = fcntl(socket.fileDescriptor, F_SETFL, O_NONBLOCK)
        _ = unsafe withLoopback(port) { unsafe connect(socket.fileDescriptor, $0, $1) }
        return socket
    }

    /// The next connection; nil once this listener has been shut down.
    package func accept() throws -> Socket? {
        while true {
            guard try wait() != .gate else { continue }
            let (accepted, code) = forkLock.withLock { _ in
                let accepted = Glibc.accept(fileDescriptor, nil, nil)
                let code = errno
                if accepted >= 0 { _ = fcntl(accepted, F_SETFD, FD_CLOEXEC) }
                return (accepted, code)
            }
            if accepted >= 0 { return Socket(accepted) }
            switch code {
            case EINVAL, EBADF: return nil
            case EAGAIN where isShutDown: return nil
            case EINTR, ECONNABORTED, EAGAIN: continue
            default: throw SystemError("accept", code)
            }
        }
    }

    /// A listener on a unix socket says EAGAIN even then.
    private var isShutDown: Bool {
        var polled = pollfd(fd: fileDescriptor, events: 0, revents: 0)
        return unsafe poll(&polled, 1, 0) > 0 && polled.revents & Int16(POLLHUP) != 0
    }

    package var port: UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(fileDescriptor, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    static func pipe() throws -> (reading: Socket, writing: Socket) {
        let ends = try pipeEnds()
        return (Socket(ends.reading), Socket(ends.writing))
    }

    private static func stream(_ family: Int32) throws -> Socket {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        return Socket(descriptor)
    }

    /// - Parameter number: of 127.0.0.NUMBER.
    private static func withLoopback<Result>(
        _ port: UInt16, number: UInt8 = 1, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = (0x7f00_0000 | UInt32(number)).bigEndian
        return unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// The descriptors of a pipe, which no child process gets: who has the end to write to keeps the reader from finding the end.
package func pipeEnds() throws -> (reading: Int32, writing: Int32) {
    try forkLock.withLock { _ in
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw SystemError("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}

/// A TCP port of 127.0.0.1 that nobody listens on: it refuses, until a server takes it.
///
/// It comes from the range below the kernel's own, so that no outgoing connection takes it before a server does, nor a listener that
/// takes any port. It is not tried out by listening: a child process that is just being made would have the listener too, and hear
/// for a moment whoever comes.
package func freePort() throws -> UInt16 {
    for _ in 0..<1_000 {
        let port = ports.withLock { $0.next() }
        if try forkLock.withLock({ _ in try Socket.isFree(port) }) { return port }
    }
    throw SystemError("bind", EADDRINUSE)
}

extension Socket {
    fileprivate static func isFree(_ port: UInt16) throws -> Bool {
        let socket = try stream(AF_INET)
        return unsafe withLoopback(port) { unsafe bind(socket.fileDescriptor, $0, $1) } == 0
    }
}

private struct Ports {
    private var last = UInt16(10_000 + Int(getpid()) * 97 % 20_000)

    /// Each port is handed out once in 20,000 calls.
    mutating func next() -> UInt16 {
        last = last >= 30_000 ? 10_000 : last + 1
        return last
    }
}

private let ports = Mutex(Ports())
