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

    @Flag(help: "Show it in the terminal anew each second, as far as there is room, until q is pressed.")
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
            while true {
                terminal.show(try lines())
                if terminal.isOverWithinASecond { return }
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

    /// Shows as many lines as there is room for, and in the last one how many more there are.
    func show(_ lines: [String]) {
        // The last line of the terminal is the cursor's.
        let room = max(1, height - 1)
        var shown = lines
        if lines.count > room { shown = lines.prefix(room - 1) + ["… and \(lines.count - room + 1) more lines"] }
        // Home, and what was there before goes with each line's end and the last one's.
        print("\u{1B}[H" + shown.map { "\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J", terminator: "")
        _ = fflush(nil)
    }

    /// Whether somebody asks for the end within a second, or the terminal is gone. Other keys do not shorten it.
    var isOverWithinASecond: Bool {
        let quit: [UInt8] = [UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x03, 0x04]
        let end = Instant.current + .seconds(1)
        while true {
            let milliseconds = Int32(clamping: (end - .current).nanoseconds / 1_000_000)
            guard milliseconds > 0 else { return false }
            var readiness = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&readiness, 1, milliseconds) > 0 else { continue }
            var key: UInt8 = 0
            guard unsafe read(STDIN_FILENO, &key, 1) == 1 else { return true }
            if quit.contains(key) { return true }
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
