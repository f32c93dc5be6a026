// `sluice status`: how a Sluice that runs does.

import ArgumentParser
import Clock
import Glibc

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Tell how the Sluice that runs does.",
        discussion: """
            Requests, connections and memory since the start; how upstreams and targets do; the requests of each client, by the web \
            server's names; the last errors. Nothing of it is a caller's own word, a key or a token.
            """)

    @OptionGroup var arguments: ControlArguments

    @Flag(help: "One object of JSON instead of text. Durations are seconds.")
    var json = false

    @Flag(help: "Tell of each request that is being answered, too: the oldest first, 2,000 at most.")
    var full = false

    @Flag(help: "Show it in the terminal anew each second, until q is pressed; arrows and page keys go through it.")
    var watch = false

    @Flag(help: "The metrics of all processes instead, in Prometheus' text format, as .../sluice/metrics has them.")
    var metrics = false

    func validate() throws {
        if metrics && (json || full || watch) { throw ValidationError("--metrics goes with none of --json, --full and --watch") }
        if watch && json { throw ValidationError("--watch shows text, and not JSON") }
        if watch && (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
            throw ValidationError("--watch needs a terminal")
        }
    }

    func run() throws {
        guard watch else { return print(try lines().joined(separator: "\n")) }
        try Terminal().use { terminal in
            var view = ScrolledLines()
            while true {
                view.lines = try lines()
                terminal.show(view)
                if terminal.isOverWithinASecond(&view) { return }
            }
        }
    }

    private func lines() throws -> [String] {
        try arguments.ask(metrics ? .metrics : .status(StatusForm(isJSON: json, isFull: full))).lines
    }
}

/// A terminal in which one thing is shown again and again, and keys are read as they are pressed, without an echo.
private struct Terminal {
    /// How many lines it has now.
    private var height: Int {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
        return isKnown ? Int(size.ws_row) : 24
    }

    /// The last line of the terminal is the cursor's.
    private var room: Int { max(1, height - 1) }

    /// Shows what there is room for.
    func show(_ view: ScrolledLines) {
        // Home, and what was there before goes with each line's end and the last one's.
        print("\u{1B}[H" + view.shown(in: room).map { "\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J", terminator: "")
        _ = fflush(nil)
    }

    /// Whether somebody asks for the end within a second, or the terminal is gone. Other keys do not shorten it; what they lead to is
    /// shown at once.
    func isOverWithinASecond(_ view: inout ScrolledLines) -> Bool {
        let end = Instant.current + .seconds(1)
        while true {
            let milliseconds = Int32(clamping: (end - .current).nanoseconds / 1_000_000)
            guard milliseconds > 0 else { return false }
            var readiness = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&readiness, 1, milliseconds) > 0 else { continue }
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = unsafe read(STDIN_FILENO, &bytes, bytes.count)
            guard count > 0 else { return true }
            let keys = ScrolledLines.Key.all(in: Array(bytes.prefix(count)))
            if keys.contains(.quit) { return true }
            for key in keys { view.move(key, room: room) }
            if !keys.isEmpty { show(view) }
        }
    }

    /// Runs `body`, and leaves the terminal as it was.
    func use(_ body: (Terminal) throws -> Void) throws {
        var former = termios()
        _ = unsafe tcgetattr(STDIN_FILENO, &former)
        var raw = former
        // Control-C comes as a key too: the terminal is to be as it was in any case.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        raw.c_cc.5 = 0  // VTIME
        raw.c_cc.6 = 1  // VMIN
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        // A line that is too long is cut: one that went on in the next would push others out.
        print("\u{1B}[?7l", terminator: "")
        defer {
            print("\u{1B}[?7h", terminator: "")
            _ = fflush(nil)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &former)
        }
        try body(self)
    }
}
