// Lines on their way out. Nobody who serves waits for whoever takes them.

import Chat
import Clock
import EventLoop
import Glibc
import Logging
import Synchronization

/// Writes lines to one destination. `write` may be called from any thread, and never waits.
///
/// A line is written at once when the destination takes it without waiting. Otherwise it is queued, and a thread that the first
/// such line starts writes the queue: when a pipe is full, a disk is slow or full, or a daemon is away. A line for which the
/// queue has no room is lost and counted. Once the queue is empty again, one line tells how many were lost.
///
/// When the last reference to the output is gone, the thread still tries for a second to write what is queued.
final class LogOutput: Sendable {
    /// How many bytes may wait: some 800 lines of requests.
    static let queueBytesMax = 256 << 10
    private let lines: WaitingLines

    /// - Parameters:
    ///   - form: of the line that tells of lost ones.
    ///   - losses: counts the lines that are lost.
    ///   - onAlarm: called at a moment that somebody has asked for, on the thread.
    ///   - onReopened: told when a file has been opened again, or why it cannot be: then the old one stays.
    ///   - onFull: told when a file is full and no other can take its place: once, until it can again.
    /// - Throws: `SystemError` when a file cannot be opened.
    init(
        _ target: LogTarget, _ form: LogForm, queueBytesMax: Int = queueBytesMax, losses: LogLosses = LogLosses(),
        onAlarm: @escaping @Sendable () -> Void = {}, onReopened: @escaping @Sendable (SystemError?) -> Void = { _ in },
        onFull: @escaping @Sendable (SystemError) -> Void = { _ in }
    ) throws(SystemError) {
        lines = try WaitingLines(
            target, form, queueBytesMax: queueBytesMax, losses: losses, onAlarm: onAlarm, onReopened: onReopened, onFull: onFull)
    }

    deinit { lines.abandon() }

    /// Whether there is somebody who takes lines, as far as that is known ahead.
    var isConnected: Bool { lines.isConnected }

    /// - Parameter line: whole, with its line feed if it has one.
    func write(_ line: ArraySlice<UInt8>) { lines.write(line) }

    /// Gives up what waits here: how many lines that is, with those that were lost and nobody has been told of.
    func takeUnwritten() -> Int { lines.takeUnwritten() }

    /// Counts lines that were lost elsewhere.
    func lose(_ count: Int) { lines.lose(count) }

    /// Has `onAlarm` called then, or earlier if somebody has asked for that.
    func setAlarm(at moment: Instant) { lines.setAlarm(at: moment) }

    /// Opens a file again at its path, where another one may be by now. The thread does that: a disk may be slow.
    func reopen(_ path: String) { lines.reopen(path) }

    /// Waits until all is written, if it can be.
    ///
    /// - Parameter limit: after which it waits no longer.
    func flush(within limit: Duration) { lines.flush(within: limit) }
}

/// How many lines were lost, by all outputs that a log has had.
final class LogLosses: Sendable {
    private let lost = Atomic<Int>(0)

    var count: Int { lost.load(ordering: .relaxed) }

    func add(_ count: Int) { lost.add(count, ordering: .relaxed) }
}

/// What an output and its thread have in common.
private final class WaitingLines: Sendable {
    /// After which time something that takes nothing is tried again.
    private static let retryTime = Duration.milliseconds(250)
    /// How long the thread gathers lines for a file, so that not each has to wake it.
    private static let gatheringTime = Duration.milliseconds(10)
    /// After which time it is tried again to have another file in the place of one that is full.
    private static let rotationRetryTime = Duration.seconds(60)

    private struct State: ~Copyable {
        var sink: LogSink
        var queue = LineQueue()
        /// Since the last line that told of it, or is to.
        var lost = 0
        /// When there is a next attempt, after one that failed.
        var retry: Instant?
        var wasFull = false
        /// Whether the last write has found no room.
        var isWithoutRoom = false
        /// Whether the thread has just written, and more may come soon.
        var isGathering = false
        /// When `onAlarm` is called.
        var alarm: Instant?
        /// Until when what waits may be written, once nobody else has this.
        var end: Instant?
        /// Of the file that is to be opened again.
        var opens: String?
        /// When a file that is full may be moved again, after an attempt that failed.
        var rotationRetry: Instant?
        /// The thread's; nil while there is none.
        var waitEvent: WaitEvent?
        var isAsleep = false
        /// Whether what waited has been taken away, and nothing is written any more.
        var isGivenUp = false
    }

    /// What the thread does next.
    private enum Step {
        case write([UInt8], to: Int32, LogRotation?)
        case open(String)
        case alarm
        case wait(forRoomIn: Int32 = -1, until: Instant)
        case end
    }

