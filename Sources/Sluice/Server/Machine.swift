// What the machine offers, and what the process may use of it.

import EventLoop
import Glibc
import Settings

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

/// Writes a line to the standard error. There is nobody to tell when that fails.
func writeError(_ line: String) {
    var bytes: [UInt8] = []
    // Names of files may have anything in them.
    bytes.appendVisible(line)
    bytes.append(UInt8(ascii: "\n"))
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
