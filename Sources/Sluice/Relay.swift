// Hands an upstream's events to the caller as they come, and sees to it that a broken stream never looks complete.

import Chat
import EventLoop
import FastCGI
import HTTPClient

/// One stream from its first event to its end.
struct Relay {
    private let answer: UpstreamAnswer
    private let settings: Settings
    private let loop: EventLoop
    private var splitter: EventSplitter
    private let start: Instant
    /// When the last event came; comments do not count.
    private var lastEvent: Instant?
    /// When the caller last got anything.
    private var lastWrite: Instant
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
        start = loop.now
        lastWrite = start
    }

    /// Runs until the upstream's `[DONE]` has been sent, or one in its place after a finish reason.
    ///
    /// - Throws: `ChatError` for whatever the upstream did wrong; `FastCGIError` when the caller left.
    mutating func run(_ reply: inout Reply) async throws {
        while true {
            switch try await answer.next(until: wakeTime) {
            case .deadline: try await deadlinePassed(&reply)
            case .end: return try await ended(&reply)
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

    /// The upstream's deadline, or the caller's next sign of life.
    private var wakeTime: Instant { min(deadline, heartbeat) }

    private var deadline: Instant {
        if let lastEvent { lastEvent + settings.timeouts.idle } else { start + settings.timeouts.firstToken }
    }

    private var heartbeat: Instant {
        settings.heartbeat > .zero ? lastWrite + settings.heartbeat : .distantFuture
    }

    private mutating func deadlinePassed(_ reply: inout Reply) async throws {
        guard loop.now < deadline else {
            throw lastEvent == nil
                ? ChatError.upstreamTimedOut(.firstToken, after: settings.timeouts.firstToken)
                : ChatError.upstreamTimedOut(.idle, after: settings.timeouts.idle)
        }
        if loop.now >= heartbeat { try await send(Self.keepAlive[...], &reply) }
    }

    // MARK: Events

    /// Forwards all complete events in one flush. Whether `[DONE]` was the last of them.
    private mutating func forwardEvents(_ reply: inout Reply) async throws -> Bool {
        var start = 0
        var isDone = false
        while !isDone, let event = try nextEvent() {
            if event.data == .none { continue }
            lastEvent = loop.now
            switch ChatFrame(splitter.data(of: event).span, depthMax: settings.limits.jsonDepth) {
            case .chunk(let chunk): hasFinishReason = hasFinishReason || chunk.hasFinishReason
            case .done: isDone = true
            case .other:
                // A frame without choices breaks clients that expect them in every one.
                try await send(splitter.buffer[start..<event.bytes.lowerBound], &reply)
                start = event.bytes.upperBound
            case .error(let error):
                try await send(splitter.buffer[start..<event.bytes.lowerBound], &reply)
                throw ChatError.upstreamReported(error, isCallersKey: false)
            case .garbage:
                try await send(splitter.buffer[start..<event.bytes.lowerBound], &reply)
                throw ChatError.upstreamFailed(.garbage)
            }
        }
        // Comments alone do not open the gate: the 200 waits for an event.
        if reply.hasStarted || lastEvent != nil { try await send(splitter.buffer[start..<splitter.takenCount], &reply) }
        splitter.discard()
        return isDone
    }

    private mutating func nextEvent() throws(ChatError) -> Event? {
        do { return try splitter.next() } catch { throw .upstreamEventTooLarge(bytesMax: settings.limits.eventBytes) }
    }

    private mutating func send(_ bytes: ArraySlice<UInt8>, _ reply: inout Reply) async throws(FastCGIError) {
        guard !bytes.isEmpty else { return }
        if !reply.hasStarted { try await reply.startStream() }
        try await reply.send(bytes)
        lastWrite = loop.now
    }

    // MARK: The end

    /// The upstream's response is over, without `[DONE]`.
    private mutating func ended(_ reply: inout Reply) async throws {
        if reply.upstream == nil { try await begin(&reply) }
        guard hasFinishReason else {
            throw lastEvent == nil ? ChatError.upstreamFailed(.noAnswer) : ChatError.upstreamCutOff
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
