// `sluice status`: how a Sluice that runs does.

import ArgumentParser
import EventLoop
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

    @Flag(
        help: """
            Show it in the terminal anew each second, until q is pressed or Sluice ends (status 69); arrows and page keys go \
            through it.
            """)
    var watch = false

    @Flag(help: "The metrics of all processes instead, in Prometheus' text format, as .../sluice/metrics has them.")
    var metrics = false

    func validate() throws {
        if metrics && (json || full || watch) { throw ValidationError("--metrics goes with none of --json, --full and --watch") }
        if watch && json { throw ValidationError("--watch shows text, and not JSON") }
        if watch && (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
            throw ValidationError("--watch needs a terminal; sluice status without it tells how it is now")
        }
    }

    func run() throws {
        guard watch else {
            let lines = try arguments.ask(metrics ? .metrics : .status(StatusForm(isJSON: json, isFull: full))).lines
            return printAnswer(lines, isForPeople: !json && !metrics)
        }
        let client = try arguments.client()
        do throws(SystemError) {
            let signals = try PolledSignals(StatusWatch.signals)
            switch try StatusWatch(client: client, isFull: full).run(signals) {
            case .quit: return
            case .failed(let failure): Self.exit(withError: failure.told)
            case .signalled(let signal): signals.act(on: signal)
            }
        } catch {
            writeError("sluice: \(error)")
            throw ExitCode(EX_OSERR)
        }
    }
}

/// Whoever answers may be no Sluice: nothing of it acts on a terminal.
func printAnswer(_ lines: [String], isForPeople: Bool) {
    let isShown = isForPeople || isatty(STDOUT_FILENO) == 1
    printText(lines.map { isShown ? $0.visible : $0 }.joined(separator: "\n") + "\n")
}
