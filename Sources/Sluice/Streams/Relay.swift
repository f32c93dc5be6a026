// Hands an upstream's events to the caller as they come, and sees to it that a broken stream never looks complete.

import Chat
import Clock
import EventLoop
import FastCGI
import Settings

/// One stream from its first event to its end.
///
/// Its task sees to all that is special: the head, the first event, errors, silence, a caller who reads slowly, the end. In
/// between, while the task waits, plain events go on from the loop's callback, without resuming it (`forwardAtOnce`).
final class Relay {
    private let answer: UpstreamAnswer
    private let loop: EventLoop
    private var scanner: EventScanner
    /// Of what the scanner keeps: part of a long event, or what a slow caller has not taken yet.
    private var memory: AnswerMemory
    /// When the upstream sent its first event.
    private(set) var firstEvent: Instant?
    /// How much of the answer has gone to the caller.
    private(set) var bytesCount = 0
    /// When the upstream last sent an event; comments do not count.
    private var lastEvent: Instant
    /// When the caller last got anything.
    private var lastWrite: Instant
    /// When to look whether one of them is too long ago. It stays while events come: to postpone it for each would cost more
    /// than to look once in vain.
    private var nextCheck: Instant
    /// Events that have been looked at and are still to be sent.
    private var stretch: EventScanner.Stretch?
    /// Those behind it that have been looked at too, at the beginning.
    private var opening: ArraySlice<EventScanner.Stretch> = []
    private let readsOn: Bool
    /// The caller left: nothing is sent any more, and the rest is read for what it says of its cost.
    private var departure: FastCGIError?
    private let heartbeatPeriod: Duration
    private let idle: Duration
    /// For an upstream that did not stream.
    private var completion: Completion?

    /// How long the upstream may take from `[DONE]` to its response's end, which lets the connection serve again.
    private static let settlingTime = Duration.milliseconds(250)
    /// How long `[DONE]` may take from the last finish reason, while no event comes: the usage may follow.
    private static let grace = Duration.seconds(2)

    init(
        _ won: Winner, as form: AnswerForm, _ settings: borrowing Settings, _ budget: MemoryBudget, on loop: EventLoop
    ) {
        memory = AnswerMemory(budget)
        answer = won.answer
        readsOn = settings.onDisconnect == .drain
        heartbeatPeriod = settings.heartbeat
        idle = won.target.timeouts.idle
        self.loop = loop
        switch won.opening {
        case .stream(let stream):
            let (scanner, stretches) = stream.take()
            (self.scanner, opening) = (scanner, stretches[...])
        case .whole(let completion):
            self.completion = completion
            scanner = EventScanner(form, answer.key, settings.limits)
        }
        lastEvent = loop.now
        lastWrite = loop.now
        nextCheck = loop.now
        nextCheck = min(deadline, heartbeat)
        if completion == nil { stretch = nextStretch(from: 0) }
    }

    /// What the answer cost, when the upstream has said it.
    var usage: TokenUsage? { scanner.usage }

    /// Who answered, when the upstream has said it.
    var model: ServedModel? { scanner.model }

    /// Runs until the upstream's `[DONE]` has been sent, or one in its place after a finish reason.
    ///
    /// - Throws: `ChatError` for whatever the upstream did wrong; `FastCGIError` when the caller left.
    func run(_ reply: inout Reply) async throws {
        defer { reply.hasEvents = scanner.hasEvents }
        while true {
            do {
                try await forwardAll(&reply)
                break
            } catch let error as FastCGIError where readsOn && departure == nil {
                departure = error
            } catch  where departure != nil {
                // Nobody waits for the answer any more; the log has the connection's failure.
                break
            }
        }
        if let departure { throw departure }
    }

    private func forwardAll(_ reply: inout Reply) async throws {
        if let completion {
            firstEvent = loop.now
            reply.memory = completion.memory
            return try await send(events(of: completion)[...], isLast: true, &reply)
        }
        while true {
            if stretch != nil {
                if try await forward(&reply) { return await answer.settle(until: loop.now + Self.settlingTime) }
                continue
            }
            switch try answer.arrival {
            case nil where loop.now >= nextCheck: if try await checkSilence(&reply) { return }
            case nil: await wait(departure == nil ? reply.writer : nil)
            case .end: return try await end(&reply)
            case .bytes:
                stretch = nextStretch(appending: answer.takeBytes())
            }
        }
    }

    /// Waits until there is something for the task to do.
    private func wait(_ writer: ResponseWriter?) async {
        if let writer { answer.wakeup.handler = { self.forwardAtOnce(writer) } }
        if isWhole { nextCheck = min(deadline, heartbeat) }
        await answer.wakeup.wait(until: nextCheck)
        answer.wakeup.handler = nil
    }

    // MARK: Silence

    /// When the upstream must have said more, or need not any more.
    ///
    /// Where a finish reason was not the last word, it may be none again.
    private var deadline: Instant { lastEvent + (!scanner.hasGoneOn && isWhole ? min(Self.grace, idle) : idle) }

    /// Whether the answer is complete as it stands.
    private var isWhole: Bool { scanner.isFinished && !scanner.isInsideEvent }

