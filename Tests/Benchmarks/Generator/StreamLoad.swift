// Callers that take stream after stream: a fixed number each, or until the time is over.

import Clock
import EventLoop

final class StreamLoad: Load {
    private let bench: Bench
    private let streamsEach: Int
    private let duration: Duration?
    private var deadline = Instant.distantFuture
    private var callers: [Caller] = []
    private var active = 0

    /// Each caller takes `--streams-each`.
    init(streamsEach options: inout Options, bench: Bench) throws(UsageError) {
        self.bench = bench
        streamsEach = try options.number("streams-each", default: 1)
        duration = nil
    }

    /// Each caller takes what it can in `--seconds`.
    init(seconds options: inout Options, bench: Bench) throws(UsageError) {
        self.bench = bench
        streamsEach = .max
        duration = .seconds(try options.number("seconds", default: 5))
    }

    var unfinished: Int {
        if duration != nil { return active }
        return max(0, bench.callers * streamsEach - bench.tally.ended)
    }

    func start() {
        if let duration { deadline = .current + duration }
        active = bench.callers
        bench.startCallers(of: self) { [self] caller, due in
            callers.append(caller)
            next(caller, due: due)
        }
    }

    func receivedFirstEvent(_ caller: Caller) {}

    func ended(_ caller: Caller) { next(caller, due: .current) }

    private func next(_ caller: Caller, due: Instant) {
        guard caller.calls < streamsEach, .current < deadline else { return finish() }
        caller.call(bench.nextRequest(), due: due)
    }

    private func finish() {
        active -= 1
        if active == 0 { bench.loop.stop() }
    }
}
