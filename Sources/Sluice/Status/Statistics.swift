// What all requests since the start have come to, for `sluice status`.

import Clock
import Logging
import Synchronization

/// One for the process, through all reloads. No request's own words have a place in it: clients are called as the web server calls them.
final class Statistics: Sendable {
    /// A request that came to an error of ours or of an upstream.
    struct RecentError: Sendable {
        /// Seconds since 1970.
        let time: Int
        let client: String?
        /// The settings' name of who was asked last; nil where nobody was.
        let upstream: String?
        /// As in the log.
        let ending: String
    }

    /// How often what has happened.
    struct Counts: Sendable {
        var requests: Int { answered + failed + callersLeft }
        var answered = 0
        /// With an error, whoever's fault.
        var failed = 0
        var callersLeft = 0
        /// Turned away, since as many were being answered as may be; they are among those that failed.
        var turnedAway = 0
        /// Whose first token took longer than `log.slow`.
        var slow = 0
        /// By the web server's names.
        var clients: [(name: String, requests: Int)] = []
        /// Requests of clients beyond those, and of those without a name.
        var otherRequests = 0
        /// The last ones, the newest first.
        var recentErrors: [RecentError] = []
    }

    private struct State {
        var counts = Counts()
        /// The places of the clients in `counts`, by the bytes of their names.
        var places: [[UInt8]: Int] = [:]
    }

    private let state = Mutex(State())

    /// Web servers know a handful. Where they take the name from the caller, it may be any.
    private static let clientsMax = 100
    private static let recentErrorsMax = 20

    /// A request is over.
    func note(_ record: RequestRecord) {
        state.withLock { state in
            switch record.ending {
            case .answered: state.counts.answered += 1
            case .failed: state.counts.failed += 1
            case .callerLeft: state.counts.callersLeft += 1
            }
            Self.count(record.client, &state)
            guard record.level >= .warning else { return }
            if state.counts.recentErrors.count == Self.recentErrorsMax { state.counts.recentErrors.removeLast() }
            let isMended = record.mendedError != nil
            let (ending, cause) = record.words
            let error = RecentError(
                time: secondsSince1970(), client: record.client, upstream: isMended ? record.cut?.upstream : record.upstream,
                ending: cause ?? ending)
            state.counts.recentErrors.insert(error, at: 0)
        }
    }

    /// As many requests are being answered as may be, and one more has come.
    func turnedAway() { state.withLock { $0.counts.turnedAway += 1 } }

    /// A first token took longer than `log.slow`.
    func wasSlow() { state.withLock { $0.counts.slow += 1 } }

    private static func count(_ client: String?, _ state: inout State) {
        guard let client else { return state.counts.otherRequests += 1 }
        let name = Array(client.utf8)
        if let place = state.places[name] {
            state.counts.clients[place].requests += 1
        } else if state.places.count < clientsMax {
            state.places[name] = state.counts.clients.count
            state.counts.clients.append((client, 1))
        } else {
            state.counts.otherRequests += 1
        }
    }

    /// As they are now.
    var counts: Counts { state.withLock { $0.counts } }
}
