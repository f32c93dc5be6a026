// What callers are told of each error: status, type, code, parameter and message.

extension ChatError {
    /// The HTTP status for an error before the stream has begun.
    package var status: Int { summary.status }
    /// The error's class: `invalid_request_error`, `upstream_timeout`, …
    package var type: String { summary.type }
    /// The error's exact kind, for programs.
    package var code: String? { summary.code }
    /// The path of the parameter at fault.
    package var param: String? { summary.param }
    /// What happened and what to do, for people. Never holds a prompt or a key of ours.
    package var message: String { summary.message }

    private struct Summary {
        let status: Int
        let type: String
        let code: String?
        let param: String?
        let message: String

        init(_ status: Int, _ type: String, _ code: String?, param: String? = nil, _ message: String) {
            (self.status, self.type, self.code, self.param, self.message) = (status, type, code, param, message)
        }
    }

    /// The one switch: the table of contract §3.3.
    private var summary: Summary {
        switch self {
        case .invalidJSON(let error):
            Summary(
                400, "invalid_request_error", "invalid_json",
                "The request body is not valid JSON: \(error.reason.rawValue) at byte \(error.offset).")
        case .notAnObject:
            Summary(400, "invalid_request_error", "invalid_type", "The request body must be a JSON object.")
        case .invalidParameter(let param, let problem):
            Summary(400, "invalid_request_error", problem.code, param: param, problem.message(param: param))
        case .webhook:
            Summary(
                400, "invalid_request_error", "missing_required_parameter", param: "messages",
                "This looks like a webhook event of a voice platform ('message' and no 'messages'), but this URL serves chat "
                    + "completions only. Set the platform's server URL to your webhook receiver, and only the custom model's URL to this one."
            )
        case .missingCallersKey:
            Summary(
                401, "authentication_error", "missing_api_key",
                "The model's server is called with your own key: send it as 'Authorization: Bearer KEY'. "
                    + "The web server in front must pass this header on.")
        case .modelNotFound(let known):
            Summary(404, "invalid_request_error", "model_not_found", param: "model", modelNotFound(known: known))
        case .tokensSpent(let needed, let left, let delay):
            Summary(
                429, "insufficient_quota", "insufficient_quota",
                "This request needs \(needed) tokens, and \(left) of your tokens of the day are left. The next day begins in "
                    + "\(seconds(delay)) s, at 0:00 UTC; a shorter chat or a smaller 'max_tokens' may still go.")
        case .tokensBeyondDay(let needed, let limit):
            Summary(
                429, "insufficient_quota", "insufficient_quota",
                "This request needs \(needed) tokens, and you have \(limit) in a whole day, so that it never fits. "
                    + "Send a smaller 'max_tokens', or a shorter chat.")
        case .tooManyRequests(let delay):
            Summary(
                429, "rate_limit_error", "rate_limit_exceeded",
                "You have asked as often as you may in a minute. Try again in \(seconds(delay)) s.")
        case .tooManyAtOnce:
            Summary(
                429, "rate_limit_error", "rate_limit_exceeded",
                "As many of your requests are being answered as may be at once. Try again when one of them is over.")
        case .denied(let status, let message):
            Summary(status, refusalType(status: status), "request_denied", message ?? "This server does not answer this request.")
        case .unknownPath:
            Summary(
                404, "invalid_request_error", "unknown_url",
                "There is nothing at this path. Send 'POST' to a path that ends in '/chat/completions'.")
        case .methodNotAllowed(let allowed):
            Summary(405, "invalid_request_error", "method_not_allowed", "This path answers \(allowed) only.")
        case .bodyTooLarge(let bytesMax):
            Summary(
                413, "invalid_request_error", "request_too_large",
                "The request body is larger than the limit of \(bytesMax) bytes. Shorten the chat or raise the limit.")
        case .headersTooLarge(let bytesMax):
            Summary(
                431, "invalid_request_error", "headers_too_large",
                "The request's headers are larger than the limit of \(bytesMax) bytes.")
        case .malformedHeaders:
            Summary(
                400, "invalid_request_error", "malformed_headers",
                "A header of the request has a NUL in it, or an equals sign in its name.")
        case .compressedBody(let coding):
            Summary(
                415, "invalid_request_error", "unsupported_content_encoding",
                "The request body is compressed\(coding.map { " (\($0))" } ?? ""). Send it as it is, without Content-Encoding.")
        case .overloaded(let delay):
            Summary(
                503, "overloaded_error", "overloaded",
                "This server takes no more requests at the moment. Try again in \(seconds(delay)) s.")
        case .memoryFull:
            Summary(
                503, "overloaded_error", "memory_full",
                "This server has no memory for a request or an answer of this size at the moment. Try again in 5 s.")
        case .hookFailed:
            Summary(
                503, "overloaded_error", "hook_unavailable",
                "What this server asks before it answers is not available at the moment. Try again in 5 s.")
        case .budgetsUnknown:
            Summary(
                503, "overloaded_error", "budget_store_unavailable",
                "What your budget has left cannot be checked at the moment. Try again in 5 s.")
        case .shuttingDown:
            Summary(503, "overloaded_error", "shutting_down", "This server is being stopped. Try again.")
        case .unknownRoute:
            Summary(
                500, "server_error", "unknown_route",
                "This server is not set up for requests of this kind. Whoever runs it finds the reason in its log.")
        case .internalDefect(let requestID):
            Summary(
                500, "server_error", "internal_error",
                "Something went wrong inside this server. Report it with the request id \(requestID).")
        case .upstreamRefused(let status, let error):
            Summary(
                status, error?.type ?? refusalType(status: status), error?.code,
                param: error?.param,
                error?.message ?? "The model's server refused the request (HTTP \(status)) and gave no reason.")
        case .upstreamRefusedKey(let status, let error):
            Summary(
                503, "upstream_error", "upstream_key_refused",
                "The model's server does not accept this server's key (HTTP \(status))\(reason(error)) "
                    + "Whoever runs this server must check the key.")
        case .upstreamFailed(let failure):
            Summary(503, "upstream_error", failure.code, failure.message)
        case .upstreamTimedOut(let timeout, let limit):
            Summary(
                503, "upstream_timeout", "\(timeout.rawValue)_timeout", "\(timeout.sentence(after: limit)) Try again.")
        case .upstreamCutOff:
            Summary(
                503, "upstream_error", "upstream_cut_off",
                "The model's server broke off before its answer was complete. What has arrived is not the whole answer.")
        case .upstreamAnswerTooLarge(let bytesMax):
            Summary(
                503, "upstream_error", "upstream_answer_too_large",
                "The model's server sent an answer larger than the limit of \(bytesMax) bytes.")
        case .upstreamEventTooLarge(let bytesMax):
            Summary(
                503, "upstream_error", "upstream_event_too_large",
                "The model's server sent an event larger than the limit of \(bytesMax) bytes.")
        }
    }

