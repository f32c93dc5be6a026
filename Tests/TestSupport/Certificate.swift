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

/// An authority of a test's own, and what it issues.
package struct Authority: Sendable {
    /// A certificate in a file, and its key in another.
    package struct Issued: Sendable {
        package let file: String
        package let key: String
    }

    private let own: Issued
    private let directory: TemporaryDirectory

    /// Its certificate's file.
    package var file: String { own.file }

    /// - Parameter name: of its files, and its own.
    package init(_ name: String = "authority", in directory: TemporaryDirectory) async throws {
        self.directory = directory
        own = Issued(file: directory.path("\(name).pem"), key: directory.path("\(name).key"))
        try await ChildProcess.run(
            "openssl", ["req", "-x509", "-days", "2"] + Self.newKey(name, own.key) + ["-out", own.file], in: directory)
    }

    /// - Parameters:
    ///   - name: of its files, and its subject.
    ///   - names: in OpenSSL's syntax for the extension subjectAltName.
    ///   - days: -1 for one that has expired.
    package func issue(_ name: String, for names: String, days: Int = 2) async throws -> Issued {
        let issued = Issued(file: directory.path("\(name).pem"), key: directory.path("\(name).key"))
        let request = directory.path("\(name).csr")
        try await ChildProcess.run(
            "openssl",
            ["req", "-new"] + Self.newKey(name, issued.key) + ["-addext", "subjectAltName=\(names)", "-out", request],
            in: directory)
        try await ChildProcess.run(
            "openssl",
            [
                "x509", "-req", "-in", request, "-CA", own.file, "-CAkey", own.key, "-CAcreateserial", "-days", String(days),
                "-copy_extensions", "copyall", "-out", issued.file,
            ], in: directory)
        return issued
    }

    private static func newKey(_ name: String, _ file: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)", "-keyout", file]
    }
}
