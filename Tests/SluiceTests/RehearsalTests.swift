import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Sluice

/// In processes of their own: what other tests open and hold would be counted too.
@Suite(.disabled(if: isSanitized)) struct RehearsalTests {
    @Test func `it succeeds, and leaves no descriptor and no memory behind`() async {
        await #expect(processExitsWith: .success) {
            await onThread {
                let log = CollectedLog()
                for _ in 0..<100 { Rehearsal.run(log.logger, within: .seconds(60)) }
                let descriptors = openDescriptors()
                // The allocator may take something for itself once, which is not lost.
                let growth = (0..<3).map { _ in
                    let memory = residentBytes()
                    for _ in 0..<500 { Rehearsal.run(log.logger, within: .seconds(60)) }
                    return residentBytes() - memory
                }
                #expect(log.lines.value == [], "\(log.lines.value)")
                #expect(openDescriptors() <= descriptors)
                // Half a kilobyte lost with each would be seen.
                #expect(growth.contains { $0 < 256 << 10 }, "\(growth) bytes")
            }
        }
    }

    /// As when the kernel does not take the request.
    @Test(.timeLimit(.minutes(5)))
    func `a request that does not come is a failure like any other, and the start goes on`() async {
        await #expect(processExitsWith: .success) {
            await onThread {
                let log = CollectedLog()
                Rehearsal.run(log.logger, within: .milliseconds(20), request: [])
                #expect(log.lines.value.count == 1, "\(log.lines.value)")
            }
        }
    }

    @Test func `a process without descriptors gets one line in the log, and goes on`() async {
        await #expect(processExitsWith: .success) {
            await onThread {
                Rehearsal.run(CollectedLog().logger, within: .seconds(60))
                let descriptors = openDescriptors()
                // The lowest number that is free: none is allowed at first, then one more each time.
                let lowest = dup(0)
                close(lowest)
                var limit = rlimit(rlim_cur: rlim_t(lowest), rlim_max: 1024)
                while true {
                    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                    let log = CollectedLog()
                    Rehearsal.run(log.logger)
                    if log.lines.value.isEmpty { break }
                    #expect(log.lines.value.count == 1, "\(log.lines.value)")
                    limit.rlim_cur += 1
                }
                #expect(limit.rlim_cur > lowest)
                // The process may have had something open at its start that it has closed since.
                #expect(openDescriptors() <= descriptors, "\(openDescriptors()) instead of \(descriptors)")
            }
        }
    }
}

/// Runs `body` on a thread of its own, as a server has one.
private func onThread(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            body()
            continuation.resume()
        }
    }
}

private struct CollectedLog: LogHandler {
    let lines = Observed<[String]>([])
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    var logger: Logger { Logger(label: "test", factory: { _ in self }) }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.update { $0.append("\(event.message) \(event.metadata ?? [:])") } }
}
