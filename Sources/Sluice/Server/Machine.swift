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
    /// Of each worker, to have calls' platforms say something.
    private let platformsCount: Int

    init(limit: Int, _ settings: Settings) {
        self.limit = limit
        (requests, workers) = (settings.limits.requests, settings.workers)
        platformsCount = settings.asksPlatforms ? CallControl.atOnceMax : 0
    }

    /// The present limit's.
    init(_ settings: Settings) throws(SystemError) { self.init(limit: Int(clamping: try descriptorLimit().rlim_cur), settings) }

    /// Each stream takes two: the web server's connection and the upstream's.
    var needed: Int { 2 * requests + Self.ownCount + (Self.workerCount + platformsCount) * workers }

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

/// Tests that the limit of a file's size (`LimitFSIZE`) leaves room for the requests that settings allow: it holds for files in memory too,
/// and those that are parsed are in one.
///
/// - Throws: `SettingsError` when there would be requests that nobody could parse.
func checkFileSizeLimit(for settings: Settings) throws(SettingsError) {
    var limit = rlimit()
    let isKnown = unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0
    // With the heads of their records.
    let needed = settings.limits.parametersBytes + 16 << 10
    guard isKnown, limit.rlim_cur < needed else { return }
    throw SettingsError(problems: [
        """
        the limit of a file's size is \(limit.rlim_cur) bytes, and limits.parameters takes at least \(needed), since a request is parsed \
        from a file in memory: raise LimitFSIZE or ulimit -f
        """
    ])
}

/// Lets go of the code that has run so far: what only the start needs, the reader of settings above all, would stay in memory for
/// good. What runs again is mapped again, from the page cache.
///
/// It changes no more than how much memory the process has, so that nothing is told when it fails.
func releaseCode() {
    let maps: [UInt8]
    do throws(SystemError) { maps = try readFile("/proc/self/maps") } catch { return }
    for line in maps.split(separator: UInt8(ascii: "\n")) {
        let columns = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        // A private mapping that may be written to loses what was written, and one of no file has nothing to be mapped again from.
        guard columns.count > 4, columns[1] == "r-xp", columns[4] != "0" else { continue }
        let bounds = columns[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
        guard bounds.count == 2, bounds[0] < bounds[1], let start = unsafe UnsafeMutableRawPointer(bitPattern: bounds[0]) else {
            continue
        }
        _ = unsafe madvise(start, Int(bounds[1] - bounds[0]), MADV_DONTNEED)
    }
}

/// Writes a line to the standard error. There is nobody to tell when that fails.
func writeError(_ line: String) {
    var bytes: [UInt8] = []
    // Names of files may have anything in them.
    bytes.appendVisible(line)
    bytes.append(UInt8(ascii: "\n"))
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
