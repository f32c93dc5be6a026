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
    private let stream: AnswerStream
    private let loop: EventLoop
    /// How much of the answer has gone to the caller.
    private(set) var bytesCount = 0
    /// Whether the caller takes less than there is.
    private(set) var isBlocked = false
    private var heartbeat: Heartbeat
    /// When to look whether the upstream or the caller's heartbeat is due; never later than the upstream is. It stays while events come: to
    /// postpone it for each would cost more than to look once in vain.
    private var nextCheck: Instant

    /// - Parameters:
    ///   - stream: open.
    ///   - heartbeat: the silence after which the caller is due a sign of life; zero for never.
    init(_ stream: AnswerStream, heartbeat: Duration, on loop: EventLoop) {
        self.stream = stream
        self.loop = loop
        self.heartbeat = Heartbeat(every: heartbeat, from: loop.now)
        nextCheck = min(stream.deadline, self.heartbeat.due)
    }

    /// How many events there were.
    var eventsCount: Int { stream.eventsCount }

    /// When the upstream last sent one.
    var lastEvent: Instant { stream.lastEvent }

    /// Runs until the upstream's `[DONE]` has been sent, or one in its place after a finish reason.
    ///
    /// - Throws: `ChatError` for whatever the upstream did wrong; `FastCGIError` when the caller left.
    func run(_ reply: inout Reply) async throws {
        defer { (reply.hasEvents, reply.mayEndSpoken) = (stream.hasEvents, stream.mayGoOn) }
        while true {
            try await forward(&reply)
            if stream.isDone { return await stream.settle() }
            switch try stream.readable {
            case nil where loop.now >= nextCheck: if try await checkSilence(&reply) { return }
            case nil: await wait(reply.writer)
            case .end: return try await end(&reply)
            case .bytes: stream.takeBytes()
            }
        }
    }

    /// Waits until there is something for the task to do.
    private func wait(_ writer: ResponseWriter?) async {
        if let writer { stream.wakeup.handler = { self.forwardAtOnce(writer) } }
        nextCheck = min(nextCheck, stream.deadline)
        await stream.wakeup.wait(until: nextCheck)
        stream.wakeup.handler = nil
    }

    /// Gives up on an upstream that was silent for too long, and shows a caller that its answer is still on the way.
    ///
    /// - Returns: whether the answer was complete but for its end, which the caller now has.
    private func checkSilence(_ reply: inout Reply) async throws -> Bool {
        if loop.now >= stream.deadline {
            guard stream.isComplete else { throw stream.silence }
            try await send(EventScanner.doneEvent[...], isLast: true, &reply)
            return true
        }
        if loop.now >= heartbeat.due {
            let start = loop.now
            try await reply.keepAlive()
            if loop.now > start { stream.noteReadAgain() }
            heartbeat.wrote(at: loop.now)
        }
        nextCheck = min(stream.deadline, heartbeat.due)
        return false
    }

    // MARK: Events

    /// Forwards what has come while the task waits, when that is plain events, and the caller's side has room for them.
    ///
    /// - Returns: whether the task has nothing to do.
    private func forwardAtOnce(_ writer: ResponseWriter) -> Bool {
        guard stream.hasBytes, let events = stream.takePlainEvents() else { return false }
        guard sendAtOnce(events, writer) else {
            stream.putBack(events)
            return false
        }
        stream.discard()
        // What it has thought for long about may be said now: from then on it may be silent for less long.
        return !stream.isOver && stream.deadlineInMidst >= nextCheck
    }

    /// Sends events unless that has to wait.
    ///
    /// - Returns: whether they were sent; a failure shows again when the task tries.
    private func sendAtOnce(_ events: Range<Int>, _ writer: ResponseWriter) -> Bool {
        if events.isEmpty { return true }
        heartbeat.wrote(at: loop.now)
        do {
            guard try writer.sendAtOnce(stream[events]) else { return false }
        } catch {
            return false
        }
        bytesCount += events.count
        return true
    }

    /// Forwards all complete events, each part in one flush.
    private func forward(_ reply: inout Reply) async throws {
        while let part = try stream.next() {
            if !part.events.isEmpty {
                try await send(stream[part.events], isLast: part.isEnd && stream.isOver, &reply)
            }
            if let replacement = part.replacement { try await send(replacement[...], &reply) }
        }
    }

    /// - Parameter isLast: whether nothing follows, and nothing is waited for.
    private func send(_ bytes: ArraySlice<UInt8>, isLast: Bool = false, _ reply: inout Reply) async throws(FastCGIError) {
        if isLast {
            reply.end(with: bytes)
            reply.memory = reply.memory ?? stream.memoryShare
        } else {
            if !reply.hasStarted { reply.startStream() }
            if try !reply.sendAtOnce(bytes) {
                isBlocked = true
                defer {
                    isBlocked = false
                    stream.noteReadAgain()
                }
                try await reply.send(bytes)
            }
        }
        bytesCount += bytes.count
        heartbeat.wrote(at: loop.now)
    }

    /// The upstream's response is over, without `[DONE]`.
    private func end(_ reply: inout Reply) async throws {
        if stream.completeDone() { return try await forward(&reply) }
        // A body that ends with its connection may have been cut there; half an event says so.
        if let error = stream.failureAtEnd() { throw error }
        try await send(EventScanner.doneEvent[...], isLast: true, &reply)
    }
}
