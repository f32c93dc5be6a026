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
        discussion: """
            -t in the place of a command is check, as it is with nginx and php-fpm; -tt, as it is with php-fpm, and -T, as it \
            is with nginx, are check --show; and -v is --version.
            """,
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
        // What `ArgumentParser` has printed.
        atexit { if let failure = lostOutput() { endWithLostOutput(failure) } }
        main(arguments(Array(CommandLine.arguments.dropFirst())))
    }

    /// What `ArgumentParser` is given; ends the process, with the status of a wrong command line, where that is no command.
    private static func arguments(_ given: [String]) -> [String] {
        guard let first = given.first else {
            for line in helpMessage().split(separator: "\n", omittingEmptySubsequences: false) { writeError(String(line)) }
            Glibc.exit(EX_USAGE)
        }
        if first == "-t" { return ["check"] + given.dropFirst() }
        if first == "-tt" || first == "-T" { return ["check", "--show"] + given.dropFirst() }
        if first == "-v" || first == "-V" { return ["--version"] }
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        // Of one that there is not, `ArgumentParser` would show the help for all.
        let name = first == "help" && given.count > 1 ? given[1] : first
        guard !name.hasPrefix("-"), !names.contains(name) else { return given }
        let meant = otherWords[name] ?? NameSuggestions.nearest(to: name, among: names)
        writeError("sluice: there is no command '\(name)'\(meant.map { "; did you mean '\($0)'?" } ?? "")")
        writeError("Commands are \(names.joined(separator: ", ")); sluice help COMMAND tells more.")
        Glibc.exit(EX_USAGE)
    }

    /// As other daemons and service managers call it.
    private static let otherWords = [
        "start": "serve", "run": "serve", "test": "check", "configtest": "check", "quit": "stop", "shutdown": "stop",
    ]
}

/// Prints it as it is. When it cannot be written the process ends: half a page is not to pass for a whole one.
func printText(_ text: String) {
    do throws(SystemError) { try writeOutput(Array(text.utf8)) } catch { endWithLostOutput(error) }
}

private func endWithLostOutput(_ failure: SystemError) -> Never {
    writeError("sluice: the output is not whole: \(failure)")
    _exit(EX_IOERR)
}

/// A process may be started without them. What it opens first would take their numbers, and log lines would go there. What
/// would be printed nowhere fails.
private func openStandardDescriptors() {
    for (number, mode) in [(STDIN_FILENO, O_RDWR), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDWR)]
    where fcntl(number, F_GETFD) < 0 {
        _ = unsafe open("/dev/null", mode)
    }
}
