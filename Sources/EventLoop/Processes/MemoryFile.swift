// Files without a name, which processes pass to each other.

import CLinux
import Glibc

/// A file in memory (memfd_create(2)) that is written once, and never changes then.
package final class MemoryFile: Sendable {
    private let descriptor: Descriptor

    /// An empty one.
    ///
    /// - Parameter name: for those who look into /proc.
    /// - Throws: `SystemError` when the process is out of descriptors.
    package init(_ name: String) throws(SystemError) {
        let flags = UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING)
        descriptor = Descriptor(owning: try SystemError.check("memfd_create", unsafe memfd_create(name, flags)))
    }

    /// - Parameter descriptor: of such a file.
    package init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// To pass it on.
    package var number: Int32 { descriptor.number }

    /// Whether it has been written, and cannot change any more.
    package var isSealed: Bool { fcntl(number, FILE_GET_SEALS) == FILE_SEAL_ALL }

    /// Writes all that it is to hold.
    ///
    /// - Throws: `SystemError` when the machine is out of memory, or it has been written already.
    package func write(_ bytes: [UInt8]) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes {
                unsafe pwrite(number, $0.baseAddress, $0.count, off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("write") }
            written += count
        }
        _ = try SystemError.check("fcntl", fcntl(number, FILE_ADD_SEALS, FILE_SEAL_ALL))
    }

    /// How many bytes it holds.
    ///
    /// - Throws: `SystemError` when the kernel does not tell.
    package var size: Int {
        get throws(SystemError) {
            guard let status = FileStatus(number) else { throw SystemError("fstat") }
            return status.size
        }
    }

    /// What it holds.
    ///
    /// - Parameter countMax: how much of its beginning is read at most.
    /// - Throws: `SystemError` when it cannot be read.
    package func bytes(atMost countMax: Int = .max) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < countMax {
            let count = unsafe pread(number, &part, min(part.count, countMax - bytes.count), off_t(bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("read") }
            if count == 0 { break }
            bytes += part.prefix(count)
        }
        return bytes
    }
}
