// The address of a unix socket.

import CLinux
import Clock
import Glibc

/// A unix socket's address (unix(7)): a path, or a name outside the file system.
package struct UnixAddress: Sendable {
    private var address = sockaddr_un()
    private let length: socklen_t

    /// The bytes that a path may have.
    package static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// - Returns: nil for a path that is too long, or empty.
    package init?(path: String) {
        self.init(bytes: Array(path.utf8) + [0])
    }

    /// - Parameter name: without the NUL that stands ahead of it.
    /// - Returns: nil for a name that is too long, or empty.
    package init?(abstract name: String) {
        self.init(bytes: [0] + Array(name.utf8))
    }

    private init?(bytes: [UInt8]) {
        address.sun_family = sa_family_t(AF_UNIX)
        length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count > 1, bytes.count <= room.count else { return false }
            unsafe room.copyBytes(from: bytes)
            return true
        }
        guard fits else { return nil }
    }

    /// A stream socket that is connected to it, and waits.
    ///
    /// - Parameter limit: how long whoever listens there may take no one, while as many wait as may.
    /// - Throws: `SystemError` when nobody listens there, or may not be asked, and with `EAGAIN` when the limit has passed.
    package func connectedStream(within limit: Duration) throws(SystemError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Descriptor(owning: try SystemError.check("socket", socket(AF_UNIX, type, 0)))
        // It holds for connecting too (unix(7)); zero would be none.
        let microseconds = max(1, Int(limit.nanoseconds / 1000))
        var time = timeval(tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        _ = try SystemError.check("setsockopt", unsafe setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &time, size))
        var result: Int32
        repeat { result = connect(socket) } while result < 0 && errno == EINTR
        _ = try SystemError.check("connect", result)
        return socket
    }

    /// A datagram socket that is connected to it, and never waits; nil when nobody is there.
    package func connectedDatagrams() -> Descriptor? {
        guard let socket = Self.datagramSocket() else { return nil }
        guard connect(socket) == 0 else { return nil }
        return socket
    }

    /// A datagram socket that is not connected; nil when the process is out of descriptors.
    package static func datagramSocket() -> Descriptor? {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = socket(AF_UNIX, type, 0)
        return number < 0 ? nil : Descriptor(owning: number)
    }

    /// Connects a unix socket to it (connect(2)).
    ///
    /// - Returns: 0, or −1 with the kernel's reason in `errno`.
    package func connect(_ descriptor: borrowing Descriptor) -> Int32 {
        let number = descriptor.number
        return unsafe withPointer { unsafe Glibc.connect(number, $0, $1) }
    }

    /// Binds a unix socket to it (bind(2)).
    ///
    /// - Returns: 0, or −1 with the kernel's reason in `errno`.
    package func bind(_ descriptor: borrowing Descriptor) -> Int32 {
        let number = descriptor.number
        return unsafe withPointer { unsafe Glibc.bind(number, $0, $1) }
    }

    /// Sends a datagram to it by a unix socket, without waiting. Whether it has gone.
    @discardableResult package func send(_ bytes: [UInt8], by descriptor: borrowing Descriptor) -> Bool {
        let number = descriptor.number
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        return unsafe withPointer { unsafe sendto(number, bytes, bytes.count, flags, $0, $1) } == bytes.count
    }

    private func withPointer<Result>(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, length) }
        }
    }
}
