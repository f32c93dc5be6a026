// The bytes of what settings name, which may be any kind of file.

import Clock
package import EventLoop
import Glibc

/// Reads a whole file.
package typealias FileReader = (_ path: String) throws(SystemError) -> [UInt8]
/// Looks up of which kind a file is, and who may do what with it: `st_mode`.
package typealias FileModeReader = (_ path: String) throws(SystemError) -> UInt32

/// - Throws: `SystemError` when there is no such file, or it cannot be looked at.
package func readFileMode(_ path: String) throws(SystemError) -> UInt32 {
    var status = stat()
    _ = try SystemError.check(path, unsafe stat(path, &status))
    return status.st_mode
}

/// A file's bytes; of a pipe, all that comes until its end.
///
/// - Parameter limit: for all of it. A named pipe may have nobody at its other end.
/// - Throws: `SystemError`, also for a file of more than `bytesMax` bytes, and for one that is late.
package func readFile(
    _ path: String, bytesMax: Int = 16 << 20, within limit: Duration = .seconds(5)
) throws(SystemError) -> [UInt8] {
    let file = Descriptor(owning: try SystemError.check(path, unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)))
    let deadline = Instant.current + limit
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        var interest = pollfd(fd: file.number, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(clamping: (deadline - .current).nanoseconds / 1_000_000)
        guard milliseconds > 0 else { throw SystemError(path, code: ETIME) }
        let readyCount = unsafe poll(&interest, 1, milliseconds)
        if readyCount == 0 || (readyCount < 0 && errno == EINTR) { continue }
        let count = unsafe read(file.number, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { continue }
        guard try SystemError.check(path, Int32(clamping: count)) > 0 else { return bytes }
        bytes += chunk[..<count]
        guard bytes.count <= bytesMax else { throw SystemError(path, code: EFBIG) }
    }
}
