// The program as a server.

import Clock
import Foundation

/// The program under test on a unix socket.
package final class SluiceProcess: Sendable {
    package let process: ChildProcess
    package let socket: String

    /// `SLUICE_BINARY`, else the debug build.
    package static var binary: String {
        ProcessInfo.processInfo.environment["SLUICE_BINARY"] ?? "\(repository)/.build/debug/sluice"
    }

    /// Where its answers come from.
    package enum Source: Sendable {
        /// For `--upstream`.
        case upstream(String)
        /// The text of a settings file.
        case settings(String)
    }

    /// Starts `sluice serve` and waits until it accepts.
    ///
    /// - Parameters:
    ///   - options: further ones.
    ///   - environment: the whole environment but for `PATH`, `HOME` and `LANG`.
    ///   - redirections: a shell's, as `2>&-`.
    package convenience init(
        upstream: String, options: [String] = [], environment: [String: String] = ["OPENAI_API_KEY": "sk-stub"],
        redirections: String = "", in directory: TemporaryDirectory
    ) async throws {
        try await self.init(
            .upstream(upstream), options: options, environment: environment, redirections: redirections, in: directory)
    }

    /// - Parameters:
    ///   - launcher: words of a command that starts the program and its arguments, which stand behind it, in its own place.
    ///   - descriptors: how many it may have open; as many as the tests otherwise.
    package init(
        _ source: Source, options: [String] = [], environment: [String: String] = ["OPENAI_API_KEY": "sk-stub"],
        redirections: String = "", launcher: [String] = [], descriptors: Int? = nil, in directory: TemporaryDirectory
    ) async throws {
        let socket = directory.path("sluice.sock")
        self.socket = socket
        let sourceOptions =
            switch source {
            case .upstream(let url): ["--upstream", url]
            case .settings(let text): ["--config", try directory.write(text, to: "sluice.toml")]
            }
        // `sh -c` takes the first word behind its command for `$0`.
        let limit = descriptors.map { "ulimit -n \($0); " } ?? ""
        let command = ["-c", "\(limit)exec \"$0\" \"$@\" \(redirections)"] + launcher + [Self.binary]
        process = try ChildProcess(
            "/bin/sh", command + ["serve", "--listen", "unix:\(socket)", "--workers", "2"] + sourceOptions + options,
            environment: environment, in: directory)
        try await process.accepts { try Socket.connected(path: socket) }
    }
}

extension SluiceProcess {
    /// Waits until it takes no more connections, as after a signal to end.
    package func refuses(within limit: Duration = .seconds(30)) async throws {
        let deadline = ContinuousClock.now + limit
        while (try? Socket.connected(path: socket)) != nil {
            guard ContinuousClock.now < deadline else { throw StillAccepting() }
            // No event tells that another process has ceased to listen.
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    package struct StillAccepting: Error {}
}
