// The command line.

import ArgumentParser
import EventLoop
import FastCGI
import Glibc
import HTTPClient
import Logging

@main
struct SluiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Serves an OpenAI-compatible POST /chat/completions behind a web server that speaks FastCGI.",
        version: sluiceVersion,
        subcommands: [Serve.self, Check.self])

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

/// The options that go over the settings file and the environment.
struct SettingsArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The settings file. Default: \(SettingsSources.defaultFile) if there is one, else the environment alone.",
            valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Where the web server connects: unix:PATH, tcp:HOST:PORT, fd:NUMBER or systemd. "
                + "Default: a listening socket on descriptor 0 if there is one, else \(Settings.defaultListen).",
            valueName: "address"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "The OpenAI-compatible API to forward to, as https://HOST/v1 or unix:/PATH/OF/SOCKET:/v1, or 'demo'; instead of all "
                + "upstreams and models of the settings file. Its key is OPENAI_API_KEY. Default: \(Settings.defaultBaseURL).",
            valueName: "url|demo"))
    var upstream: String?

    @Option(
        help: ArgumentHelp("Threads that serve, each on its own. Default: one per core that it may use.", valueName: "number"))
    var workers: Int?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical. Default: info.", valueName: "level"))
    var logLevel: String?

    /// - Throws: `ExitCode` when something is wrong, after telling what.
    func load() throws -> (settings: Settings, file: String?) {
        let sources = SettingsSources(
            options: SettingsOptions(
                config: config, listen: listen, upstream: upstream, workers: workers, logLevel: logLevel),
            environment: { name in unsafe getenv(name).map { unsafe String(cString: $0) } },
            inheritsSocket: ListeningSocket.isListening(0), readFile: { path throws(SystemError) in try readFile(path) },
            readTLSFiles: { options, file throws(HTTPError) in try options.loadTLS(authoritiesFile: file) })
        do {
            return try sources.load()
        } catch {
            for problem in error.problems { writeError("sluice: \(problem)") }
            throw ExitCode(EX_CONFIG)
        }
    }
}

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer chat completions on a FastCGI socket until SIGTERM or SIGINT.",
        discussion: """
            Without options and settings file the environment is enough: OPENAI_API_KEY is the upstream's key, OPENAI_BASE_URL \
            its URL, and SLUICE_LISTEN the address to listen on. Without a key and a URL a demo answers, with no network.

            Requests and answers together hold at most a quarter of the memory of the machine, or of its control group, unless \
            the settings file says otherwise (limits.memory): bodies above it wait, and then get 503.

            The first SIGTERM or SIGINT lets open streams finish, a second one ends at once. Wrong settings end it with status 78.
            """)

    @OptionGroup var arguments: SettingsArguments

    func run() throws {
        let settings = try arguments.load().settings
        var logger = Logger(label: "sluice", factory: { _ in JSONLog(output: .standardError) })
        logger.logLevel = settings.logLevel
        do {
            try Server.run(settings, logger)
        } catch {
            throw Failure(error)
        }
    }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test the settings: tell all that is wrong with them, or that they are good.",
        discussion: """
            Takes the same options as serve, opens no socket and calls no upstream. Wrong settings end it with status 78.
            """)

    @OptionGroup var arguments: SettingsArguments

    @Flag(help: "Print the settings in force, defaults included, as a settings file. Secrets are masked.")
    var show = false

    func run() throws {
        let (settings, file) = try arguments.load()
        let verdict = "sluice: \(file ?? "the environment, without a settings file,") is good"
        print(show ? "# \(verdict); secrets are masked\n\n\(settings.text)" : verdict, terminator: show ? "" : "\n")
    }
}

/// Prints as a plain sentence, without the usage that a wrong option gets.
private struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ error: any Error) { description = "\(error)" }
}
