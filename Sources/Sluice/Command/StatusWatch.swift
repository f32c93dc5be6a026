// `sluice status --watch`: the status in a terminal, anew each second.

import Clock
import EventLoop
import Glibc
import Synchronization

/// Shows the status of a Sluice, and does what keys and signals want. Nothing that it waits for keeps it from that, neither
/// the Sluice nor the terminal.
struct StatusWatch {
    enum Ending {
        /// Somebody has asked for it, or the terminal is gone.
        case quit
        case failed(ControlFailure)
        case signalled(Int32)
    }

    let client: ControlClient
    let isFull: Bool

    static let signals = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH]
    private static let period = Duration.seconds(1)

    /// Comes back with the terminal as it was, as far as it takes anything.
    ///
    /// - Parameter signals: of `Self.signals`.
    /// - Throws: `SystemError` when the machine has no more threads or descriptors.
    func run(_ signals: borrowing PolledSignals) throws(SystemError) -> Ending {
        let terminal = Terminal()
        defer { terminal.giveBack() }
        var (view, typed, isStale) = (ScrolledLines(), TypedKeys(), false)
        var (question, next) = (AskedCommand?.none, Instant.current)
        while true {
            if terminal.take(), !view.lines.isEmpty { isStale = true }
            let now = Instant.current
            if question == nil, terminal.isReady, now >= next {
                question = try AskedCommand(client, .status(StatusForm(isFull: isFull, forColumns: terminal.width)))
                next = now + Self.period
            }
            let descriptors = [terminal.isTaken ? STDIN_FILENO : -1, signals.number, question?.event.number ?? -1]
            let pause = question == nil ? next - now : nil
            Self.wait(for: descriptors, atMost: terminal.isReady ? pause : Terminal.retryTime)
            while let signal = signals.next() {
                switch signal {
                case SIGTSTP: Self.suspend(terminal, by: signals)
                // Somebody else may have had the terminal since, and has perhaps left it another.
                case SIGCONT: terminal.lose()
                case SIGWINCH: isStale = true
                default: return .signalled(signal)
                }
            }
            guard let bytes = terminal.read() else { return .quit }
            for key in typed.take(bytes, at: .current) {
                switch key {
                case .quit: return .quit
                case .suspend: Self.suspend(terminal, by: signals)
                default: view.move(key, room: terminal.height)
                }
            }
            if !bytes.isEmpty { isStale = true }
            switch question?.answer {
            case .success(let answer): (view.lines, question, isStale) = (answer.lines.map(\.visible), nil, true)
            case .failure(let failure): return .failed(failure)
            case nil: break
            }
            guard terminal.flush() else { return .quit }
            guard isStale, terminal.isReady else { continue }
            terminal.show(view)
            isStale = false
        }
    }

    /// Stops until it is to go on, with the terminal as it was.
    private static func suspend(_ terminal: Terminal, by signals: borrowing PolledSignals) {
        terminal.giveBack()
        signals.act(on: SIGTSTP)
    }

    /// Waits until one of these descriptors has something to read.
    private static func wait(for numbers: [Int32], atMost limit: Duration?) {
        var waits = numbers.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds = limit.map { Int32(clamping: max(0, $0.nanoseconds / 1_000_000 + 1)) } ?? -1
        _ = unsafe poll(&waits, nfds_t(waits.count), milliseconds)
    }
}

/// What is asked on a thread of its own, since an answer may take its time.
private final class AskedCommand: Sendable {
    /// Signalled when the answer is there.
    let event: WaitEvent
    private let result = Mutex<Result<ControlAnswer, ControlFailure>?>(nil)

    init(_ client: ControlClient, _ command: ControlCommand) throws(SystemError) {
        event = try WaitEvent()
        try startThread(named: "question") { [self] in
            let answer = Result { () throws(ControlFailure) in try client.ask(command) }
            result.withLock { $0 = answer }
            event.signal()
        }
    }

    /// Nil before it is there.
    var answer: Result<ControlAnswer, ControlFailure>? { result.withLock { $0 } }
}
