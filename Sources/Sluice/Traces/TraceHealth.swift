// What becomes of spans, as all workers of the process find it: for the metrics and the log.

import Clock
import Logging
import Synchronization

/// One for the process. The log tells when spans begin to be dropped, and when no longer, and not of each.
final class TraceHealth: Sendable {
    private let logger: Logger?
    private let metrics: Metrics?
    /// How many were dropped since all were taken; nil while they are.
    private let droppedCount = Mutex<Int?>(nil)
    /// How many were rejected since that was told, and from when on it is told again.
    private let rejections = Mutex<(count: Int, next: Instant?)>((0, nil))

    private static let rejectionsPause = Duration.seconds(60)

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

    /// So many of a batch that the collector has taken are not taken: the log tells it once a minute.
    ///
    /// - Parameter reason: the collector's words; nothing secret.
    func rejected(_ count: Int, because reason: String?, at now: Instant) {
        guard count > 0 else { return }
        metrics?.spans(count, .dropped)
        rejections.withLock { rejections in
            rejections.count += count
            if let next = rejections.next, now < next { return }
            logger?.spansAreRejected(reason ?? "it gives none", total: rejections.count)
            rejections = (0, now + Self.rejectionsPause)
        }
    }
}
