// What the log tells about one request, gathered on its way.

import Chat
import Choosing
import Clock

struct RequestRecord {
    let id: RequestID
    let start: Instant
    /// When all of it was there.
    let taken = Instant.current
    /// The name that the front server has for the caller.
    var client: String?
    /// The voice platform's id of the call.
    var call: String?
    /// The entry of `[[models]]` that counted. Until that is known, the web server's word for the route and a colon, if it has one.
    var route: String?
    /// Who answers.
    var target: Target?
    var answer = Answer()
    /// What the caller got, whatever came after it; nil when it left before anything was sent.
    var status: Int?
    var ending = Ending.answered
    /// What the hook said; nil where none was asked.
    var hook: HookNote?
    /// How many sentences the caller heard while the model was silent.
    var fillers = FillerCounts()
    /// Whether the caller heard a sentence behind an answer that had broken off.
    var hasEndedSpoken = false
    /// The attempts, in the order of their ends.
    private(set) var tried: [Try] = []
    /// What another answer has been asked to go on with.
    private(set) var cut: Cut?
    /// When the attempt began that has won.
    var asked: Instant?
    /// What Sluice itself has added to the wait for the first token; nil while there is none.
    var added: Duration?
    /// What was going on at the last.
    var lastPhase = Status.Request.State.reading

    /// What there was of an answer.
    struct Answer {
        private(set) var firstEvent: Instant?
        /// When the first text, tool call or refusal came.
        private(set) var firstToken: Instant?
        /// How many bytes of its events, or of its one object, there were. Heartbeats and errors do not count.
        private(set) var bytesCount = 0
        /// How many events there were.
        private(set) var eventsCount = 0
        private(set) var usage: TokenUsage?
        /// Whether the upstream has told one that cannot be: then it counts as none.
        private(set) var hasImpossibleUsage = false
        /// Who answered, by the upstream's word.
        private(set) var model: ServedModel?
    }

    /// An answer that has broken off. An object, so that a request without has no room for it.
    final class Cut {
        let answer: Answer
        /// Whose it was.
        let upstream: String?
        let error: ChatError

        fileprivate init(_ answer: Answer, of upstream: String?, _ error: ChatError) {
            (self.answer, self.upstream, self.error) = (answer, upstream, error)
        }
    }

    struct Try {
        enum Kind: String {
            case won
            case lost
            /// The caller left.
            case cancelled
            /// It had no place.
            case full
            case failed
        }

        let target: Target
        let reason: Selection.PlannedAttempt.Reason
        let kind: Kind
        /// Its kind, or why it failed, or why it broke off where another one was asked to go on.
        fileprivate(set) var outcome: String
        let duration: Duration

        /// - Parameter failure: why it failed, in one word.
        init(
            _ target: Target, _ reason: Selection.PlannedAttempt.Reason, _ kind: Kind, _ duration: Duration,
            failure: String? = nil
        ) {
            (self.target, self.reason, self.kind, self.duration) = (target, reason, kind, duration)
            outcome = failure ?? kind.rawValue
        }

        var upstream: String { target.upstreamName }
        var wasAsked: Bool { kind != .full }
    }

    init(_ id: RequestID, at start: Instant) {
        self.id = id
        self.start = start
    }

    /// Adds the attempts at an answer.
    mutating func note(_ tried: [Try], _ fillers: FillerCounts) {
        // The first ones are nearly always all of them, and are not copied.
        self.tried = self.tried.isEmpty ? tried : self.tried + tried
        self.fillers.streamed += fillers.streamed
        self.fillers.posts = fillers.posts ?? self.fillers.posts
    }

    /// The answer has broken off, and another one is asked for that goes on with it.
    mutating func breakOff(after error: ChatError) {
        cut = Cut(answer, of: upstream, error)
        if let place = tried.lastIndex(where: { $0.kind == .won }) { tried[place].outcome = Self.outcome(of: error) }
        (answer, target) = (Answer(), nil)
    }

