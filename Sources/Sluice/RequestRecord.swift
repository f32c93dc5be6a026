// What the log tells about one request, gathered on its way.

import Chat
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
    /// Of the answer's body, heartbeats included.
    var bytesCount = 0
    var usage: TokenUsage?
    var error: ChatError?
    var callerLeft = false

    init(_ id: RequestID, at start: Instant) {
        self.id = id
        self.start = start
    }

    /// How it ended, in one word.
    var ending: String {
        if callerLeft { return "caller_left" }
        switch error {
        case nil: return "done"
        case .upstreamCutOff: return "cut"
        case .upstreamTimedOut(let timeout, _): return "timeout.\(timeout.rawValue)"
        // The upstream's own words may quote the request.
        case .upstreamRefused(let status, _): return "refused.\(status)"
        case let error?: return error.code ?? error.type
        }
    }
}
