// The program's start.

import ArgumentParser
import EventLoop
import Glibc
import Settings

@main
struct SluiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Serves an OpenAI-compatible POST /chat/completions behind a web server that speaks FastCGI.",
        discussion: "-t in the place of a command is check, as it is with nginx and php-fpm, and -v is --version.",
        version: sluiceVersion,
        subcommands: [
            Serve.self, Check.self, Reload.self, Reopen.self, Stop.self, StatusCommand.self, ClientsCommand.self,
            ProbeCommand.self,
        ])

    static func main() {
        openStandardDescriptors()
        // A write to whoever has left is an error of that write.
        _ = signal(SIGPIPE, SIG_IGN)
        // So is one beyond the limit of a file's size (`LimitFSIZE`): a log that is full ends nothing.
        _ = signal(SIGXFSZ, SIG_IGN)
        atexit { endWithLostOutput() }
        main(arguments(Array(CommandLine.arguments.dropFirst())))
    }

    /// What `ArgumentParser` is given; ends the process, with the status of a wrong command line, where that is no command.
    private static func arguments(_ given: [String]) -> [String] {
        guard let first = given.first else {
            for line in helpMessage().split(separator: "\n", omittingEmptySubsequences: false) { writeError(String(line)) }
            Glibc.exit(EX_USAGE)
        }
        if first == "-t" { return ["check"] + given.dropFirst() }
        if first == "-v" || first == "-V" { return ["--version"] }
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        guard !first.hasPrefix("-"), !names.contains(first) else { return given }
        let meant = otherWords[first] ?? NameSuggestions.nearest(to: first, among: names)
        writeError("sluice: there is no command '\(first)'\(meant.map { "; did you mean '\($0)'?" } ?? "")")
        writeError("Commands are \(names.joined(separator: ", ")); sluice help COMMAND tells more.")
        Glibc.exit(EX_USAGE)
    }

    /// As other daemons and service managers call it.
    private static let otherWords = [
        "start": "serve", "run": "serve", "test": "check", "configtest": "check", "quit": "stop", "shutdown": "stop",
    ]
}

/// Whatever printed it: half a page is not to pass for a whole one.
private func endWithLostOutput() {
    guard let failure = lostOutput() else { return }
    writeError("sluice: the output is not whole: \(failure)")
    _exit(EX_IOERR)
}

/// A process may be started without them. What it opens first would take their numbers, and log lines would go there.
private func openStandardDescriptors() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
        _ = unsafe open("/dev/null", O_RDWR)
    }
}
