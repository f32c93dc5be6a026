import TestSupport
import Testing

/// What the log says of a certificate that is not accepted. The caller learns nothing of it.
@Suite struct `An upstream's certificate` {
    struct Flaw: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var names = "DNS:localhost"
        var isExpired = false
        var isTrusted = true
        let reason: String
    }

    @Test(arguments: [
        Flaw(testDescription: "expired", isExpired: true, reason: "the certificate has expired"),
        Flaw(
            testDescription: "another's", names: "DNS:other.example", reason: "the certificate is for another name than localhost"
        ),
        Flaw(testDescription: "by somebody unknown", isTrusted: false, reason: "(unknown authority"),
    ])
    func `is refused, and the log says why`(flaw: Flaw) async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        let trusted = flaw.isTrusted ? authority : try await Authority("other", in: directory)
        let upstream = try StubUpstream(.stream([]))
        let certificate = try await authority.issue("front", for: flaw.names, isExpired: flaw.isExpired)
        let front = try await UpstreamFront(for: upstream, certificate, in: directory)
        let settings = oneUpstream(url: "https://localhost:\(front.port)", authorities: trusted.file)
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            try await site.fails(because: flaw.reason)
            #expect(upstream.requests.value.isEmpty)
        }
        try await front.end()
    }
}

/// An upstream that asks who calls (mTLS).
@Suite struct `A client's certificate` {
    private let frames = Chunks.stream(["Hello"])

