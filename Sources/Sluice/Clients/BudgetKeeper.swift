// What keeps the counts of clients when the process ends, however it ends.

import Clock
import EventLoop
import Glibc
import Logging
import Synchronization

/// Writes what clients have used into a file, at most once a second, on a thread of its own: nobody who is answered waits for a disk. Of
/// several processes the one that has the file's lock writes for all, and another takes it up when that one has ended.
///
/// The file is a journal of records: what has changed is written behind what there is. When it is long, and when a process takes it up, it
/// is written anew.
final class BudgetKeeper: Sendable {
    private let path: String
    private let counts: ClientCounts
    private let logger: Logger
    private let state = Mutex(State())
    private let hasStarted = Atomic<Bool>(false)
    private let isEnding = Atomic<Bool>(false)

    private struct State: ~Copyable {
        /// Nil where it is not this process's to write.
        var file: LockedFile?
        /// Of each client what the file has last.
        var written: [ClientCounts.Row: BudgetRecord] = [:]
        /// What the counts' own was then.
        var changes: UInt64 = 0
        /// Whether all has to be written.
        var needsAll = false
        /// It is something else's.
        var isForeign = false
        /// Whether the last look has come to nothing.
        var hasFailed = false
        /// Until then nothing more is told of that.
        var silentUntil = Instant(nanoseconds: .min)
    }

    /// Between two looks.
    private static let pauseMicroseconds: UInt32 = 1_000_000
    /// How long a start waits for what the file has, and an end for what it is to have.
    private static let (startTime, endTime) = (Duration.seconds(2), Duration.seconds(1))
    /// Between two times that something is told.
    private static let silence = Duration.seconds(60)
    /// More than it ever has.
    private static let bytesMax = 16 << 20
    /// So many records more than twice as many as there are clients may be in it.
    private static let spareRecords = 4096

    init(_ path: String, _ counts: ClientCounts, _ logger: Logger) {
        (self.path, self.counts, self.logger) = (path, counts, logger)
    }

    /// Begins to keep them, unless it has.
    ///
    /// - Parameter waits: whether to come back only when what the file has is there, for a caller who may wait for a moment.
    func start(waits: Bool = false) {
        guard !hasStarted.exchange(true, ordering: .relaxed) else { return }
        do throws(SystemError) { try startThread(named: "budgets") { [self] in run() } } catch {
            return logger.budgetsNotWritten(path, error)
        }
        let deadline = Instant.current + Self.startTime
        while waits, !counts.areRestored, !hasFailed, .current < deadline { usleep(1000) }
    }

    private var hasFailed: Bool { state.withLockIfAvailable { $0.hasFailed } ?? false }

    private func run() {
        let start = Instant.current
        while !isEnding.load(ordering: .relaxed) {
            let isLate = Instant.current - start > Self.startTime
            state.withLock { look(&$0, isLate: isLate) }
            usleep(Self.pauseMicroseconds)
        }
    }

    /// Has all written, and comes back when it is, or when that takes too long. Nothing is written any more then.
    func end() {
        guard hasStarted.load(ordering: .relaxed), !isEnding.exchange(true, ordering: .relaxed) else { return }
        let deadline = Instant.current + Self.endTime
        while .current < deadline {
            let isOver = state.withLockIfAvailable { state in
                look(&state, isLate: false)
                defer { state.file = nil }
                return state.file != nil || state.isForeign || state.hasFailed
            }
            if isOver == true { return }
            // Another process has the file, and may be about to end too.
            usleep(10_000)
        }
    }

    // MARK: A look

    private func look(_ state: inout State, isLate: Bool) {
        guard !state.isForeign else { return }
        do throws(SystemError) {
            if state.file == nil { try take(&state, isLate: isLate) }
            if state.file != nil { try write(&state) }
            state.hasFailed = false
        } catch {
            state.hasFailed = true
            tell(&state) { logger.budgetsNotWritten(path, error) }
        }
    }

    private func tell(_ state: inout State, _ tell: () -> Void) {
        guard Instant.current >= state.silentUntil else { return }
        state.silentUntil = .current + Self.silence
        tell()
    }

    /// Takes the file, if no other process has it, and what it has, if none has taken that.
    private func take(_ state: inout State, isLate: Bool) throws(SystemError) {
        guard let file = try LockedFile(path) else {
            // One of this Sluice's own would have been quick.
            if isLate, !counts.areRestored { tell(&state) { logger.budgetsFileIsTaken(path) } }
            return
        }
        let bytes = try file.bytes(atMost: Self.bytesMax)
        guard bytes.count <= Self.bytesMax, let kept = BudgetRecords(file: bytes) else {
            state.isForeign = true
            counts.areRestored = true
            return logger.budgetsFileIsForeign(path)
        }
        if kept.unreadBytes > 0 { logger.budgetsFileIsDamaged(path, unreadBytes: kept.unreadBytes) }
        if !counts.areRestored { counts.restore(kept.records, at: .now) }
        counts.areRestored = true
        state.file = consume file
        state.needsAll = true
    }

    private func write(_ state: inout State) throws(SystemError) {
        let changes = counts.changes
        guard state.needsAll || changes != state.changes else { return }
        let now = CountedTime.now
        let records = counts.records.filter { $0.isCurrent(at: now) }.map { (row: $0.row, record: BudgetRecord($0)) }
        let size = state.file?.size ?? 0
        if state.needsAll || size > BudgetRecord.bytesCount * (2 * records.count + Self.spareRecords) {
            state.needsAll = true
            try state.file?.replace(with: BudgetRecords.file(of: records.map(\.record)))
            state.written = Dictionary(records.map { ($0.row, $0.record) }) { $1 }
        } else {
            let changed = records.filter { state.written[$0.row] != $0.record }
            try state.file?.append(changed.flatMap(\.record.bytes))
            for (row, record) in changed { state.written[row] = record }
        }
        (state.needsAll, state.changes) = (false, changes)
    }
}

extension CountedTime {
    /// By the wall clock.
    static var now: CountedTime { CountedTime(second: secondsSince1970()) }
}
