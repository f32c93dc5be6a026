// The program's start.

import ArgumentParser
import Glibc

@main
struct SluiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Serves an OpenAI-compatible POST /chat/completions behind a web server that speaks FastCGI.",
        version: sluiceVersion,
        subcommands: [Serve.self, Check.self, Reload.self, Reopen.self, Stop.self, StatusCommand.self])

    static func main() {
        openStandardDescriptors()
        // A write to whoever has left is an error of that write.
        _ = signal(SIGPIPE, SIG_IGN)
        // So is one beyond the limit of a file's size (`LimitFSIZE`): a log that is full ends nothing.
        _ = signal(SIGXFSZ, SIG_IGN)
        main(nil)
    }
}

/// A process may be started without them. What it opens first would take their numbers, and log lines would go there.
private func openStandardDescriptors() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
        _ = unsafe open("/dev/null", O_RDWR)
    }
}
