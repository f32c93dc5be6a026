// The command line.

import ArgumentParser
import FastCGI
import Glibc
import Logging

@main
struct SluiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Serves an OpenAI-compatible POST /chat/completions behind a web server that speaks FastCGI.",
        version: sluiceVersion,
        subcommands: [Serve.self])
}

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer chat completions on a FastCGI socket until SIGTERM or SIGINT.",
        discussion: """
            Without options the environment is enough: OPENAI_API_KEY is the upstream's key, OPENAI_BASE_URL its URL, and \
            SLUICE_LISTEN the address to listen on. Without a key and a URL a demo answers, with no network.

            The first SIGTERM or SIGINT lets open streams finish, a second one ends at once.
            """)

    @Option(
        help: ArgumentHelp(
            "Where the web server connects: unix:PATH, tcp:HOST:PORT or fd:NUMBER. "
                + "Default: a listening socket on descriptor 0 if there is one, else \(Settings.defaultListen).",
            valueName: "address"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "The OpenAI-compatible API to forward to, as https://HOST/v1, or 'demo'. Default: \(Settings.defaultBaseURL).",
            valueName: "url|demo"))
    var upstream: String?

    @Option(help: ArgumentHelp("Threads that serve, each on its own. Default: one per core.", valueName: "number"))
    var workers: Int?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = "info"

    func run() throws {
        let settings = try makeSettings()
        var logger = Logger(label: "sluice", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = settings.logLevel
        do {
            try Server.run(settings, logger)
        } catch {
            throw Failure(error)
        }
    }

    private func makeSettings() throws -> Settings {
        do {
            return try Settings(
                listen: listen, upstream: upstream, workers: workers, logLevel: logLevel,
                environment: { name in unsafe getenv(name).map { unsafe String(cString: $0) } },
                inheritsSocket: ListeningSocket.isListening(0))
        } catch {
            throw ValidationError(error.description)
        }
    }
}

/// Prints as a plain sentence, without the usage that a wrong option gets.
private struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ error: any Error) { description = "\(error)" }
}
