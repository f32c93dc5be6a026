// Why a hook counts as failed.

import Chat
import HTTPClient

enum HookFailure: Error {
    /// It could not be asked, or was late, or broke off.
    case connection(HTTPError)
    /// It answered with another status than 200 and 204.
    case status(Int)
    case tooLarge
    case nonsense(HookNonsense)

    /// For the request's line in the log.
    var word: String {
        switch self {
        case .connection(.timedOut): "timeout"
        case .connection(.cutOff): "cut"
        case .connection(.malformed), .connection(.headTooLarge), .nonsense: "garbage"
        case .connection: "unreachable"
        case .status(let status): "failed.\(status)"
        case .tooLarge: "too_large"
        }
    }
}

extension HookFailure: CustomStringConvertible {
    /// A phrase for the log, with nothing of what was asked and answered.
    var description: String {
        switch self {
        case .connection(let error): "\(error)"
        case .status(let status): "status \(status), and not 200 or 204"
        case .tooLarge: "its answer is larger than \(HookAnswer.bytesMax >> 10) KiB"
        case .nonsense(let reason): "its answer makes no sense: \(reason.rawValue)"
        }
    }
}

extension HookAnswer {
    /// For the request's line in the log.
    var word: String {
        switch self {
        case .goOn: "passed"
        case .putIn: "put_in"
        case .say: "said"
        case .deny: "denied"
        }
    }
}