    private let state: Mutex<State>
    private let rotation: LogRotation?
    private let form: LogForm
    private let queueBytesMax: Int
    private let losses: LogLosses
    private let onAlarm: @Sendable () -> Void
    private let onReopened: @Sendable (SystemError?) -> Void
    private let onFull: @Sendable (SystemError) -> Void

    init(
        _ target: LogTarget, _ form: LogForm, queueBytesMax: Int, losses: LogLosses, onAlarm: @escaping @Sendable () -> Void,
        onReopened: @escaping @Sendable (SystemError?) -> Void, onFull: @escaping @Sendable (SystemError) -> Void
    ) throws(SystemError) {
        state = Mutex(State(sink: try LogSink(target)))
        rotation = if case .file(_, let rotation) = target { rotation } else { nil }
        (self.form, self.queueBytesMax, self.losses) = (form, queueBytesMax, losses)
        (self.onAlarm, self.onReopened, self.onFull) = (onAlarm, onReopened, onFull)
    }

    var isConnected: Bool { state.withLock { $0.sink.isConnected } }

    // MARK: From those who serve

    func write(_ line: ArraySlice<UInt8>) {
        state.withLock { state in
            if state.isGivenUp { return }
            if state.queue.isEmpty, state.lost == 0 {
                switch state.sink.offer(line) {
                case .taken(line.count): return
                case .taken(let count): state.queue.append(line.dropFirst(count), isBegun: true)
                case .full, .slow: state.queue.append(line)
                case .refused: loseOne(&state)
                case .failed:
                    state.queue.append(line)
                    state.retry = .current + Self.retryTime
                }
            } else if state.lost == 0, state.queue.bytesCount + line.count <= queueBytesMax {
                state.queue.append(line)
            } else {
                loseOne(&state)
            }
            call(&state)
        }
    }

    func takeUnwritten() -> Int {
        state.withLock { state in
            guard !state.queue.isEmpty || state.lost > 0 else { return 0 }
            state.isGivenUp = true
            var count = exchange(&state.lost, with: 0)
            while !state.queue.isEmpty {
                let (lost, before) = state.queue.dropFirst()
                count += lost
                losses.add(lost - before)
            }
            return count
        }
    }

    private func loseOne(_ state: inout State) {
        state.lost += 1
        losses.add(1)
    }

    /// Loses the first line, or what is left of it.
    private func loseFirst(_ state: inout State) {
        let (lost, before) = state.queue.dropFirst()
        state.lost += lost
        losses.add(lost - before)
    }

    func lose(_ count: Int) {
        state.withLock { state in
            state.lost += count
            call(&state)
        }
    }

    func setAlarm(at moment: Instant) {
        state.withLock { state in
            guard moment < state.alarm ?? .distantFuture else { return }
            state.alarm = moment
            call(&state)
        }
    }

    func reopen(_ path: String) {
        state.withLock { state in
            state.opens = path
            call(&state)
            state.waitEvent?.signal()
        }
    }

    /// The thread ends when it has written what waits, or cannot.
    func abandon() {
        state.withLock { state in
            state.end = .current + .seconds(1)
            state.waitEvent?.signal()
        }
    }

    func flush(within limit: Duration) {
        let end = Instant.current + limit
        state.withLock { $0.waitEvent?.signal() }
        while !state.withLock({ $0.retry != nil || ($0.queue.isEmpty && $0.lost == 0) }), .current < end {
            usleep(1000)
        }
    }

    /// Wakes the thread, or starts it. Without one its work is done here, as far as it needs no waiting for room.
    private func call(_ state: inout State) {
        if let waitEvent = state.waitEvent {
            if state.isAsleep { waitEvent.signal() }
            state.isAsleep = false
            return
        }
        do throws(SystemError) {
            let waitEvent = try WaitEvent()
            try startThread(named: "log") { [self] in
                while let (room, end) = work() { waitEvent.wait(orUntilWritable: room, until: end) }
            }
            state.waitEvent = waitEvent
        } catch {
            while true {
                switch next(&state, at: .current) {
                case .write(let bytes, let file, _):
                    // It waits in the queue then, until a thread can be had: a write might wait for whoever reads.
                    guard LogSink.hasRoom(file) else { return }
                    wrote(LogSink.write(bytes[...], to: file), &state)
                case .open(let path):
                    do throws(SystemError) { replaceSink(of: &state, with: try LogSink(.file(path, rotation))) } catch { return }
                case .alarm: continue
                case .wait, .end: return
                }
            }
        }
    }

    // MARK: On the thread

