// The Python that clients' packages are installed for.

import Foundation

/// Python with the packages of `Tests/EndToEnd/clients/requirements.txt`, which `Tests/run` installs.
package enum Python {
    package static var interpreter: String {
        ProcessInfo.processInfo.environment["SLUICE_TEST_PYTHON"] ?? "\(repository)/.build/venv/bin/python"
    }

    /// Starts a script of `Tests/EndToEnd/clients` with the openai package's environment set up for a site.
    package static func start(
        _ script: String, _ arguments: [String] = [], site: Site, token: String = RunningServer.token
    ) throws -> ChildProcess {
        try ChildProcess(
            interpreter, ["-u", "\(repository)/Tests/EndToEnd/clients/\(script)"] + arguments,
            environment: [
                "OPENAI_BASE_URL": "\(site.server.secureURL)/v1", "OPENAI_API_KEY": token,
                "SSL_CERT_FILE": site.server.certificate.file, "PYTHONPYCACHEPREFIX": "\(repository)/.build/pycache",
            ], in: site.directory)
    }
}
