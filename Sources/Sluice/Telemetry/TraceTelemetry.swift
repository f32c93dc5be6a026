// What is logged of the collector of traces.

import Logging

extension Logger {
    /// - Parameter reason: a phrase; nothing secret.
    func spansAreDropped(_ reason: String) {
        warning("spans are dropped: the collector does not take them (traces)", metadata: ["reason": "\(reason)"])
    }

    /// - Parameter count: how many were dropped since that was told.
    func spansAreTaken(dropped count: Int) {
        info("the collector takes spans again (traces)", metadata: ["total": .stringConvertible(count)])
    }

    /// - Parameters:
    ///   - reason: the collector's words; nothing secret.
    ///   - total: how many were rejected since that was told.
    func spansAreRejected(_ reason: String, total: Int) {
        warning(
            "the collector rejects some of the spans (traces)",
            metadata: ["reason": "\(reason)", "total": .stringConvertible(total)])
    }
}
