// What a process has of the master that has started it.

import Clock
import EventLoop
import FastCGI
import Glibc

/// The process's end of its connection to the master, and what came over it at the start.
final class MasterLink: Sendable {
    /// Where the master has put it.
    static let descriptor = STDERR_FILENO + 1

    /// From 0.
    let place: Int
    /// How often the master wants to hear of this process.
    let period: Duration
    /// The settings that were in force when Sluice started, which say what only a start can change.
    let firstRecord: MemoryFile
    /// What this process has its settings from.
    let record: MemoryFile
    /// What all processes count together.
    let requests: SharedRequests
    let socket: MessageSocket
    private let passed: [(socket: PassedDescriptor, isOwn: Bool)]
    /// The users whose peers may connect, as numbers: their accounts may be gone by now.
    private let allowedUsers: [UInt32]
    /// How long the master may take to say what this process is.
    private static let patienceSeconds = 30

    /// - Returns: nil when no master has started this process.
    /// - Throws: when the master has said nothing.
    init?() throws(MasterGone) {
        guard fcntl(Self.descriptor, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        socket = MessageSocket(Descriptor(owning: Self.descriptor))
        socket.wait(seconds: Self.patienceSeconds)
        guard case .message(let text, let passed) = socket.receive() else {
            throw MasterGone()
        }
        guard
            case .begin(let place, let slot, let period, let ownSockets, let allowedUsers)? = MasterMessage(text: text),
            passed.count == ownSockets.count + 3, let counts = try? SharedCounts(passed[2].take()), slot < counts.count
        else { return nil }
        (self.place, self.period, self.allowedUsers) = (place, period, allowedUsers)
        (firstRecord, record) = (MemoryFile(passed[0].take()), MemoryFile(passed[1].take()))
        requests = SharedRequests(counts, slot: slot)
        self.passed = zip(passed.dropFirst(3), ownSockets).map { ($0, isOwn: $1) }
    }

    /// The listening sockets.
    ///
    /// - Throws: as `ListeningSocket`.
    func sockets(_ access: SocketAccess) throws -> [ListeningSocket] {
        var access = access
        access.allowedUsers = allowedUsers.map { "\($0)" }
        return try passed.map { try ListeningSocket(shared: $0.socket.take(), isOwn: $0.isOwn, access: access) }
    }

    /// Tells the master something. It may be gone, or stand still: then there is nobody to tell.
    func report(_ report: ProcessReport) { try? socket.send(report.text) }
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
