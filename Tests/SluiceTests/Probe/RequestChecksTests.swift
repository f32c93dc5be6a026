import Testing

@testable import HTTPClient
@testable import Sluice

/// What single answers say of a deployment.
@Suite struct RequestChecksTests {
    private static let day = 86_400

    private func reachable(_ answer: ProbeAnswer, left: Int? = nil, of life: Int = 90, isLocal: Bool = false) -> ProbeCheck {
        let connection = left.map { left in
            NewConnection(
                isHTTP2: true,
                serverCertificate: CertificateValidity(notBefore: (left - life) * Self.day, notAfter: left * Self.day))
        }
        return RequestChecks.reachable(answer, over: connection, isSecure: left != nil, isLocal: isLocal, now: 0)
    }

    @Test(arguments: [
        (60, 90, ProbeCheck.Verdict.pass), (16, 90, .pass), (14, 90, .finding(.certificate)), (-1, 90, .finding(.certificate)),
        (3, 6, .pass), (2, 2, .pass), (60, 400, .finding(.certificate)),
    ])
    func `a certificate is held against its own life`(left: Int, life: Int, verdict: ProbeCheck.Verdict) {
        #expect(reachable(refusal(400), left: left, of: life).verdict == verdict)
    }

    @Test func `who cannot be reached safely is told why`() {
        #expect(reachable(failed(.refused)).verdict == .finding(.unreachable))
        let insecure = reachable(failed(.tls(reason: "the server requires a client certificate")))
        #expect(insecure.verdict == .finding(.insecure) && insecure.evidence == "TLS: the server requires a client certificate")
        #expect(reachable(refusal(400)).verdict == .finding(.plain))
        #expect(reachable(refusal(400), isLocal: true).verdict == .pass)
    }

    @Test(arguments: [
        ("the certificate has expired", "renew it"),
        ("the certificate is for another name than host.example", "a name that is in it"),
        ("the certificate is self-signed and not trusted", "--authorities-file"),
        ("the certificate's issuer is not trusted (unknown authority)", "--authorities-file"),
        ("no trusted authorities were found: install ca-certificates or set authorities_file", "--authorities-file"),
        ("the server speaks no TLS", "http://"),
    ])
    func `who fails in TLS is told what to do`(reason: String, remedy: String) {
        let check = reachable(failed(.tls(reason: reason)))
        #expect(check.verdict == .finding(.insecure))
        #expect(check.evidence.hasPrefix("TLS: \(reason): ") && check.evidence.contains(remedy), "\(check)")
    }

    /// What a web server answers itself.
    private static func page(_ status: Int, _ fields: [(name: String, value: String)] = []) -> ProbeAnswer {
        answer(status, "<html></html>", [("content-type", "text/html")] + fields)
    }

    struct Scheme: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let usual: ProbeAnswer
        let overTLS: ProbeAnswer?
        let isWrong: Bool

        init(_ description: String, _ usual: ProbeAnswer, _ overTLS: ProbeAnswer?, isWrong: Bool) {
            (testDescription, self.usual, self.overTLS, self.isWrong) = (description, usual, overTLS, isWrong)
        }

