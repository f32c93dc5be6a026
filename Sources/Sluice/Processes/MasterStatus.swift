// How the master does, and what the processes say of themselves.

import Clock

/// What `sluice status` tells where there are several processes.
struct MasterStatus: Sendable {
    struct Member: Sendable {
        /// From 1.
        let place: Int
        let pid: Int
        let state: ServingProcess.State
        /// What it says of itself; nil when it does not.
        let page: String?

        /// The same for machines.
        var stateWord: String {
            switch state {
            case .starting: "starting"
            case .ending: "ending"
            case .serving: "silent"
            }
        }

        /// Why it says nothing of itself.
        var stateWords: String {
            switch state {
            case .starting: "is starting"
            case .ending: "is about to end"
            case .serving: "does not answer"
            }
        }
    }

    let head: Status.Head
    /// How many processes there are to be.
    let placesCount: Int
    /// How many have been started in the place of others.
    let restarts: Int
    /// How many requests all of them answer.
    let active: Int
    /// Each once: the processes share them.
    let listen: [Status.Listen]
    let members: [Member]

    /// Lines of names and values, and behind them each process's.
    var text: String {
        let summary = [
            ("master", head.words),
            ("start time", timestamp(ofSecond: head.startTime)),
            ("start since", head.uptime.inSeconds),
            ("processes", "\(members.count { $0.state == .serving }) of \(placesCount)"),
            ("restarts", "\(restarts)"),
            ("listen queue", listen.queueWords),
            ("active requests", "\(active)"),
            ("last reload", head.lastReloadWords),
        ]
        let lines = Status.lines(summary) + listen.tableLines
        let pages = members.map { "\n\nprocess \($0.place)\n\n" + ($0.page ?? "\($0.pid) \($0.stateWords)") }
        return lines.joined(separator: "\n") + pages.joined()
    }

    /// One object in one line, with the object of each process in it.
    var json: String {
        var writer = StatusWriter()
        writer.object {
            $0.head(head)
            $0.member("restarts", restarts)
            $0.listen(listen)
            $0.member("active", active)
            $0.array("processes", members) { writer, member in
                if let page = member.page { return writer.append(json: page) }
                writer.object {
                    $0.member("process", member.pid)
                    $0.member("state", member.stateWord)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
