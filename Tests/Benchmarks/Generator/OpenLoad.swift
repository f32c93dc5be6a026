// Streams that are open and silent for as long as somebody measures.

import EventLoop
import Glibc

/// Opens a stream for each caller, says `open=N` when each has had its first event, and leaves when standard input ends.
final class OpenLoad: Load {
    private let bench: Bench
    private var callers: [Caller] = []
    private var input: Watch?
    private var firstEvents = 0
    private var isDone = false

    init(_ options: inout Options, bench: Bench) throws {
        self.bench = bench
        input = try Watch(0, for: .readable, on: bench.loop) { [unowned self] _ in readInput() }
    }

    var unfinished: Int { isDone ? 0 : bench.callers - bench.tally.ended }

    func start() {
        bench.startCallers(of: self) { [self] caller, due in
            callers.append(caller)
            caller.call(bench.nextRequest(), due: due)
        }
    }

    func receivedFirstEvent(_ caller: Caller) {
        firstEvents += 1
        guard firstEvents == bench.callers else { return }
        print("open=\(bench.open)")
        fflush(nil)
    }

    /// None should end by itself.
    func ended(_ caller: Caller) { bench.loop.stop() }

    private func readInput() {
        var byte: UInt8 = 0
        guard unsafe read(0, &byte, 1) <= 0 else { return }
        isDone = true
        input?.cancel()
        for caller in callers where caller.isBusy { _ = caller.leave() }
        bench.loop.stop()
    }
}
