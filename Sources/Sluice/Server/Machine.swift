// What the machine offers, and what the process may use of it.

import Clock
import EventLoop
import Glibc

/// The descriptors that the process may have open, and what they are for.
struct DescriptorBudget {
    /// Besides those of streams and idle connections: of the process, and of each worker.
    private static let (ownCount, workerCount) = (64, 8)

    let limit: Int
    private let requests: Int
    private let workers: Int

    init(limit: Int, _ settings: Settings) {
        self.limit = limit
        (requests, workers) = (settings.limits.requests, settings.workers)
    }

    /// The present limit's.
    init(_ settings: Settings) throws(SystemError) { self.init(limit: Int(clamping: try descriptorLimit().rlim_cur), settings) }

    /// Each stream takes two: the web server's connection and the upstream's.
    private var needed: Int { 2 * requests + Self.ownCount + Self.workerCount * workers }

    /// Whether all the requests that the settings allow can be served at once.
    var isEnough: Bool { limit >= needed }

    /// The connections of HTTP/1 that a worker keeps for later requests: what streams leave, shared out, and never less than a few.
    var idlePerWorker: Int { min(max((limit - needed) / workers, 4), requests) }
}

private func descriptorLimit() throws(SystemError) -> rlimit {
    var limit = rlimit()
    _ = try SystemError.check("getrlimit", unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
    return limit
}

/// Raises the limit of open descriptors as far as allowed.
func raiseDescriptorLimit() throws(SystemError) {
    var limit = try descriptorLimit()
    limit.rlim_cur = limit.rlim_max
    _ = try SystemError.check("setrlimit", unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
}

/// A file's bytes; of a pipe, all that comes until its end.
///
/// - Parameter limit: for all of it. A named pipe may have nobody at its other end.
/// - Throws: `SystemError`, also for a file of more than `bytesMax` bytes, and for one that is late.
func readFile(
    _ path: String, bytesMax: Int = 16 << 20, within limit: Duration = .seconds(10)
) throws(SystemError) -> [UInt8] {
    let file = Descriptor(owning: try SystemError.check(path, unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)))
    let deadline = Instant.current + limit
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
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

/// Writes a line to the standard error. There is nobody to tell when that fails.
func writeError(_ line: String) {
    let bytes = [UInt8]("\(line)\n".utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