    /// What the headers of the response must say besides its type and length.
    package var headers: [(name: String, value: String)] {
        switch self {
        case .methodNotAllowed(let allowed): [("Allow", allowed)]
        // RFC 9110 §12.5.3, §15.5.16.
        case .compressedBody: [("Accept-Encoding", "identity")]
        case .shuttingDown: [("Retry-After", "1")]
        case .memoryFull, .hookFailed, .budgetsUnknown: [("Retry-After", "5")]
        case .overloaded(let delay), .tooManyRequests(let delay): [("Retry-After", "\(seconds(delay))")]
        case .tooManyAtOnce: [("Retry-After", "1")]
        // OpenAI's SDKs need not try again: until somebody has changed the settings it stays so.
        case .unknownRoute: [("X-Should-Retry", "false")]
        // Nor with a request that is larger than its client's day.
        case .tokensBeyondDay: [("X-Should-Retry", "false")]
        // Until the next day OpenAI's SDKs need not try.
        case .tokensSpent(_, _, let delay): [("Retry-After", "\(seconds(delay))"), ("X-Should-Retry", "false")]
        default: []
        }
    }

    /// The type of a refusal that has none of its own.
    private func refusalType(status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "rate_limit_error"
        default: "invalid_request_error"
        }
    }

    /// The caller's own text is not repeated. A list may be long; ten names show what is meant.
    private func modelNotFound(known: [String]) -> String {
        guard !known.isEmpty else { return "This server has no model of that name." }
        let names = known.prefix(10).map { "'\($0)'" } + (known.count > 10 ? ["…"] : [])
        return "This server has no model of that name. Ask for one of those that it has (\(names.joined(separator: ", ")))."
    }

    /// Whole seconds, at least one: `Retry-After` has no fractions (RFC 9110 §10.2.3).
    private func seconds(_ delay: Duration) -> Int64 {
        max(1, delay.components.seconds + (delay.components.attoseconds > 0 ? 1 : 0))
    }
}

