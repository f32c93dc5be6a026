import COpenSSL
import Testing

@testable import HTTPClient

/// A server's certificate, and what is to be said of it.
private struct Case: CustomTestStringConvertible {
    let testDescription: String
    var host = "localhost"
    /// Nil when it is good.
    let reason: String?
    var kind = TestCertificate.Kind()
    /// How the issuers between the trusted authority and the server look.
    var intermediates: [TestCertificate.Kind] = []
    var isSelfSigned = false
    var isAuthorityKnown = true
    var sendsChain = true

    init(_ description: String, _ reason: String?, host: String = "localhost", _ change: (inout Case) -> Void = { _ in }) {
        (testDescription, self.reason, self.host) = (description, reason, host)
        change(&self)
    }

    static func names(_ names: String?, _ reason: String?, host: String) -> Case {
        Case("\(names ?? "no name") for \(host)", reason, host: host) { $0.kind.names = names }
    }
}

private func other(_ host: String) -> String { "the certificate is for another name than \(host)" }
private let unknown = "the certificate's issuer is not trusted (unknown authority"
private let noIssuer = "an issuer in the certificate's chain may not issue certificates"

private let names: [Case] = [
    .names("DNS:localhost", nil, host: "localhost"),
    .names("DNS:localhost", nil, host: "localhost."),
    .names("DNS:LocalHost", nil, host: "lOCALHOST"),
    .names("DNS:localhost", other("localhost.example"), host: "localhost.example"),
    .names("DNS:localhost.example", other("localhost"), host: "localhost"),
    .names("DNS:*.example.com", nil, host: "api.example.com"),
    .names("DNS:*.example.com", other("a.b.example.com"), host: "a.b.example.com"),
    .names("DNS:*.example.com", other("example.com"), host: "example.com"),
    .names("DNS:*.com", other("example.com"), host: "example.com"),
    .names("DNS:*", other("localhost"), host: "localhost"),
    .names("DNS:f*.example.com", other("foo.example.com"), host: "foo.example.com"),
    .names("DNS:*o.example.com", other("foo.example.com"), host: "foo.example.com"),
    .names("DNS:api.*.com", other("api.example.com"), host: "api.example.com"),
    .names("DNS:*.*.example.com", other("a.b.example.com"), host: "a.b.example.com"),
    .names("IP:127.0.0.1", nil, host: "127.0.0.1"),
    .names("IP:127.0.0.1", other("127.0.0.2"), host: "127.0.0.2"),
    .names("IP:::1", nil, host: "::1"),
    .names("IP:::1", nil, host: "0:0:0:0:0:0:0:1"),
    .names("IP:::2", other("::1"), host: "::1"),
    .names("DNS:127.0.0.1", other("127.0.0.1"), host: "127.0.0.1"),
    .names("DNS:localhost,IP:127.0.0.2", other("127.0.0.1"), host: "127.0.0.1"),
    .names("IP:127.0.0.1", other("localhost"), host: "localhost"),
    .names("email:localhost,URI:https://localhost", other("localhost"), host: "localhost"),
    // "localhost", a NUL and ".evil": 82 is the tag of a DNS name.
    .names("DER:30:11:82:0F:6C:6F:63:61:6C:68:6F:73:74:00:2E:65:76:69:6C", other("localhost"), host: "localhost"),
    Case("only the subject bears the name", other("localhost")) { ($0.kind.names, $0.kind.subject) = (nil, "localhost") },
    Case("the subject bears another name", nil) { $0.kind.subject = "elsewhere" },
    Case("the subject bears the name, the names do not", other("localhost")) {
        ($0.kind.names, $0.kind.subject) = ("DNS:elsewhere", "localhost")
    },
    Case("the subject bears the address", other("127.0.0.1"), host: "127.0.0.1") {
        ($0.kind.names, $0.kind.subject) = (nil, "127.0.0.1")
    },
]

private let chains: [Case] = [
    Case("expired", "the certificate has expired") { $0.kind.validity = -7_200 ... -3_600 },
    Case("not yet valid", "the certificate is not yet valid") { $0.kind.validity = 3_600...7_200 },
    Case("self-signed", "the certificate is self-signed and not trusted") { $0.isSelfSigned = true },
    Case("by an unknown authority", unknown) { $0.isAuthorityKnown = false },
    Case("through an intermediate", nil) { $0.intermediates = [.authority("between")] },
    Case("through an intermediate that is left out", "\(unknown), or the server leaves an intermediate out") {
        ($0.intermediates, $0.sendsChain) = ([.authority("between")], false)
    },
    Case("through an expired intermediate", "the certificate has expired") {
        $0.intermediates = [.authority("between")]
        $0.intermediates[0].validity = -7_200 ... -3_600
    },
    Case("by a server's certificate", noIssuer) {
        $0.intermediates = [TestCertificate.Kind(subject: "elsewhere", names: "DNS:elsewhere")]
    },
    Case("by one that says CA:FALSE", noIssuer) {
        $0.intermediates = [.authority("between")]
        $0.intermediates[0].extensions[NID_basic_constraints] = "critical,CA:FALSE"
    },
    Case("by one that may not sign", noIssuer) {
        $0.intermediates = [.authority("between")]
        $0.intermediates[0].extensions[NID_key_usage] = "critical,digitalSignature"
    },
    Case("below an authority that may have none below", noIssuer) {
        $0.intermediates = [.authority("first"), .authority("second")]
        $0.intermediates[0].extensions[NID_basic_constraints] = "critical,CA:TRUE,pathlen:0"
    },
    Case("by one for other names", "the certificate's issuer may not issue certificates for this name") {
        $0.intermediates = [.authority("between")]
        $0.intermediates[0].extensions[NID_name_constraints] = "critical,permitted;DNS:example.org"
    },
    Case("by one for this name", nil) {
        $0.intermediates = [.authority("between")]
        $0.intermediates[0].extensions[NID_name_constraints] = "critical,permitted;DNS:localhost"
    },
    Case("for clients only", "the certificate is not for servers") { $0.kind.extensions[NID_ext_key_usage] = "clientAuth" },
    Case("for servers", nil) { $0.kind.extensions[NID_ext_key_usage] = "serverAuth" },
    Case("signed with SHA-1", "the certificate is signed with too weak a digest") { $0.kind.digest = "SHA1" },
    Case("with RSA of 1,024 bits", "a key in the certificate's chain is too weak") { $0.kind.key = .rsa(bits: 1_024) },
    Case("with RSA of 2,048 bits", nil) { $0.kind.key = .rsa(bits: 2_048) },
    Case("with a critical extension of unknown meaning", "unhandled critical extension") {
        $0.kind.extensions[NID_md5] = "critical,DER:05:00"
    },
]

