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
        /// What was wrong, as `SettingsError.lines` has it. Where it is in force, each is a process that could not follow and was
        /// replaced.
        var problems: [String] = []
        /// What else there is to say of settings that are in force: what of them takes a restart, and what may not work.
        var remarks: [String] = []
    }

    /// What the status of one process and that of several have at their beginnings.
    struct Head: Sendable {
        let pid: Int
        let isDraining: Bool
        /// Seconds since 1970.
        let startTime: Int
        let uptime: Duration
        /// Of the settings in force: 1 for those of the start, and one more with each reload.
        let generation: Int
        var lastReload: Reload?
        /// How many lines of this process's log were lost, told of or not.
        var lostLogLines = 0
        /// Which of several processes it is, from 1, where that is not told elsewhere.
        var part: (place: Int, count: Int)?
        /// What it is in one word where it has processes and none of them serves.
        var idleState: String?

        var state: String { isDraining ? "draining" : idleState ?? "serving" }
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
        /// Whether the settings do not have it any more.
        var isFormer = false
    }

    struct Target: Sendable {
        let route: String
        let upstream: String
        /// The settings' own; nil for the caller's.
        let model: String?
        let state: TargetState.Snapshot
    }

    var head: Head
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
    /// Nil where the master tells of them.
    var listen: [Listen]? = []
    /// Whether this is of one of several processes, whose master tells of what is theirs together.
    var isPart: Bool { listen == nil }
    /// Each that is being answered; nil where that was not asked for.
    var requests: Requests?
    /// How the store of budgets does, as this process finds it; nil where there is none.
    var budgetStore: StoreHealth.Snapshot?
    /// The most connections that this process has found waiting at one socket; nil where the kernel does not tell.
    var listenQueueMax: Int?
    /// Of its text, as `StatusForm` has it.
    var width = StatusForm.usualWidth
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

    /// What has come of it, with the first of the problems and of the remarks, and how many others there are.
    var words: String {
        var words = isInForce ? "in force" : "failed"
        if let first = problems.first {
            words += ": \(first)\(isCut ? ", and more than \(SettingsError.problemsMax - 1) others" : more(problems))"
        }
        if let first = remarks.first { words += "; \(first)\(more(remarks))" }
        return words
    }

    private func more(_ sentences: [String]) -> String { sentences.count > 1 ? ", and \(sentences.count - 1) more" : "" }

    /// Whether the last line says how many more there are.
    private var isCut: Bool { problems.count > SettingsError.problemsMax }
}

extension TargetState {
    /// What is known of a target at a moment.
    struct Snapshot: Sendable {
        let asked: Int
        /// Ahead of the first token.
        let failed: Int
        /// Behind it.
        let cut: Int
        /// How long it still rests; nil when it does not.
        let restsFor: Duration?
        /// How many first tokens are known: the last 128 at most.
        let firstTokens: Int
        /// Of these; nil while there are fewer than `FirstTokenTimes.countMin`.
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
