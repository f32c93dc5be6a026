// The address of a unix socket.

package import Glibc

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

    /// The result of `call`, a system call that takes an address.
    package func withPointer<Result>(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, length) }
        }
    }
}
