// One non-blocking connection to the server under load: bytes out, bytes in, the end.

import EventLoop
import Glibc

/// Where the server under load listens.
enum Address {
    case unix(String)
    case tcp(in_addr, port: UInt16)

    init(_ text: String) throws(UsageError) {
        if text.hasPrefix("unix:") {
            self = .unix(String(text.dropFirst(5)))
            return
        }
        let parts = text.split(separator: ":")
        var host = in_addr()
        guard parts.count == 2, let port = UInt16(parts[1]), unsafe inet_pton(AF_INET, String(parts[0]), &host) == 1 else {
            throw UsageError("'\(text)' is neither unix:PATH nor IPV4:PORT")
        }
        self = .tcp(host, port: port)
    }

    /// A socket whose connection is under way or made.
    func connect() throws(SystemError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let result: Int32
        let descriptor: Descriptor
        switch self {
        case .unix(let path):
            descriptor = Descriptor(owning: try SystemError.check("socket", socket(AF_UNIX, type, 0)))
            var address = Self.unixAddress(path)
            result = unsafe Self.connect(descriptor.number, &address, MemoryLayout<sockaddr_un>.size)
        case .tcp(let host, let port):
            descriptor = Descriptor(owning: try SystemError.check("socket", socket(AF_INET, type, 0)))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr = host
            result = unsafe Self.connect(descriptor.number, &address, MemoryLayout<sockaddr_in>.size)
        }
        if result != 0, errno != EINPROGRESS { throw SystemError("connect") }
        return descriptor
    }

    private static func unixAddress(_ path: String) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return address
    }

    private static func connect(_ socket: Int32, _ address: UnsafeRawPointer, _ length: Int) -> Int32 {
        unsafe Glibc.connect(socket, address.assumingMemoryBound(to: sockaddr.self), socklen_t(length))
    }
}

/// The buffer that all connections of a loop read into, one at a time.
final class Inbox {
    fileprivate var bytes = [UInt8](repeating: 0, count: 65536)
}

/// A connection that tells its owner what arrives, until it is closed by either side.
final class Connection {
    private let descriptor: Descriptor
    private let inbox: Inbox
    private let received: (ArraySlice<UInt8>) -> Void
    private let closed: () -> Void
    private var watch: Watch?
    private var outgoing: ArraySlice<UInt8> = []

    /// - Parameters:
    ///   - received: bytes as they arrive; they are valid during the call.
    ///   - closed: the peer ended the connection, or it failed. Not called after `close()`.
    init(
        to address: Address, on loop: EventLoop, inbox: Inbox, received: @escaping (ArraySlice<UInt8>) -> Void,
        closed: @escaping () -> Void
    ) throws(SystemError) {
        descriptor = try address.connect()
        self.inbox = inbox
        self.received = received
        self.closed = closed
        watch = try Watch(descriptor.number, for: .writable, on: loop) { [weak self] in self?.becameReady($0) }
    }

    deinit { close() }

    func send(_ bytes: [UInt8]) {
        outgoing += bytes
        write()
    }

    /// Ends the handler's calls; the descriptor closes with the value.
    func close() {
        watch?.cancel()
        watch = nil
    }

    private func becameReady(_ readiness: Readiness) {
        if readiness.contains(.writable) { write() }
        if !readiness.isDisjoint(with: [.readable, .hangUp, .error]) { read() }
    }

    private func write() {
        while !outgoing.isEmpty {
            let count = unsafe outgoing.withUnsafeBytes {
                unsafe Glibc.send(descriptor.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { break }
            outgoing.removeFirst(count)
        }
        do { try watch?.update(outgoing.isEmpty ? .readable : [.readable, .writable]) } catch { fail() }
    }

    private func read() {
        let count = unsafe recv(descriptor.number, &inbox.bytes, inbox.bytes.count, 0)
        if count > 0 { return received(inbox.bytes[..<count]) }
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        fail()
    }

    private func fail() {
        guard watch != nil else { return }
        close()
        closed()
    }
}
