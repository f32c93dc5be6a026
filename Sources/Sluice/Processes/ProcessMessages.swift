// What the master and a process say to each other: a line each, and descriptors beside some.

import Clock

/// What a process is, as the master tells it ahead of all else.
struct ProcessStart: Equatable {
    /// A listening socket that goes along.
    struct Socket: Equatable {
        /// Whether Sluice has made it.
        let isOwn: Bool
        /// What people call it.
        let name: String
    }

    /// From 0.
    let place: Int
    /// Its own of the counts.
    let slot: Int
    /// The number of the settings that it begins with.
    let generation: Int
    /// How often the master wants to hear of it.
    let period: Duration
    /// There are none any more for one that is to end at once.
    let sockets: [Socket]
}

/// What the master tells a process.
enum MasterMessage: Equatable {
    /// What the process is. Beside it come the record in force, the counts that all have in common, those of clients, and the sockets.
    case begin(ProcessStart)
    /// A question. Beside it comes the stream for the answer, and for some of them a record.
    case ask(ProcessCommand)
    /// To end as by a signal.
    case end
    /// The same at once.
    case endAtOnce

    var text: String {
        switch self {
        case .begin(let start): "begin \(start.text)"
        case .ask(let command): "ask \(command.text)"
        case .end: "end"
        case .endAtOnce: "end at once"
        }
    }

    init?(text: String) {
        switch text {
        case Self.end.text: self = .end
        case Self.endAtOnce.text: self = .endAtOnce
        default:
            let words = text.split(separator: " ", maxSplits: 1)
            guard words.count == 2 else { return nil }
            switch words[0] {
            case "ask":
                guard let command = ProcessCommand(text: String(words[1])) else { return nil }
                self = .ask(command)
            case "begin":
                guard let start = ProcessStart(text: String(words[1])) else { return nil }
                self = .begin(start)
            default: return nil
            }
        }
    }
}

extension ProcessStart {
    /// Numbers in a line, and behind a NUL each a word and a name for the sockets: a path may have anything else in it.
    fileprivate var text: String {
        "\(place) \(slot) \(generation) \(period.nanoseconds)"
            + sockets.map { "\0\($0.isOwn ? "own" : "passed") \($0.name)" }.joined()
    }

    fileprivate init?(text: String) {
        let parts = text.split(separator: "\0", omittingEmptySubsequences: false)
        let words = parts[0].split(separator: " ").compactMap { Int64($0) }
        guard words.count == 4, let place = Int(exactly: words[0]), let slot = Int(exactly: words[1]), slot >= 0,
            let generation = Int(exactly: words[2])
        else { return nil }
        sockets = parts.dropFirst().map { part in
            let words = part.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            return Socket(isOwn: words[0] == "own", name: String(words.count > 1 ? words[1] : ""))
        }
        (self.place, self.slot, self.generation, period) = (place, slot, generation, .nanoseconds(words[3]))
    }
}

/// What the master asks a process.
enum ProcessCommand: Equatable {
    /// How it does.
    case status(StatusForm)
    /// What clients have used, in all processes.
    case clients(isJSON: Bool)
    /// To read the settings anew, and to write the record of that into the empty one that comes along.
    case reload
    /// To take the settings of the record that comes along.
    case take
    /// To say when the last request is over that began by the settings from before.
    case wait

    var text: String {
        switch self {
        case .status(let form): form.command
        case .clients(let isJSON): isJSON ? "clients json" : "clients"
        case .reload: "reload"
        case .take: "take"
        case .wait: "wait"
        }
    }

    init?(text: String) {
        switch text {
        case Self.reload.text: self = .reload
        case Self.take.text: self = .take
        case Self.wait.text: self = .wait
        case Self.clients(isJSON: false).text: self = .clients(isJSON: false)
        case Self.clients(isJSON: true).text: self = .clients(isJSON: true)
        default:
            guard let form = StatusForm(command: text) else { return nil }
            self = .status(form)
        }
    }
}

/// What a process tells the master by itself.
enum ProcessReport: Equatable {
    /// It takes connections.
    case ready
    /// All its loops have turned.
    case alive(ProcessLoad)
    /// It ends, though it was not told to by the master.
    case stopping

    var text: String {
        switch self {
        case .ready: "ready"
        case .alive(let load): "alive \(load.streams) \(load.resting) \(load.upstreams)"
        case .stopping: "stopping"
        }
    }

    init?(text: String) {
        let words = text.split(separator: " ")
        switch words.first {
        case "ready": self = .ready
        case "stopping": self = .stopping
        case "alive":
            // Whatever it says, they can be added up.
            let numbers = words.dropFirst().compactMap { Int($0) }.map { min(max($0, 0), 1_000_000) }
            guard numbers.count == 3 else { return nil }
            self = .alive(ProcessLoad(streams: numbers[0], resting: numbers[1], upstreams: numbers[2]))
        default: return nil
        }
    }
}

/// What a process has to do.
struct ProcessLoad: Equatable {
    var streams = 0
    /// Targets that rest.
    var resting = 0
    var upstreams = 0
}
