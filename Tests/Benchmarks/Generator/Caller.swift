// One caller: its connection, and the stream that is open on it.

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
final class Field {
    let loop: EventLoop
    let address: Address
    let inbox = Inbox()
    let callers: Int
    let shape: StreamShape
    let spread: Duration
    var tally = Tally()
    private var nextNumber: Int
    private(set) var open = 0

    init(_ options: inout Options, loop: EventLoop) throws(UsageError) {
        self.loop = loop
        address = try Address(options.text("to"))
        callers = try options.number("callers", default: 100)
        shape = StreamShape(
            events: try options.number("events", default: 50), interval: try options.number("interval", default: 20),
            delay: try options.number("delay", default: 0))
        spread = .milliseconds(try options.number("spread", default: shape.interval))
        nextNumber = try options.number("first-number", default: 1)
    }

    func nextRequest() -> StreamRequest {
        defer { nextNumber += 1 }
        return StreamRequest(number: nextNumber, shape: shape)
    }

    fileprivate func opened() {
        open += 1
        tally.openAtOnce = max(tally.openAtOnce, open)
    }

    fileprivate func closed() { open -= 1 }

    /// Starts the callers one after the other, evenly over the spread.
    func startCallers(of load: any Load, _ start: @escaping (Caller) -> Void) {
        let begin = Instant.current
        var started = 0
        var ramp: Timer?
        ramp = Timer(on: loop) { [self] in
            while started < callers, begin + spread * started / callers <= .current {
                started += 1
                start(Caller(of: load, on: self))
            }
            if started < callers { ramp?.set(at: begin + spread * started / callers) } else { ramp = nil }
        }
        ramp?.set(at: begin)
    }
}

final class Caller {
    private unowned let load: any Load
    private let field: Field
    private var connection: Connection?
    private var parser = ResponseParser()
    private var checker: StreamChecker?
    private var hasFirstEvent = false
    private var askedAt = Instant.distantFuture
    var isBusy: Bool { checker != nil }
    /// The number of its stream, the last or the present one.
    private(set) var number = 0
    private(set) var calls = 0

    init(of load: any Load, on field: Field) {
        self.load = load
        self.field = field
    }

    /// Opens a stream, on the kept connection if there is one.
    func call(_ request: StreamRequest) {
        precondition(checker == nil, "one stream at a time")
        askedAt = .current
        number = request.number
        calls += 1
        parser = ResponseParser()
        checker = StreamChecker(request)
        hasFirstEvent = false
        do {
            let connection = try connection ?? connect()
            self.connection = connection
            connection.send(request.bytes)
        } catch {
            end(.cut)
        }
    }

    /// Closes the connection in the middle of the stream. Returns the moment just before.
    func leave() -> Instant {
        let moment = Instant.current
        hangUp()
        checker = nil
        if hasFirstEvent { field.closed() }
        field.tally.left += 1
        return moment
    }

    private func connect() throws(SystemError) -> Connection {
        try Connection(
            to: field.address, on: field.loop, inbox: field.inbox, received: { [unowned self] in received($0) },
            closed: { [unowned self] in closed() })
    }

    private func hangUp() {
        connection?.close()
        connection = nil
    }

    private func received(_ bytes: ArraySlice<UInt8>) {
        let now = Instant.current
        do {
            var rest = bytes
            while checker != nil, var piece = try parser.nextPiece(of: &rest) {
                if let status = parser.status, status != 200 { return end(.badStatus(status)) }
                while let event = try checker?.nextEvent(of: &piece) { count(event.number, sentAt: event.sentAt, now: now) }
            }
            if parser.isComplete { end(outcomeAtEnd(rest)) }
        } catch let error as WrongByte {
            end(.wrong("stream \(number) event \(error.event) position \(error.position) byte \(error.byte)"))
        } catch {
            end(.wrong("\(error)"))
        }
    }

    private var isWhole: Bool { checker?.isComplete ?? false }

    private func outcomeAtEnd(_ rest: ArraySlice<UInt8>) -> Outcome {
        guard rest.isEmpty else { return .wrong("bytes after the response") }
        return isWhole ? .complete : .cut
    }

    private func count(_ event: Int, sentAt: Instant, now: Instant) {
        field.tally.events += 1
        if event > 0 { return field.tally.laterEvents.add(now - sentAt) }
        field.tally.firstEvent.add(now - sentAt)
        field.tally.firstToken.add(now - askedAt)
        hasFirstEvent = true
        field.opened()
        load.receivedFirstEvent(self)
    }

    private func closed() {
        connection = nil
        guard checker != nil else { return }
        end(parser.isCompleteAtClose && isWhole ? .complete : .cut)
    }

    private func end(_ outcome: Outcome) {
        field.tally.heartbeats += checker?.heartbeats ?? 0
        field.tally.count(outcome)
        checker = nil
        if hasFirstEvent { field.closed() }
        if parser.closes || !outcome.isComplete { hangUp() }
        if outcome.isComplete { load.ended(self) } else { endLater() }
    }

    /// A failed caller comes back after a while, so that a server that refuses is not asked in a busy loop.
    private func endLater() {
        Timer(on: field.loop) { [self] in load.ended(self) }.set(at: .current + .milliseconds(100))
    }
}
