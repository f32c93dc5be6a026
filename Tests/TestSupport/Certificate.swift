/// A self-signed certificate for localhost and 127.0.0.1, its own authority.
package struct Certificate: Sendable {
    package let file: String
    package let key: String

    package init(in directory: TemporaryDirectory) async throws {
        file = directory.path("sluice.crt")
        key = directory.path("sluice.key")
        try await ChildProcess.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", file, "-keyout", key,
            ], in: directory)
    }
}
