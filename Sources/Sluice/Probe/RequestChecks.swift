// What answers to single requests say of a deployment. Nothing is asked here.

import Chat
import HTTPClient

/// The verdicts on what was answered at once.
enum RequestChecks {
    // MARK: Reachable

    /// - Parameters:
    ///   - connection: the first one; nil where there was none.
    ///   - now: in seconds since 1970.
    static func reachable(
        _ answer: ProbeAnswer, over connection: NewConnection?, isSecure: Bool, isLocal: Bool, now: Int
    ) -> ProbeCheck {
        guard let head = answer.head else {
            let reason = answer.failure.map { "\($0)" } ?? "no answer"
            if case .tls(let words) = answer.failure {
                return .finding(.reachable, .insecure, hint(for: words).map { "\(reason): \($0)" } ?? reason)
            }
            return .finding(.reachable, .unreachable, reason)
        }
        let server = head["server"].map { $0.clipped } ?? "a server without a name"
        guard isSecure else {
            let words = "\(server) answers over plain HTTP"
            if isLocal { return .pass(.reachable, "\(words), on this machine") }
            return .finding(.reachable, .plain, "\(words): tokens and prompts can be read")
        }
        guard let certificate = connection?.serverCertificate else {
            return .pass(.reachable, "\(server) answers, with a certificate that is trusted")
        }
        let (left, life) = (certificate.notAfter - now, certificate.notAfter - certificate.notBefore)
        let words = "the certificate is valid for \(days(left)) more"
        // Those of 90 days are to be renewed by 30; some live for six days in all.
        guard left * 6 >= life else {
            return .finding(.reachable, .certificate, "\(words), of \(days(life)): it is not being renewed")
        }
        return .pass(.reachable, "\(server) answers, and \(words)")
    }

    private static func days(_ seconds: Int) -> String {
        let days = seconds / 86_400
        return days == 1 ? "1 day" : "\(days) days"
    }

    /// What to do where TLS fails, by the words of the HTTP client; nil where those say it.
    private static func hint(for reason: String) -> String? {
        let hints = [
            ("the certificate has expired", "renew it, and reload the web server, which keeps the old one until then"),
            (
                "the certificate is for another name",
                "ask by a name that is in it, or have one made for this name; a server of several sites may have taken another site's"
            ),
            ("the certificate is self-signed", authoritiesHint), ("the certificate's issuer is not trusted", authoritiesHint),
            ("no trusted authorities were found", authoritiesHint),
            ("the server speaks no TLS", "should the URL begin with http://, or the server have TLS at this port?"),
        ]
        return hints.first { reason.utf8.starts(with: $0.0.utf8) }?.1
    }

    private static let authoritiesHint = "if callers know its authority, name it by --authorities-file FILE"

    // MARK: Scheme

    /// Whether a URL with http:// leads to where TLS is spoken.
    ///
    /// - Parameters:
    ///   - usual: over plain HTTP.
    ///   - overTLS: to the same at the same port; nil where it was not asked.
    /// - Returns: nil where the URL is right, or nobody knows.
    static func scheme(_ usual: ProbeAnswer, overTLS: ProbeAnswer?) -> ProbeCheck? {
        let remedy = "the URL must begin with https://"
        if (300..<400).contains(usual.status), usual.head?["location"]?.startsIgnoringCase(with: "https://") == true {
            return .finding(
                .reachable, .wrongScheme, "\(usual.words), which leads callers to https:// and many do not follow: \(remedy)")
        }
        guard let overTLS, overTLS.head != nil || overTLS.hasRefusedCertificate else { return nil }
        return .finding(
            .reachable, .wrongScheme, "this port speaks TLS, and plain HTTP is answered with \(usual.words): \(remedy)")
    }

    /// Whether it is worth to ask by TLS too: somebody is there who has not taken the request. nginx may have words like Sluice's for that,
    /// but no id of a request.
    static func mayNeedTLS(_ usual: ProbeAnswer) -> Bool {
        switch usual.failure {
        case nil, .cutOff, .malformed: !(200..<300).contains(usual.status) && usual.head?["x-request-id"] == nil
        default: false
        }
    }

    // MARK: Token

    /// - Parameters:
    ///   - right: the answer to the token that was given; nil where none was.
    static func token(right: ProbeAnswer?, none: ProbeAnswer, wrong: ProbeAnswer) -> ProbeCheck {
        if let right, right.status == 401 || right.status == 403 {
            return .finding(.token, .tokenRefused, "the token that was given is refused: \(right.words)")
        }
        let both = [("without a token", none), ("with a wrong one", wrong)]
        let told = both.map { "\($0.1.words) \($0.0)" }.joined(separator: ", ")
        if both.contains(where: { $0.1.cameThrough && ![401, 403, 429].contains($0.1.status) && $0.1.status < 500 }) {
            return .finding(.token, .unguarded, "anybody may ask: \(told)")
        }
        if both.contains(where: { $0.1.status == 403 }) {
            return .finding(.token, .unguarded, "\(told), where callers expect 401")
        }
        guard both.allSatisfy({ $0.1.status == 401 }) else { return .unknown(.token, told) }
        return .pass(.token, "401 without a token, and with a wrong one")
    }

