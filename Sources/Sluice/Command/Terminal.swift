// A terminal that one thing is shown in.

import Glibc

/// A terminal in which one thing is shown again and again, and keys are read as they are pressed, without an echo.
///
/// Nothing here waits for it: it may take nothing for long, as after Control-S.
final class Terminal {
    private let former: termios
    /// Where it is written to without waiting.
    private let output: Int32
    /// What it is still to take.
    private var unwritten: ArraySlice<UInt8> = []
    /// Whether it is as it has to be for this.
    private(set) var isTaken = false
    /// Whether it was made so, and has not been made what it was: also where somebody else may have had it meanwhile.
    private var isChanged = false

    /// After which time it is tried again what it did not take, or whether it is this process's to use. It cannot be
    /// polled for that: the kernel's says that there is room when there is too little for anything (pty(7)).
    static let retryTime = Duration.milliseconds(100)

    init() {
        var former = termios()
        _ = unsafe tcgetattr(STDIN_FILENO, &former)
        self.former = former
        // Opened once more, since whoever else has it open is to wait for it as before. The first name is there also for a
        // user who may not open the other.
        let path = tcgetpgrp(STDOUT_FILENO) >= 0 ? "/dev/tty" : "/proc/self/fd/\(STDOUT_FILENO)"
        let number = unsafe open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        output = number >= 0 ? number : STDOUT_FILENO
    }

    deinit { if output != STDOUT_FILENO { _ = close(output) } }

    private var size: (rows: Int, columns: Int) {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        return isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
    }

    /// How many lines there is room for.
    var height: Int { size.rows }

    /// How many characters of a line there is room for. The last column is the cursor's: what clears the rest of a line
    /// begins there.
    var width: Int { size.columns - 1 }

    /// Whether it has taken all that it was given, and may be given more.
    var isReady: Bool { isTaken && unwritten.isEmpty }

    /// Whether it is this process's to use: not when a shell has it, which has the process go on in the background. Whoever
    /// changes it or reads from it then is stopped. Where nobody says whose it is, it is.
    private var isOurs: Bool {
        let group = tcgetpgrp(STDIN_FILENO)
        return group <= 0 || group == getpgrp()
    }

    // MARK: Taking it, and giving it back

    /// Makes it what it has to be, if it is this process's to use and is not so yet. If it is another's by now, it is not
    /// taken any more: who has it need not have told this process so, by SIGCONT.
    ///
    /// - Returns: whether it is so from now on: all is to be shown anew.
    func take() -> Bool {
        guard isOurs else {
            lose()
            return false
        }
        guard !isTaken else { return false }
        (isTaken, isChanged) = (true, true)
        set { $0.makeRaw() }
        // A line that the terminal has become too narrow for pushes no other out.
        write("\u{1B}[?7l")
        return true
    }

    /// Somebody else may have had it meanwhile, and has perhaps changed it.
    func lose() { (isTaken, unwritten) = (false, []) }

    /// Leaves it as it was, with the cursor below what was shown.
    func giveBack() {
        lose()
        guard isChanged, isOurs else { return }
        isChanged = false
        // Output that Control-S has stopped goes on by this, so that the last of it gets there.
        set {
            $0.makeRaw()
            $0.c_iflag &= ~tcflag_t(IXON)
        }
        write("\u{1B}[?7h\n")
        unwritten = []
        set { _ in }
    }

    private func set(_ change: (inout termios) -> Void) {
        var modes = former
        change(&modes)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &modes)
    }

    // MARK: What is shown, and typed

    /// Shows what there is room for.
    func show(_ view: ScrolledLines) {
        let (rows, columns) = size
        let lines = view.shown(in: rows).map { $0.cutBetweenWords(to: columns - 1) + "\u{1B}[K" }
        // Home, and what was there before goes with each line's end and the last one's.
        write("\u{1B}[H" + lines.joined(separator: "\n") + "\u{1B}[J")
    }

    private func write(_ text: String) {
        unwritten += text.utf8
        _ = flush()
    }

    /// Has it take what it takes now.
    ///
    /// - Returns: false when it is gone.
    func flush() -> Bool {
        while !unwritten.isEmpty {
            let count = unsafe unwritten.withUnsafeBytes { unsafe Glibc.write(output, $0.baseAddress, $0.count) }
            if count > 0 {
                unwritten = unwritten.dropFirst(count)
            } else if count == 0 || errno == EAGAIN {
                return true
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// What was typed, without waiting for it.
    ///
    /// - Returns: nil when the terminal is gone.
    func read() -> ArraySlice<UInt8>? {
        guard isTaken, isOurs else { return [] }
        var waits = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waits, 1, 0) > 0 else { return [] }
        var part = [UInt8](repeating: 0, count: 64)
        let count = unsafe Glibc.read(STDIN_FILENO, &part, part.count)
        return count > 0 ? part.prefix(count) : nil
    }
}

extension termios {
    /// Control-C and Control-Z come as keys too: the terminal is to be as it was in any case.
    fileprivate mutating func makeRaw() {
        c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        c_cc.5 = 0  // VTIME
        c_cc.6 = 0  // VMIN
    }
}