extension ParameterProblem {
    fileprivate var code: String {
        switch self {
        case .missing: "missing_required_parameter"
        case .empty: "empty_array"
        case .wrongType: "invalid_type"
        case .tooLong: "string_above_max_length"
        }
    }

    fileprivate func message(param: String) -> String {
        switch self {
        case .missing: "Missing required parameter: '\(param)'."
        case .empty: "'\(param)' must not be empty: give at least one message."
        case .wrongType(let expected): "'\(param)' must be \(expected)."
        case .tooLong(let bytesMax): "'\(param)' must be at most \(bytesMax) bytes long."
        }
    }
}

extension UpstreamFailure {
    fileprivate var code: String {
        switch self {
        case .unreachable: "upstream_unreachable"
        case .connectionRefused: "upstream_connection_refused"
        case .insecure: "upstream_tls_failed"
        case .noAnswer: "upstream_no_answer"
        case .garbage: "upstream_garbage"
        case .compressed: "upstream_compressed"
        case .status: "upstream_status"
        case .error: "upstream_reported_error"
        }
    }

    fileprivate var message: String {
        switch self {
        case .unreachable: "The model's server cannot be reached. Try again; if it stays so, check the upstream's address."
        case .connectionRefused: "The model's server refuses connections. Try again; if it stays so, check that it runs."
        case .insecure: "No secure connection to the model's server could be made: its TLS handshake or certificate failed."
        case .noAnswer: "The model's server ended before it answered. Try again."
        case .garbage: "The model's server sent something that is no chat completion."
        case .compressed(let reason): "The model's server sent an answer that cannot be read: \(reason)."
        case .status(let status, _) where (300..<400).contains(status):
            "The model's server redirects to another place (HTTP \(status)). Whoever runs this server must set its URL to that place."
        case .status(402, let error):
            "The model's server turns this server's account down (HTTP 402)\(reason(error)) \(Self.operatorsTurn)"
        case .status(let status, let error) where isAboutAccount:
            "The model's server turns this server's request down (HTTP \(status))\(reason(error)) \(Self.operatorsTurn)"
        case .status(let status, let error): "The model's server failed (HTTP \(status))\(reason(error)) Try again."
        case .error(let error) where isAboutAccount:
            "The model's server turns this server's request down\(reason(error)) \(Self.operatorsTurn)"
        case .error(let error): "The model's server reports an error of its own\(reason(error)) Try again."
        }
    }

    private static let operatorsTurn = "Whoever runs this server must look into it."
}

/// The end of a sentence: a colon and the upstream's own words, or the full stop alone.
private func reason(_ error: UpstreamError?) -> String {
    guard let words = error?.message else { return "." }
    let ends = [UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?")]
    return ": " + words + (words.utf8.last.map(ends.contains) == true ? "" : ".")
}

extension UpstreamTimeout {
    fileprivate func sentence(after limit: Duration) -> String {
        switch self {
        case .connect: "The model's server could not be connected to within \(text(limit))."
        case .send: "The model's server took nothing of the request for \(text(limit))."
        case .firstToken: "The model's server began no answer within \(text(limit))."
        case .idle: "The model's server was silent for \(text(limit)) inside its answer."
        case .total: "The answer was not complete within \(text(limit))."
        }
    }

    private func text(_ limit: Duration) -> String {
        let milliseconds = limit.components.seconds * 1000 + limit.components.attoseconds / 1_000_000_000_000_000
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}
