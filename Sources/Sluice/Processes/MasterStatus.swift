// How the master does, and what the processes say of themselves.

import Clock

/// What `sluice status` tells where there are several processes.
struct MasterStatus {
    struct Member {
        /// From 1.
        let place: Int
        let process: Int
        let state: ServingProcess.State
        /// What it says of itself; nil when it does not.
        let own: String?

        /// Why it says nothing of itself.
        var silence: String {
            switch state {
            case .starting: "is starting"
            case .ending: "is about to end"
            case .serving: "does not answer"
            }
        }
    }

    let process: Int
    let isDraining: Bool
    /// Seconds since 1970.
    let startTime: Int
    let uptime: Duration
    /// How many processes there are to be.
    let placesCount: Int
    /// How many have been started in the place of others.
    let restarts: Int
    /// How many requests all of them answer.
    let active: Int
    let lastReload: Status.Reload?
    let members: [Member]

    /// Lines of names and values, and behind them each process's.
    var text: String {
        let summary = [
            ("master", "\(process), sluice \(sluiceVersion), \(isDraining ? "draining" : "serving")"),
            ("start time", timestamp(ofSecond: startTime)),
            ("start since", uptime.inSeconds),
            ("processes", "\(members.count { $0.state == .serving }) of \(placesCount)"),
            ("restarts", "\(restarts)"),
            ("active requests", "\(active)"),
            ("last reload", lastReload.map { "\(timestamp(ofSecond: $0.time)), \($0.words)" } ?? "none"),
        ]
        let head = summary.map { name, value in "\(name):".padded(to: 22) + value }.joined(separator: "\n")
        let own = members.map { "\n\nprocess \($0.place)\n\n" + ($0.own ?? "\($0.process) \($0.silence)") }
        return head + own.joined()
    }

    /// One object in one line, with the object of each process in it.
    var json: String {
        var writer = StatusWriter()
        writer.object {
            $0.member("version", sluiceVersion)
            $0.member("process", process)
            $0.member("state", isDraining ? "draining" : "serving")
            $0.member("start_time", timestamp(ofSecond: startTime))
            $0.member("start_since", uptime)
            $0.member("restarts", restarts)
            $0.member("active", active)
            $0.name("last_reload")
            if let lastReload { $0.reload(lastReload) } else { $0.null() }
            $0.array("processes", members) { writer, member in
                if let own = member.own { return writer.append(json: own) }
                writer.object {
                    $0.member("process", member.process)
                    $0.member("state", member.silence)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