    /// When the caller is due a sign of life.
    private var heartbeat: Instant {
        heartbeatPeriod > .zero && departure == nil ? lastWrite + heartbeatPeriod : .distantFuture
    }

    /// Gives up on an upstream that was silent for too long, and shows a caller that its answer is still on the way.
    /// Whether the answer was complete but for its end, which the caller now has.
    private func checkSilence(_ reply: inout Reply) async throws -> Bool {
        if loop.now >= deadline {
            guard isWhole else { throw ChatError.upstreamTimedOut(.idle, after: idle) }
            try await send(EventScanner.doneEvent[...], isLast: true, &reply)
            return true
        }
        if loop.now >= heartbeat {
            try await reply.keepAlive()
            lastWrite = loop.now
        }
        nextCheck = min(deadline, heartbeat)
        return false
    }

    // MARK: Events

    /// Forwards what has come while the task waits, when that is plain events, and the caller's side has room for them.
    /// Whether the task has nothing to do.
    private func forwardAtOnce(_ writer: ResponseWriter) -> Bool {
        guard answer.hasBytes else { return false }
        let stretch = scanner.next(appending: answer.takeBytes())
        if stretch.hasEvent { noteEvent() }
        guard case .none = stretch.stop, scanner.buffer.count <= memory.bytesMax, sendAtOnce(stretch.range, writer) else {
            self.stretch = stretch
            return false
        }
        discard()
        // With the last finish reason the time for `[DONE]` begins, which the task sees to.
        return !answer.isOver && !scanner.isFinished
    }

    /// Sends a range of the buffer unless that has to wait. Whether it has; a failure shows again when the task tries.
    private func sendAtOnce(_ range: Range<Int>, _ writer: ResponseWriter) -> Bool {
        if range.isEmpty { return true }
        lastWrite = loop.now
        do {
            guard try writer.sendAtOnce(scanner.buffer[range]) else { return false }
        } catch {
            return false
        }
        bytesCount += range.count
        return true
    }

    /// Forwards all complete events, each stretch in one flush. Whether `[DONE]` was the last of them.
    private func forward(_ reply: inout Reply) async throws -> Bool {
        try memory.keep(scanner.buffer.count)
        while let stretch {
            if !stretch.range.isEmpty {
                try await send(scanner.buffer[stretch.range], isLast: stretch.isEnd && answer.isOver, &reply)
            }
            switch stretch.stop {
            case .skip(let event): self.stretch = nextStretch(from: event.bytes.upperBound)
            case .replace(let event, let bytes):
                try await send(bytes[...], &reply)
                self.stretch = nextStretch(from: event.bytes.upperBound)
            case .failure(let error): throw error
            case .none: self.stretch = nil
            case .done: return true
            }
        }
        discard()
        return false
    }

    /// Forgets what has been sent.
    private func discard() {
        answer.recycle(scanner.discard())
        if scanner.buffer.isEmpty { memory.release() }
    }

    /// Never inlined: the task's frame, which lives as long as the stream, would have room for all that is needed here.
    @inline(never)
    private func nextStretch(from start: Int) -> EventScanner.Stretch {
        let stretch = opening.isEmpty ? scanner.next(from: start) : nextOpening()
        if stretch.hasEvent { noteEvent() }
        return stretch
    }

    /// Never inlined: as `nextStretch(from:)`.
    @inline(never)
    private func nextStretch(appending bytes: consuming [UInt8]) -> EventScanner.Stretch {
        let stretch = scanner.next(appending: bytes)
        if stretch.hasEvent { noteEvent() }
        return stretch
    }

    private func noteEvent() {
        lastEvent = loop.now
        firstEvent = firstEvent ?? lastEvent
    }

    private func nextOpening() -> EventScanner.Stretch {
        // An empty slice would still hold all that was in it.
        defer { if opening.isEmpty { opening = [] } }
        return opening.removeFirst()
    }

    /// - Parameter isLast: whether nothing follows, and nothing is waited for.
    private func send(_ bytes: ArraySlice<UInt8>, isLast: Bool = false, _ reply: inout Reply) async throws(FastCGIError) {
        if departure != nil { return }
        if isLast {
            reply.end(with: bytes)
        } else {
            if !reply.hasStarted { reply.startStream() }
            if try !reply.sendAtOnce(bytes) { try await reply.send(bytes) }
        }
        bytesCount += bytes.count
        lastWrite = loop.now
    }

    // MARK: The end

    /// The upstream's response is over, without `[DONE]`.
    private func end(_ reply: inout Reply) async throws {
        // A body that ends with its connection may have been cut there; half an event says so.
        if let error = scanner.failureAtEnd() { throw error }
        try await send(EventScanner.doneEvent[...], isLast: true, &reply)
    }

    /// The events of one completion, for an upstream that did not stream.
    private func events(of completion: Completion) throws(ChatError) -> [UInt8] {
        let form = scanner.form
        guard
            let events = CompletionEvents.events(
                of: completion.body, edits: form.edits, includesUsage: form.showsUsage)
        else { throw .upstreamFailed(.garbage) }
        scanner.note(completion)
        return events
    }
}
