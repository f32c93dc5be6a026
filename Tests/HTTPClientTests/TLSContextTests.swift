import COpenSSL
import Glibc
import TestSupport
import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct TLSContextTests {
    private let directory: TemporaryDirectory
    private let authority = TestCertificate(.authority())
    private let authoritiesFile: String

    init() throws {
        directory = try TemporaryDirectory()
        authoritiesFile = try directory.write(authority.pem, to: "authority.pem")
    }

    private func reason(_ identity: TLSIdentity) -> String? {
        do {
            _ = try TLSContext.shared(identity)
            return nil
        } catch {
            return error.tlsReason
        }
    }

    @Test func `an identity has one context in the process`() throws {
        let identity = TLSIdentity(authoritiesFile: authoritiesFile)
        let context = try TLSContext.shared(identity)
        try #expect(TLSContext.shared(identity) === context)
        let copy = try directory.write(authority.pem, to: "copy.pem")
        try #expect(TLSContext.shared(TLSIdentity(authoritiesFile: copy)) !== context)
    }

    @Test func `a file that was mended is read again`() throws {
        let identity = TLSIdentity(authoritiesFile: directory.path("late.pem"))
        #expect(reason(identity) != nil)
        try directory.write(authority.pem, to: "late.pem")
        #expect(reason(identity) == nil)
    }

    @Test func `a file that has changed is read again, and not what has stayed`() throws {
        let identity = TLSIdentity(authoritiesFile: try directory.write(authority.pem, to: "changing.pem"))
        let (former, kept) = (ConnectionOptions(), ConnectionOptions())
        try former.loadTLS(authoritiesFile: identity.authoritiesFile)
        try kept.loadTLS(authoritiesFile: identity.authoritiesFile)
        #expect(kept.makeSameConnections(as: former))
        try directory.write(authority.pem + TestCertificate(.authority()).pem, to: "changing.pem")
        let next = ConnectionOptions()
        try next.loadTLS(authoritiesFile: identity.authoritiesFile)
        #expect(!next.makeSameConnections(as: former))
        try #expect(TLSContext.shared(identity) === next.tlsContext(authoritiesFile: identity.authoritiesFile))
        // Those that have read it once do not look again.
        try #expect(former.tlsContext(authoritiesFile: identity.authoritiesFile) !== TLSContext.shared(identity))
    }

    @Test func `a client's certificate says when it is valid`() throws {
        var kind = TestCertificate.Kind()
        kind.validity = -7_200 ... -3_600
        let certificate = TestCertificate(kind, by: authority)
        let options = ConnectionOptions(
            certificate: try directory.write(certificate.pem, to: "client.pem"),
            certificateKey: try directory.write(certificate.keyPEM(), to: "client.key"))
        let validity = try #require(try options.loadTLS(authoritiesFile: authoritiesFile))
        #expect(validity.notAfter - validity.notBefore == 3_600)
        #expect((-7_200 ... -3_600).contains(validity.notAfter - time(nil)))
        #expect(try ConnectionOptions().loadTLS(authoritiesFile: authoritiesFile) == nil)
    }

    @Test func `an identity that nobody uses any more is let go`() throws {
        weak var former: TLSContext?
        do {
            let options = ConnectionOptions()
            former = try options.tlsContext(authoritiesFile: authoritiesFile)
            #expect(former != nil)
        }
        let next = ConnectionOptions()
        try next.loadTLS(authoritiesFile: try directory.write(authority.pem, to: "next.pem"))
        #expect(former == nil)
    }

    @Test func `authorities that cannot be read are named with the reason`() throws {
        let missing = directory.path("missing.pem")
        #expect(
            reason(TLSIdentity(authoritiesFile: missing))
                == "authorities file \(missing) cannot be read: No such file or directory")
        let empty = try directory.write("", to: "empty.pem")
        #expect(reason(TLSIdentity(authoritiesFile: empty)) == "authorities file \(empty) cannot be read: it is empty")
        let text = try directory.write("no certificate\n", to: "text.pem")
        #expect(reason(TLSIdentity(authoritiesFile: text))?.hasPrefix("authorities file \(text) cannot be read: ") == true)
        let pipe = directory.path("pipe")
        unsafe #expect(mkfifo(pipe, 0o600) == 0)
        #expect(reason(TLSIdentity(authoritiesFile: pipe)) == "authorities file \(pipe) cannot be read: not a regular file")
        #expect(ERR_peek_error() == 0)
    }

    @Test func `a certificate or key that cannot be used is named with the reason`() throws {
        let client = TestCertificate(by: authority)
        let certificate = try directory.write(client.pem, to: "client.pem")
        let key = try directory.write(client.keyPEM(), to: "client.key")
        func reason(_ certificate: String?, _ key: String?) -> String? {
            self.reason(TLSIdentity(authoritiesFile: authoritiesFile, certificate: certificate, certificateKey: key))
        }
        #expect(reason(certificate, key) == nil)
        let both = try directory.write(client.pem + client.keyPEM(), to: "both.pem")
        #expect(reason(both, nil) == nil)
        #expect(reason(nil, key) == "a key was given without its certificate")
        #expect(reason("/nonexistent", key) == "certificate /nonexistent cannot be read: No such file or directory")
        #expect(reason(certificate, "/nonexistent") == "key /nonexistent cannot be read: No such file or directory")
        #expect(reason(key, key) == "certificate \(key) cannot be read: nothing of the kind is in it")
        #expect(reason(certificate, nil) == "key \(certificate) cannot be read: nothing of the kind is in it")
        let other = try directory.write(TestCertificate().keyPEM(), to: "other.key")
        #expect(reason(certificate, other) == "the key in \(other) does not belong to the certificate")
        let rsa = try directory.write(TestCertificate(.init(key: .rsa(bits: 2_048))).keyPEM(), to: "rsa.key")
        #expect(reason(certificate, rsa) == "the key in \(rsa) does not belong to the certificate")
        let encrypted = try directory.write(client.keyPEM(password: "secret"), to: "encrypted.key")
        #expect(
            reason(certificate, encrypted)
                == "key \(encrypted) cannot be read: it is encrypted; it must be one without a password")
    }

    private func demanding(_ version: Int32) -> TLSPeerContext {
        let trusted = unsafe authority.pointer
        return unsafe TLSPeerContext(TestCertificate(by: authority), versions: version...version) { pointer in
            unsafe X509_STORE_add_cert(SSL_CTX_get_cert_store(pointer), trusted)
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a server that demands a certificate gets it with its chain`(version: Int32) throws {
        let between = TestCertificate(.authority("between"), by: authority)
        let client = TestCertificate(TestCertificate.Kind(subject: "client", names: nil), by: between)
        let certificate = try directory.write(client.pem + between.pem, to: "client.pem")
        let key = try directory.write(client.keyPEM(), to: "client.key")
        let context = try TLSContext.trusting(authority, certificate: certificate, key: key)
        let exchange = try TLSExchange(context, demanding(version))
        try #expect(exchange.handshake() == nil)
        exchange.peer.write([1])
        #expect(exchange.read() == ([1], .wantsMore))
        let shown = unsafe SSL_get0_peer_certificate(exchange.peer.pointer)
        #expect(unsafe shown != nil && X509_cmp(shown, client.pointer) == 0)
    }

    /// In TLS 1.3 the client's handshake is over before the server has seen its certificate.
    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a server that demands a certificate in vain is told in words`(version: Int32) throws {
        let exchange = try TLSExchange(.trusting(authority), demanding(version))
        let expected = HTTPError.tls(reason: "the server requires a client certificate")
        if let error = try exchange.handshake() {
            #expect(error == expected)
        } else {
            #expect(exchange.read() == ([], .failed(expected)))
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a server that refuses the certificate is told by its alert`(version: Int32) throws {
        let stranger = TestCertificate(TestCertificate.Kind(subject: "stranger"))
        let both = try directory.write(stranger.pem + stranger.keyPEM(), to: "stranger.pem")
        let exchange = try TLSExchange(.trusting(authority, certificate: both), demanding(version))
        let error: HTTPError? = try exchange.handshake()
        guard case .failed(let late) = error.map({ .failed($0) }) ?? exchange.read().end else {
            Issue.record("it was accepted")
            return
        }
        #expect(late.tlsReason?.hasSuffix("(alert 48 unknown CA)") == true)
    }

    @Test func `where OpenSSL finds no authorities the reason says so`() throws {
        let empty = try TemporaryDirectory()
        func exist(_ file: String, _ directories: String) -> Bool {
            SystemAuthorities(file: file, directories: directories, areChosen: true).exist
        }
        #expect(!exist("/nonexistent", "/nonexistent"))
        #expect(!exist(try empty.write("", to: "empty.pem"), empty.path))
        #expect(exist(authoritiesFile, "/nonexistent"))
        try empty.write("x", to: "ca-certificates.crt")
        #expect(!exist("/nonexistent", empty.path))
        try empty.write("x", to: "0a1b2c3d.0")
        #expect(exist("/nonexistent", "/nonexistent:\(empty.path)"))
        let words = TLSWords.verification(Int(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY), host: "h", hasAuthorities: false)
        #expect(words == "no trusted authorities were found: install ca-certificates or set authorities_file")
    }

    @Test func `without a file the system's authorities are trusted, and no other`() throws {
        let context = try TLSContext.shared(TLSIdentity())
        let exchange = unsafe try TLSExchange(context, TLSPeerContext(TestCertificate(by: authority)))
        try #expect(exchange.handshake() != nil)
        #expect(throws: HTTPError.self) { try exchange.write([1]) }
    }

    @Test func `several threads share a context, and no error shows in another thread`() async throws {
        let context = try TLSContext.shared(TLSIdentity(authoritiesFile: authoritiesFile))
        try await withThrowingTaskGroup { group in
            for number in 0..<4 {
                group.addTask {
                    let server = unsafe TLSPeerContext(
                        TestCertificate(by: number % 2 == 0 ? TestCertificate(.authority("other")) : nil))
                    for _ in 0..<50 {
                        let reason = try TLSExchange(context, server).handshake()?.tlsReason
                        #expect(reason?.contains("self-signed") == (number % 2 == 1))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
