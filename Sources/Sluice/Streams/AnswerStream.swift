// What an upstream has answered, as far as it has been looked at and has not been sent.

import Chat
import Clock
import EventLoop
import Settings

/// One upstream's answer, from its first byte to its last: first read until it is known to be an answer, then handed out in parts.
///
///     while try stream.open() == nil { wait }         // each time that something has arrived
///     while let part = try stream.next() { send(part) }
///     if let readable = try stream.readable …         // then stream.takeBytes(), and next() again
///
/// Between two looks of its reader, plain events may be taken from the loop's callback, which saves it a wake (`takePlainEvents`).
final class AnswerStream {
    /// What an answer turns out to be.
    enum Opening {
        case events
        /// One object, whether a stream was asked for or not.
        case completion(Completion)
    }

    /// What goes on to the caller next.
    struct Part {
        /// Events that go on as they are: a range for the subscript, until the next call of `next()`.
        var events: Range<Int>
        /// An event behind them that goes out in other bytes than the upstream's.
        var replacement: [UInt8]?
        /// Whether the last of its events is `[DONE]`.
        var isEnd = false

        var isEmpty: Bool { events.isEmpty && replacement == nil && !isEnd }
    }

    // What each event touches stands together, and is private: then the compiler sees that no two accesses overlap.
    private let answer: UpstreamAnswer
    private let loop: EventLoop
    private var scanner: EventScanner
    /// What the body, the scanner's buffer and replacements take.
    private var memory: AnswerMemory
    /// When the upstream sent its first event.
    private(set) var firstEvent: Instant?
    /// When it sent its first token.
    private(set) var firstToken: Instant?
    /// When the upstream last sent an event; comments do not count. Before the first one `distantFuture`.
    private(set) var lastEvent = Instant.distantFuture
    /// The same, but that it begins anew when it is read again after its caller had held that up.
    private var silentSince = Instant.distantFuture
    /// How long its events are apart.
    private(set) var chunkTimes = ChunkTimes()
    private let idleTimeout: Duration
    /// The same until there is an answer: a model thinks for longer than it takes from one word to the next.
    private let firstTokenTimeout: Duration

    /// What has been looked at, and is the next to be handed out.
    private var pending: Part?
    /// What was looked at before it was known to be an answer, and is to be handed out.
    private var ahead: ArraySlice<Part> = []
    /// What is wrong behind all that has been looked at.
    private var failure: ChatError?
    /// Whether all that has been taken of the answer has been looked at.
    private var isLookedThrough = true

    /// Whether it goes on with one that has broken off.
    private let goesOn: Bool
    /// Whether the answer is a stream of events; nil until its first bytes tell.
    private var isStream: Bool?
    /// An answer that does not stream, or is not known to.
    private var body: [UInt8] = []
    /// The bytes of the replacements in `ahead`, which may be many more than the buffer's.
    private var replacedBytes = 0

    /// How long `[DONE]` may take from the last finish reason, while no event comes: the usage may follow.
    private static let grace = Duration.seconds(2)
    /// How long the upstream may take from `[DONE]` to its response's end, which lets the connection serve again.
    private static let settlingTime = Duration.milliseconds(250)

    /// - Parameters:
    ///   - form: what the caller gets of it.
    ///   - timeouts: of which two say how long the upstream may be silent behind an event.
    ///   - cut: what it goes on with; nil where it begins.
    init(
        _ answer: UpstreamAnswer, as form: AnswerForm, limits: Settings.Limits, timeouts: Settings.Timeouts,
        memory budget: MemoryBudget, behind cut: CutAnswer? = nil, on loop: EventLoop
    ) {
        self.answer = answer
        idleTimeout = timeouts.idle
        firstTokenTimeout = max(timeouts.idle, timeouts.firstToken)
        self.loop = loop
        memory = AnswerMemory(budget)
        goesOn = cut != nil
        scanner = EventScanner(form, answer.key, limits, behind: cut)
    }

    // MARK: - What is known of it

    /// What the caller gets of it.
    var form: AnswerForm { scanner.form }

    private var limits: Settings.Limits { scanner.limits }

    /// Of the attempt that it is the answer of; nil where that has none.
    var span: AttemptSpan? { scanner.form.span }

    /// What the upstream said ahead of it, once that has come.
    var head: UpstreamHead? { answer.head }

