// `sluice probe`: what a deployment looks like from where its callers are.

import ArgumentParser
import EventLoop
import Glibc
import HTTPClient
import Settings

struct ProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Ask a deployment by its public URL, and tell what is wrong with it and where to change it.",
        discussion: """
            Looks at TLS, tokens, forms of the URL, whether streams come event by event, compression, the time of the first \
            token, heartbeats, callers who leave, a large body, errors, and what headers tell. Each comes with PASS, FINDING or, \
            where it cannot be known, ?, and a finding with the directive of each web server that mends it.

            Where the deployment's settings have probe = true, its model \(Settings.probeModel) tells exactly who holds events \
            back. Else a model of the deployment is asked 15 to 22 times, for 100 tokens at most each time, and with --vapi once \
            more, for 250, which costs what such calls cost; where --model names none, up to three that are listed are asked for \
            one token first, until one answers. Other servers of the same interface can be asked too.

            The exit status is 0 when nothing was found, 1 with a finding, 64 for a wrong option, 66 for a file that cannot be \
            read, 69 when nobody can be reached there, 75 when nothing was found before --limit was over, and 77 when it wants a \
            token and none was given.
            """)

    @Argument(help: "The base URL that callers have, as https://HOST/v1 or https://HOST/v/TOKEN, or that of chat completions.")
    var url: String

    @Option(
        help: ArgumentHelp(
            "The token. Other users of this machine can see it in the list of processes: --token-file or the variable "
                + "SLUICE_TOKEN is better.",
            valueName: "token"))
    var token: String?

    @Option(
        help: ArgumentHelp(
            "A file with a token at the beginning of a line, as a sluice.tokens: the first that no comment has. Default: the "
                + "variable SLUICE_TOKEN, else no token.",
            valueName: "file"),
        completion: .file())
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "The model to ask. Default: \(Settings.probeModel), or where it is not there the first chat model that is listed.",
            valueName: "name"))
    var model: String?

    @Option(
        help: ArgumentHelp(
            "How many seconds \(Settings.probeModel) is to be silent: longer than heartbeat, to show it. From 1 to 60.",
            valueName: "seconds"))
    var silence = 12

    @Option(
        help: ArgumentHelp(
            "For how many seconds it may take in all. What is not reached by then is not looked at. From 1 to 3600.",
            valueName: "seconds"))
    var limit = 120

    @Option(
        help: ArgumentHelp(
            "A PEM file of the authorities that vouch for the deployment, instead of the system's.", valueName: "file"),
        completion: .file())
    var authoritiesFile: String?

    @Flag(help: "Look at what Vapi demands, too.")
    var vapi = false

    @Flag(help: "One object of JSON instead of text.")
    var json = false

    func validate() throws {
        if token != nil && tokenFile != nil { throw ValidationError("--token and --token-file cannot both be given") }
        if !(1...60).contains(silence) { throw ValidationError("--silence takes a number from 1 to 60, not \(silence)") }
        if !(1...3600).contains(limit) { throw ValidationError("--limit takes a number from 1 to 3600, not \(limit)") }
        do throws(ProbeTarget.Problem) { _ = try ProbeTarget(url, token: nil) } catch { throw ValidationError(error.reason) }
    }

    func run() throws {
        let target = try target()
        try checkAuthoritiesFile()
        let plan = ProbePlan(
            target: target, model: model, silence: .seconds(silence), isForVapi: vapi, limit: .seconds(limit),
            authoritiesFile: authoritiesFile)
        let isAtTerminal = isatty(STDOUT_FILENO) == 1 && isatty(STDERR_FILENO) == 1
        let prober: Prober
        do throws(SystemError) {
            prober = try Prober(plan) { if isAtTerminal { showProgress("… \($0)") } }
        } catch {
            writeError("sluice: \(error)")
            throw ExitCode(EX_OSERR)
        }
        let report = prober.runToEnd()
        if isAtTerminal { showProgress("") }
        let isColoured = isatty(STDOUT_FILENO) == 1 && environmentVariable("NO_COLOR") == nil
        printText((json ? report.json : report.text(isColoured: isColoured)) + "\n")
        switch report.obstacle {
        case .unreachable: throw ExitCode(EX_UNAVAILABLE)
        case .noToken:
            writeError("sluice: it wants a token, and none was given: name one by SLUICE_TOKEN or --token-file")
            throw ExitCode(EX_NOPERM)
        case .found, .limit, nil:
            if report.hasFinding { throw ExitCode(1) }
            guard report.obstacle == .limit else { return }
            writeError("sluice: not all was looked at within \(limit) s: --limit gives it longer")
            throw ExitCode(EX_TEMPFAIL)
        }
    }

    private func checkAuthoritiesFile() throws {
        guard let authoritiesFile else { return }
        do throws(HTTPError) {
            _ = try ConnectionOptions().loadTLS(authoritiesFile: authoritiesFile)
        } catch {
            let reason = if case .tls(let reason) = error { reason } else { "\(error)" }
            writeError("sluice: the \(reason)")
            throw ExitCode(EX_NOINPUT)
        }
    }

    private func target() throws -> ProbeTarget {
        let token = try token ?? tokenInFile() ?? environmentVariable("SLUICE_TOKEN")
        if let token, !token.utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) {
            writeError("sluice: the token has a space, a line break or a character that is not ASCII")
            throw ExitCode(EX_USAGE)
        }
        do throws(ProbeTarget.Problem) {
            return try ProbeTarget(url, token: token.flatMap { $0.isEmpty ? nil : $0 })
        } catch { throw ValidationError(error.reason) }
    }

    private func tokenInFile() throws -> String? {
        guard let tokenFile else { return nil }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(tokenFile, bytesMax: 1 << 20) } catch {
            writeError("sluice: the token's file cannot be read: \(error)")
            throw ExitCode(EX_NOINPUT)
        }
        guard let token = ProbeTarget.token(inFile: bytes) else {
            writeError("sluice: the token's file names no token: it has comments and blank lines alone")
            throw ExitCode(EX_NOINPUT)
        }
        return token
    }
}

/// In the place of what stood in the line before.
private func showProgress(_ words: String) {
    let bytes = Array("\r\u{1B}[K\(words)".utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
