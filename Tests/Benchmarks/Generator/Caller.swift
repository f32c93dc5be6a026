// One caller: its connection, and the stream that is open on it.

import Clock
import EventLoop

final class Caller {
    private unowned let load: any Load
    private let bench: Bench
    private let address: Address
    private var connection: Connection?
    private var parser = ResponseParser()
    private var checker: (any StreamChecker)?
    private var dueAt = Instant.distantFuture
    private var lastEventAt = Instant.distantFuture
    /// The number of its stream, the last or the present one.
    private(set) var number = 0
    private(set) var calls = 0
    /// From when the last request was due to its first event, if that has come.
    private(set) var firstToken: Duration?

    /// Whether a stream is open, or asked for.
    var isBusy: Bool { checker != nil }

    /// - Parameter address: nil for the one that is measured.
    init(of load: any Load, on bench: Bench, to address: Address? = nil) {
        self.load = load
        self.bench = bench
        self.address = address ?? bench.address
    }

    /// Opens a stream, on the kept connection if there is one.
    /// - Parameter due: when it should have been opened; a generator that is late itself does not make the delay shorter.
    func call(_ request: StreamRequest, due: Instant = .current) {
        precondition(checker == nil, "one stream at a time")
        dueAt = due
        number = request.number
        calls += 1
        parser = ResponseParser()
        checker = bench.check.checker(of: request)
        firstToken = nil
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
        if firstToken != nil { bench.closed() }
        bench.tally.left += 1
        return moment
    }

    private func connect() throws(SystemError) -> Connection {
        try Connection(
            to: address, on: bench.loop, inbox: bench.inbox, received: { [unowned self] in received($0) },
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
        bench.tally.events += 1
        defer { lastEventAt = now }
        if event > 0 {
            bench.tally.laterEvents.add(now - sentAt)
            bench.tally.between.add(now - lastEventAt)
            return
        }
        bench.tally.firstEvent.add(now - sentAt)
        bench.tally.firstToken.add(now - dueAt)
        firstToken = now - dueAt
        bench.opened()
        load.receivedFirstEvent(self)
    }

    private func closed() {
        connection = nil
        guard checker != nil else { return }
        end(parser.isCompleteAtClose && isWhole ? .complete : .cut)
    }

    private func end(_ outcome: Outcome) {
        bench.tally.heartbeats += checker?.heartbeats ?? 0
        bench.tally.count(outcome)
        checker = nil
        if firstToken != nil { bench.closed() }
        if parser.closes || !outcome.isComplete { hangUp() }
        if outcome.isComplete { load.ended(self) } else { endLater() }
    }

    /// A failed caller comes back after a while, so that a server that refuses is not asked in a busy loop.
    private func endLater() {
        Timer(on: bench.loop) { [self] in load.ended(self) }.set(at: .current + .milliseconds(100))
    }
}
