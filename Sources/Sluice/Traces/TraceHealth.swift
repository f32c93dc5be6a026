// What becomes of spans, as all workers of the process find it: for the metrics and the log.

import Logging
import Synchronization

/// One for the process. The log tells when spans begin to be dropped, and when no longer, and not of each.
final class TraceHealth: Sendable {
    private let logger: Logger?
    private let metrics: Metrics?
    /// How many were dropped since all were taken; nil while they are.
    private let droppedCount = Mutex<Int?>(nil)

    /// - Parameters:
    ///   - logger: nil to tell nobody.
    ///   - metrics: likewise.
    init(_ logger: Logger?, _ metrics: Metrics?) { (self.logger, self.metrics) = (logger, metrics) }

    /// The collector has taken so many.
    ///
    /// - Parameter isAll: whether no others wait.
    func sent(_ count: Int, isAll: Bool) {
        metrics?.spans(count, .sent)
        guard isAll else { return }
        droppedCount.withLock { dropped in
            // Inside the lock, so that the log has it in this order.
            if let count = exchange(&dropped, with: nil) { logger?.spansAreTaken(dropped: count) }
        }
    }

    /// So many are lost.
    ///
    /// - Parameter reason: a phrase; nothing secret.
    func dropped(_ count: Int, because reason: String) {
        guard count > 0 else { return }
        metrics?.spans(count, .dropped)
        droppedCount.withLock { dropped in
            if dropped == nil { logger?.spansAreDropped(reason) }
            dropped = (dropped ?? 0) + count
        }
    }
}
