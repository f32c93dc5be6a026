// Writes that never wait, also those to files.

import CLinux
import Glibc

/// Writes to a file, at its end or where its offset is, what the kernel takes without waiting for a disk or for another writer.
///
/// - Returns: as write(2). `EAGAIN` where it would have to wait, `EOPNOTSUPP` where the file system cannot tell (ext4, for one).
package func writeAtOnce(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    unsafe bytes.withUnsafeBytes { bytes in
        // The kernel only reads from there.
        var part = unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        return unsafe pwritev2(descriptor, &part, 1, -1, RWF_NOWAIT)
    }
}
