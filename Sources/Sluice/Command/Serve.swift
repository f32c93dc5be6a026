// `sluice serve`: the daemon.

import ArgumentParser
import FastCGI
import Glibc
import Logging
import Settings

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer chat completions on a FastCGI socket until SIGTERM or SIGINT.",
        discussion: """
            Without options and settings file the environment is enough: OPENAI_API_KEY is the upstream's key, OPENAI_BASE_URL \
            its URL, and SLUICE_LISTEN the address to listen on. Without a key and a URL a demo answers, with no network.

            Requests and answers together hold at most a quarter of the memory of the machine, or of its control group, unless \
            the settings file says otherwise (limits.memory): bodies above it wait, and then get 503.

            The first SIGTERM or SIGINT lets open streams finish, a second one ends at once. Wrong settings end it with status 78, an \
            address that cannot be had with 73, one that is not its user's to have with 77.
            """)

    @OptionGroup var arguments: SettingsArguments

    func run() throws {
        let settings = try arguments.load().settings
        var logger = Logger(label: "sluice", factory: { _ in JSONLog(output: .standardError) })
        logger.logLevel = settings.logLevel
        do {
            try Server.run(settings, logger)
        } catch let error as ListenError {
            writeError("sluice: \(error)")
            throw ExitCode(error.kind.status)
        } catch {
            throw Failure(error)
        }
    }
}

extension ListenError.Kind {
    /// As sysexits.h has it.
    fileprivate var status: Int32 {
        switch self {
        case .settings: EX_CONFIG
        case .creation: EX_CANTCREAT
        case .permission: EX_NOPERM
        }
    }
}

/// Prints as a plain sentence, without the usage that a wrong option gets.
private struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ error: any Error) { description = "\(error)" }
}
