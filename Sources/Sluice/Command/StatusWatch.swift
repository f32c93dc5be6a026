// `sluice status --watch`: the status in a terminal, anew each second.

import Clock
import EventLoop
import Glibc
import Synchronization

/// Shows the status of a Sluice, and does what keys and signals want. Nothing that it waits for keeps it from that.
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

    /// Comes back with the terminal as it was.
    ///
    /// - Parameter signals: of `Self.signals`.
    /// - Throws: `SystemError` when the machine has no more threads or descriptors.
    func run(_ signals: borrowing PolledSignals) throws(SystemError) -> Ending {
        let terminal = Terminal()
        terminal.begin()
        defer { terminal.end() }
        var (view, typed) = (ScrolledLines(), [UInt8]())
        var (question, next) = (AskedCommand?.none, Instant.current)
        while true {
            let now = Instant.current
            if question == nil, now >= next {
                question = try AskedCommand(client, .status(StatusForm(isFull: isFull, forColumns: terminal.width)))
                next = now + Self.period
            }
            let descriptors = [STDIN_FILENO, signals.number, question?.event.number ?? -1]
            Self.wait(for: descriptors, atMost: question == nil ? next - now : nil)
            while let signal = signals.next() {
                switch signal {
                case SIGTSTP: terminal.pause { signals.act(on: SIGTSTP) }
                case SIGCONT, SIGWINCH: break
                default: return .signalled(signal)
                }
            }
            guard terminal.read(into: &typed) else { return .quit }
            for key in ScrolledLines.Key.take(from: &typed) {
                switch key {
                case .quit: return .quit
                case .suspend: terminal.pause { signals.act(on: SIGTSTP) }
                default: view.move(key, room: terminal.height)
                }
            }
            switch question?.answer {
            case .success(let answer): (view.lines, question) = (answer.lines.map(\.visible), nil)
            case .failure(let failure): return .failed(failure)
            case nil: break
            }
            terminal.show(view)
        }
    }

    /// Waits until one of these descriptors has something to read.
    private static func wait(for numbers: [Int32], atMost limit: Duration?) {
        var waits = numbers.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds = limit.map { Int32(clamping: $0.nanoseconds / 1_000_000 + 1) } ?? -1
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

/// A terminal in which one thing is shown again and again, and keys are read as they are pressed, without an echo.
private struct Terminal {
    private let former: termios

    init() {
        var former = termios()
        _ = unsafe tcgetattr(STDIN_FILENO, &former)
        self.former = former
    }

    private var size: (rows: Int, columns: Int) {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        return isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
    }

    /// How many lines there is room for.
    var height: Int { size.rows }

    /// How many characters of a line there is room for. The last column is the cursor's: what clears the rest of a line begins there.
    var width: Int { size.columns - 1 }

    func begin() {
        var raw = former
        // Control-C and Control-Z come as keys too: the terminal is to be as it was in any case.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        raw.c_cc.5 = 0  // VTIME
        raw.c_cc.6 = 0  // VMIN
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        // A line that the terminal has become too narrow for pushes no other out.
        print("\u{1B}[?7l", terminator: "")
        _ = fflush(nil)
    }

    /// Leaves it as it was, with the cursor below what was shown.
    func end() {
        print("\u{1B}[?7h")
        _ = fflush(nil)
        var former = former
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &former)
    }

    /// As it was for as long as `body` takes.
    func pause(_ body: () -> Void) {
        end()
        body()
        begin()
    }

    /// Shows what there is room for.
    func show(_ view: ScrolledLines) {
        let (rows, columns) = size
        let lines = view.shown(in: rows).map { $0.cutBetweenWords(to: columns - 1) + "\u{1B}[K" }
        // Home, and what was there before goes with each line's end and the last one's.
        print("\u{1B}[H" + lines.joined(separator: "\n") + "\u{1B}[J", terminator: "")
        _ = fflush(nil)
    }

    /// What was typed, without waiting for it.
    ///
    /// - Returns: false when the terminal is gone.
    func read(into typed: inout [UInt8]) -> Bool {
        var waits = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waits, 1, 0) > 0 else { return true }
        var part = [UInt8](repeating: 0, count: 64)
        let count = unsafe Glibc.read(STDIN_FILENO, &part, part.count)
        guard count > 0 else { return false }
        typed += part.prefix(count)
        return true
    }
}
