// Which processes there are.

import Clock
import EventLoop
import Glibc

/// The places for processes: who is in which, who comes to an end while another one has its place, and which numbers are free. A value:
/// whoever has it starts and ends processes.
struct ProcessPlaces {
    /// Why a place is empty, and when that is over.
    struct Vacancy {
        /// From 0.
        let place: Int
        /// For people, and no secret.
        let reason: String
        let end: Instant
    }

    private struct Place {
        var process: ServingProcess?
        var backoff = RestartBackoff()
        var vacancy: Vacancy?
    }

    private var places: [Place]
    /// Those that end, while another one is in their place: the one that began to first.
    private(set) var leaving: [ServingProcess] = []
    /// How many have been started in the place of others.
    private(set) var restarts = 0
    /// Processes that have ended while some are on their way whose pids are not known yet.
    private var unknownEnds: [pid_t: ProcessEnd] = [:]

    /// How many processes there may be for a place, with those that end.
    private static let slotsPerPlace = 16

    init(count: Int) { places = (0..<count).map { _ in Place() } }

    /// How many places there are.
    var count: Int { places.count }
    var indices: Range<Int> { places.indices }
    /// How many processes there may be.
    var slotsCount: Int { Self.slotsPerPlace * count }
    /// Those that are in their places.
    var present: [ServingProcess] { places.compactMap(\.process) }
    /// Those that take connections.
    var serving: [ServingProcess] { present.filter { $0.state == .serving } }
    var all: [ServingProcess] { present + leaving }
    var allServe: Bool { places.allSatisfy { $0.process?.state == .serving } }
    /// Those that nobody is in.
    var vacancies: [Vacancy] { places.filter { $0.process == nil }.compactMap(\.vacancy) }

    /// The one in a place.
    subscript(place: Int) -> ServingProcess? { places[place].process }

    func process(pid: pid_t) -> ServingProcess? { all.first { $0.pid == pid } }

    func process(slot: Int) -> ServingProcess? { all.first { $0.slot == slot } }

    /// Whether no other one is in its place.
    func isInPlace(_ process: ServingProcess) -> Bool { places[process.place].process === process }

    /// One that no process has; nil when there are so many that end.
    var freeSlot: Int? {
        let used = Set(all.map(\.slot))
        return (0..<slotsCount).first { !used.contains($0) }
    }

    /// One is on its way.
    mutating func put(_ process: ServingProcess) { places[process.place].process = process }

    /// A place is to be filled again at a later moment.
    mutating func wait(_ vacancy: Vacancy) { places[vacancy.place].vacancy = vacancy }

    /// It comes to its end, and its place is another's.
    mutating func retire(_ process: ServingProcess) {
        guard isInPlace(process) else { return }
        leaving.append(process)
        places[process.place].process = nil
        restarts += 1
    }

    /// It is no more, or has never come to be.
    ///
    /// - Returns: whether its place is empty now.
    @discardableResult mutating func remove(_ process: ServingProcess) -> Bool {
        leaving.removeAll { $0 === process }
        guard isInPlace(process) else { return false }
        places[process.place].process = nil
        return true
    }

    /// What has not come to be is waited for no longer.
    mutating func removeUnstarted() { for process in all where !process.hasStarted { remove(process) } }

    /// A process has died.
    ///
    /// - Parameter life: how long it was there; nil when it has never come to serve.
    /// - Returns: after how long its place is to be filled again.
    mutating func delay(of place: Int, afterLife life: Duration?) -> Duration {
        restarts += 1
        guard let life else { return delayAfterFailure(of: place) }
        return places[place].backoff.delay(afterLife: life)
    }

    /// - Returns: after how long a place is to be filled again whose process could not be started.
    mutating func delayAfterFailure(of place: Int) -> Duration { places[place].backoff.delayAfterFailure() }

    // MARK: Ends

    /// A process has ended.
    ///
    /// - Returns: which; nil for one that is not known, or not yet: others may have been started by the same process before it became
    ///   this program.
    mutating func ended(_ pid: pid_t, _ end: ProcessEnd) -> ServingProcess? {
        if let process = process(pid: pid) { return process }
        unknownEnds[pid] = end
        return nil
    }

    /// How one has ended whose pid was not known then.
    mutating func takeEnd(of process: ServingProcess) -> ProcessEnd? { unknownEnds.removeValue(forKey: process.pid) }

    /// Forgets the ends that nobody will ask for.
    mutating func forgetUnknownEnds() { if all.allSatisfy(\.hasStarted) { unknownEnds = [:] } }
}
