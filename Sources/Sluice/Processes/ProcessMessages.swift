// What the master and a process say to each other: a line each, and descriptors beside some.

import Clock

/// What the master tells a process.
enum MasterMessage: Equatable {
    /// What the process is, ahead of all else. Beside it come the record of the settings that were read at the start of all, the
    /// record in force, the counts that all have in common, and the sockets.
    ///
    /// - Parameters:
    ///   - place: from 0.
    ///   - slot: its own of the counts.
    ///   - ownSockets: of each socket, whether Sluice has made it.
    ///   - allowedUsers: the numbers of those whose peers may connect; none for all.
    case begin(place: Int, slot: Int, period: Duration, ownSockets: [Bool], allowedUsers: [UInt32])
    /// A question. Beside it comes the stream for the answer, and for some of them a record.
    case ask(ProcessCommand)
    /// To end as by a signal.
    case end
    /// The same at once.
    case endAtOnce

    var text: String {
        switch self {
        case .begin(let place, let slot, let period, let own, let users):
            "begin \(place) \(slot) \(period.nanoseconds) \(Self.words(own))"
                + users.map { " \($0)" }.joined()
        case .ask(let command): "ask \(command.rawValue)"
        case .end: "end"
        case .endAtOnce: "end at once"
        }
    }

    /// There are none any more for one that is to end at once.
    private static func words(_ ownSockets: [Bool]) -> String {
        ownSockets.isEmpty ? "none" : ownSockets.map { $0 ? "own" : "passed" }.joined(separator: ",")
    }

    init?(text: String) {
        switch text {
        case "end": self = .end
        case "end at once": self = .endAtOnce
        default:
            let words = text.split(separator: " ").map(String.init)
            switch words.first {
            case "ask":
                guard let command = ProcessCommand(rawValue: words.dropFirst().joined(separator: " ")) else { return nil }
                self = .ask(command)
            case "begin":
                guard words.count >= 5, let place = Int(words[1]), let slot = Int(words[2]), slot >= 0,
                    let period = Int64(words[3])
                else { return nil }
                let own = words[4] == "none" ? [] : words[4].split(separator: ",").map { $0 == "own" }
                let users = words.dropFirst(5).compactMap { UInt32($0) }
                self = .begin(place: place, slot: slot, period: .nanoseconds(period), ownSockets: own, allowedUsers: users)
            default: return nil
            }
        }
    }
}

/// What the master asks a process.
enum ProcessCommand: String {
    case status
    case statusJSON = "status json"
    case statusFull = "status full"
    case statusFullJSON = "status full json"
    /// To read the settings anew, and to write the record of that into the empty one that comes along.
    case reload
    /// To take the settings of the record that comes along.
    case take
    /// To say when the last request is over that began by the settings from before.
    case wait
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
