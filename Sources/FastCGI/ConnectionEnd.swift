// What a reload and the end of the process ask of a connection: neither loses a request.

import Clock
import EventLoop

extension Connection {
    /// Changes what the peer may send and how long it may take, from the next request on.
    package func change(_ limits: RecordScanner.Limits, _ timeouts: Timeouts) {
        pendingChange = (limits, timeouts)
        if isIdle { applyPendingChange() }
    }

    /// Goes by what has been changed, if anything has: between two requests.
    func applyPendingChange() {
        guard let (limits, timeouts) = exchange(&pendingChange, with: nil) else { return }
        scanner.limits = limits
        bodyBytesMax = limits.bodyBytesMax
        self.timeouts = timeouts
    }

    /// Ends the connection, without a request that would be lost. One that is under way is answered, and one may come for a moment: the
    /// web server has connected to send it, or is just sending it over a connection that it has kept.
    package func drain() {
        guard lastRequestDeadline == nil else { return }
        if isIdle && requestNumber > 0 { askForEnd() } else { lastRequestDeadline = .current + timeouts.last }
        wakeup.wake()
    }

    /// Asks the web server to close a connection that it keeps. FastCGI has no word for that. But what comes over an idle connection has
    /// it closed by nginx; and where the next request is on its way already, an empty record of standard error means nothing.
    func askForEnd() {
        lastRequestDeadline = .current + timeouts.last
        var bytes: [UInt8] = []
        bytes.appendRecord(.standardError, requestID: requestID)
        credit -= bytes.count + Self.overheadBytes
        if !descriptor.sendAtOnce(bytes) { abandon() }
    }
}
