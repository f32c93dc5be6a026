// What this process holds: for tests that run in a process of their own.

import Foundation

/// Sanitizers keep freed memory on purpose.
package let isSanitized = unsafe dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

/// How long each thread of a process has run, and how often it got a processor (proc(5), schedstat): two equal readings show that none
/// of them ran between.
package func turns(of process: Int32) throws -> [String: String] {
    let folder = "/proc/\(process)/task"
    let threads = try FileManager.default.contentsOfDirectory(atPath: folder)
    let readings = threads.map { ($0, (try? String(contentsOfFile: "\(folder)/\($0)/schedstat", encoding: .utf8)) ?? "") }
    // The time that it has waited for a processor stands between.
    return Dictionary(
        uniqueKeysWithValues: readings.map { thread, reading in
            (thread, reading.split(separator: " ").enumerated().filter { $0.offset != 1 }.map(\.element).joined(separator: " "))
        })
}

/// Waits until no thread of a process runs for a whole second.
///
/// Nothing tells that nothing happens, so this looks twice, and meanwhile another process waits for a second. A loop that spins, or a
/// timer that comes back several times a second, never lets two readings be equal.
package func becomesIdle(_ process: ChildProcess, within tries: Int = 20, in directory: TemporaryDirectory) async throws {
    var readings: [[String: String]] = []
    for _ in 0..<tries {
        readings.append(try turns(of: process.identifier))
        try await ChildProcess.run("sleep", ["1"], in: directory)
        if try turns(of: process.identifier) == readings.last { return }
    }
    throw NeverIdle(readings: readings)
}

package struct NeverIdle: Error { let readings: [[String: String]] }

/// What a process has open, and how many threads there are in it. Others than its user see the former only where it may dump core.
package struct ProcessHoldings: Equatable, Sendable, CustomStringConvertible {
    package let descriptors: Int
    package let threads: Int

    package init(of process: Int32) throws {
        descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
        threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").count
    }

    package var description: String { "\(descriptors) descriptors, \(threads) threads" }
}

package func openDescriptors() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
}

/// - Parameters:
///   - process: this one, or another.
///   - peak: the most that there ever was.
package func residentBytes(of process: Int32? = nil, peak: Bool = false) -> Int {
    let name = process.map { "\($0)" } ?? "self"
    // What `status` says now may be wrong by 32 pages for each core (proc(5)): here the kernel counts them anew.
    let file = "/proc/\(name)/\(peak ? "status" : "smaps_rollup")"
    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(peak ? "VmHWM:" : "Rss:") }
    return (line?.split(separator: " ").dropFirst().first).flatMap { Int($0) }.map { $0 << 10 } ?? 0
}
