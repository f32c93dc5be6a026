// The server's side of a conversation: a line that says what is wanted, and the answer to it.

import Clock
import EventLoop

/// A connection from a client of the control socket, or from a master that asks. The client sends one line, or none where it has asked by
/// another way; the server answers with a `ControlAnswer` and closes. All on a loop, which nobody who is slow keeps from its work.
actor ControlConnection {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// Nil when the conversation is over.
    private var descriptor: Descriptor?
    private let slowReaders: ControlRoom
    /// Whether it is to have said by now what it wants.
    private var makesRoom = false
    private let wakeup: Wakeup
    private var watch: Watch?
    private var task: Task<Void, Never>?
    private var hasLeft = false

    /// How long a client may take to say what it wants, and to read its answer, however it goes about it.
    private static let lineTime = Duration.seconds(5)
    private static let readingTime = Duration.seconds(10)
    /// What a client may send.
    private static let lineBytesMax = 256

    /// - Parameters:
    ///   - loop: on which the conversation takes place.
    ///   - slowReaders: all who do not read their answers at the same place.
    init(_ descriptor: consuming Descriptor, on loop: EventLoop, _ slowReaders: ControlRoom = ControlRoom()) {
        (self.loop, self.slowReaders, wakeup) = (loop, slowReaders, Wakeup(on: loop))
        self.descriptor = consume descriptor
    }

    /// Begins a conversation, whose task is cancelled when the client has left. The connection closes at its end.
    ///
    /// - Precondition: for the first time.
    nonisolated func start(_ conversation: @escaping @Sendable () async -> Void) {
        Task(executorPreference: loop) { await self.hold(conversation) }
    }

    private func hold(_ conversation: @escaping @Sendable () async -> Void) async {
        guard let number = descriptor?.number else { return }
        do throws(SystemError) {
            // A client that only has nothing more to say is still there.
            watch = try Watch(number, for: [], on: loop) { [unowned self] readiness in
                if readiness.isDisjoint(with: [.hangUp, .error]) { wakeup.wake() } else { leave() }
            }
        } catch {
            // What it has said already can be answered all the same, as far as there is room for it.
        }
        let task = Task(executorPreference: loop, operation: conversation)
        self.task = task
        await task.value
        self.task = nil
        watch?.cancel()
        watch = nil
        descriptor = nil
    }

    /// The client is there no longer, or counts as such.
    private func leave() {
        hasLeft = true
        watch?.cancel()
        watch = nil
        task?.cancel()
        wakeup.wake()
    }

    /// Others want to say theirs: what has not come by now is waited for no longer.
    func endWaitForLine() {
        makesRoom = true
        wakeup.wake()
    }

    /// It is told this, and counts as one that has left.
    func dismiss(_ answer: ControlAnswer) {
        _ = descriptor?.sendAtOnce(answer.bytes)
        leave()
    }

    /// The client's line, without its end; nil when it has not come in time, or is too long.
    func line(within limit: Duration = lineTime) async -> String? {
        let deadline = Instant.current + limit
        var line: [UInt8] = []
        var part = [UInt8](repeating: 0, count: Self.lineBytesMax)
        while line.count < Self.lineBytesMax {
            switch descriptor?.receive(into: &part) {
            case .bytes(let count):
                line += part.prefix(count)
                if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return String(decoding: line[..<end], as: UTF8.self) }
            case .nothing where makesRoom:
                dismiss(.tooMany)
                return nil
            // One that has left may have said it before.
            case .nothing: guard await isReady(for: .readable, until: deadline) else { return nil }
            case .endOfFile, .failed, nil: return nil
            }
        }
        return nil
    }

    /// Says something. A client that does not read it in time counts as one that has left.
    func send(_ bytes: [UInt8], within limit: Duration = readingTime) async {
        var unsent = bytes[...]
        if sendAtOnce(&unsent) { return }
        if let slowest = slowReaders.add(self) { await slowest.leave() }
        defer { slowReaders.remove(self) }
        let deadline = Instant.current + limit
        while await isReady(for: .writable, until: deadline) { if sendAtOnce(&unsent) { return } }
        leave()
    }

    /// Sends what there is room for.
    ///
    /// - Returns: whether nothing is left to do.
    private func sendAtOnce(_ unsent: inout ArraySlice<UInt8>) -> Bool {
        if hasLeft { return true }
        switch descriptor?.send(unsent) {
        case .bytes(let count): unsent = unsent.dropFirst(count)
        case .nothing: break
        case .failed, nil: return true
        }
        return unsent.isEmpty
    }

    /// Comes back when the client has left: so that the connection's end tells it of the end of this process, and of nothing else.
    func waitForEnd() async { await OneTimeEvent().wait() }

    /// Answers that it has not been tried.
    func refuse(_ reason: String) async { await send(ControlAnswer(.refused, [reason]).bytes) }

    /// Waits until there is something to read, or room for more, or the client has left.
    ///
    /// - Returns: false when that has not come in time.
    private func isReady(for interest: Readiness, until deadline: Instant) async -> Bool {
        guard watch != nil else { return false }
        setInterest(interest)
        await wakeup.wait(until: deadline)
        setInterest([])
        return .current < deadline
    }

    private func setInterest(_ interest: Readiness) {
        // Nobody would hear of it.
        do throws(SystemError) { try watch?.update(interest) } catch { leave() }
    }
}
