// What this process holds: for tests that run in a process of their own.

import Foundation

/// Sanitizers keep freed memory on purpose.
package let isSanitized = unsafe dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

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
