// Requests at moments that no answer puts off: what waits behind a slow one is counted as late.

import Clock
import EventLoop

/// So many requests a second, each on a connection that is free, on a new one, or, when there are as many as may be, on the next
/// that becomes free.
final class RateLoad: Load {
    private let bench: Bench
    private let perSecond: Int
    private let count: Int
    private var begin = Instant.distantFuture
    private var started = 0
    private var callers: [Caller] = []
    private var idle: [Caller] = []
    private var timer: Timer?

    init(_ options: inout Options, bench: Bench) throws(UsageError) {
        self.bench = bench
        perSecond = try options.number("per-second", default: 50)
        guard perSecond > 0 else { throw UsageError("--per-second takes a number above 0") }
        count = perSecond * (try options.number("seconds", default: 5))
    }

    var unfinished: Int { count - bench.tally.ended }

    func start() {
        begin = .current
        timer = Timer(on: bench.loop) { [unowned self] in startDue() }
        timer?.set(at: begin)
    }

    func receivedFirstEvent(_ caller: Caller) {}

    func ended(_ caller: Caller) {
        idle.append(caller)
        if unfinished == 0 { bench.loop.stop() } else { startDue() }
    }

    private var due: Instant { begin + .seconds(1) * started / perSecond }

    private func startDue() {
        while started < count, due <= .current, let caller = freeCaller() {
            let due = due
            started += 1
            caller.call(bench.nextRequest(), due: due)
        }
        guard started < count else { return }
        if due > .current { timer?.set(at: due) }
    }

    private func freeCaller() -> Caller? {
        if let caller = idle.popLast() { return caller }
        guard callers.count < bench.callers else { return nil }
        callers.append(Caller(of: self, on: bench))
        return callers.last
    }
}
