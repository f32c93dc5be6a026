// How the process does at a moment.

import Clock
import FastCGI
import Settings

/// What `sluice status` tells. The names are php-fpm's where the meaning is the same.
struct Status: Sendable {
    /// What came of the last reload.
    struct Reload: Sendable {
        /// Seconds since 1970.
        let time: Int
        /// Whether its settings are those that requests begin by.
        let isInForce: Bool
        /// What was wrong, as `SettingsError.lines` has it. Where it is in force, each is a process that could not follow and was replaced.
        var problems: [String] = []
    }

    /// What the status of one process and that of several have at their beginnings.
    struct Head: Sendable {
        let pid: Int
        let isDraining: Bool
        /// Seconds since 1970.
        let startTime: Int
        let uptime: Duration
        var lastReload: Reload?

        var state: String { isDraining ? "draining" : "serving" }
    }

    /// A socket on which connections are accepted.
    struct Listen: Sendable {
        let address: String
        /// How many connections wait to be accepted, and how many may; nil where the kernel does not tell.
        let queue: ListeningSocket.Queue?
    }

    struct Upstream: Sendable {
        let name: String
        /// Attempts and answers that hold a place.
        let open: Int
        let queued: Int
        /// How many places there are; nil for no limit.
        let places: Int?
    }

    struct Target: Sendable {
        let route: String
        let upstream: String
        /// The settings' own; nil for the caller's.
        let model: String?
        let state: TargetState.Snapshot
    }

    var head: Head
    let generation: Int
    let workers: Int
    let acceptedConnections: Int
    let refusedConnections: Int
    let active: Int
    let maxActive: Int
    /// In bytes: what is taken of `limits.memory`, and that.
    let memory: (used: Int, limit: Int)
    var counts: Statistics.Counts
    var upstreams: [Upstream]
    var targets: [Target]
    /// Nil where another one tells of them.
    var listen: [Listen]? = []
    /// Each that is being answered; nil where that was not asked for.
    var requests: Requests?
}

extension [Status.Listen] {
    /// Of all sockets together; nil when it is not known of one, or there is none any more.
    var queue: ListeningSocket.Queue? {
        let queues = compactMap(\.queue)
        guard !queues.isEmpty, queues.count == count else { return nil }
        return queues.reduce(ListeningSocket.Queue(count: 0, countMax: 0)) { all, queue in
            ListeningSocket.Queue(count: all.count + queue.count, countMax: all.countMax + queue.countMax)
        }
    }
}

extension Status.Reload {
    /// For the service manager's status, behind what else it says; empty when it is in force.
    var failureWords: String {
        guard !isInForce else { return "" }
        let count = isCut ? "more than \(SettingsError.problemsMax) mistakes" : counted(problems.count, "mistake", "mistakes")
        return "; the last reload failed at \(timestamp(ofSecond: time)): \(count)"
    }

    /// The first of the problems, and how many others there are.
    var problemWords: String {
        guard let first = problems.first else { return "" }
        if isCut { return ": \(first), and more than \(SettingsError.problemsMax - 1) others" }
        return problems.count > 1 ? ": \(first), and \(problems.count - 1) more" : ": \(first)"
    }

    /// Whether the last line says how many more there are.
    private var isCut: Bool { problems.count > SettingsError.problemsMax }
}

extension TargetState {
    /// What is known of a target at a moment.
    struct Snapshot: Sendable {
        let asked: Int
        let failed: Int
        /// How long it still rests; nil when it does not.
        let restsFor: Duration?
        /// Of its last 128 answers; nil while there are fewer than 20.
        let p50: Duration?
        let p95: Duration?
    }
}

/// How much there is to do, for the service manager.
func loadWords(streams: Int, upstreams: Int, resting: Int) -> String {
    "\(counted(streams, "stream", "streams")), \(counted(upstreams, "upstream", "upstreams"))"
        + (resting == 0 ? "" : ", \(resting) resting")
}

/// `1 stream`, `2 streams`
func counted(_ count: Int, _ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }
