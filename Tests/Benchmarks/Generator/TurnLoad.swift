// Callers one after the other, each on a connection of its own: how long each waits for its first token, by its turn.

import Clock
import EventLoop

final class TurnLoad: Load {
    private let bench: Bench
    private let pause: Duration
    /// Where turns go that count for nothing: the generator too does much for the first time in its first one.
    private let practice: Address?
    private var callers: [Caller] = []

    init(_ options: inout Options, bench: Bench) throws(UsageError) {
        self.bench = bench
        pause = .milliseconds(try options.number("pause", default: 0))
        let practice = options.text("practice", default: "")
        self.practice = practice.isEmpty ? nil : try Address(practice)
    }

    private var practiceCount: Int { practice == nil ? 0 : 5 }
    private var count: Int { practiceCount + bench.callers }
    var unfinished: Int { count - bench.tally.ended }

    func start() { nextLater() }

    func receivedFirstEvent(_ caller: Caller) {}

    func ended(_ caller: Caller) {
        let turn = callers.count - practiceCount
        if turn > 0, let firstToken = caller.firstToken { print("turn=\(turn) first_token_us=\(firstToken.nanoseconds / 1000)") }
        nextLater()
    }

    private func nextLater() {
        guard callers.count < count else { return bench.loop.stop() }
        Timer(on: bench.loop) { [self] in
            let caller = Caller(of: self, on: bench, to: callers.count < practiceCount ? practice : nil)
            callers.append(caller)
            caller.call(bench.nextRequest())
        }
        .set(at: .current + pause)
    }
}