        static let all = [
            Scheme("nginx's page for plain HTTP", page(400), refusal(401), isWrong: true),
            Scheme("the same in the words of the shipped files", refusal(400), refusal(401), isWrong: true),
            Scheme("a connection that is closed", failed(.cutOff(afterBytes: 0)), page(404), isWrong: true),
            Scheme(
                "a certificate of another name", page(400), failed(.tls(reason: "the certificate is for another name than a")),
                isWrong: true),
            Scheme("a redirect", page(301, [("location", "https://host.example/v1/chat/completions")]), nil, isWrong: true),
            Scheme("a redirect to plain HTTP", page(301, [("location", "http://host.example/v2")]), nil, isWrong: false),
            Scheme("no TLS", page(404), failed(.tls(reason: "the server speaks no TLS")), isWrong: false),
            Scheme("no port to ask at", page(404), nil, isWrong: false),
        ]
    }

    @Test(arguments: Scheme.all) func `a port that speaks TLS alone is told by what it answers to both`(row: Scheme) {
        #expect(RequestChecks.mayNeedTLS(row.usual))
        let check = RequestChecks.scheme(row.usual, overTLS: row.overTLS)
        #expect(check.map(\.verdict) == (row.isWrong ? .finding(.wrongScheme) : nil))
        #expect(check.map { $0.evidence.contains("https://") } != false)
    }

    @Test(arguments: [
        answer(400, "", [("x-request-id", "req_1")]), answer(200), failed(.refused),
        failed(.timedOut(.total, after: .seconds(30))),
    ])
    func `who has answered, or is not there, is not asked by TLS too`(usual: ProbeAnswer) {
        #expect(!RequestChecks.mayNeedTLS(usual))
    }

    @Test(arguments: [
        (400, ProbeCheck.Verdict.unknown), (404, .unknown), (301, .unknown), (200, .finding(.unguarded)),
        (403, .finding(.unguarded)),
    ])
    func `a page of the web server's lets nobody in`(status: Int, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.token(right: nil, none: Self.page(status), wrong: Self.page(status)).verdict == verdict)
    }

    @Test(arguments: [
        (401, 401, ProbeCheck.Verdict.pass), (400, 400, .finding(.unguarded)), (401, 400, .finding(.unguarded)),
        (403, 403, .finding(.unguarded)), (401, 503, .unknown), (429, 401, .unknown),
    ])
    func `strangers get 401`(none: Int, wrong: Int, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.token(right: refusal(400), none: refusal(none), wrong: refusal(wrong)).verdict == verdict)
        #expect(RequestChecks.token(right: nil, none: refusal(none), wrong: refusal(wrong)).verdict == verdict)
    }

    @Test func `a token that is refused is told before all else`() {
        let check = RequestChecks.token(right: refusal(401), none: refusal(401), wrong: refusal(401))
        #expect(check.verdict == .finding(.tokenRefused))
    }

    @Test func `all forms of the URL lead to the same`() {
        let usual = refusal(400)
        #expect(RequestChecks.paths(usual, [("a", refusal(400)), ("b", refusal(400))]).verdict == .pass)
        let check = RequestChecks.paths(usual, [("a", refusal(400)), ("b", answer(404))])
        #expect(check.verdict == .finding(.path))
        #expect(check.evidence == "b: status 404, where the URL itself gives status 400")
        #expect(RequestChecks.paths(answer(404), []).verdict == .finding(.path))
    }

    @Test(arguments: [
        (400, ProbeCheck.Verdict.pass), (422, .pass), (413, .finding(.body)), (503, .unknown), (429, .unknown),
    ])
    func `a body of a mebibyte is taken`(status: Int, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.body(refusal(status)).verdict == verdict)
    }

    @Test func `a connection that ends under a body is a refusal too`() {
        #expect(RequestChecks.body(failed(.cutOff(afterBytes: 0))).verdict == .finding(.body))
    }

    @Test func `errors are JSON and have the statuses that callers know`() {
        let good = RequestChecks.Provoked(what: "GET", answer: refusal(405), statuses: [405, 404])
        #expect(RequestChecks.errors([good]).verdict == .pass)
        #expect(RequestChecks.errors([good]).evidence == "405 for GET, each in JSON")
        let page = answer(405, "<html>", [("content-type", "text/html")])
        let check = RequestChecks.errors([good, .init(what: "POST", answer: page, statuses: [405])])
        #expect(check.verdict == .finding(.errors))
        #expect(check.evidence == "POST: status 405 with a body that is no JSON error")
        let other = RequestChecks.errors([.init(what: "no token", answer: refusal(500), statuses: [401])])
        #expect(other.evidence == "no token: status 500, where callers expect 401")
        #expect(RequestChecks.errors([.init(what: "GET", answer: failed(.refused), statuses: [405])]).verdict == .unknown)
    }

    @Test(arguments: [
        ("server", "nginx/1.22.1", ProbeCheck.Verdict.finding(.versions)), ("server", "nginx", .pass),
        ("x-powered-by", "PHP", .finding(.versions)), ("server", "Apache/2.4.57 (Debian)", .finding(.versions)),
        ("server", "a/b", .pass), ("via", "1.1 x/2", .pass),
    ])
    func `headers tell no version`(name: String, value: String, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.versions([head(), head(200, [(name, value)])]).verdict == verdict)
    }

    @Test func `a connection is kept, and speaks no HTTP of the first version`() {
        #expect(RequestChecks.connection(refusal(400), wasKept: true).verdict == .pass)
        #expect(RequestChecks.connection(refusal(400), wasKept: false).verdict == .finding(.closes))
        var old = refusal(400)
        old.head?.version = .http10
        #expect(RequestChecks.connection(old, wasKept: false).verdict == .finding(.oldHTTP))
        #expect(RequestChecks.connection(failed(.refused), wasKept: true).verdict == .unknown)
    }

    @Test func `HTTP of the second version is offered with TLS`() {
        let (old, new) = (
            NewConnection(isHTTP2: false, serverCertificate: nil), NewConnection(isHTTP2: true, serverCertificate: nil)
        )
        #expect(RequestChecks.http2(new, isSecure: true).verdict == .pass)
        #expect(RequestChecks.http2(old, isSecure: true).verdict == .finding(.noHTTP2))
        #expect(RequestChecks.http2(old, isSecure: false).verdict == .unknown)
    }
}