@Suite struct TLSCertificateTests {
    @Test(arguments: names + chains, [TLS1_2_VERSION, TLS1_3_VERSION])
    fileprivate func `a certificate is trusted or refused in words`(row: Case, version: Int32) throws {
        let authority = TestCertificate(.authority())
        let top = row.isAuthorityKnown ? authority : TestCertificate(.authority("somebody"))
        let issuer = row.intermediates.reduce(top) { TestCertificate($1, by: $0) }
        let certificate = TestCertificate(row.kind, by: row.isSelfSigned ? nil : issuer)
        let server = unsafe TLSPeerContext(certificate, sendsChain: row.sendsChain, versions: version...version)
        let exchange = try TLSExchange(.trusting(authority), server, host: row.host)
        let error = try exchange.handshake()
        guard let expected = row.reason else {
            #expect(error == nil)
            return
        }
        let reason = try #require(error?.tlsReason)
        #expect(reason.hasPrefix(expected))
        #expect(throws: HTTPError.self) { try exchange.write([1]) }
        #expect(exchange.read().bytes == [])
    }

    /// As curl and Python take such a file: a company's own authority is often below one that nobody hands out.
    @Test(arguments: [true, false])
    func `whom the file names is trusted, also where another has issued it`(sendsChain: Bool) throws {
        let between = TestCertificate(.authority("between"), by: TestCertificate(.authority("above")))
        let certificate = TestCertificate(by: between)
        func error(_ trusted: TestCertificate, host: String = "localhost") throws -> HTTPError? {
            let server = unsafe TLSPeerContext(certificate, sendsChain: sendsChain)
            return try TLSExchange(.trusting(trusted), server, host: host).handshake()
        }
        #expect(try error(between) == nil)
        #expect(try error(certificate) == nil)
        #expect(try error(certificate, host: "elsewhere")?.tlsReason == other("elsewhere"))
        #expect(try error(TestCertificate(.authority("between")))?.tlsReason?.isEmpty == false)
    }

    @Test(arguments: [
        "", ".", ".example.com", "a..b", "localhost..", "a b", "a\0b", "bücher.example", "[::1]", "fe80::1%lo", "*.a.b",
    ])
    func `a host that no certificate can name is refused before anything is sent`(host: String) throws {
        let context = try TLSContext.trusting(TestCertificate(.authority()))
        let output = OutputBuffer()
        #expect(throws: HTTPError.tls(reason: "no certificate can name the host")) {
            _ = try TLSStream(context, host: host, protocols: [], sessions: TLSSessions(), output: output)
        }
        #expect(output.bytes.isEmpty)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a connection goes no further without a verdict, even if OpenSSL would let it`(version: Int32) throws {
        let context = try TLSContext.trusting(TestCertificate(.authority()))
        unsafe SSL_CTX_set_verify(context.pointer, SSL_VERIFY_NONE, nil)
        let exchange = unsafe try TLSExchange(context, TLSPeerContext(TestCertificate(), versions: version...version))
        try #expect(exchange.handshake() == .tls(reason: "the certificate was not verified"))
        #expect(throws: HTTPError.self) { try exchange.write([1]) }
    }

    @Test(arguments: [("localhost", "localhost"), ("localhost.", "localhost"), ("127.0.0.1", nil), ("::1", nil)])
    func `a name is asked for by SNI and an address is not`(host: String, name: String?) throws {
        let authority = TestCertificate(.authority())
        let certificate = TestCertificate(TestCertificate.Kind(names: "DNS:localhost,IP:127.0.0.1,IP:::1"), by: authority)
        let exchange = unsafe try TLSExchange(.trusting(authority), TLSPeerContext(certificate), host: host)
        try #expect(exchange.handshake() == nil)
        let asked = unsafe SSL_get_servername(exchange.peer.pointer, TLSEXT_NAMETYPE_host_name)
        #expect(unsafe asked.map { unsafe String(cString: $0) } == name)
    }
}
