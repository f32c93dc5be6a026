import Foundation

/// Python with the official `openai` package, which `Tests/run` installs.
package enum Python {
    package static var interpreter: String {
        ProcessInfo.processInfo.environment["SLUICE_TEST_PYTHON"] ?? "\(repository)/.build/venv/bin/python"
    }

    /// Starts a script of `Tests/EndToEnd` with the openai package set up for a site.
    package static func start(
        _ script: String, _ arguments: [String] = [], site: Site, token: String = RunningServer.token
    ) throws -> ChildProcess {
        try ChildProcess(
            interpreter, ["-u", "\(repository)/Tests/EndToEnd/\(script)"] + arguments,
            environment: [
                "OPENAI_BASE_URL": "\(site.server.secureURL)/v1", "OPENAI_API_KEY": token,
                "SSL_CERT_FILE": site.server.certificate.file, "PYTHONDONTWRITEBYTECODE": "1",
            ], in: site.directory)
    }
}
