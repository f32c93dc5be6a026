// Connections that do not leave the process.

import CLinux
import Glibc

/// One end of a connection whose other end is in this process too. It never waits.
package final class LocalSocket {
    /// Both ends of one connection.
    package typealias Pair = (LocalSocket, LocalSocket)

    private var descriptor: Descriptor?

    fileprivate init(_ descriptor: consuming Descriptor) { self.descriptor = consume descriptor }

    /// Two ends of one connection, blocking sockets.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    package static func pair() throws(SystemError) -> Pair {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        _ = try SystemError.check("socketpair", unsafe socketpair(AF_UNIX, type, 0, &ends))
        return (LocalSocket(Descriptor(owning: ends[0])), LocalSocket(Descriptor(owning: ends[1])))
    }

    /// Its number, to watch it; −1 when its descriptor was given away.
    package var number: Int32 { descriptor?.number ?? -1 }

    /// Gives its descriptor away.
    ///
    /// - Precondition: for the first time.
    package func takeDescriptor() -> Descriptor {
        guard let descriptor = descriptor.take() else { preconditionFailure("the descriptor has been taken") }
        return descriptor
    }

    /// Sends a few kilobytes, for which there is room in any case. Whether all of them have gone.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool { descriptor?.sendAtOnce(bytes) ?? false }

    /// Ends the connection both ways: the other end finds that out.
    package func shutDown() { _ = shutdown(number, Int32(SHUT_RDWR)) }

    /// What the other end has sent so far.
    package func receive() -> [UInt8] {
        var received: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while case .bytes(let count)? = descriptor?.receive(into: &part) { received += part.prefix(count) }
        return received
    }
}

/// A listening unix socket at an address outside the file system, which the kernel chooses (unix(7), autobind).
package final class LocalListener {
    /// Its abstract address, without the NUL ahead of it.
    package let name: String
    private let descriptor: Descriptor

    /// - Throws: `SystemError` when the process is out of descriptors or the machine of addresses.
    package init() throws(SystemError) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = Descriptor(owning: try SystemError.check("socket", socket(AF_UNIX, type, 0)))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var size = socklen_t(MemoryLayout<sa_family_t>.size)
        let number = descriptor.number
        let result = unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                guard unsafe bind(number, pointer, size) == 0, listen(number, 1) == 0 else { return Int32(-1) }
                size = socklen_t(MemoryLayout<sockaddr_un>.size)
                return unsafe getsockname(number, pointer, &size)
            }
        }
        _ = try SystemError.check("bind", result)
        let length = Int(size) - MemoryLayout<sa_family_t>.size
        name = unsafe withUnsafeBytes(of: address.sun_path) { unsafe String(decoding: $0[..<length].dropFirst(), as: UTF8.self) }
        self.descriptor = descriptor
    }

    /// Its number, to watch it.
    package var number: Int32 { descriptor.number }

    /// The next connection; `nil` when there is none.
    package func accept() -> LocalSocket? {
        let number = accept4(descriptor.number, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        return number < 0 ? nil : LocalSocket(Descriptor(owning: number))
    }
}
