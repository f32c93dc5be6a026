// The end of a process that nobody calls, where the next call has it started again.

import Clock
import EventLoop
import FastCGI
import Glibc
import Synchronization

extension Server {
    /// Ends the process, as SIGTERM does, once nobody has called for so long.
    ///
    /// The sockets are somebody else's, and whoever connects to one while this process ends waits in it for the next. Where nobody else has
    /// it any more, he would be refused with it: so all workers stop to accept first, and the process ends only if nobody has come by then.
    func endWhenIdle(for limit: Duration) async {
        let wakeup = Wakeup(on: workers[0].loop)
        var next = counters.lastUse + limit
        while true {
            await wakeup.wait(until: next)
            if isDraining.load(ordering: .relaxed) { return }
            next = counters.lastUse + limit
            guard .current >= next else { continue }
            if await isLeft() {
                if isDraining.load(ordering: .relaxed) { return }
                logger.idle(for: limit)
                return end(by: SIGTERM)
            }
            next = .current + limit
        }
    }

    /// Whether there is no request. No worker accepts any more then.
    private func isLeft() async -> Bool {
        guard counters.active.now == 0 else { return false }
        let lastUse = counters.lastUse
        var hasRequests = false
        for worker in workers where !hasRequests { hasRequests = await !worker.standAside() }
        let sockets = listeningSockets
        // Whoever was accepted after the first look, or has connected after the last worker stood aside.
        if !hasRequests, counters.lastUse == lastUse, !sockets.contains(where: \.hasWaiting) { return true }
        for worker in workers { await worker.listen(sockets) }
        return false
    }
}