    // MARK: Paths

    /// - Parameter variants: what came of the same request by other forms of the URL.
    static func paths(_ usual: ProbeAnswer, _ variants: [(name: String, answer: ProbeAnswer)]) -> ProbeCheck {
        if usual.status == 404 || usual.status == 405 {
            return .finding(.paths, .path, "\(usual.words) for the URL itself")
        }
        let lost = variants.filter { $0.answer.status != usual.status }
        guard lost.isEmpty else {
            let told = lost.map { "\($0.name): \($0.answer.words)" }.joined(separator: ", ")
            return .finding(.paths, .path, "\(told), where the URL itself gives \(usual.words)")
        }
        return .pass(.paths, "the same for all forms: \(variants.map(\.name).joined(separator: ", "))")
    }

    // MARK: Body

    static func body(_ answer: ProbeAnswer) -> ProbeCheck {
        switch answer.status {
        case 413: return .finding(.body, .body, "1 MiB is refused: \(answer.words)")
        case 0: return .finding(.body, .body, "1 MiB is not taken: \(answer.words)")
        case 200..<500 where answer.status != 429: return .pass(.body, "1 MiB is taken")
        default: return .unknown(.body, "\(answer.words) for 1 MiB")
        }
    }

    // MARK: Errors

    /// An error that was provoked, and which statuses are right for it.
    struct Provoked: Sendable {
        let what: String
        let answer: ProbeAnswer
        let statuses: [Int]
    }

    static func errors(_ provoked: [Provoked]) -> ProbeCheck {
        let known = provoked.filter { $0.answer.head != nil && $0.answer.status != 429 }
        guard !known.isEmpty else { return .unknown(.errors, "no error could be provoked") }
        let wrong = known.compactMap { error -> String? in
            if !error.statuses.contains(error.answer.status) {
                return "\(error.what): \(error.answer.words), where callers expect \(error.statuses[0])"
            }
            return error.answer.isJSONError ? nil : "\(error.what): \(error.answer.words) with a body that is no JSON error"
        }
        guard wrong.isEmpty else { return .finding(.errors, .errors, wrong.joined(separator: "; ")) }
        return .pass(.errors, known.map { "\($0.answer.status) for \($0.what)" }.joined(separator: ", ") + ", each in JSON")
    }

    // MARK: Versions

    private static let talkative = ["x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator"]

    /// - Parameter heads: of all answers.
    static func versions(_ heads: [ResponseHead]) -> ProbeCheck {
        guard !heads.isEmpty else { return .unknown(.versions, "no answer has come") }
        for head in heads {
            if let server = head["server"], hasVersion(server) {
                return .finding(.versions, .versions, "Server: \(server.clipped)")
            }
            for name in talkative {
                if let value = head[name] { return .finding(.versions, .versions, "\(name): \(value.clipped)") }
            }
        }
        return .pass(.versions, "no header tells a version")
    }

    /// A slash and a digit behind it.
    private static func hasVersion(_ text: String) -> Bool {
        zip(text.utf8, text.utf8.dropFirst()).contains { $0 == UInt8(ascii: "/") && $1 &- UInt8(ascii: "0") < 10 }
    }

    // MARK: HTTP

    /// - Parameters:
    ///   - answer: over HTTP/1.1, to the second of two requests.
    ///   - wasKept: whether it came over the connection of the first.
    static func connection(_ answer: ProbeAnswer, wasKept: Bool) -> ProbeCheck {
        guard let head = answer.head else { return .unknown(.connection, "HTTP/1.1: \(answer.words)") }
        if head.version == .http10 {
            return .finding(
                .connection, .oldHTTP,
                "the answer is HTTP/1.0: without chunks a stream that breaks off looks whole, and each call needs a connection")
        }
        if !wasKept { return .finding(.connection, .closes, "each call needs a new connection: it is closed behind an answer") }
        return .pass(.connection, "HTTP/1.1, and a connection is kept for the next call")
    }

    static func http2(_ connection: NewConnection?, isSecure: Bool) -> ProbeCheck {
        guard isSecure, let connection else { return .unknown(.http2, "it is offered with TLS alone") }
        return connection.isHTTP2 ? .pass(.http2, "offered") : .finding(.http2, .noHTTP2, "not offered: HTTP/1.1 is spoken")
    }

    // MARK: Vapi

    static func vapiURL(_ url: String, isSecure: Bool, paths: ProbeCheck?) -> ProbeCheck {
        guard isSecure else {
            return .finding(.vapiURL, .vapiURL, "Vapi's calls come from outside, with a token: \(url) is not https://")
        }
        if case .finding = paths?.verdict {
            return .finding(.vapiURL, .vapiURL, "Vapi appends /chat/completions to its url, and not all forms are known here")
        }
        return .pass(.vapiURL, "https, and /chat/completions may be appended")
    }
}
