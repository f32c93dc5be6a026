// What a process has of the master that has started it.

import Clock
import EventLoop
import FastCGI
import Glibc
import Settings
import Synchronization

/// The process's end of its connection to the master, and what came over it at the start.
final class MasterLink: Sendable {
    /// Where the master has put it.
    static let descriptor = STDERR_FILENO + 1

    /// How often the master wants to hear of this process.
    let period: Duration
    /// The number of the settings that it begins with.
    let generation: Int
    /// From 0.
    let place: Int
    /// What only a start can change.
    let startOnly: StartOnlySettings
    /// What all processes count together.
    let requests: SharedRequests
    let clients: ClientCounts
    let metrics: Metrics
    let socket: MessageSocket
    private let owed = Mutex(OwedReports())
    private let passed: [(descriptor: PassedDescriptor, socket: ProcessStart.Socket)]
    /// How long the master may take to say what this process is.
    private static let patienceSeconds = 30
    /// What comes over it ahead of the sockets: the record, the counts, those of clients and the metrics.
    static let othersCount = 4

    /// - Returns: beside it, what this process has its settings from; nil when no master has started this process.
    /// - Throws: `MasterGone` when the master has said nothing, `SystemError` when the process is out of memory, `SettingsError` when
    ///   the settings cannot be had from the master.
    static func taken() throws -> (MasterLink, SettingsRecord)? {
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        let socket = MessageSocket(Descriptor(owning: descriptor))
        socket.wait(seconds: patienceSeconds)
        guard case .message(let text, let passed) = socket.receive() else { throw MasterGone() }
        guard case .begin(let start)? = MasterMessage(text: text), passed.count == start.sockets.count + othersCount else {
            return nil
        }
        // Its file is let go of with this: what a later reload has taken away is not to stay in it.
        let record = try SettingsRecord(reading: MemoryFile(passed[0].take()))
        let counts = try SharedCounts(passed[1].take())
        guard start.slot < counts.count else { return nil }
        let requests = SharedRequests(counts, slot: start.slot)
        let clients = try ClientCounts(passed[2].take(), slot: start.slot, slotsCount: counts.count)
        let metrics = Metrics(try MetricTable(passed[3].take()), slot: start.slot, place: start.place)
        let link = MasterLink(
            socket: socket, start, startOnly: record.startOnly, requests: requests, clients: clients, metrics: metrics,
            sockets: Array(passed.dropFirst(othersCount)))
        return (link, record)
    }

    private init(
        socket: MessageSocket, _ start: ProcessStart, startOnly: StartOnlySettings, requests: SharedRequests,
        clients: ClientCounts, metrics: Metrics, sockets: [PassedDescriptor]
    ) {
        (self.socket, self.startOnly, self.requests, self.clients) = (socket, startOnly, requests, clients)
        self.metrics = metrics
        (period, generation, place) = (start.period, start.generation, start.place)
        passed = zip(sockets, start.sockets).map { ($0, $1) }
    }

    /// The listening sockets.
    ///
    /// - Throws: as `ListeningSocket`.
    func sockets(_ access: SocketAccess) throws -> [ListeningSocket] {
        var access = access
        access.allowedUsers = startOnly.allowedUsers.map { "\($0)" }
        return try passed.map { descriptor, socket in
            try ListeningSocket(shared: descriptor.take(), isOwn: socket.isOwn, name: socket.name, access: access)
        }
    }

    /// Tells the master something, from any thread. When it is gone there is nobody to tell; when it stands still it hears later of what
    /// does not come again by itself.
    func report(_ report: ProcessReport) {
        owed.withLock { owed in owed.report(report) { socket.offer($0.text) } }
    }
}

/// What a process has to tell, and the master has not taken yet.
struct OwedReports {
    private var owed: [ProcessReport] = []

    /// - Parameter offer: tells the master; false when it takes nothing now.
    mutating func report(_ report: ProcessReport, by offer: (ProcessReport) -> Bool) {
        switch report {
        case .ready, .stopping: owed.append(report)
        case .alive: break
        }
        while let first = owed.first {
            guard offer(first) else { return }
            owed.removeFirst()
        }
        // The next one is as good.
        if case .alive = report { _ = offer(report) }
    }
}

/// The master has started this process, and says no more.
struct MasterGone: Error, CustomStringConvertible {
    let description = "the master is gone"
}

/// The requests that all processes answer, each in a slot of its own.
struct SharedRequests: Sendable {
    private let counts: SharedCounts
    private let slot: Int

    init(_ counts: SharedCounts, slot: Int) { (self.counts, self.slot) = (counts, slot) }

    /// - Returns: how many there are in all processes, with this one.
    func began() -> Int {
        counts.add(1, to: slot)
        return counts.sum
    }

    func ended() { counts.add(-1, to: slot) }
}
