// A server that does exactly what a test's script says, byte by byte, on blocking threads.

import CLinux
import Foundation
import Glibc
import Synchronization

/// Listens on 127.0.0.1 and runs its script for each connection, on a thread of the connection's own.
final class ScriptServer: Sendable {
    let port: UInt16
    /// Tells the test what its script reports.
    let reports: AsyncStream<String>
    private let listener: Int32
    private let continuation: AsyncStream<String>.Continuation
    private let accepted = Mutex(0)

    var url: String { "http://127.0.0.1:\(port)/chat/completions" }
    var connections: Int { accepted.withLock { $0 } }

    init(port: UInt16 = 0, _ script: @escaping @Sendable (Peer) -> Void) throws {
        (listener, self.port) = try HTTPClientTests.listen(port: port, backlog: 128)
        (reports, continuation) = AsyncStream.makeStream()
        Thread.detachNewThread { [self] in
            // A child process of another test that had it too would keep it open when the script has closed it.
            while case let descriptor = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue)), descriptor >= 0 {
                let number = accepted.withLock { count in
                    count += 1
                    return count
                }
                Thread.detachNewThread { [self] in script(Peer(descriptor, number, continuation)) }
            }
        }
    }

    /// A script that answers each request of a connection with the same bytes.
    convenience init(answer: String) throws {
        try self.init { peer in
            while peer.request() != nil { peer.send(answer) }
            peer.report("closed")
        }
    }

    /// The next report, whoever made it.
    func report() async -> String? {
        for await report in reports { return report }
        return nil
    }

}

/// The server's end of one connection.
final class Peer {
    /// 1 for the server's first connection.
    let number: Int
    private let descriptor: Int32
    private let continuation: AsyncStream<String>.Continuation
    private var input: [UInt8] = []

    init(_ descriptor: Int32, _ number: Int, _ continuation: AsyncStream<String>.Continuation) {
        (self.descriptor, self.number, self.continuation) = (descriptor, number, continuation)
    }

    deinit { close(descriptor) }

    func report(_ text: String) { continuation.yield(text) }

    /// The next request, head and body; `nil` when the client has closed.
    func request() -> String? {
        guard let head = waitForHead() else { return nil }
        let length = head.lowercased().split(separator: "content-length: ").dropFirst().first.flatMap {
            Int($0.prefix { $0.isNumber })
        }
        let total = head.utf8.count + (length ?? 0)
        while input.count < total { guard receive() else { return nil } }
        defer { input.removeFirst(total) }
        return String(decoding: input.prefix(total), as: UTF8.self)
    }

    /// The next request's head; `request()` will give it again, with its body.
    @discardableResult func waitForHead() -> String? {
        while true {
            let text = String(decoding: input, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") { return String(text[..<end.upperBound]) }
            guard receive() else { return nil }
        }
    }

    /// The next so many bytes; `nil` when the client has closed before.
    func bytes(_ count: Int) -> [UInt8]? {
        while input.count < count { guard receive() else { return nil } }
        defer { input.removeFirst(count) }
        return Array(input.prefix(count))
    }

    /// What has come, at least one byte; `nil` when the client has closed.
    func some() -> [UInt8]? {
        guard !input.isEmpty || receive() else { return nil }
        defer { input = [] }
        return input
    }

    /// Lets the kernel drop all that comes, without a word, as behind a firewall that has forgotten the connection: by a filter
    /// (SO_ATTACH_FILTER, socket(7)) of the one instruction to keep nothing.
    func vanish() {
        var instruction = (code: UInt16(0x06), jumps: UInt16(0), bytes: UInt32(0))
        unsafe withUnsafeMutablePointer(to: &instruction) { instruction in
            var program = unsafe (count: UInt16(1), start: instruction)
            let size = unsafe socklen_t(MemoryLayout.size(ofValue: program))
            let result = unsafe setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
            precondition(result == 0)
        }
    }

    /// Sends all of it, or as much as the client takes. The number of bytes sent.
    @discardableResult func send(_ text: String) -> Int { send(Array(text.utf8)) }

    @discardableResult func send(_ bytes: [UInt8], flags: Int32 = 0) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | flags)
            }
            guard count > 0 else { return sent }
            sent += count
        }
        return sent
    }

    func chunk(_ text: String) { send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }

    /// Closes with a reset instead of an end of file.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Waits until the client has read everything: a reset would take it away.
    func waitUntilRead() {
        var unsent: Int32 = 1
        while unsent > 0 { _ = unsafe ioctl(descriptor, UInt(TIOCOUTQ), &unsent) }
    }

    /// Waits until something has come that nobody reads: to close then is to reset. Returns too when nothing more will come.
    func waitForUnread() {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&polled, 1, -1)
    }

    /// Waits until the client has closed, and reads nothing.
    func waitForHangUp() {
        var polled = pollfd(fd: descriptor, events: Int16(0x2000), revents: 0)  // POLLRDHUP
        _ = unsafe poll(&polled, 1, -1)
    }

    /// Waits until the client has closed.
    func waitForEnd() { while receive() {} }

    /// Sends until the client's and the kernel's buffers are full: nothing moved for a while. The number of bytes sent.
    func sendUntilBlocked(_ bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard unsafe poll(&polled, 1, 200) > 0 else { return sent }
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            guard count > 0 else { return sent }
            sent += count
        }
        return sent
    }

    private func receive() -> Bool {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            unsafe count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
        }
        input += bytes
        return !bytes.isEmpty
    }
}

/// A listening socket on 127.0.0.1, on a free port unless told which.
func listen(port: UInt16 = 0, backlog: Int32) throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port: port)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            unsafe bind(descriptor, pointer, length) | Glibc.listen(descriptor, backlog)
                | getsockname(descriptor, pointer, &length)
        }
    }
    guard result == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// Starts a connection to a port of 127.0.0.1 and does not wait for it.
func beginConnecting(to port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port: port)
    _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    return descriptor
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}