    /// What the status means, when it has come and is none of success.
    var statusError: ChatError? { answer.statusError() }

    /// Whether there is a connection to ask by.
    var isConnected: Bool { answer.isConnected }

    /// How long it took, or has taken so far, to get one.
    var connectTime: Duration { answer.connectTime }

    /// Woken when there may be something new.
    var wakeup: Wakeup { answer.wakeup }

    /// What the answer cost, when the upstream has said it.
    var usage: TokenUsage? { scanner.usage }

    /// Who answers, when the upstream has said it.
    var model: ServedModel? { scanner.model }

    /// What its bytes have taken above what is free; whoever keeps some of them keeps this.
    var memoryShare: MemoryShare? { memory.share }

    /// How many events it has had that the caller gets.
    var eventsCount: Int { Int(scanner.eventsCount) }

    /// Whether it could go on with a sentence: arguments of a tool could not, and what has come to its end need not.
    var mayGoOn: Bool { !scanner.hasToolCalls && (!scanner.isFinished || scanner.hasGoneOn) }

    /// What another one needs to go on with it; nil where none could.
    var cutAnswer: CutAnswer? { scanner.cutAnswer }

    /// Whether it has had one.
    var hasEvents: Bool { scanner.hasEvents }

    /// Whether `[DONE]` has come behind an answer.
    var isDone: Bool { scanner.isDone }

    /// Whether it is complete as it stands. The second question is part of the third, which copies the scanner for what it asks.
    var isComplete: Bool { scanner.isFinished && (scanner.isBetweenEvents || !scanner.isInsideEvent) }

    /// When the upstream must have said more, or need not any more.
    ///
    /// Where a finish reason was not the last word, it may be none again.
    var deadline: Instant {
        !scanner.hasGoneOn && isComplete ? silentSince + min(Self.grace, idleTimeout) : deadlineInMidst
    }

    /// The same behind plain events: then it is not complete.
    var deadlineInMidst: Instant { silentSince + silenceMax }

    private var silenceMax: Duration { firstToken != nil || scanner.hasBegun ? idleTimeout : firstTokenTimeout }

    /// What there is to say about a silence that has lasted until `deadline`.
    var silence: ChatError { .upstreamTimedOut(.idle, after: silenceMax) }

    /// How many bytes of it have come and are kept.
    var keptCount: Int { body.count + scanner.keptCount }

    // MARK: - Until it is an answer

    /// Looks at what has come until it is known to be an answer.
    ///
    /// - Returns: nil while one must wait.
    /// - Throws: `ChatError` for what is none; `CancellationError` when it was cancelled.
    func open() throws -> Opening? {
        while let readable = try answer.readable {
            switch readable {
            case .bytes where mayBeStream:
                try take(answer.takeBytes())
                if isOpen { return begin() }
            case .bytes: try collect(answer.takeBytes())
            case .end where mayBeStream:
                if scanner.completeDone() { try lookAhead([]) }
                if scanner.isDone { return begin() }
                if let error = scanner.failureAtEnd() { throw error }
                return begin()
            case .end where goesOn: return try eventsOfCompletion()
            case .end: return .completion(try completion())
            }
        }
        return nil
    }

    /// What has come as one object. What the upstream sent is let go: the caller gets other bytes, which may be more.
    private func completion() throws(ChatError) -> Completion {
        var completion = try Completion(exchange(&body, with: []), of: answer, as: form, limits)
        try reserve(completion.bytes.count)
        completion.memory = memory.share
        return completion
    }

    /// The same behind an answer that has broken off: as events it is looked at for what it repeats, and `speech` goes on where it was.
    private func eventsOfCompletion() throws(ChatError) -> Opening {
        var plain = form
        (plain.edits, plain.speech, plain.showsUsage) = (ChunkEdits(), [], true)
        let completion = try Completion(exchange(&body, with: []), of: answer, as: plain, limits)
        isStream = true
        scanner.append(ownEvents: completion.bytes)
        try lookAhead([])
        return begin()
    }

    private func begin() -> Opening {
        (lastEvent, silentSince) = (loop.now, loop.now)
        return .events
    }

    private var mayBeStream: Bool { scanner.form.isStreaming && answer.head?.isSuccess == true && isStream != false }

    /// Whether what has come opens the gate. A role alone does not: an upstream may say no more than that.
    private var isOpen: Bool { hasBegun || scanner.isFinished || scanner.isDone }

