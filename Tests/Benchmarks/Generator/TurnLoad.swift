// Callers one after the other, each on a connection of its own: how long each waits for its first token, by its turn.

import EventLoop

final class TurnLoad: Load {
    private let bench: Bench
    private let pause: Duration
    private var callers: [Caller] = []

    init(_ options: inout Options, bench: Bench) throws(UsageError) {
        self.bench = bench
        pause = .milliseconds(try options.number("pause", default: 0))
    }

    var unfinished: Int { bench.callers - bench.tally.ended }

    func start() { nextLater() }

    func receivedFirstEvent(_ caller: Caller) {}

    func ended(_ caller: Caller) {
        if let firstToken = caller.firstToken { print("turn=\(callers.count) first_token_us=\(firstToken.nanoseconds / 1000)") }
        nextLater()
    }

    private func nextLater() {
        guard callers.count < bench.callers else { return bench.loop.stop() }
        Timer(on: bench.loop) { [self] in
            let caller = Caller(of: self, on: bench)
            callers.append(caller)
            caller.call(bench.nextRequest())
        }
        .set(at: .current + pause)
    }
}
