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
        descriptor = try .memoryFile(name)
    }

    /// - Parameter descriptor: of such a file.
    package init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// To pass it on.
    package var number: Int32 { descriptor.number }

    /// Whether it has been written, and cannot change any more.
    package var isSealed: Bool {
        let seals = fcntl(number, FILE_GET_SEALS)
        return seals > 0 && seals & FILE_SEAL_ALL == FILE_SEAL_ALL
    }

    /// Writes all that it is to hold.
    ///
    /// - Throws: `SystemError` when the machine is out of memory, or it has been written already.
    package func write(_ bytes: [UInt8]) throws(SystemError) {
        try descriptor.write(bytes, at: 0, named: "write")
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
        try descriptor.fileBytes(atMost: countMax, named: "read")
    }
}

extension Descriptor {
    /// A new file in memory, which can be sealed.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    package static func memoryFile(_ name: String) throws(SystemError) -> Descriptor {
        let flags = UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING)
        var number = unsafe memfd_create(name, flags | MEMORY_FILE_WITHOUT_PROGRAM)
        // An older kernel does not know that.
        if number < 0, errno == EINVAL { number = unsafe memfd_create(name, flags) }
        return Descriptor(owning: try SystemError.check("memfd_create", number))
    }
}
