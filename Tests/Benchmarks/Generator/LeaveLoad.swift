// Callers that leave in mid-stream, or before the first token. When each left is printed; when it was noticed the upstream knows.

import Clock
import EventLoop

final class LeaveLoad: Load {
    private let bench: Bench
    private let leaves: Int
    /// Leave before any event arrives.
    private let leavesSilent: Bool
    private let pause: Duration
    private var callers: [Caller] = []
    private var started = 0

    init(_ options: inout Options, bench: Bench) throws(UsageError) {
        self.bench = bench
        leaves = try options.number("leaves", default: 1000)
        leavesSilent = try options.number("after", default: 1) == 0
        pause = .milliseconds(try options.number("pause", default: 0))
    }

    var unfinished: Int { leaves - bench.tally.left - bench.tally.ended }

    func start() {
        bench.startCallers(of: self) { [self] caller, _ in
            callers.append(caller)
            next(caller)
        }
    }

    func receivedFirstEvent(_ caller: Caller) {
        if !leavesSilent { leaveSoon(caller) }
    }

    /// The stream ended before its caller left: a fault that the tally has.
    func ended(_ caller: Caller) { next(caller) }

    private func next(_ caller: Caller) {
        guard started < leaves else {
            if unfinished == 0 { bench.loop.stop() }
            return
        }
        started += 1
        caller.call(bench.nextRequest())
        if leavesSilent { leaveSoon(caller) }
    }

    private func leaveSoon(_ caller: Caller) {
        let number = caller.number
        Timer(on: bench.loop) { [self] in
            guard caller.isBusy, caller.number == number else { return }
            let moment = caller.leave()
            print("left=\(number) at=\(moment.nanoseconds)")
            next(caller)
        }
        .set(at: .current + pause)
    }
}
