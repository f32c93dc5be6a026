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

    /// 0 until it is there.
    var number: pid_t = 0
    /// From 0.
    let place: Int
    /// Its own of the counts that all have in common.
    let slot: Int
    let start = Instant.current
    /// What its settings are made of; nil until it is there.
    var record: MemoryFile?
    /// Whether it is to open its log again when it serves: it may have opened it already.
    var owesReopening = false
    var state = State.starting
    /// What it has told of itself last.
    var load = ProcessLoad()
    var silence: Silence
    /// Called on the loop.
    var onReport: ((ProcessReport) -> Void)?
    private let socket: MessageSocket
    /// Its own end, until it is there.
    private var its: MessageSocket?
    private var watch: Watch?
    /// A signal that came before it was there; 0 for none.
    private var owedSignal: Int32 = 0

    /// One that is not there yet.
    ///
    /// - Parameter silence: after which it counts as hanging.
    /// - Throws: `SystemError` when the process is out of descriptors.
    init(place: Int, slot: Int, silence: Silence) throws(SystemError) {
        (self.place, self.slot, self.silence) = (place, slot, silence)
        let (own, its) = try MessageSocket.pair()
        (socket, self.its) = (own, its)
    }

    /// What it is to be started with; nil when that was taken before.
    func takeStart() -> (arguments: [String], socket: MessageSocket)? {
        its.take().map { (Self.arguments(ofPlace: place, of: CommandLine.arguments), $0) }
    }

    /// Tells it what it is, and hears it from now on.
    ///
    /// - Parameters:
    ///   - record: what it is to have its settings from.
    ///   - others: what goes along behind the records.
    func begin(
        _ beginning: MasterMessage, _ record: MemoryFile, firstRecord: MemoryFile, _ others: [Int32], on loop: EventLoop
    ) {
        self.record = record
        // It may be gone already: then that is heard of elsewhere.
        try? socket.send(beginning.text, passing: [firstRecord.number, record.number] + others)
        if state == .ending { try? socket.send(MasterMessage.end.text) }
        if owedSignal != 0 { signal(owedSignal) }
        watch = try? Watch(socket.number, for: .readable, on: loop) { [unowned self] _ in
            while true {
                switch socket.receive() {
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

    /// As those of the master, which has them from the shell, and whose place it is.
    static func arguments(ofPlace place: Int, of arguments: [String]) -> [String] {
        var arguments = arguments
        // Behind `sluice serve`, and ahead of all that may end the options.
        arguments.insert(contentsOf: ["--process", "\(place + 1)"], at: min(2, arguments.count))
        return arguments
    }

    /// Nothing more is heard of it.
    func forget() {
        watch?.cancel()
        watch = nil
    }

    /// Its number may be another's by now.
    var isReaped = false

    /// Whether it is there, or has been.
    var hasStarted: Bool { number > 0 }

    func signal(_ signal: Int32) {
        guard hasStarted else { return owedSignal = signal }
        if !isReaped { _ = kill(number, signal) }
    }

    /// Has it end, also when it takes no message.
    func end(atOnce: Bool = false) {
        state = .ending
        guard hasStarted else { return atOnce ? signal(SIGKILL) : () }
        do throws(SystemError) { try socket.send((atOnce ? MasterMessage.endAtOnce : .end).text) } catch {
            signal(atOnce ? SIGKILL : SIGTERM)
        }
    }

    /// Asks it.
    ///
    /// - Parameter seconds: how long it may take to say anything; 0 for as long as it is there.
    /// - Returns: what it answers; nil when it does not.
    /// - Throws: `SystemError` when this process is out of descriptors or threads: nothing has been asked then.
    func ask(
        _ command: ProcessCommand, _ record: MemoryFile? = nil, within seconds: Int = 0, on loop: EventLoop
    ) throws(SystemError) -> Task<ControlAnswer?, Never> {
        guard hasStarted else { return Task(executorPreference: loop) { nil } }
        let (own, its) = try LocalSocket.pair()
        let stream = ControlStream(asking: own.takeDescriptor())
        let (answers, answer) = AsyncStream.makeStream(of: ControlAnswer.self)
        try startThread(named: "from master") {
            if let own = ControlAnswer(text: stream.answer(within: seconds, restWithin: seconds)) { answer.yield(own) }
            answer.finish()
        }
        // Where it takes no message, the other end of the stream is closed with that: it is not waited for.
        try? socket.send(MasterMessage.ask(command).text, passing: [its.number] + (record.map { [$0.number] } ?? []))
        withExtendedLifetime(its) {}
        return Task(executorPreference: loop) {
            for await answer in answers { return answer }
            return nil
        }
    }
}
