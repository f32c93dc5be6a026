// What other threads hand over to a loop: jobs, and calls of what the loop keeps for them.

import CLinux
import Glibc
import Synchronization

/// Lets other threads run a body that a loop's thread keeps.
///
/// It holds neither the body nor the loop: whatever the body captures is called and released on the loop's thread alone.
package struct RemoteAction: Sendable {
    fileprivate let queue: RemoteQueue
    fileprivate let id: UInt64

    /// From any thread: lets the body run once more, in a coming turn. Does nothing after `cancel()` or when the loop has ended.
    package func run() { queue.append(action: id) }

    /// On the loop's thread: the body is released and not called any more, not even for a `run()` before this.
    /// A second call does nothing.
    package func cancel() { queue.remove(id) }
}

extension EventLoop {
    /// Keeps `body` for calls from other threads, until the action is cancelled or the loop ends. On the loop's thread.
    ///
    /// - Parameter body: called on the loop's thread, once for each `RemoteAction.run()`.
    package func remoteAction(_ body: @escaping () -> Void) -> RemoteAction {
        RemoteAction(queue: remoteQueue, id: remoteQueue.register(body))
    }
}

/// The loop's part that other threads may hold, longer than the loop itself.
///
/// `bodies` belongs to the loop's thread, all else to any: that rule is what makes the class `Sendable`.
final class RemoteQueue: @unchecked Sendable {
    private struct Arrivals {
        var jobs: [UnownedJob] = []
        var actions: [UInt64] = []
        /// Whether the loop has been woken for them.
        var isAnnounced = false
        var isClosed = false
        var isEmpty: Bool { jobs.isEmpty && actions.isEmpty }
    }

    private static let wakesMax = 16
    /// Of an eventfd(2), whose count goes up by one when something has arrived. Nobody reads it.
    let descriptor: Descriptor
    private(set) var bodies: [UInt64: () -> Void] = [:]
    private var lastID: UInt64 = 0
    private let arrivals = Mutex(Arrivals())
    /// Whether something has arrived that the kernel would not wake the loop for.
    private let overdue = Atomic<Bool>(false)

    /// - Throws: `SystemError` when the process is out of descriptors.
    init() throws(SystemError) {
        let flags = Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)
        descriptor = Descriptor(owning: try SystemError.check("eventfd", eventfd(0, flags)))
    }

    // MARK: From any thread

    func append(_ job: UnownedJob) {
        append { $0.jobs.append(job) }
    }

    fileprivate func append(action: UInt64) {
        append { if !$0.isClosed { $0.actions.append(action) } }
    }

    /// The first that arrives wakes the loop; when that fails, the next one does it for both, unless the loop has turned before.
    private func append(_ add: (inout Arrivals) -> Void) {
        let mustWake = arrivals.withLock { arrivals in
            add(&arrivals)
            guard !arrivals.isAnnounced, !arrivals.isEmpty else { return false }
            arrivals.isAnnounced = true
            return true
        }
        guard mustWake, !wake() else { return }
        arrivals.withLock { $0.isAnnounced = false }
        overdue.store(true, ordering: .releasing)
    }

    /// Whether the loop will look: without that nobody would ever answer what has arrived, so a failure is not the last word.
    @discardableResult
    func wake() -> Bool {
        var one: UInt64 = 1
        let size = MemoryLayout<UInt64>.size
        return (0..<Self.wakesMax).contains { _ in unsafe write(descriptor.number, &one, size) == size }
    }

    // MARK: On the loop's thread

    var isOverdue: Bool { overdue.load(ordering: .acquiring) }

    fileprivate func register(_ body: @escaping () -> Void) -> UInt64 {
        lastID += 1
        bodies[lastID] = body
        return lastID
    }

    /// What the body captures may cancel other actions as it goes: it goes outside the access to the table.
    fileprivate func remove(_ id: UInt64) {
        let body = bodies.removeValue(forKey: id)
        withExtendedLifetime(body) {}
    }

    /// Moves the jobs to `jobs`, and returns whose bodies are to run.
    func takeArrivals(jobs: inout [UnownedJob]) -> [UInt64] {
        overdue.store(false, ordering: .relaxed)
        return arrivals.withLock { arrivals in
            jobs.append(contentsOf: arrivals.jobs)
            arrivals.jobs.removeAll(keepingCapacity: true)
            arrivals.isAnnounced = false
            defer { arrivals.actions = [] }
            return arrivals.actions
        }
    }

    /// A body may cancel one that is due behind it.
    func run(_ actions: [UInt64]) {
        for id in actions { bodies[id]?() }
    }

    /// No body is called after this, and all are released.
    func close() {
        arrivals.withLock { ($0.isClosed, $0.actions) = (true, []) }
        let released = bodies
        bodies = [:]
        withExtendedLifetime(released) {}
    }
}
