// What the machine offers, and what the process may use of it.

import EventLoop
import Glibc

/// Raises the limit of open descriptors as far as allowed, and returns it. Each stream takes two.
func raiseDescriptorLimit() throws(SystemError) -> Int {
    var limit = rlimit()
    _ = try SystemError.check("getrlimit", unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
    limit.rlim_cur = limit.rlim_max
    _ = try SystemError.check("setrlimit", unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
    return Int(clamping: limit.rlim_cur)
}

/// The wall clock, as OpenAI's `created` has it.
func secondsSince1970() -> Int { time(nil) }

/// A file's bytes.
///
/// - Throws: `SystemError`, also for a file of more than `bytesMax` bytes.
func readFile(_ path: String, bytesMax: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let file = Descriptor(owning: try SystemError.check(path, unsafe open(path, O_RDONLY | O_CLOEXEC)))
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = unsafe read(file.number, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard try SystemError.check(path, Int32(clamping: count)) > 0 else { return bytes }
        bytes += chunk[..<count]
        guard bytes.count <= bytesMax else { throw SystemError(path, code: EFBIG) }
    }
}

/// Writes a line to the standard error. There is nobody to tell when that fails.
func writeError(_ line: String) {
    let bytes = [UInt8]("\(line)\n".utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
