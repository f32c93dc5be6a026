// One attempt on one target, until it has won or failed.

import Chat
import Choosing
import Clock
import EventLoop
import Settings

/// An answer on its way, looked at as far as it takes to know whether it is one. What was read for that goes on to the caller.
final class Attempt {
    enum Progress {
        /// One must wait.
        case none
        case failed(AttemptFailure)
        /// It is an answer: what there is of it.
        case won(Opening)
    }

    /// How an answer begins.
    enum Opening {
        case stream(OpenedStream)
        case whole(Completion)
    }

    /// What has come of a stream, and what was seen in it. A class, since the frames on the way to the relay live as long as the
    /// stream: they would each hold its parts.
    final class OpenedStream {
        private var parts: (scanner: EventScanner, stretches: [EventScanner.Stretch])?

        fileprivate init(_ scanner: EventScanner, _ stretches: [EventScanner.Stretch]) { parts = (scanner, stretches) }

        /// Hands its parts over, once.
        func take() -> (scanner: EventScanner, stretches: [EventScanner.Stretch]) {
            guard let parts = exchange(&parts, with: nil) else { preconditionFailure("a stream is relayed once") }
            return parts
        }
    }

    let id: Int
    let target: Target
    let answer: UpstreamAnswer
    let admission: TargetHealth.Admission
    let start: Instant
    private let limits: Settings.Limits
    /// Whether a role or the like is no answer yet, since another target might be quicker.
    private let awaitsToken: Bool
    private var scanner: EventScanner
    private var stretches: [EventScanner.Stretch] = []
    /// Of the frames in them that go out in other bytes, which may be many more.
    private var replacedBytes = 0
    /// Of an answer that does not stream, or not yet known to.
    private var body: [UInt8] = []
    /// Of what has been collected.
    private var memory: AnswerMemory
    /// Whether the answer is a stream of events; nil until its first bytes tell.
    private var isStream: Bool?
    /// Until when it must have progressed; `distantFuture` for as long as its timeouts allow.
    private(set) var deadline = Instant.distantFuture

    /// How long the text of an error may take from its head, when the status alone calls for another target or a retry.
    private static let errorTextTime = Duration.milliseconds(250)

    init(
        _ attempt: Selection.Attempt, on target: Target, _ answer: UpstreamAnswer, _ admission: TargetHealth.Admission,
        as form: AnswerForm, awaitsToken: Bool, _ limits: Settings.Limits, _ budget: MemoryBudget, at start: Instant
    ) {
        id = attempt.id
        self.target = target
        self.answer = answer
        self.admission = admission
        self.awaitsToken = awaitsToken
        self.limits = limits
        memory = AnswerMemory(budget)
        self.start = start
        scanner = EventScanner(form, answer.key, limits)
    }

    /// What has become of it; to be asked again at `deadline`, if nothing arrives before.
    ///
    /// - Throws: `CancellationError` when it was cancelled.
    func progress(at now: Instant) throws(CancellationError) -> Progress {
        do {
            while let arrival = try answer.arrival {
                switch arrival {
                case .bytes where mayBeStream:
                    try take(answer.takeBytes())
                    if isOpen { return .won(.stream(OpenedStream(scanner, stretches))) }
                case .bytes: try collect(answer.takeBytes())
                case .end where mayBeStream:
                    if let error = scanner.failureAtEnd() { throw error }
                    return .won(.stream(OpenedStream(scanner, stretches)))
                case .end: return .won(.whole(try Completion(body, memory.share, of: answer, limits)))
                }
            }
            try checkErrorText(at: now)
            return .none
        } catch let error as ChatError {
            return .failed(AttemptFailure(error, retryAfter: answer.head?.retryAfter))
        } catch {
            throw CancellationError()
        }
    }

    private var mayBeStream: Bool { scanner.form.isStreaming && answer.head?.isSuccess == true && isStream != false }

    /// Takes bytes of what may be events. Their first one tells: servers call events JSON and JSON events, but an event begins with
    /// neither a brace, a bracket nor a tag.
    private func take(_ bytes: [UInt8]) throws(ChatError) {
        if isStream == true { return try scan(bytes) }
        try collect(bytes)
        let start = body.starts(with: Self.byteOrderMark) ? body.dropFirst(Self.byteOrderMark.count) : body[...]
        guard let first = start.first(where: { $0 > UInt8(ascii: " ") }) else {
            // Of blanks it counts only whether they begin a line. They are not looked at again with each that follows.
            if let last = start.last { body = last == UInt8(ascii: "\n") ? [] : [last] }
            return
        }
        isStream = ![UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "<")].contains(first)
        if isStream == true { try scan(exchange(&body, with: [])) }
    }

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private func collect(_ bytes: [UInt8]) throws(ChatError) {
        if body.isEmpty { body = bytes } else { body += bytes }
        if answer.head?.isSuccess == true {
            guard body.count <= limits.answerBytes else { throw .upstreamAnswerTooLarge(bytesMax: limits.answerBytes) }
        } else {
            // The status says enough without its text.
            if body.count > limits.eventBytes, let error = answer.statusError() { throw error }
        }
        try memory.keep(body.count)
    }

    /// Gives up on the text of an error that is no verdict on the request, when it takes too long.
    private func checkErrorText(at now: Instant) throws(ChatError) {
        guard let error = answer.statusError(), AttemptFailure(error).isTargets else { return }
        if deadline == .distantFuture { deadline = now + Self.errorTextTime }
        if now >= deadline { throw error }
    }

    private func scan(_ bytes: [UInt8]) throws(ChatError) {
        scanner.append(bytes)
        var start = stretches.last?.range.upperBound ?? 0
        // What ended for want of bytes goes on.
        if case .none? = stretches.last?.stop { start = stretches.removeLast().range.lowerBound }
        scan: while true {
            let stretch = scanner.next(from: start)
            // An event that is left out leaves nothing behind, also when thousands come.
            if case .skip = stretch.stop, stretch.range.isEmpty {} else { stretches.append(stretch) }
            switch stretch.stop {
            case .none, .done: break scan
            case .skip(let event): start = event.bytes.upperBound
            case .replace(let event, let bytes):
                start = event.bytes.upperBound
                replacedBytes += bytes.count
                try checkSize()
            case .failure(let error):
                // Behind the first event it is the relay's to tell.
                guard awaitsToken ? scanner.hasToken : scanner.hasEvents else { throw error }
                break scan
            }
        }
        try checkSize()
    }

    private func checkSize() throws(ChatError) {
        let bytesMax = 2 * limits.eventBytes
        guard scanner.buffer.count <= bytesMax, replacedBytes <= bytesMax else {
            throw .upstreamEventTooLarge(bytesMax: limits.eventBytes)
        }
        try memory.keep(scanner.buffer.count + replacedBytes)
    }

    /// Whether what has come opens the gate.
    private var isOpen: Bool {
        awaitsToken ? scanner.hasToken || scanner.isFinished || scanner.isDone : scanner.hasEvents
    }
}
