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
    /// Wakes its thread; nil before that has begun.
    private let event = Mutex<WaitEvent?>(nil)
    private let isEnding = Atomic<Bool>(false)
    /// Whether nothing is written any more.
    private let isOver = Atomic<Bool>(false)
    /// Whether the last look has come to nothing.
    private let hasFailed = Atomic<Bool>(false)

    /// What its thread has.
    private struct State: ~Copyable {
        /// Nil where it is not this process's to write.
        var file: LockedFile?
        /// Of each client what the file has last.
        var written: [ClientCounts.Row: BudgetRecord] = [:]
        /// What the counts' own was then.
        var changes: UInt64 = 0
        /// Whether all has to be written.
        var needsAll = false
        /// Whether the file is something else's, and so is left alone.
        var isForeign = false
        /// Until then nothing more is told of that.
        var silentUntil = Instant(nanoseconds: .min)
    }

    /// Between two looks.
    private static let pause = Duration.seconds(1)
    /// How long a start waits for what the file has, and an end for what it is to have.
    private static let (startTime, endTime) = (Duration.seconds(2), Duration.seconds(1))
    /// How long an end waits for a process that has the file.
    private static let takingTime = Duration.milliseconds(500)
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
        do throws(SystemError) {
            guard let event = try startedEvent() else { return }
            try startThread(named: "budgets") { [self] in run(event) }
        } catch {
            // The next reload may have more luck.
            event.withLock { $0 = nil }
            return logger.budgetsNotWritten(path, error)
        }
        let deadline = Instant.current + Self.startTime
        while waits, !counts.areRestored, !hasFailed.load(ordering: .relaxed), .current < deadline { usleep(1000) }
    }

    /// - Returns: what is to wake the thread; nil when there is one already.
    private func startedEvent() throws(SystemError) -> WaitEvent? {
        try event.withLock { event throws(SystemError) in
            guard event == nil else { return nil }
            let new = try WaitEvent()
            event = new
            return new
        }
    }

    private func run(_ event: WaitEvent) {
        var state = State()
        let start = Instant.current
        while !isEnding.load(ordering: .relaxed) {
            look(&state, isLate: .current - start > Self.startTime)
            event.wait(orUntilWritable: -1, until: .current + Self.pause)
        }
        lookAtTheEnd(&state)
        isOver.store(true, ordering: .releasing)
    }

    private func lookAtTheEnd(_ state: inout State) {
        defer { state.file = nil }
        let deadline = Instant.current + Self.takingTime
        while .current < deadline {
            look(&state, isLate: false)
            if state.file != nil || state.isForeign || hasFailed.load(ordering: .relaxed) { return }
            // Another process has the file, and may be about to end too.
            usleep(10_000)
        }
        if !counts.areKept { logger.budgetsAreForgotten(path) }
    }

    /// Has all written, and comes back when it is, or when that takes too long: a disk that hangs holds nobody's end up.
    func end() {
        guard let event = event.withLock({ $0 }), !isEnding.exchange(true, ordering: .relaxed) else { return }
        event.signal()
        let deadline = Instant.current + Self.endTime
        while !isOver.load(ordering: .acquiring), .current < deadline { usleep(1000) }
    }

    // MARK: A look

    private func look(_ state: inout State, isLate: Bool) {
        guard !state.isForeign else { return }
        do throws(SystemError) {
            if state.file?.isWhole == false {
                state.file = nil
                counts.keepNoMore()
            }
            if state.file == nil { try take(&state, isLate: isLate) }
            if state.file != nil, counts.areRestored || isLate { try write(&state) }
            hasFailed.store(false, ordering: .relaxed)
        } catch {
            hasFailed.store(true, ordering: .relaxed)
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
        guard let file = try LockedFile(path) else { return try waitForFile(&state, isLate: isLate) }
        guard let kept = records(of: try file.bytes(atMost: Self.bytesMax), &state) else { return }
        // Another process that is at it will be done by the next look.
        guard counts.wereKept || counts.restore(kept.records, at: .now) else { return }
        state.file = consume file
        state.needsAll = true
        counts.keep()
    }

    /// Another process has the file, of this Sluice or of another one that has not ended yet. What it has written by now counts here too.
    private func waitForFile(_ state: inout State, isLate: Bool) throws(SystemError) {
        if !counts.areRestored, let kept = records(of: try LockedFile.bytes(of: path, atMost: Self.bytesMax), &state) {
            counts.restore(kept.records, at: .now)
        }
        if isLate, !counts.areKept { tell(&state) { logger.budgetsFileIsTaken(path) } }
    }

    /// - Returns: nil when the file is something else's.
    private func records(of bytes: [UInt8], _ state: inout State) -> BudgetRecords? {
        guard let kept = BudgetRecords(file: bytes) else {
            state.isForeign = true
            counts.restoreNothing()
            logger.budgetsFileIsForeign(path)
            return nil
        }
        if kept.unreadBytes > 0 { logger.budgetsFileIsDamaged(path, unreadBytes: kept.unreadBytes) }
        return kept
    }

    private func write(_ state: inout State) throws(SystemError) {
        let changes = counts.changes
        guard state.needsAll || changes != state.changes else { return }
        let now = CountedTime.now
        let records = counts.records.map { (row: $0.row, record: BudgetRecord($0)) }
        let current = records.filter { $0.record.isCurrent(at: now) }
        let size = state.file?.size ?? 0
        if state.needsAll || size > BudgetRecord.bytesCount * (2 * current.count + Self.spareRecords) {
            state.needsAll = true
            try state.file?.replace(with: BudgetRecords.file(of: current.map(\.record)))
            state.written = Dictionary(current.map { ($0.row, $0.record) }) { $1 }
        } else {
            // One that has come to nothing too: what it had reserved is in the file.
            let changed = records.filter { row, record in
                state.written[row].map { $0 != record } ?? record.isCurrent(at: now)
            }
            try state.file?.append(changed.flatMap(\.record.bytes))
            for (row, record) in changed { state.written[row] = record }
        }
        (state.needsAll, state.changes) = (false, changes)
    }
}
