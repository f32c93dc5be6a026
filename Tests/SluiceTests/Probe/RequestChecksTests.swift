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
        (3, 6, .pass), (2, 2, .pass), (59, 398, .pass), (31, 398, .pass), (29, 398, .finding(.certificate)),
    ])
    func `a certificate is held against its own life`(left: Int, life: Int, verdict: ProbeCheck.Verdict) {
        #expect(reachable(refusal(400), left: left, of: life).verdict == verdict)
    }

    @Test func `who cannot be reached safely is told why`() {
        #expect(reachable(failed(.refused)).verdict == .finding(.unreachable))
        let insecure = reachable(failed(.tls(reason: "the server requires a client certificate")))
        #expect(insecure.verdict == .finding(.handshake) && insecure.evidence == "TLS: the server requires a client certificate")
        #expect(reachable(refusal(400)).verdict == .finding(.plain))
        #expect(reachable(refusal(400), isLocal: true).verdict == .pass)
    }

    @Test(arguments: [
        ("the certificate has expired", ProbeFinding.insecure, "renew it"),
        ("the certificate is for another name than host.example", .insecure, "a name that is in it"),
        ("the certificate is self-signed and not trusted", .insecure, "--authorities-file"),
        ("the certificate's issuer is not trusted (unknown authority)", .insecure, "--authorities-file"),
        (
            "no trusted authorities were found: install ca-certificates or set authorities_file", .noAuthorities,
            "--authorities-file"
        ),
        ("the server speaks no TLS", .wrongScheme, "http://"),
    ])
    func `who fails in TLS is told what to do`(reason: String, finding: ProbeFinding, remedy: String) {
        let check = reachable(failed(.tls(reason: reason)))
        #expect(check.verdict == .finding(finding))
        #expect(check.evidence.hasPrefix("TLS: \(reason): ") && check.evidence.contains(remedy), "\(check)")
    }

    /// OpenSSL's verdicts, each in the words that it gets.
    @Test(arguments: [7, 9, 10, 18, 19, 20, 21, 22, 23, 25, 26, 27, 47, 48, 62, 64, 66, 67, 68, 79])
    func `a certificate that is not taken is told from a handshake that fails`(verdict: Int) {
        let reason = TLSWords.verification(verdict, host: "host.example", hasAuthorities: true)
        let answer = failed(.tls(reason: reason))
        #expect(answer.hasRefusedCertificate && !answer.hasNoHandshake, "\(reason)")
        #expect(reachable(answer).verdict == .finding(.insecure), "\(reason)")
    }

    @Test func `a machine that trusts nobody is told from a certificate that is not trusted`() {
        let answer = failed(.tls(reason: TLSWords.verification(20, host: "host.example", hasAuthorities: false)))
        #expect(answer.hasRefusedCertificate && reachable(answer).verdict == .finding(.noAuthorities))
    }

    /// Reasons of OpenSSL's library of TLS: a wrong version number, and the alert for no version of HTTP in common.
    @Test(arguments: [(267, TLSProblem.noTLS, ProbeFinding.wrongScheme), (1120, .noVersion, .handshake)])
    func `a handshake that fails is told by its reason`(reason: Int, problem: TLSProblem, finding: ProbeFinding) {
        let words = TLSWords.failure(UInt(20 << 23 | reason), isOpen: false, wasAskedForCertificate: false)
        let answer = failed(.tls(reason: words))
        #expect(answer.failure?.tlsProblem == problem && answer.hasNoHandshake, "\(words)")
        #expect(reachable(answer).verdict == .finding(finding))
    }

    @Test func `what the limit cuts off is not known`() {
        let late = RequestChecks.reachable(failed(.timedOut(.total, after: .seconds(5))), within: .seconds(5))
        #expect(late.verdict == .unknown && late.evidence == "no answer within the limit of 5.0 s (--limit)")
        let first = RequestChecks.reachable(Self.page(502), within: .seconds(1))
        #expect(first.verdict == .unknown)
        #expect(first.evidence == "status 502, and the limit of 1.0 s was over before more could be asked (--limit)")
    }

    @Test(arguments: [
        (HTTPError.cannotResolve(host: "a"), "an address"), (.refused, "running"),
        (.timedOut(.connect, after: .seconds(10)), "firewall"), (.timedOut(.connect, after: .seconds(9)), "DNS"),
        (.timedOut(.total, after: .seconds(30)), "log"),
        (.cutOff(afterBytes: 0), "error log"),
    ])
    func `who cannot be reached is told where to look`(error: HTTPError, place: String) {
        let check = reachable(failed(error))
        #expect(check.verdict == .finding(.unreachable))
        #expect(check.evidence.hasPrefix("\(error): ") && check.evidence.contains(place), "\(check)")
    }

    @Test func `an answer that comes to no end is none`() {
        var drip = answer(200)
        drip.failure = .timedOut(.total, after: .seconds(30))
        let check = reachable(drip)
        #expect(check.verdict == .finding(.unreachable))
        #expect(check.evidence.hasPrefix("status 200, and then not finished within 30s"))
    }

    @Test(arguments: [
        (Self.page(502), true), (Self.page(503), true), (Self.page(504), true), (Self.page(521), true), (refusal(503), true),
        (refusal(500), false), (refusal(503, Self.id), false), (refusal(400), false), (refusal(502, Self.id), false),
        (Self.page(502, Self.id), true), (answer(503, "", Self.id), true),
        (refusal(503, Self.id, code: "service_unavailable"), true),
    ])
    func `a web server with nobody behind it is told from one that is refused something`(answer: ProbeAnswer, isAlone: Bool) {
        #expect(answer.hasNobodyBehind == isAlone)
        let check = reachable(answer, left: 60)
        #expect((check.verdict == .finding(.nothingBehind)) == isAlone)
        #expect(check.evidence.contains("is Sluice running") == isAlone, "\(check)")
        #expect(check.evidence.contains("a limit of its own") == (isAlone && answer.status == 503), "\(check)")
    }

    private static let id = [(name: "x-request-id", value: "req_1")]

    /// What a web server answers itself.
    fileprivate static func page(_ status: Int, _ fields: [(name: String, value: String)] = []) -> ProbeAnswer {
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
            Scheme("a page with an id", page(400, id), refusal(401), isWrong: true),
            Scheme("a connection that is closed", failed(.cutOff(afterBytes: 0)), page(404), isWrong: true),
            Scheme(
                "a certificate of another name", page(400), failed(.tls(reason: "the certificate is for another name than a")),
                isWrong: true),
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
        refusal(400, Self.id), answer(200), failed(.refused), failed(.timedOut(.total, after: .seconds(30))),
    ])
    func `who has answered, or is not there, is not asked by TLS too`(usual: ProbeAnswer) {
        #expect(!RequestChecks.mayNeedTLS(usual))
    }

    @Test(arguments: [
        (
            "http://host.example/v1", "https://host.example/v1/chat/completions", ProbeFinding.wrongScheme,
            "https://host.example/v1/chat/completions,"
        ),
        ("http://host.example/v1", "http://host.example/v2", .redirected, "http://host.example/v2,"),
        ("https://host.example/v1", "https://www.host.example/v1", .redirected, "https://www.host.example/v1,"),
        ("https://host.example/v1", "/v2/chat/completions", .redirected, "https://host.example/v2/chat/completions,"),
        ("http://host.example/v1", "//www.host.example/v1", .redirected, "http://www.host.example/v1,"),
        ("http://host.example/v/s3cret/v1", "https://a.example/v/s3%63ret/v1?b=s3cret", .wrongScheme, "/v/TOKEN/v1?b=TOKEN,"),
        ("http://host.example/v/s3cret/v1", "./x", .redirected, "http://host.example/v/TOKEN/v1/chat/x,"),
        ("https://host.example/v1", "v2/x", .redirected, "https://host.example/v1/chat/v2/x,"),
        ("https://host.example/v1", "../../v2/./x?b=../c", .redirected, "https://host.example/v2/x?b=../c,"),
        ("https://host.example/v1", "/v1/../..", .redirected, "https://host.example/,"),
        ("https://host.example", "..", .redirected, "https://host.example/,"),
        ("https://host.example/v1", "?a=b:c", .redirected, "https://host.example/v1/chat/completions?a=b:c,"),
        ("https://host.example/v1", "#a", .redirected, "https://host.example/v1/chat/completions#a,"),
        ("https://host.example/v1", "ftp:x", .redirected, "callers to ftp:x,"),
        ("https://host.example/v1", "https://a.example/?token=s3cret", .redirected, "https://a.example/?token=TOKEN,"),
    ])
    func `where callers are sent on to is the URL to have`(
        url: String, location: String, finding: ProbeFinding, shown: String
    ) throws {
        for status in [301, 302, 307, 308] {
            let target = try ProbeTarget(url, token: "s3cret")
            let check = try #require(RequestChecks.redirect(Self.page(status, [("location", location)]), from: target))
            #expect(check.verdict == .finding(finding) && check.evidence.hasPrefix("status \(status) leads"))
            #expect(check.evidence.contains(shown) && !check.evidence.contains("cret"), "\(check)")
        }
    }

    @Test func `a redirect that leads nowhere is one, and an answer is none`() throws {
        let target = try ProbeTarget("https://host.example/v1", token: nil)
        #expect(RequestChecks.redirect(Self.page(302), from: target)?.verdict == .finding(.redirected))
        for status in [200, 400, 401, 503] { #expect(RequestChecks.redirect(refusal(status), from: target)?.verdict == nil) }
    }

    private func token(_ none: ProbeAnswer, _ wrong: ProbeAnswer, chats: [ProbeAnswer?] = [nil, nil]) -> ProbeCheck {
        RequestChecks.token([
            .init(credentials: .none, answer: none, chat: chats[0]),
            .init(credentials: .wrong, answer: wrong, chat: chats[1]),
        ])
    }

    @Test(arguments: [
        (400, ProbeCheck.Verdict.unknown), (404, .unknown), (301, .unknown), (200, .unknown), (403, .finding(.forbidden)),
    ])
    func `a page of the web server's lets nobody in`(status: Int, verdict: ProbeCheck.Verdict) {
        #expect(token(Self.page(status), Self.page(status)).verdict == verdict)
    }

    @Test(arguments: [
        (401, 401, ProbeCheck.Verdict.pass), (400, 400, .unknown), (401, 400, .unknown), (403, 403, .finding(.forbidden)),
        (401, 503, .unknown), (429, 401, .unknown),
    ])
    func `strangers get 401`(none: Int, wrong: Int, verdict: ProbeCheck.Verdict) {
        #expect(token(refusal(none), refusal(wrong)).verdict == verdict)
    }

    @Test func `strangers are told one from the other`() {
        #expect(token(refusal(401), refusal(401)).evidence == "401 without a token, and with a wrong one")
        #expect(
            token(refusal(403), refusal(401)).evidence
                == "status 403 without a token, status 401 with a wrong one, where callers expect 401")
    }

    @Test func `only a chat that is answered shows that anybody may ask`() {
        let chat = stream([.text(at: 3), .done(at: 3)])
        let whole = answer(200, #"{"choices":[]}"#, [("content-type", "application/json")])
        for open in [chat, whole] {
            let check = token(refusal(400), refusal(401), chats: [open, nil])
            #expect(check.verdict == .finding(.unguarded))
            #expect(check.evidence == "anybody may ask: a chat is answered without a token")
        }
        let late = token(refusal(400), refusal(400), chats: [refusal(401), refusal(401)])
        #expect(late.verdict == .pass)
        #expect(
            late.evidence
                == "401 for a chat without a token, and with a wrong one; a body that is no chat is looked at before the token")
        for other in [refusal(404), Self.page(200), failed(.refused)] {
            let check = token(refusal(400), refusal(400), chats: [other, other])
            #expect(check.verdict == .unknown && check.evidence.contains("not looked at before the body"), "\(check)")
        }
    }

    @Test func `only one who came past the token is to try a chat`() {
        let rows = [(400, true), (422, true), (404, true), (401, false), (403, false), (429, false), (503, false)]
        for (status, mayBeLetIn) in rows {
            let stranger = RequestChecks.Stranger(credentials: .none, answer: refusal(status))
            #expect(stranger.mayBeLetIn == mayBeLetIn, "\(status)")
        }
        #expect(!RequestChecks.Stranger(credentials: .none, answer: Self.page(404)).mayBeLetIn)
        // What was said of the body may have been replaced by a page.
        #expect(RequestChecks.Stranger(credentials: .none, answer: Self.page(400)).mayBeLetIn)
    }

    @Test(arguments: [401, 403]) func `a token that is refused is told with how it was sent`(status: Int) {
        let sent = RequestChecks.refusal(of: refusal(status), beside: [], isInPath: false)
        #expect(sent?.verdict == .finding(.tokenRefused))
        #expect(sent?.evidence.contains("or something in front drops the header Authorization") == true)
        #expect(sent?.evidence.contains("Authorization: Bearer") == true && sent?.evidence.contains("--token") == true)
        let inPath = RequestChecks.refusal(of: refusal(status), beside: [], isInPath: true)
        #expect(inPath?.verdict == .finding(.tokenRefused) && inPath?.evidence.contains("/v/TOKEN") == true)
        #expect(RequestChecks.refusal(of: refusal(400), beside: [], isInPath: false)?.verdict == nil)
    }

    /// The answer is a stream with status 200 then, whose text is the error.
    @Test func `a token that is refused is told too where the refusal is spoken`() {
        let spoken = answer(200, "", [("x-sluice-spoken-error", "refused.401")])
        let check = RequestChecks.refusal(of: spoken, beside: [], isInPath: false)
        #expect(check?.verdict == .finding(.tokenRefused))
        #expect(check?.evidence.contains("(status 200, and a spoken error in the place of an answer, refused.401)") == true)
        let others = [RequestChecks.Stranger(credentials: .none, answer: refusal(401))]
        let denied = answer(200, "", [("x-sluice-spoken-error", "refused.403")])
        let byHook = RequestChecks.refusal(of: denied, beside: others, isInPath: false)
        #expect(byHook?.verdict == .finding(.denied) && byHook?.evidence.contains("its hook, or the upstream") == true)
        for error in ["upstream_timeout", "key_refused.401"] {
            let other = answer(200, "", [("x-sluice-spoken-error", error)])
            #expect(RequestChecks.refusal(of: other, beside: others, isInPath: false)?.verdict == nil, "\(error)")
        }
    }

    @Test(arguments: [(Self.page(403), "an access rule"), (refusal(403, Self.id), "its hook, or the upstream")])
    func `who has the right token and gets 403 where strangers get 401 is refused by a rule`(
        right: ProbeAnswer, words: String
    ) {
        let strangers = [
            RequestChecks.Stranger(credentials: .none, answer: refusal(401)),
            .init(credentials: .wrong, answer: refusal(400), chat: refusal(401)),
        ]
        let check = RequestChecks.refusal(of: right, beside: strangers, isInPath: false)
        #expect(check?.verdict == .finding(.denied))
        #expect(check?.evidence.hasPrefix("403 with the right token, and 401 without a token, and with a wrong one") == true)
        #expect(check?.evidence.contains(words) == true)
        #expect(RequestChecks.refusal(of: refusal(401), beside: strangers, isInPath: false)?.verdict == .finding(.tokenRefused))
        // Where strangers get the same, nobody knows.
        let all = RequestChecks.refusal(
            of: right, beside: [.init(credentials: .none, answer: Self.page(403))], isInPath: false)
        #expect(all?.verdict == .finding(.tokenRefused) && all?.evidence.contains("strangers get 403 too") == true)
    }

    @Test func `all forms of the URL lead to the same`() {
        let usual = refusal(400)
        #expect(RequestChecks.paths(usual, [("a", refusal(400)), ("b", refusal(400))]).verdict == .pass)
        let check = RequestChecks.paths(usual, [("a", refusal(400)), ("b", answer(404))])
        #expect(check.verdict == .finding(.path))
        #expect(check.evidence == "b: status 404, where the URL itself gives status 400")
        #expect(RequestChecks.paths(answer(404), []).verdict == .finding(.path))
        let other = RequestChecks.paths(answer(404), [("with /v1", refusal(400)), ("b", answer(404))])
        #expect(other.evidence == "status 404 for the URL itself, and another form is known: with /v1: status 400")
    }

    @Test(arguments: [(404, "unknown_url", "REQUEST_URI"), (405, "method_not_allowed", "REQUEST_METHOD")])
    func `what Sluice itself does not know is what the web server has not handed on`(status: Int, code: String, name: String) {
        let own = refusal(status, Self.id, code: code)
        let check = RequestChecks.paths(own, [("a", own), ("b", own)])
        #expect(check.verdict == .finding(.parameters) && check.evidence.contains(name), "\(check)")
        // Another form of the URL is known, the web server says so itself, or it is another server's word.
        for verdict in [
            RequestChecks.paths(own, [("a", refusal(400))]), RequestChecks.paths(refusal(status, code: code), []),
            RequestChecks.paths(refusal(status, Self.id), []), RequestChecks.paths(Self.page(status, Self.id), []),
        ].map(\.verdict) { #expect(verdict == .finding(.path)) }
    }

    @Test func `a server that has a page for everything has no chat completions`() {
        let page = Self.page(200)
        #expect(RequestChecks.body(page).verdict == .unknown)
        let check = RequestChecks.paths(page, [("a", page), ("b", page)])
        #expect(check.verdict == .finding(.path))
        #expect(check.evidence.hasPrefix("status 200 and text/html for a body that is no chat: whoever answers here"))
        let other = RequestChecks.paths(page, [("with /v1", refusal(400))])
        #expect(other.evidence.hasSuffix("and another form is known: with /v1: status 400"), "\(other)")
        // A form that a page answers is lost.
        #expect(RequestChecks.paths(refusal(400), [("a", page)]).verdict == .finding(.path))
    }

    @Test(arguments: [
        (refusal(404, code: "model_not_found"), true), (refusal(404, Self.id), true), (refusal(404), false),
        (refusal(404, Self.id, code: "unknown_url"), false), (Self.page(404), false),
    ])
    func `a model that is not there is told from a path that is not`(answer: ProbeAnswer, isUnknown: Bool) {
        #expect(answer.hasNoSuchModel == isUnknown)
    }

    @Test func `forms of the URL that are answered otherwise are told where the URL itself says nothing`() {
        let alike = RequestChecks.paths(refusal(503), [("without /v1", refusal(503)), ("b", refusal(503))])
        #expect(alike.verdict == .unknown && alike.evidence == "status 503 for the URL itself, and for all other forms")
        let unlike = RequestChecks.paths(
            refusal(503), [("without /v1", refusal(400)), ("b", refusal(503)), ("c", failed(.refused))])
        #expect(unlike.verdict == .unknown)
        #expect(unlike.evidence == "status 503 for the URL itself, and without /v1: status 400, c: connection refused")
    }

    @Test(arguments: [Self.page(302), Self.page(400), refusal(429), refusal(503), answer(418)])
    func `forms of the URL cannot be held against what says nothing`(usual: ProbeAnswer) {
        #expect(RequestChecks.paths(usual, [("a", usual), ("b", usual)]).verdict == .unknown)
        #expect(RequestChecks.body(usual).verdict == .unknown)
    }

    @Test(arguments: [
        (refusal(429), ProbeCheck.Verdict.unknown), (refusal(503), .unknown),
        (failed(.timedOut(.total, after: .seconds(30))), .unknown), (Self.page(400), .finding(.path)),
        (Self.page(301), .finding(.path)),
    ])
    func `another form that nobody had time for is not lost`(answer: ProbeAnswer, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.paths(refusal(400), [("a", refusal(400)), ("b", answer)]).verdict == verdict)
    }

    @Test(arguments: [
        (400, ProbeCheck.Verdict.pass), (422, .pass), (413, .finding(.body)), (503, .unknown), (429, .unknown), (401, .unknown),
        (404, .unknown), (200, .pass),
    ])
    func `a body of a mebibyte is taken`(status: Int, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.body(refusal(status)).verdict == verdict)
    }

    @Test func `a body that Sluice itself refuses is let through there`() {
        let check = RequestChecks.body(refusal(413, Self.id, code: "request_too_large"))
        #expect(check.verdict == .finding(.ownBody) && check.evidence.contains("by Sluice itself"), "\(check)")
        #expect(ProbeFinding.ownBody.directives(.nginx).map(\.text) == [#"limits.body = "8MiB""#])
        #expect(RequestChecks.body(refusal(413, code: "request_too_large")).verdict == .finding(.body))
    }

    @Test func `a connection that ends under a body is a refusal too`() {
        #expect(RequestChecks.body(failed(.cutOff(afterBytes: 0))).verdict == .finding(.body))
        #expect(RequestChecks.body(failed(.timedOut(.total, after: .seconds(30)))).verdict == .unknown)
    }

    @Test(arguments: [
        (ProbeCheck.pass(.paths, "") as ProbeCheck?, ProbeCheck.Verdict.pass), (.unknown(.paths, ""), .unknown),
        (.finding(.paths, .path, ""), .finding(.vapiURL)), (nil, .unknown),
    ])
    func `Vapi's URL is as good as its forms`(paths: ProbeCheck?, verdict: ProbeCheck.Verdict) {
        #expect(RequestChecks.vapiURL("https://host.example/v1", isSecure: true, paths: paths).verdict == verdict)
        #expect(RequestChecks.vapiURL("http://host.example/v1", isSecure: false, paths: paths).verdict == .finding(.vapiURL))
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
        for answer in [failed(.refused), refusal(429), refusal(503)] {
            #expect(RequestChecks.errors([.init(what: "GET", answer: answer, statuses: [405])]).verdict == .unknown)
        }
    }

    @Test func `errors that were met are to be JSON too`() {
        #expect(RequestChecks.met([refusal(400), failed(.refused)], large: refusal(400)).isEmpty)
        for (variants, large, what) in [
            ([refusal(404), Self.page(404)], refusal(400), "another form of the URL: status 404"),
            ([refusal(400)], Self.page(413), "1 MiB: status 413"),
        ] {
            let check = RequestChecks.errors(RequestChecks.met(variants, large: large))
            #expect(check.verdict == .finding(.errors))
            #expect(check.evidence == "\(what) with a body that is no JSON error")
        }
        #expect(RequestChecks.errors(RequestChecks.met([refusal(404)], large: refusal(413))).verdict == .pass)
    }

    @Test(arguments: [
        (refusal(429), true), (Self.page(429, Self.id), true), (Self.page(503), true), (refusal(503), true),
        (refusal(429, Self.id, code: "rate_limit_exceeded"), false), (refusal(503, Self.id, code: "overloaded"), false),
        (Self.page(502), false), (refusal(400), false), (failed(.refused), false),
    ])
    func `a call that the web server refuses is told from one that Sluice refuses`(answer: ProbeAnswer, isWebServers: Bool) {
        #expect(answer.isRefusedByWebServer == isWebServers)
    }

    @Test func `calls that the web server refuses are a finding`() {
        #expect(RequestChecks.limits([], of: 9)?.verdict == nil)
        let check = RequestChecks.limits([429, 429], of: 9)
        #expect(check?.verdict == .finding(.limits))
        #expect(check?.evidence == "2 of 9 calls were refused with 429 by the web server, and not by Sluice")
        #expect(RequestChecks.limits([503, 429], of: 9)?.evidence.contains("with 429 and 503 by the web server") == true)
        let nginx = ProbeFinding.limits.directives(.nginx).first?.text ?? ""
        #expect(nginx.contains("burst=500 nodelay; limit_req_status 429;"))
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
        #expect(RequestChecks.connection(refusal(400), refusal(400), wasKept: true).verdict == .pass)
        #expect(RequestChecks.connection(refusal(400), refusal(400), wasKept: false).verdict == .finding(.closes))
        var old = refusal(400)
        old.head?.version = .http10
        #expect(RequestChecks.connection(old, old, wasKept: false).verdict == .finding(.oldHTTP))
        #expect(RequestChecks.connection(refusal(400), failed(.refused), wasKept: true).verdict == .unknown)
    }

    @Test func `a connection that the probe itself has ended is not one that the server closes`() {
        var late = answer(200)
        late.failure = .timedOut(.total, after: .seconds(30))
        var large = answer(200)
        large.isTooLarge = true
        for (first, words) in [(late, "not finished within 30s"), (large, "larger than what is looked at")] {
            let check = RequestChecks.connection(first, refusal(400), wasKept: false)
            #expect(check.verdict == .unknown && check.evidence.contains(words), "\(check)")
        }
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
