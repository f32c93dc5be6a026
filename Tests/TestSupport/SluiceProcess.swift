import Foundation

/// The program under test on a unix socket.
package final class SluiceProcess: Sendable {
    package let process: ChildProcess
    package let socket: String

    /// `SLUICE_BINARY`, else the debug build.
    package static var binary: String {
        ProcessInfo.processInfo.environment["SLUICE_BINARY"] ?? "\(repository)/.build/debug/sluice"
    }

    /// Starts `sluice serve` and waits until it accepts.
    ///
    /// - Parameters:
    ///   - upstream: for `--upstream`.
    ///   - options: further ones.
    ///   - environment: the whole environment but for `PATH`, `HOME` and `LANG`.
    package init(
        upstream: String, options: [String] = [], environment: [String: String] = ["OPENAI_API_KEY": "sk-stub"],
        in directory: TemporaryDirectory
    ) async throws {
        let socket = directory.path("sluice.sock")
        self.socket = socket
        process = try ChildProcess(
            Self.binary, ["serve", "--listen", "unix:\(socket)", "--upstream", upstream, "--workers", "2"] + options,
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
