// What the log tells about one request, gathered on its way.

import Chat
import Clock
import EventLoop

struct RequestRecord {
    let id: RequestID
    let start: Instant
    /// The name that the front server has for the caller.
    var client: String?
    /// The voice platform's id of the call.
    var call: String?
    var target: Target?
    var firstEvent: Instant?
    /// Of the answer's events, or of its one object. Heartbeats and errors do not count.
    var bytesCount = 0
    var usage: TokenUsage?
    /// Who answered, by the upstream's word.
    var model: ServedModel?
    /// What the caller got, whatever came after it; nil when it left before anything was sent.
    var status: Int?
    var error: ChatError?
    var callerLeft = false

    /// The attempts, in the order of their ends.
    var tried: [Try] = []

    struct Try {
        let upstream: String
        /// `won`, `lost`, `cancelled` when the caller left, `full` when it had no place, or why it failed.
        let outcome: String
        let duration: Duration

        init(_ target: Target, _ outcome: String, _ duration: Duration) {
            (upstream, self.outcome, self.duration) = (target.upstreamName, outcome, duration)
        }
    }

    init(_ id: RequestID, at start: Instant) {
        self.id = id
        self.start = start
    }

    /// How it ended, in one word.
    var ending: String {
        if callerLeft { return "caller_left" }
        return error.map(Self.outcome) ?? "done"
    }

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