    /// Does what there is to do.
    ///
    /// - Returns: what it waits for then; nil when it has come to its end.
    private func work() -> (room: Int32, end: Instant)? {
        while true {
            switch state.withLock({ next(&$0, at: .current) }) {
            case .write(let bytes, let file, let rotation):
                if let rotation, leaves(file, for: bytes.count, rotation) { continue }
                let outcome = LogSink.write(bytes[...], to: file)
                // One that another process has taken away by now, to make room for a newer one, has what was written with it.
                if let rotation, FileStatus(file)?.namesCount == 0, leaves(file, for: bytes.count, rotation) { continue }
                state.withLock { wrote(outcome, &$0) }
            case .open(let path): open(path)
            case .alarm: onAlarm()
            case .wait(let room, let end): return (room, end)
            case .end: return nil
            }
        }
    }

    private func next(_ state: inout State, at now: Instant) -> Step {
        if state.end != nil, state.queue.isEmpty, state.lost == 0 { return .end }
        // Each line is offered once, however late this thread gets to run.
        let isLate = state.end.map { now >= $0 } ?? false
        if let path = state.opens.take() { return .open(path) }
        if let alarm = state.alarm, alarm <= now {
            state.alarm = nil
            return .alarm
        }
        let alarm = min(state.alarm ?? .distantFuture, state.end ?? .distantFuture)
        if let retry = state.retry, now < retry { return isLate ? .end : .wait(until: min(retry, alarm)) }
        state.retry = nil
        if exchange(&state.isWithoutRoom, with: false) {
            return isLate ? .end : .wait(forRoomIn: state.sink.number, until: min(now + .seconds(1), alarm))
        }
        while let bytes = front(&state) {
            switch state.sink.offer(bytes[...]) {
            case .taken(let count):
                state.queue.drop(count)
                state.wasFull = false
            case .refused: loseFirst(&state)
            case .slow: return .write(bytes, to: state.sink.number, state.sink.rotation)
            case .failed:
                state.retry = now + Self.retryTime
                return isLate ? .end : .wait(until: min(now + Self.retryTime, alarm))
            case .full:
                if isLate { return .end }
                // A terminal may have room, and not for what is offered.
                state.wasFull.toggle()
                let room = state.wasFull ? state.sink.number : -1
                return .wait(forRoomIn: room, until: min(now + (room < 0 ? Self.gatheringTime : .seconds(1)), alarm))
            }
        }
        if state.end != nil { return .end }
        state.isAsleep = !state.isGathering
        state.isGathering = false
        return .wait(until: state.isAsleep ? alarm : min(now + Self.gatheringTime, alarm))
    }

    /// What is to be offered next: behind all that waits, what was lost meanwhile.
    private func front(_ state: inout State) -> [UInt8]? {
        if state.queue.isEmpty, state.lost > 0 {
            var line = LogLine(form)
            line.begin(.warning, "log lines were lost")
            line.append(LogName("count"), state.lost)
            line.end()
            state.queue.append(line.bytes, tellingOfLost: state.lost)
            state.lost = 0
        }
        return state.queue.isEmpty ? nil : state.queue.front(bytesMax: state.sink.batch)
    }

    private func wrote(_ outcome: LogSink.Outcome, _ state: inout State) {
        if state.isGivenUp { return }
        switch outcome {
        case .taken(let count):
            state.queue.drop(count)
            state.isGathering = true
        case .full, .slow: state.isWithoutRoom = true
        case .refused, .failed: state.retry = .current + Self.retryTime
        }
    }

    private func open(_ path: String) {
        do throws(SystemError) {
            try exchangeFile(path)
            onReopened(nil)
        } catch {
            onReopened(error)
        }
    }

    private func exchangeFile(_ path: String) throws(SystemError) {
        var sink: LogSink? = try LogSink(.file(path, rotation))
        state.withLock { state in
            guard let sink = sink.take() else { return }
            replaceSink(of: &state, with: sink)
            (state.retry, state.rotationRetry) = (nil, nil)
        }
    }

    /// What is left of a line belongs to the old file, unless both are the same.
    private func replaceSink(of state: inout State, with sink: consuming LogSink) {
        if state.queue.isFirstBegun, !sink.isSame(as: state.sink) { loseFirst(&state) }
        state.sink = sink
    }

    /// Has another file written to, where lines belong into another one.
    ///
    /// - Returns: whether they do.
    private func leaves(_ file: Int32, for count: Int, _ rotation: LogRotation) -> Bool {
        if let retry = state.withLock({ $0.rotationRetry }), .current < retry { return false }
        do throws(SystemError) {
            guard try rotation.leaves(file, for: count) else {
                state.withLock { $0.rotationRetry = nil }
                return false
            }
            try exchangeFile(rotation.path)
            return true
        } catch {
            let retry = Instant.current + Self.rotationRetryTime
            let isFirst = state.withLock { exchange(&$0.rotationRetry, with: retry) == nil }
            if isFirst { onFull(error) }
            return false
        }
    }
}
