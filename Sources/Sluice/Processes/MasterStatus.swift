// How the master does, and what the processes say of themselves.

import Clock

/// What `sluice status` tells where there are several processes.
struct MasterStatus: Sendable {
    struct Member: Sendable {
        /// From 1.
        let place: Int
        let pid: Int
        let state: ServingProcess.State
        /// The number of its settings; 0 before it has any.
        let generation: Int
        let page: Page
        /// How long ago it was started.
        var age = Duration.zero

        /// Whether it takes connections, and says so.
        fileprivate var serves: Bool { state == .serving && page != .missing }
    }

    /// What a process says of itself.
    enum Page: Sendable, Equatable {
        case said(String)
        /// It says nothing.
        case missing
        /// It says more than can be put together.
        case tooLarge

        init(_ outcome: ProcessQuestion.Outcome) {
            switch outcome {
            case .answered(let answer) where answer.verdict == .ok: self = .said(answer.lines.joined(separator: "\n"))
            case .tooLarge: self = .tooLarge
            case .answered, .closed, .late, .cancelled: self = .missing
            }
        }
    }

    /// A place in which no process is.
    struct Vacancy: Sendable {
        /// From 1.
        let place: Int
        /// After how long another one is started.
        let restart: Duration
        /// What has become of the last one.
        let reason: String
    }

    /// A place whose process is on its way: it is not this program yet, which somebody or a busy machine may keep it from.
    struct Start: Sendable {
        /// From 1.
        let place: Int
        /// How long ago it was begun.
        let age: Duration
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
    var vacancies: [Vacancy] = []
    var starts: [Start] = []
    /// What all of them have come to.
    var sums = ProcessSums()
    /// Of its text, as `StatusForm` has it.
    var width = StatusForm.usualWidth

    /// Lines of names and values, and behind them each process's.
    var text: String {
        let summary = [
            ("master", head.words),
            ("start time", timestamp(ofSecond: head.startTime)),
            ("start since", head.uptime.inSeconds),
            ("generation", "\(head.generation)"),
            ("last reload", head.lastReloadWords),
            ("processes", "\(servingCount) of \(placesCount)"),
            ("restarts", "\(restarts)"),
            ("listen queue", listen.queueWords),
            ("active requests", "\(active)"),
            ("requests", sums.words),
            ("lost log lines", "\(head.lostLogLines)"),
        ]
        let lines = Status.lines(summary) + listen.tableLines(atMost: width) + sums.tableLines(atMost: width)
        let pages =
            members.map { ($0.place, $0.text(head.generation)) } + vacancies.map { ($0.place, $0.text) }
            + starts.map { ($0.place, $0.text) }
        // Of two in the same place, the one that was there first is the first.
        let sorted = pages.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }.map(\.element)
        return lines.joined(separator: "\n") + sorted.map { "\n\nprocess \($0)\n\n\($1)" }.joined()
    }

    private var servingCount: Int { members.count(where: \.serves) }

    /// One object in one line, with the object of each process in it.
    var json: String {
        var writer = StatusWriter()
        writer.object {
            $0.head(head)
            $0.member("processes_wanted", placesCount)
            $0.member("processes_serving", servingCount)
            $0.member("restarts", restarts)
            $0.listen(listen)
            $0.member("active", active)
            $0.member("requests", sums.requests)
            $0.member("answered", sums.answered)
            $0.member("failed", sums.failed)
            $0.member("callers_left", sums.callersLeft)
            $0.member("lost_log_lines", head.lostLogLines)
            $0.array("upstreams", sums.upstreams) { writer, upstream in
                writer.object {
                    $0.member("name", upstream.name)
                    $0.member("open", upstream.open)
                    $0.member("queued", upstream.queued)
                }
            }
            $0.array("empty_places", vacancies) { writer, vacancy in
                writer.object {
                    $0.member("place", vacancy.place)
                    $0.member("again_in", vacancy.restart)
                    $0.member("reason", vacancy.reason)
                }
            }
            $0.array("starting_places", starts) { writer, start in
                writer.object {
                    $0.member("place", start.place)
                    $0.member("start_since", start.age)
                }
            }
            $0.array("processes", members) { $0.process($1) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension MasterStatus.Vacancy {
    fileprivate var text: String {
        Status.lines([("none", "\(reason); the next one starts in \(restart.inSeconds)")])[0]
    }
}

extension MasterStatus.Start {
    fileprivate var text: String { Status.lines([("none", "one has been starting for \(age.inSeconds)")])[0] }
}

extension MasterStatus.Member {
    /// What it says of itself, or why that is missing; ahead of it, when it has other settings than those in force, why that is so.
    fileprivate func text(_ generationInForce: Int) -> String {
        guard case .said(let text) = page else { return silence }
        guard generation != generationInForce else { return text }
        let reason = state == .ending ? "it ends, and takes no others" : "it has not taken those of \(generationInForce) yet"
        return Status.lines([("generation", "\(generation): \(reason)")])[0] + "\n" + text
    }

    private var silence: String {
        switch (page, state) {
        case (.tooLarge, _): "\(pid) has more to say than \(ProcessQuestion.limitWords)"
        case (_, .starting): "\(pid) has been starting for \(age.inSeconds)"
        case (_, .ending): "\(pid) is about to end"
        case (_, .serving): "\(pid) does not answer"
        }
    }

    /// The same for machines.
    fileprivate var stateWord: String {
        switch (page, state) {
        case (.tooLarge, _): "too_large"
        case (_, .starting): "starting"
        case (_, .ending): "ending"
        case (_, .serving): "silent"
        }
    }
}

extension StatusWriter {
    fileprivate mutating func process(_ process: MasterStatus.Member) {
        if case .said(let object) = process.page { return append(json: object) }
        object {
            $0.member("process", process.pid)
            $0.member("place", process.place)
            $0.member("state", process.stateWord)
            $0.member("start_since", process.age)
        }
    }
}