    /// Whether something has come behind which a failure is one inside the answer.
    private var hasBegun: Bool { scanner.hasBegun || firstEvent != nil && failure == nil && isFull }

    /// Whether so much waits for the first token that it must be an answer: models may think for long.
    private var isFull: Bool { scanner.keptCount + replacedBytes > aheadBytesMax }

    /// How many bytes may wait for the gate to open.
    private var aheadBytesMax: Int { 2 * limits.eventBytes }

    /// Takes bytes of what may be events. Their first one tells: servers call events JSON and JSON events, but an event begins with
    /// neither a brace, a bracket nor a tag.
    private func take(_ bytes: [UInt8]) throws(ChatError) {
        if isStream == true { return try lookAhead(bytes) }
        try collect(bytes)
        // A byte order mark that has come in part tells nothing yet.
        if UTF8Mark.bytes.starts(with: body) { return }
        let start = UTF8Mark.dropped(from: body)
        guard let first = start.first(where: { $0 > UInt8(ascii: " ") }) else {
            // Blanks tell nothing but whether a line begins behind them. They are not kept, to be looked at again with each that follows.
            if let last = start.last { body = last == UInt8(ascii: "\n") ? [] : [last] }
            return
        }
        isStream = ![UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "<")].contains(first)
        if isStream == true { try lookAhead(exchange(&body, with: [])) }
    }

    private func collect(_ bytes: [UInt8]) throws(ChatError) {
        if body.isEmpty { body = bytes } else { body += bytes }
        if answer.head?.isSuccess == true {
            guard body.count <= limits.answerBytes else { throw .upstreamAnswerTooLarge(bytesMax: limits.answerBytes) }
        } else {
            // The status says enough without its text.
            if body.count > limits.eventBytes, let error = answer.statusError() { throw error }
        }
        try reserve(body.count)
    }

    /// Looks at the bytes until something has come that opens the gate, and keeps what is to be handed out later. What is behind that is
    /// looked at when it is handed out.
    private func lookAhead(_ bytes: [UInt8]) throws(ChatError) {
        scanner.append(bytes)
        repeat {
            let stretch = scanner.next()
            if stretch.hasEvent { noteEvent(of: stretch) }
            if let part = part(of: stretch) { keepAhead(part) }
        } while !isLookedThrough && failure == nil && !hasBegun
        if !hasBegun {
            if let failure { throw failure }
            guard !isFull else { throw .upstreamEventTooLarge(bytesMax: limits.eventBytes) }
        }
        try reserve(scanner.keptCount + replacedBytes + ahead.count * MemoryLayout<Part>.stride)
    }

    /// What was cut by the chance of its arrival is handed out as one.
    private func keepAhead(_ part: Part) {
        replacedBytes += part.replacement?.count ?? 0
        if part.events.isEmpty, !part.isEnd, let bytes = part.replacement, ahead.last?.replacement != nil {
            ahead[ahead.endIndex - 1].replacement?.append(contentsOf: bytes)
        } else if let last = ahead.last, last.replacement == nil, last.events.upperBound == part.events.lowerBound {
            ahead.removeLast()
            var whole = part
            whole.events = last.events.lowerBound..<part.events.upperBound
            ahead.append(whole)
        } else {
            ahead.append(part)
        }
    }

    /// Leaves the role out of all that is handed out from now on.
    func leaveOutRole() { scanner.leavesOutRole = true }

    // MARK: - While it is handed out

    /// What there is now; `nil` while one must wait. To be asked when `next()` has nothing more.
    ///
    /// - Throws: as `UpstreamAnswer.readable`.
    var readable: UpstreamAnswer.Readable? { get throws { try answer.readable } }

    /// Takes what has arrived, for `next()` to look at.
    func takeBytes() {
        scanner.append(answer.takeBytes())
        isLookedThrough = false
    }

    /// What goes on to the caller next; nil when that is all of what has been taken, and the bytes of it are let go.
    ///
    /// Never inlined: its reader's frame, which lives as long as the stream, would have room for all that is needed here.
    ///
    /// - Throws: what is wrong behind all that it has handed out.
    @inline(never)
    func next() throws(ChatError) -> Part? {
        try reserve(scanner.keptCount)
        while true {
            if let part = exchange(&pending, with: nil) { return part }
            if !ahead.isEmpty { return takeAhead() }
            if let failure { throw failure }
            if isLookedThrough { break }
            let stretch = scanner.next()
            if stretch.hasEvent { noteEvent(of: stretch) }
            pending = part(of: stretch)
        }
        if scanner.hasTaken { discard() }
        return nil
    }

    /// The bytes of a part's events.
    subscript(_ events: Range<Int>) -> ArraySlice<UInt8> { scanner.buffer[events] }

    private func takeAhead() -> Part {
        // An empty slice would still hold all that was in it.
        defer { if ahead.isEmpty { ahead = [] } }
        var part = ahead.removeFirst()
        if scanner.leavesOutRole {
            part.replacement = RepeatedRole.removed(from: scanner.buffer[part.events] + (part.replacement ?? []))
            part.events = part.events.upperBound..<part.events.upperBound
        }
        return part
    }

    private func noteEvent(of stretch: EventScanner.Stretch) {
        let now = loop.now
        if firstEvent != nil, stretch.isPlain || !scanner.isDone { chunkTimes.note(ChunkTimes.Gap(from: lastEvent, to: now)) }
        (lastEvent, silentSince) = (now, now)
        if firstToken != nil { return }
        firstEvent = firstEvent ?? lastEvent
        if scanner.hasToken { firstToken = lastEvent }
    }

    /// What a stretch is for the caller; nil for nothing. What has to be known for the next one is noted.
    private func part(of stretch: EventScanner.Stretch) -> Part? {
        var part = Part(events: stretch.range)
        isLookedThrough = false
        switch stretch.stop {
        case .none: isLookedThrough = true
        case .skip: break
        case .replace(let bytes): part.replacement = bytes
        case .done: (part.isEnd, isLookedThrough) = (true, true)
        case .failure(let error): failure = error
        }
        return part.isEmpty ? nil : part
    }

    /// It is read again, after its caller had held that up: meanwhile the upstream may have been kept from saying more, which is none of
    /// its silence.
    func noteReadAgain() { silentSince = .current }

    // MARK: From the loop's callback

    /// Whether there are bytes for `takePlainEvents`.
    var hasBytes: Bool { answer.hasBytes }

    /// Takes what has arrived while its reader waits. Plain events may be sent at once, and then are to be forgotten by `discard()`;
    /// if that has to wait, `putBack` leaves them to `next()`.
    ///
    /// - Returns: where they stand; nil when there is something else in it, too much of it, or the last finish reason, which begins the
    ///   time for `[DONE]`. Then all of it is left to `next()`.
    func takePlainEvents() -> Range<Int>? {
        let stretch = scanner.next(appending: answer.takeBytes())
        if stretch.hasEvent { noteEvent(of: stretch) }
        if stretch.isPlain, stretch.keptCount <= memory.bytesMax { return stretch.range }
        pending = part(of: stretch)
        return nil
    }

    /// Leaves plain events to `next()`.
    func putBack(_ events: Range<Int>) { pending = Part(events: events) }

    /// Forgets the events that have been handed out.
    func discard() {
        let buffer = scanner.discard()
        // The scanner keeps its buffer as long as there is part of an event in it.
        if buffer.isEmpty { return }
        answer.recycle(buffer)
        release()
    }

    // What lets shares of memory go works on a copy, as `OutputBuffer.change` does: then no access needs to be looked at.

    private func reserve(_ count: Int) throws(ChatError) {
        if count <= memory.bytesMax { return }
        var memory = memory
        defer { self.memory = memory }
        try memory.reserve(count)
    }

    private func release() {
        if memory.share == nil { return }
        var memory = memory
        memory.release()
        self.memory = memory
    }

    // MARK: - Its end

    /// Whether nothing more will come.
    var isOver: Bool { answer.isOver }

    /// Has a `[DONE]` handed out by `next()` that lacks but its line ends at the response's end.
    ///
    /// - Returns: whether there is one.
    func completeDone() -> Bool {
        guard scanner.completeDone() else { return false }
        isLookedThrough = false
        return true
    }

    /// What is wrong with an answer that is over without `[DONE]`; nil when it is complete.
    func failureAtEnd() -> ChatError? { scanner.failureAtEnd() }

    /// Waits for the response's end behind `[DONE]`, so that its connection can serve the next request.
    func settle() async { await answer.settle(until: .current + Self.settlingTime) }

    /// Ends it, whether it is whole or not.
    func cancel() { answer.cancel() }
}