    /// An upstream that lets nobody in without a certificate of its authority.
    private func with(
        http2: Bool, tls: String = "TLSv1.2 TLSv1.3", certificate: String,
        _ test: (Site) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        _ = try await authority.issue("client", for: "DNS:client")
        let upstream = try StubUpstream(.stream(frames))
        let front = try await UpstreamFront(
            for: upstream, authority.issue("front", for: "DNS:localhost"), http2: http2,
            [
                "ssl_verify_client on", "ssl_client_certificate \(authority.file)", "ssl_protocols \(tls)",
            ], in: directory)
        let settings = oneUpstream(url: "https://localhost:\(front.port)", authorities: "authority.pem", certificate)
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings, in: directory, test)
        try await front.end()
    }

    private let ours = "certificate = \"client.pem\"\ncertificate_key = \"client.key\""

    @Test(arguments: [false, true], ["TLSv1.2", "TLSv1.3"])
    func `is shown to an upstream that asks for one`(http2: Bool, tls: String) async throws {
        try await with(http2: http2, tls: tls, certificate: ours) { site in
            try await site.answers(frames)
        }
    }

    /// OpenSSL's own server breaks the handshake off, in TLS 1.3 after the client took it for done (RFC 8446 §4.4.2.4).
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `that is missing is told in words`(version: String) async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        let issued = try await authority.issue("front", for: "DNS:localhost")
        let port = try freePort()
        let strict = try ChildProcess(
            "openssl",
            [
                "s_server", version, "-accept", "127.0.0.1:\(port)", "-cert", issued.file, "-key", issued.key, "-Verify", "1",
                "-verify_return_error", "-CAfile", authority.file, "-www",
            ], in: directory)
        try await strict.accepts { try Socket.connected(port: port) }
        let settings = oneUpstream(url: "https://localhost:\(port)", authorities: "authority.pem")
        try await Site.with(
            WebServer.selected[0], upstream: try StubUpstream(.silence), settings: settings, in: directory
        ) { site in
            try await site.fails(because: "the server requires a client certificate")
        }
        try await strict.end()
    }

    /// nginx completes the handshake and answers 400.
    @Test(arguments: [false, true])
    func `that is missing is a refusal where the server says so by HTTP`(http2: Bool) async throws {
        try await with(http2: http2, certificate: "") { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 400)
            #expect(site.upstream.requests.value.isEmpty)
            let words = "status 400 with a page of HTML"
            let line = try await ChildProcess.line(containing: words, in: site.sluice.process.errors)
            #expect(line.contains(#""message":"the upstream failed""#) && line.contains("the certificate, if the server asks"))
        }
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let settings: String
        /// What the message must name.
        let named: [String]
        var testDescription: String { settings }
    }

    @Test(
        arguments: ["check", "serve"],
        [
            Mistake(
                settings: "certificate = \"client.pem\"\ncertificate_key = \"other.key\"",
                named: ["sluice.toml:3: upstreams.stub.certificate", "the key in ./other.key does not belong to the certificate"]),
            Mistake(
                settings: "certificate = \"garbage\"\ncertificate_key = \"client.key\"",
                named: ["certificate ./garbage cannot be read: nothing of the kind is in it"]),
            Mistake(
                settings: "certificate = \"client.pem\"\ncertificate_key = \"garbage\"",
                named: ["key ./garbage cannot be read"]),
            Mistake(
                settings: "certificate = \"client.key\"\ncertificate_key = \"client.pem\"",
                named: ["certificate ./client.key cannot be read"]),
            Mistake(
                settings: "certificate = \"empty\"\ncertificate_key = \"client.key\"",
                named: ["certificate ./empty cannot be read: it is empty"]),
            Mistake(
                settings: "certificate = \"client.pem\"\ncertificate_key = \"locked.key\"",
                named: ["key ./locked.key cannot be read: it is encrypted"]),
        ])
    func `that cannot be used is an error at the start`(command: String, mistake: Mistake) async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        _ = try await authority.issue("client", for: "DNS:client")
        _ = try await authority.issue("other", for: "DNS:other")
        try directory.write("no PEM", to: "garbage")
        try directory.write("", to: "empty")
        try await ChildProcess.run(
            "openssl", ["pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:secret", "-out", "locked.key"], in: directory)
        try directory.write("[upstreams.stub]\nurl = \"https://host\"\n\(mistake.settings)", to: "sluice.toml")
        let run = try await SluiceRun(
            [command, "--config", "sluice.toml", "--listen", "unix:sluice.sock"], in: directory)
        #expect(run.exit == .code(78))
        for text in mistake.named { #expect(run.errors.contains(text), "\(run.errors)") }
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }

    /// A server may take it all the same.
    @Test func `that has expired is a warning of check, at the start and at each reload`() async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        _ = try await authority.issue("client", for: "DNS:client", isExpired: true)
        let settings = "control = \"unix:control.sock\"\n[upstreams.stub]\nurl = \"https://localhost:9\"\nkey = \"k\"\n\(ours)"
        let sentence = "sluice.toml:5: upstreams.stub.certificate names a certificate that expired at 2020-01-02T00:00:00Z"
        let sluice = try await SluiceProcess(.settings(settings), environment: [:], in: directory)
        func warnings(_ count: Int) async throws {
            try await sluice.process.errors.wait(for: "\(count) warnings") { output in
                output.lines.count { $0.contains("something in the settings may not work") && $0.contains(sentence) } == count
            }
        }
        try await warnings(1)
        let check = try await SluiceRun(["check", "--config", "sluice.toml"], in: directory)
        #expect(check.exit == .code(0))
        #expect(check.output == "sluice: sluice.toml is good\n")
        #expect(check.errors == "sluice: warning: \(sentence)\n")
        let reload = try await SluiceRun(["reload", "--config", "sluice.toml"], in: directory)
        #expect(reload.exit == .code(0))
        #expect((reload.output + reload.errors).contains("warning: \(directory.path(sentence))\n"))
        try await warnings(2)
        try await sluice.process.end()
    }

    @Test(arguments: ["check", "serve"], ["garbage", "empty", "missing"])
    func `or authorities that cannot be used are one too, once for all upstreams`(command: String, file: String) async throws {
        let directory = try TemporaryDirectory()
        try directory.write("no PEM", to: "garbage")
        try directory.write("", to: "empty")
        let settings = """
            [upstreams.one]
            kind = "compatible"
            url = "https://one"
            [upstreams.two]
            kind = "compatible"
            url = "https://two"
            [[models]]
            match = "*"
            targets = ["one", "two"]
            """
        try directory.write(settings, to: "sluice.toml")
        let run = try await SluiceRun(
            [command, "--config", "sluice.toml", "--listen", "unix:sluice.sock"],
            environment: ["SSL_CERT_FILE": directory.path(file)], in: directory)
        #expect(run.exit == .code(78))
        #expect(
            run.errors.contains("SSL_CERT_FILE cannot be used: authorities file \(directory.path(file)) cannot be read"),
            "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
}