    /// What the caller got: of an answer that another one has gone on with, both.
    var wholeAnswer: Answer { cut.map { $0.answer.followed(by: answer) } ?? answer }

    /// What has gone wrong at an upstream, if the caller got a whole answer all the same.
    var mendedError: ChatError? { if case .answered = ending { cut?.error } else { nil } }

    /// Whether the caller got a whole answer, of which no upstream has broken off a part.
    var wentWell: Bool { if case .answered = ending { cut == nil && !hasEndedSpoken } else { false } }

    /// The ending in one word, and what was wrong where that word does not say it.
    var words: (ending: String, cause: String?) {
        if hasEndedSpoken { return ("spoken_cut", ending.word) }
        if let error = mendedError { return ("continued", Self.outcome(of: error)) }
        return (ending.word, nil)
    }

    /// Who answered, or was asked last, or had no place; nil where nobody was asked.
    var upstream: String? { target?.upstreamName ?? (tried.last(where: \.wasAsked) ?? tried.last)?.upstream }

    /// What went wrong, in one word; with the status where the upstream answered with one.
    static func outcome(of error: ChatError) -> String {
        switch error {
        case .upstreamCutOff: return "cut"
        case .upstreamTimedOut(let timeout, _): return "timeout.\(timeout.rawValue)"
        // The upstream's own words may quote the request.
        case .upstreamRefused(let status, _): return "refused.\(status)"
        case .upstreamRefusedKey(let status, _): return "key_refused.\(status)"
        case .upstreamFailed(.status(let status, _)): return "failed.\(status)"
        default: return error.code ?? error.type
        }
    }
}

/// What the log tells of a hook. A class, for which a request without one has room enough.
final class HookNote {
    /// What it said, or why it failed, in a word.
    let outcome: String
    let duration: Duration

    init(_ outcome: String, _ duration: Duration) { (self.outcome, self.duration) = (outcome, duration) }
}

extension RequestRecord.Answer {
    /// Both, one behind the other. Of the usage what is known: an upstream that breaks off says nothing of it, as most do.
    fileprivate func followed(by next: Self) -> Self {
        var both = self
        both.bytesCount += next.bytesCount
        both.eventsCount += next.eventsCount
        both.usage = usage.flatMap { usage in next.usage.map(usage.adding) } ?? next.usage ?? usage
        both.model = next.model ?? model
        return both
    }

    /// One of so many bytes that Sluice itself has said.
    init(ownBytes count: Int, at time: Instant) {
        self.init(at: time)
        bytesCount = count
    }

    /// One that has begun, and of which nothing else is known.
    init(at time: Instant) { (firstEvent, firstToken) = (time, time) }

    /// - Parameter bytesCount: how much of it has gone to the caller.
    init(_ stream: AnswerStream, bytesCount: Int) {
        (firstEvent, firstToken) = (stream.firstEvent, stream.firstToken)
        model = stream.model
        take(stream.usage)
        (self.bytesCount, eventsCount) = (bytesCount, stream.eventsCount)
    }

    /// What has come of one of which the caller has nothing.
    init(ahead stream: AnswerStream) { self.init(stream, bytesCount: stream.keptCount) }

    /// - Parameter bytesCount: as much as is made of it for the caller.
    init(_ completion: Completion, bytesCount: Int, at time: Instant) {
        self.init(at: time)
        model = completion.model
        take(completion.usage)
        self.bytesCount = bytesCount
    }

    private mutating func take(_ told: TokenUsage?) {
        guard let told else { return }
        if told.isBelievable { usage = told } else { hasImpossibleUsage = true }
    }
}

extension Ending {
    /// The ending in one word, for the log.
    var word: String {
        switch self {
        case .answered: "done"
        case .failed(let error): RequestRecord.outcome(of: error)
        case .callerLeft: "caller_left"
        }
    }
}
