// How a request ended.

import Chat

/// What a request has come to, which decides what its caller is told and what the log says.
enum Ending {
    /// The whole answer is there; the reply has only to be finished.
    case answered
    /// There is no answer, or no more of it: the caller is to be told why.
    case failed(ChatError)
    /// Nobody is there to be told anything. What went wrong besides that, if anything did.
    case callerLeft(besides: ChatError? = nil)

    /// What went wrong, whoever knows of it.
    var error: ChatError? {
        switch self {
        case .answered: nil
        case .failed(let error): error
        case .callerLeft(let error): error
        }
    }

    /// Whatever it was, the caller turns out to be gone.
    mutating func loseCaller() { self = .callerLeft(besides: error) }

    var isDeparture: Bool { if case .callerLeft = self { true } else { false } }
}
