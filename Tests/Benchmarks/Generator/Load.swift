// What a run consists of: a mode that decides, and what its callers share.

import Clock
import EventLoop

/// What a mode of the generator decides: what callers do next.
protocol Load: AnyObject {
    /// How many streams are still missing.
    var unfinished: Int { get }
    func start()
    /// Called from within the connection's reading: the caller does not leave here, a timer can make it.
    func receivedFirstEvent(_ caller: Caller)
    /// The caller has no stream now and may be given the next.
    func ended(_ caller: Caller)
}

/// What the callers of a run share.
final class Bench {
    let loop: EventLoop
    let address: Address
    let inbox = Inbox()
    let callers: Int
    let shape: StreamShape
    let spread: Duration
    let check: StreamCheck
    /// Of the body of every request, up to its order.
    private let opening: String
    var tally = Tally()
    private var nextNumber: Int
    private(set) var open = 0

    init(_ options: inout Options, loop: EventLoop) throws(UsageError) {
        self.loop = loop
        address = try Address(options.text("to"))
        callers = try options.number("callers", default: 100)
        shape = StreamShape(
            events: try options.number("events", default: 50), interval: try options.number("interval", default: 20),
            delay: try options.number("delay", default: 0), form: try EventForm(options.text("form", default: "text")))
        spread = .milliseconds(try options.number("spread", default: shape.interval))
        check = try StreamCheck(options.text("check", default: "bytes"))
        opening = try RequestBody(options.text("body", default: "usual")).opening
        nextNumber = try options.number("first-number", default: 1)
    }

    func nextRequest() -> StreamRequest {
        defer { nextNumber += 1 }
        return StreamRequest(number: nextNumber, shape: shape, opening: opening)
    }

    func opened() {
        open += 1
        tally.openAtOnce = max(tally.openAtOnce, open)
    }

    func closed() { open -= 1 }

    /// Starts the callers one after the other, evenly over the spread, each with the moment at which it was due.
    func startCallers(of load: any Load, _ start: @escaping (Caller, _ due: Instant) -> Void) {
        let begin = Instant.current
        var started = 0
        var ramp: Timer?
        ramp = Timer(on: loop) { [self] in
            var due: Instant { begin + spread * started / callers }
            while started < callers, due <= .current {
                start(Caller(of: load, on: self), due)
                started += 1
            }
            if started < callers { ramp?.set(at: due) } else { ramp = nil }
        }
        ramp?.set(at: begin)
    }
}
