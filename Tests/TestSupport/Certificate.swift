/// A self-signed certificate, its own authority.
package struct Certificate: Sendable {
    package let file: String
    package let key: String

    /// - Parameter names: in OpenSSL's syntax for the extension subjectAltName.
    package init(for names: String = "DNS:localhost,IP:127.0.0.1", in directory: TemporaryDirectory) async throws {
        file = directory.path("sluice.crt")
        key = directory.path("sluice.key")
        try await ChildProcess.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=\(names)", "-out", file, "-keyout", key,
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
    ///   - isExpired: whether it was valid for a day of the past.
    package func issue(_ name: String, for names: String, isExpired: Bool = false) async throws -> Issued {
        let issued = Issued(file: directory.path("\(name).pem"), key: directory.path("\(name).key"))
        let request = directory.path("\(name).csr")
        try await ChildProcess.run(
            "openssl",
            ["req", "-new"] + Self.newKey(name, issued.key) + ["-addext", "subjectAltName=\(names)", "-out", request],
            in: directory)
        // OpenSSL 3.5 gives no other command a day of the past.
        let days = isExpired ? ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] : ["-days", "2"]
        try await ChildProcess.run(
            "openssl",
            [
                "ca", "-batch", "-notext", "-config", try book(of: name), "-cert", own.file, "-keyfile", own.key, "-in", request,
                "-out", issued.file,
            ] + days, in: directory)
        return issued
    }

    /// What OpenSSL wants to write down about what it issues.
    private func book(of name: String) throws -> String {
        try directory.write("", to: "\(name).index")
        return try directory.write(
            """
            [ca]
            default_ca = own
            [own]
            database = \(directory.path("\(name).index"))
            new_certs_dir = \(directory.path(""))
            rand_serial = yes
            default_md = sha256
            policy = any
            copy_extensions = copyall
            [any]
            commonName = supplied
            """, to: "\(name).conf")
    }

    private static func newKey(_ name: String, _ file: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)", "-keyout", file]
    }
}
