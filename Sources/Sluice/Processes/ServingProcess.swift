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
    var pid: pid_t = 0
    /// From 0.
    let place: Int
    /// Its own of the counts that all have in common.
    let slot: Int
    let start = Instant.current
    /// What its settings are made of; nil until it is there, and while that is not known.
    var record: MemoryFile?
    /// The number of its settings; 0 until it is there.
    var generation = 0
    /// What it was asked last, and is to take by that, where it has not answered a reload in time.
    struct LateTaking {
        let question: ProcessQuestion?
        let record: MemoryFile?
    }

    /// Not nil as long as it is late: reloads do not ask it anything else before it has the settings in force.
    var late: LateTaking?
    var isLate: Bool { late != nil }
    /// Whether it is to open its log again when it serves: it may have opened it already.
    var owesReopening = false
    private(set) var hasServed = false
    var state = State.starting
    /// What it has told of itself last.
    var load = ProcessLoad()
    var watchdog: Watchdog
    /// Called on the loop.
    var onReport: ((ProcessReport) -> Void)?
    /// Its pid may be another's by now.
    var isReaped = false
    private(set) var isToBeKilled = false
    let launch = ProcessLaunch()
    private let socket: MessageSocket
    /// The process's end, until it is there.
    private var processEnd: MessageSocket?
    private var watch: Watch?
    /// A signal that came before it was there; 0 for none.
    private var owedSignal: Int32 = 0

    /// One that is not there yet.
    ///
    /// - Throws: `SystemError` when this process is out of descriptors.
    init(place: Int, slot: Int, watchdog: Watchdog) throws(SystemError) {
        (self.place, self.slot, self.watchdog) = (place, slot, watchdog)
        (socket, processEnd) = try MessageSocket.pair()
    }

    /// What it is to be started with; nil when that was taken before.
    func takeStart() -> (arguments: [String], socket: MessageSocket)? {
        processEnd.take().map { (Self.arguments(ofPlace: place, of: CommandLine.arguments), $0) }
    }

    /// Tells it what it is, and takes its reports from now on.
    ///
    /// - Parameters:
    ///   - record: what it is to have its settings from.
    ///   - others: the descriptors that go along behind the record.
    /// - Throws: `SystemError` when it cannot be told, or this process is out of memory: it is of no use then.
    func begin(
        _ start: ProcessStart, record: MemoryFile, others: [Int32], on loop: EventLoop
    ) throws(SystemError) {
        self.record = record
        try socket.send(MasterMessage.begin(start).text, passing: [record.number] + others)
        if state == .ending { end() }
        if owedSignal != 0 { signal(owedSignal) }
        watch = try Watch(socket.number, for: .readable, on: loop) { [unowned self] _ in
            let isThere = socket.receive { text, _ in if let report = ProcessReport(text: text) { onReport?(report) } }
            if !isThere { forget() }
        }
    }

    deinit { forget() }

    /// For people: its place, and its pid.
    var name: String { "\(place + 1) (\(pid))" }

    /// As those of the master, which has them from the shell, and whose place it is.
    static func arguments(ofPlace place: Int, of arguments: [String]) -> [String] {
        var arguments = arguments
        // Behind `sluice serve`, and ahead of all that may end the options.
        arguments.insert(contentsOf: ["--process", "\(place + 1)"], at: min(2, arguments.count))
        return arguments
    }

    /// No report of it is taken any more.
    func forget() {
        watch?.cancel()
        watch = nil
    }

    /// Whether it is there, or has been.
    var hasStarted: Bool { pid > 0 }

    func signal(_ signal: Int32) {
        if signal == SIGKILL { isToBeKilled = true }
        guard hasStarted else {
            if owedSignal != SIGKILL { owedSignal = signal }
            // One that is kept from coming to be would keep its thread and its slot, and copies of all descriptors.
            if signal == SIGKILL { launch.kill() }
            return
        }
        if !isReaped { _ = kill(pid, signal) }
    }

    /// Has it open its log again.
    func reopenLog() {
        // One that has not come to serve, whether it is to end or not, would end by the signal.
        if hasServed { signal(ServerSignals.reopening) } else { owesReopening = true }
    }

    /// It takes connections.
    func serves(_ watchdog: Watchdog) {
        (state, self.watchdog, hasServed) = (.serving, watchdog, true)
        if exchange(&owesReopening, with: false) { reopenLog() }
    }

    /// Has it end, also when it takes no message.
    func end(atOnce: Bool = false) {
        state = .ending
        guard hasStarted else { return atOnce ? signal(SIGKILL) : () }
        let message = atOnce ? MasterMessage.endAtOnce : .end
        if !socket.offer(message.text) { signal(atOnce ? SIGKILL : SIGTERM) }
    }

    /// Asks it.
    ///
    /// - Parameters:
    ///   - record: goes along, where the command takes one.
    ///   - pair: the stream for the answer; another one unless given.
    ///   - limit: how long it may take; nil for as long as it is there.
    /// - Throws: `SystemError` when this process is out of descriptors or memory: nothing has been asked then.
    func ask(
        _ command: ProcessCommand, record: MemoryFile? = nil, over pair: LocalSocket.Pair? = nil,
        within limit: Duration? = nil, on loop: EventLoop
    ) throws(SystemError) -> ProcessQuestion {
        let pair = if let pair { pair } else { try LocalSocket.pair() }
        return try ProcessQuestion(over: pair, within: limit, on: loop) { stream throws(SystemError) in
            guard hasStarted else { throw SystemError("sendmsg", code: EPIPE) }
            try socket.send(MasterMessage.ask(command).text, passing: [stream] + (record.map { [$0.number] } ?? []))
        }
    }
}
