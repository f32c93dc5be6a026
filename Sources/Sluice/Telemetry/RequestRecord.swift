// What the log tells about one request, gathered on its way.

import Chat
import Clock

struct RequestRecord {
    let id: RequestID
    let start: Instant
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
    var fillersCount = 0
    /// Whether the caller heard a sentence behind an answer that had broken off.
    var hasEndedSpoken = false
    /// The attempts, in the order of their ends.
    var tried: [Try] = []

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
        /// Who answered, by the upstream's word.
        private(set) var model: ServedModel?
    }

    struct Try {
        let upstream: String
        /// `won`, `lost`, `cancelled` when the caller left, `full` when it had no place, or why it failed.
        let outcome: String
        let duration: Duration

        init(_ target: Target, _ outcome: String, _ duration: Duration) {
            (upstream, self.outcome, self.duration) = (target.upstreamName, outcome, duration)
        }

        var wasAsked: Bool { !outcome.hasSameBytes(as: "full") }
    }

    init(_ id: RequestID, at start: Instant) {
        self.id = id
        self.start = start
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
        (usage, model) = (stream.usage, stream.model)
        (self.bytesCount, eventsCount) = (bytesCount, stream.eventsCount)
    }

    /// - Parameter bytesCount: as much as is made of it for the caller.
    init(_ completion: Completion, bytesCount: Int, at time: Instant) {
        self.init(at: time)
        (usage, model) = (completion.usage, completion.model)
        self.bytesCount = bytesCount
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
