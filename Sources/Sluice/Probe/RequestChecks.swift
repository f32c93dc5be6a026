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
        guard let head = answer.head, answer.failure == nil else { return unreachable(answer) }
        let server = head["server"].map { $0.clipped } ?? "a server without a name"
        if answer.hasNobodyBehind {
            return .finding(
                .reachable, .nothingBehind,
                "\(server) answers, but nothing answers behind it (\(answer.words), asked twice): is Sluice running, and is its "
                    + "socket where the web server looks for it?"
                    + (answer.status == 503 ? " Or does a limit of its own refuse calls, as limit_req does with 503?" : ""))
        }
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
        // Those of 90 days are to be renewed by 30, those of a year perhaps in their last month; some live for six days in all.
        guard left >= min(life / 6, 30 * 86_400) else {
            return .finding(.reachable, .certificate, "\(words), of \(days(life)): it is not being renewed")
        }
        return .pass(.reachable, "\(server) answers, and \(words)")
    }

    /// Where the run's time was over first.
    ///
    /// - Parameter usual: what had come by then.
    static func reachable(_ usual: ProbeAnswer, within limit: Duration) -> ProbeCheck {
        guard usual.head != nil, usual.failure == nil else {
            return .unknown(.reachable, "no answer within the limit of \(limit.shown) (--limit)")
        }
        return .unknown(
            .reachable, "\(usual.words), and the limit of \(limit.shown) was over before more could be asked (--limit)")
    }

    /// One that did not come, or not to its end.
    private static func unreachable(_ answer: ProbeAnswer) -> ProbeCheck {
        guard let failure = answer.failure else { return .finding(.reachable, .unreachable, "no answer") }
        let reason = answer.head.map { "status \($0.status), and then \(failure)" } ?? "\(failure)"
        let words = failure.remedy.map { "\(reason): \($0)" } ?? reason
        return .finding(.reachable, failure.tlsProblem?.finding ?? .unreachable, words)
    }

    private static func days(_ seconds: Int) -> String {
        let days = seconds / 86_400
        return days == 1 ? "1 day" : "\(days) days"
    }

    // MARK: Scheme

    /// Whether a URL with http:// leads to where TLS is spoken.
    ///
    /// - Parameters:
    ///   - usual: over plain HTTP.
    ///   - overTLS: to the same at the same port; nil where it was not asked.
    /// - Returns: nil where the URL is right, or nobody knows.
    static func scheme(_ usual: ProbeAnswer, overTLS: ProbeAnswer?) -> ProbeCheck? {
        guard let overTLS, overTLS.head != nil || overTLS.hasRefusedCertificate else { return nil }
        return .finding(
            .reachable, .wrongScheme,
            "this port speaks TLS, and plain HTTP is answered with \(usual.words): the URL must begin with https://")
    }

    /// Where callers are sent on: to https://, or to another name.
    ///
    /// - Returns: nil where they are not.
    static func redirect(_ usual: ProbeAnswer, from target: ProbeTarget) -> ProbeCheck? {
        guard (300..<400).contains(usual.status) else { return nil }
        guard let location = usual.head?["location"], !location.isEmpty else {
            return .finding(.reachable, .redirected, "\(usual.words) without a Location, where callers want an answer")
        }
        let leadsToTLS = !target.isSecure && location.startsIgnoringCase(with: "https://")
        return .finding(
            .reachable, leadsToTLS ? .wrongScheme : .redirected,
            "\(usual.words) leads callers to \(target.shown(location: location).clipped), and many do not follow: let that be "
                + "the URL that they are given, and ask by it")
    }

    /// Whether it is worth to ask by TLS too: somebody is there who has not taken the request.
    static func mayNeedTLS(_ usual: ProbeAnswer) -> Bool {
        switch usual.failure {
        case nil, .cutOff, .malformed: !(200..<300).contains(usual.status) && !usual.isErrorOfInterface
        default: false
        }
    }

    // MARK: Token

    /// Somebody who has no business there, and what he gets.
    struct Stranger: Sendable {
        let credentials: ProbeTarget.Credentials
        /// To a body that is no chat.
        let answer: ProbeAnswer
        /// To a chat; nil where none was tried.
        var chat: ProbeAnswer?

        fileprivate var what: String {
            switch credentials {
            case .none: "without a token"
            case .wrong: "with a wrong one"
            case .right: "with the right one"
            }
        }

        /// Whether only a chat can tell if he is let in: the body was looked at, or something behind the token.
        var mayBeLetIn: Bool {
            // A web server may have a page in the place of what was said of the body.
            let isOfBody = answer.status == 400 || answer.status == 422
            return (answer.cameThrough || isOfBody) && ![401, 403, 429].contains(answer.status) && answer.status < 500
        }

        var isLetIn: Bool { chat?.isChat ?? false }

        /// What he gets in the end.
        fileprivate var status: Int { (chat ?? answer).statusOfRefusal }
    }

    static func token(_ strangers: [Stranger]) -> ProbeCheck {
        let told = strangers.map { "\($0.answer.words) \($0.what)" }.joined(separator: ", ")
        let letIn = strangers.filter(\.isLetIn)
        guard letIn.isEmpty else {
            return .finding(.token, .unguarded, "anybody may ask: a chat is answered \(names(letIn))")
        }
        if strangers.contains(where: { $0.status == 403 }) {
            return .finding(.token, .forbidden, "\(told), where callers expect 401")
        }
        let others = strangers.filter { $0.answer.status != 401 }
        guard !others.isEmpty else { return .pass(.token, "401 \(names(strangers))") }
        if others.allSatisfy({ $0.chat?.statusOfRefusal == 401 }) {
            return .pass(.token, "401 for a chat \(names(others)); a body that is no chat is looked at before the token")
        }
        guard let unsure = others.first(where: \.mayBeLetIn) else { return .unknown(.token, told) }
        let tried = unsure.chat.map { "a chat gets \($0.words)" } ?? "no chat could be tried"
        return .unknown(.token, "\(told): the token was not looked at before the body, and \(tried)")
    }

    private static func names(_ strangers: [Stranger]) -> String {
        strangers.map(\.what).joined(separator: ", and ")
    }

    /// - Parameters:
    ///   - right: the answer to the token that was given.
    ///   - strangers: what they get, where they were asked.
    /// - Returns: nil where it is not refused.
    static func refusal(of right: ProbeAnswer, beside strangers: [Stranger], isInPath: Bool) -> ProbeCheck? {
        let status = right.statusOfRefusal
        guard status == 401 || status == 403 else { return nil }
        if status == 403, !strangers.isEmpty, strangers.allSatisfy({ $0.status == 401 }) {
            let who =
                right.isErrorOfInterface || right.spokenError != nil
                ? "what is behind the web server refuses this client: its hook, or the upstream"
                : "an access rule refuses this client or this machine (allow and deny, a WAF)"
            return .finding(
                .token, .denied, "403 with the right token, and 401 \(names(strangers)): the token is known, and \(who)")
        }
        let rule =
            status == 403 && strangers.contains(where: { $0.status == 403 })
            ? "; strangers get 403 too: it may be an access rule that refuses this machine (allow and deny, a WAF)" : ""
        let answer = right.words + (right.spokenError == nil ? "" : right.cause ?? "")
        let words =
            isInPath
            ? "the token in the URL's path is refused (\(answer)): https://HOST/v/TOKEN needs one that the web server knows"
            : "the token that was given, and sent as Authorization: Bearer, is refused (\(answer)): SLUICE_TOKEN, "
                + "--token-file or --token must name one that the web server knows, or something in front drops the header "
                + "Authorization (then https://HOST/v/TOKEN would be let in)"
        return .finding(.token, .tokenRefused, words + rule)
    }

    // MARK: Paths

    /// - Parameter variants: what came of the same request by other forms of the URL.
    static func paths(_ usual: ProbeAnswer, _ variants: [(name: String, answer: ProbeAnswer)]) -> ProbeCheck {
        let known = variants.filter(\.answer.wasTaken)
        let other = known.isEmpty ? "" : ", and another form is known: \(told(known))"
        if usual.status == 404 || usual.status == 405 {
            let words = "\(usual.words) for the URL itself"
            if known.isEmpty, let missing = usual.missingParameters {
                return .finding(
                    .paths, .parameters,
                    "\(words), by Sluice itself: the web server hands requests on without \(missing.words)")
            }
            return .finding(.paths, .path, words + other)
        }
        if usual.isForeignSuccess {
            let type = usual.head?["content-type"]?.clipped ?? "no Content-Type"
            return .finding(
                .paths, .path,
                "\(usual.words) and \(type) for a body that is no chat: whoever answers here has no chat completions\(other)")
        }
        guard usual.wasTaken else {
            let unlike = variants.filter { !$0.answer.words.hasSameBytes(as: usual.words) }
            let words = "\(usual.words) for the URL itself"
            return .unknown(.paths, unlike.isEmpty ? "\(words), and for all other forms" : "\(words), and \(told(unlike))")
        }
        let others = variants.filter { $0.answer.status != usual.status || !$0.answer.wasTaken }
        let lost = others.filter { !$0.answer.mayBeOtherwiseLater }
        guard lost.isEmpty else {
            return .finding(.paths, .path, "\(told(lost)), where the URL itself gives \(usual.words)")
        }
        guard others.isEmpty else { return .unknown(.paths, told(others)) }
        return .pass(.paths, "the same for all forms: \(variants.map(\.name).joined(separator: ", "))")
    }

    private static func told(_ variants: [(name: String, answer: ProbeAnswer)]) -> String {
        variants.map { "\($0.name): \($0.answer.words)" }.joined(separator: ", ")
    }

    // MARK: Body

    static func body(_ answer: ProbeAnswer) -> ProbeCheck {
        if answer.wasTaken { return .pass(.body, "1 MiB is taken") }
        if answer.status == 413, answer.isErrorOfInterface {
            return .finding(.body, .ownBody, "1 MiB is refused by Sluice itself, and not by the web server: \(answer.words)")
        }
        if answer.status == 413 { return .finding(.body, .body, "1 MiB is refused: \(answer.words)") }
        guard answer.head == nil, !answer.mayBeOtherwiseLater else {
            return .unknown(.body, "\(answer.words) for 1 MiB\(answer.remedyForTimeout)")
        }
        return .finding(.body, .body, "1 MiB is not taken: \(answer.words)")
    }

    // MARK: Errors

    /// An error that was provoked, and which statuses are right for it.
    struct Provoked: Sendable {
        let what: String
        let answer: ProbeAnswer
        let statuses: [Int]
    }

    /// Errors that came of what was asked for other reasons, and are to be in JSON too.
    ///
    /// - Parameters:
    ///   - variants: to other forms of the URL.
    ///   - large: to a body of 1 MiB.
    static func met(_ variants: [ProbeAnswer], large: ProbeAnswer) -> [Provoked] {
        let unknown = variants.filter { $0.status == 404 }
        // What is told is the one that is no JSON, if there is one.
        let other = unknown.first { !$0.isJSONError } ?? unknown.first
        return (other.map { [Provoked(what: "another form of the URL", answer: $0, statuses: [404])] } ?? [])
            + (large.status == 413 ? [Provoked(what: "1 MiB", answer: large, statuses: [413])] : [])
    }

    static func errors(_ provoked: [Provoked]) -> ProbeCheck {
        let known = provoked.filter { $0.answer.head != nil && ![429, 502, 503, 504].contains($0.answer.status) }
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

    // MARK: Limits

    /// - Parameters:
    ///   - refused: the statuses of calls with the right token that the web server has refused itself.
    ///   - count: of all those calls.
    /// - Returns: nil where none was refused.
    static func limits(_ refused: [Int], of count: Int) -> ProbeCheck? {
        guard !refused.isEmpty else { return nil }
        let statuses = [429, 503].filter(refused.contains).map { "\($0)" }.joined(separator: " and ")
        return .finding(
            .limits, .limits,
            "\(refused.count) of \(count) calls were refused with \(statuses) by the web server, and not by Sluice"
                + (refused.contains(503) ? ": by a limit of its own, or while Sluice was away" : ""))
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
    ///   - first: over HTTP/1.1, to the first of two requests.
    ///   - second: to the second.
    ///   - wasKept: whether that came over the connection of the first.
    static func connection(_ first: ProbeAnswer, _ second: ProbeAnswer, wasKept: Bool) -> ProbeCheck {
        guard let head = second.head else { return .unknown(.connection, "HTTP/1.1: \(second.words)") }
        if head.version == .http10 {
            return .finding(
                .connection, .oldHTTP,
                "the answer is HTTP/1.0: without chunks a stream that breaks off looks whole, and each call needs a connection")
        }
        // Over a connection whose answer has not come to its end nothing else is asked.
        if first.isTooLarge { return .unknown(.connection, "HTTP/1.1: an answer is larger than what is looked at") }
        if let failure = first.failure { return .unknown(.connection, "HTTP/1.1: the first of two answers failed: \(failure)") }
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
        guard paths?.verdict == .pass else { return .unknown(.vapiURL, "https, and the forms of the URL are not known") }
        return .pass(.vapiURL, "https, and /chat/completions may be appended")
    }
}
