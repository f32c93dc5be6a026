// One of the processes that serve, as the master knows it.

import Clock
import EventLoop
import Glibc

/// A process that the master has started, until it is reaped. On the master's loop.
final class ServingProcess {
    enum State {
        case starting, serving
        /// It takes nothing new.
        case ending
    }

    let number: pid_t
    /// From 0.
    let place: Int
    /// Its own of the counts that all have in common.
    let slot: Int
    let start = Instant.current
    /// What its settings are made of.
    var record: MemoryFile
    /// Whether it reads the files, and writes the record.
    let readsAnew: Bool
    var state = State.starting
    /// What it has told of itself last.
    var load = ProcessLoad()
    var silence: Silence
    /// Called on the loop.
    var onReport: ((ProcessReport) -> Void)?
    private let socket: MessageSocket
    private var watch: Watch?

    /// Starts it.
    ///
    /// - Parameters:
    ///   - record: empty if it is to read the files.
    ///   - silence: after which it counts as hanging.
    /// - Throws: `SystemError` when the machine allows no more processes or descriptors.
    init(
        _ beginning: MasterMessage, place: Int, slot: Int, record: MemoryFile, firstRecord: MemoryFile, _ others: [Int32],
        silence: Silence, on loop: EventLoop
    ) throws(SystemError) {
        (self.place, self.slot, self.record, self.silence) = (place, slot, record, silence)
        readsAnew = !record.isSealed
        let (own, its) = try MessageSocket.pair()
        socket = own
        // It is there before the process is: this end may be gone when that looks.
        try own.send(beginning.text, passing: [firstRecord.number, record.number] + others)
        number = try startProcess(Self.arguments + ["--process", "\(place + 1)"], with: its)
        watch = try? Watch(own.number, for: .readable, on: loop) { [unowned self] _ in
            while true {
                switch own.receive() {
                case .message(let text, _): if let report = ProcessReport(text: text) { onReport?(report) }
                case .nothing: return
                case .end: return forget()
                }
            }
        }
        // Without it nobody would hear that it is alive.
        if watch == nil { signal(SIGKILL) }
    }

    deinit { forget() }

    /// For people: its place, and its number.
    var name: String { "\(place + 1) (\(number))" }

    /// As those of the master, which has them from the shell.
    private static let arguments = CommandLine.arguments

    /// Nothing more is heard of it.
    func forget() {
        watch?.cancel()
        watch = nil
    }

    func signal(_ signal: Int32) { _ = kill(number, signal) }

    /// Has it end, also when it takes no message.
    func end(atOnce: Bool = false) {
        state = .ending
        do throws(SystemError) { try socket.send((atOnce ? MasterMessage.endAtOnce : .end).text) } catch {
            signal(atOnce ? SIGKILL : SIGTERM)
        }
    }

    /// Asks it.
    ///
    /// - Parameter seconds: how long it may take to say anything; 0 for as long as it is there.
    /// - Returns: what it answers; nil when it does not.
    func ask(
        _ command: ProcessCommand, _ record: MemoryFile? = nil, within seconds: Int = 0, on loop: EventLoop
    ) -> Task<ControlAnswer?, Never> {
        let stream: ControlStream
        do throws(SystemError) {
            let (own, its) = try LocalSocket.pair()
            stream = ControlStream(asking: own.takeDescriptor())
            defer { withExtendedLifetime(its) {} }
            try socket.send(MasterMessage.ask(command).text, passing: [its.number] + (record.map { [$0.number] } ?? []))
        } catch {
            return Task(executorPreference: loop) { nil }
        }
        return Task(executorPreference: loop) {
            let text = try? await runOnThread { stream.answer(within: seconds, restWithin: seconds) }
            return text.flatMap { ControlAnswer(text: $0) }
        }
    }
}
