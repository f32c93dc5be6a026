// Hands an upstream's events to the caller as they come, and sees to it that a broken stream never looks complete.

import Chat
import EventLoop
import FastCGI

/// One stream from its first event to its end.
struct Relay {
    private let answer: UpstreamAnswer
    private let settings: Settings
    private let loop: EventLoop
    private var splitter: EventSplitter
    private var reader: ChatFrameReader
    /// When the upstream last sent an event; comments do not count.
    private var lastEvent: Instant
    /// When the caller last got anything.
    private var lastWrite: Instant
    /// When to look whether one of them is too long ago. It stays while events come: to postpone it for each would cost more
    /// than to look once in vain.
    private var nextCheck: Instant
    private var hasEvents = false
    private var hasFinishReason = false

    private static let keepAlive = [UInt8](": keep-alive\n\n".utf8)
    private static let doneEvent = [UInt8]("data: [DONE]\n\n".utf8)
    /// How long the upstream may take from `[DONE]` to its response's end, which lets the connection serve again.
    private static let settlingTime = Duration.milliseconds(250)

    init(_ answer: UpstreamAnswer, _ settings: Settings, on loop: EventLoop) {
        self.answer = answer
        self.settings = settings
        self.loop = loop
        splitter = EventSplitter(eventBytesMax: settings.limits.eventBytes)
        reader = ChatFrameReader(depthMax: settings.limits.jsonDepth)
        lastEvent = loop.now
        lastWrite = loop.now
        nextCheck = loop.now
        nextCheck = min(deadline, heartbeat)
    }

    /// Runs until the upstream's `[DONE]` has been sent, or one in its place after a finish reason.
    ///
    /// - Throws: `ChatError` for whatever the upstream did wrong; `FastCGIError` when the caller left.
    mutating func run(_ reply: inout Reply) async throws {
        while true {
            switch try answer.arrival {
            case nil where loop.now >= nextCheck: try await checkSilence(&reply)
            case nil: await answer.wakeup.wait(until: nextCheck)
            case .end: return try await end(&reply)
            case .bytes:
                if reply.upstream == nil { try await begin(&reply) }
                answer.take(into: &splitter)
                if try await forwardEvents(&reply) { return await answer.settle(until: loop.now + Self.settlingTime) }
            }
        }
    }

    /// The upstream has begun to answer: is it a stream?
    private func begin(_ reply: inout Reply) async throws {
        reply.upstream = answer.head
        guard reply.upstream?.isEventStream == true else { throw try await unexpectedAnswer() }
    }

    // MARK: Silence

    /// When the upstream must have said more: its first event, or the next.
    private var deadline: Instant {
        lastEvent + (hasEvents ? settings.timeouts.idle : settings.timeouts.firstToken)
    }

    /// When the caller is due a sign of life.
    private var heartbeat: Instant {
        settings.heartbeat > .zero ? lastWrite + settings.heartbeat : .distantFuture
    }

    /// Gives up on an upstream that was silent for too long, and shows a caller that its answer is still on the way.
    private mutating func checkSilence(_ reply: inout Reply) async throws {
        guard loop.now < deadline else {
            throw hasEvents
                ? ChatError.upstreamTimedOut(.idle, after: settings.timeouts.idle)
                : ChatError.upstreamTimedOut(.firstToken, after: settings.timeouts.firstToken)
        }
        if loop.now >= heartbeat { try await send(Self.keepAlive[...], &reply) }
        nextCheck = min(deadline, heartbeat)
    }

    // MARK: Events

    /// What ends a stretch of events that can be forwarded as they are.
    private enum Stop {
        /// More bytes are needed.
        case none
        /// `[DONE]`, which is part of the stretch.
        case done
        /// A frame that is left out.
        case skip(Event)
        case failure(ChatError)
    }

    /// Forwards all complete events, each stretch in one flush. Whether `[DONE]` was the last of them.
    private mutating func forwardEvents(_ reply: inout Reply) async throws -> Bool {
        var start = 0
        while true {
            var end = start
            let stop = scanEvents(&end)
            // Comments alone do not open the gate: the 200 waits for an event.
            if reply.hasStarted || hasEvents, start < end { try await send(splitter.buffer[start..<end], &reply) }
            switch stop {
            case .skip(let event): start = event.bytes.upperBound
            case .failure(let error): throw error
            case .none, .done:
                splitter.discard()
                if case .done = stop { return true }
                return false
            }
        }
    }

    /// Moves `end` over the events that are to be forwarded.
    private mutating func scanEvents(_ end: inout Int) -> Stop {
        do throws(EventError) {
            while let event = try splitter.next() {
                if event.data != .none {
                    lastEvent = loop.now
                    if let stop = look(at: event) {
                        if case .done = stop { end = splitter.takenCount }
                        return stop
                    }
                    hasEvents = true
                }
                end = splitter.takenCount
            }
            end = splitter.takenCount
            return .none
        } catch {
            return .failure(.upstreamEventTooLarge(bytesMax: settings.limits.eventBytes))
        }
    }

    private mutating func look(at event: Event) -> Stop? {
        switch reader.read(splitter.data(of: event).span) {
        case .chunk(let chunk):
            if chunk.hasFinishReason { hasFinishReason = true }
            return nil
        case .done:
            hasEvents = true
            return .done
        // A frame without choices breaks clients that expect them in every one.
        case .other: return .skip(event)
        case .error(let error): return .failure(.upstreamReported(error, isCallersKey: false))
        case .garbage: return .failure(.upstreamFailed(.garbage))
        }
    }

    private mutating func send(_ bytes: ArraySlice<UInt8>, _ reply: inout Reply) async throws(FastCGIError) {
        if !reply.hasStarted { try await reply.startStream() }
        if try !reply.sendAtOnce(bytes) { try await reply.send(bytes) }
        lastWrite = loop.now
    }

    // MARK: The end

    /// The upstream's response is over, without `[DONE]`.
    private mutating func end(_ reply: inout Reply) async throws {
        if reply.upstream == nil { try await begin(&reply) }
        guard hasFinishReason else {
            throw hasEvents ? ChatError.upstreamCutOff : ChatError.upstreamFailed(.noAnswer)
        }
        try await send(Self.doneEvent[...], &reply)
    }

    /// An error status, or an answer that is no stream of events: its body says what it is.
    private func unexpectedAnswer() async throws -> ChatError {
        let body = try await answer.collect(bytesMax: settings.limits.eventBytes)
        try answer.checkStatus(body)
        if case .error(let error) = ChatFrame(body.span, depthMax: settings.limits.jsonDepth) {
            return .upstreamReported(error, isCallersKey: false)
        }
        return .upstreamFailed(.garbage)
    }
}
