// What the status says of a caller who left. Nothing is asked here.

import Clock

/// The verdict on a request whose caller left while the model was silent: only then it shows whether the web server tells. Where
/// events come its writing fails, whatever it is set to.
enum LeavingChecks {
    /// What the status said of that request.
    enum Leaving: Equatable, Sendable {
        /// The status is not for this machine: with these words.
        case hidden(String)
        /// The status is larger than what is looked at.
        case tooLarge
        /// The request was not answered: with these words.
        case refused(String)
        /// It did not know the request: another process, or another machine, has it.
        case unlisted
        /// The process that had the request was not heard of again in time: others answered, or nobody.
        case untold
        /// The request was gone, by the word of the process that had it.
        case gone(Moment)
        /// It was there still.
        case stays(Moment)
    }

    struct Moment: Equatable, Sendable {
        /// Since the caller had left.
        let left: Duration
        /// Since the model had said something.
        let silent: Duration
    }

    /// How long a request is looked at: a heartbeat may have to be written twice until somebody finds out.
    static func patience(heartbeat: Duration?) -> Duration {
        let heartbeat = heartbeat ?? usualHeartbeat
        return max(min(heartbeat * 2 + .seconds(2), .seconds(25)), .seconds(8))
    }

    /// Where the deployment does not tell its own.
    static let usualHeartbeat = Duration.seconds(10)

    /// Whether it may be the heartbeat that has told. One of less than half a second cannot be told from the web server.
    static func isLate(_ leaving: Leaving, heartbeat: Duration?) -> Bool {
        guard case .gone(let moment) = leaving else { return false }
        let due = heartbeat ?? usualHeartbeat
        return due >= .milliseconds(500) && moment.silent >= due * 3 / 4
    }

    /// - Parameters:
    ///   - heartbeat: what the deployment says that its own is; nil where it does not.
    ///   - answering: the server that seems to answer.
    static func leaving(_ leaving: Leaving, heartbeat: Duration?, answering: ProbeServer?) -> ProbeCheck {
        switch leaving {
        case .hidden(let words):
            return .unknown(.leaving, "the status is not shown here (\(words)): ask from the server's own machine")
        case .tooLarge:
            return .unknown(.leaving, "the status is larger than what is looked at: ask when fewer requests are open")
        case .refused(let words): return .unknown(.leaving, "there was no call to leave: \(words)")
        case .unlisted:
            return .unknown(.leaving, "the status did not tell of the request: another process may have it")
        case .untold:
            return .unknown(
                .leaving,
                "the process that had the call told nothing more once its caller had left (others answered, or nobody): ask again, "
                    + "or one that is alone behind its web server")
        case .gone(let moment):
            let words = "Sluice gave the call up within \(moment.left.shown)"
            guard isLate(leaving, heartbeat: heartbeat) else { return .pass(.leaving, words) }
            return byHeartbeat(words, answering)
        case .stays(let moment):
            let words = "the call was open still \(moment.left.shown) after its caller had left, while the model was silent"
            let due = heartbeat ?? usualHeartbeat
            guard due * 2 + .seconds(2) > moment.silent, answering?.mustWriteToNotice == true else {
                return .finding(.leaving, .callerNotNoticed, words)
            }
            return .unknown(
                .leaving, "\(words), and the heartbeat, by which \(name(answering)) finds out, is due after \(due.shown)")
        }
    }

    private static func byHeartbeat(_ words: String, _ answering: ProbeServer?) -> ProbeCheck {
        switch answering {
        case .nginx:
            return .finding(
                .leaving, .callerNotNoticed,
                "\(words), only by the heartbeat: nginx does not tell that a caller leaves while the model is silent")
        case let server? where server.mustWriteToNotice:
            return .pass(.leaving, "\(words), only by the heartbeat: \(name(server)) finds out when it writes")
        default:
            return .unknown(
                .leaving,
                "\(words), only by the heartbeat: nginx can tell at once (fastcgi_ignore_client_abort off), others when they write"
            )
        }
    }

    private static func name(_ server: ProbeServer?) -> String { server?.rawValue ?? "the web server" }
}

extension ProbeServer {
    /// Whether it finds out that a caller has left when it writes, and not before.
    fileprivate var mustWriteToNotice: Bool {
        switch self {
        case .lighttpd, .apache, .caddy, .haproxy: true
        case .nginx, .cloudflare, .sluice: false
        }
    }
}
