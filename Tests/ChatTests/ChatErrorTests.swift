import Chat
import Testing

@Suite struct ChatErrorTests {
    private static let refused = UpstreamError(
        body: bytes(#"{"error":{"message":"Bad","type":"t","param":"p","code":"c"}}"#).span, depthMax: 9)

    /// Every case, with its row of contract §3.3.
    static let table: [(ChatError, Int, String, String?, String?)] = [
        (.invalidJSON(JSONError(offset: 7, reason: .badUTF8)), 400, "invalid_request_error", "invalid_json", nil),
        (.notAnObject, 400, "invalid_request_error", "invalid_type", nil),
        (.invalidParameter("messages", .missing), 400, "invalid_request_error", "missing_required_parameter", "messages"),
        (.invalidParameter("messages", .empty), 400, "invalid_request_error", "empty_array", "messages"),
        (.invalidParameter("model", .wrongType(expected: "a string")), 400, "invalid_request_error", "invalid_type", "model"),
        (.invalidParameter("model", .tooLong(bytesMax: 256)), 400, "invalid_request_error", "string_above_max_length", "model"),
        (.webhook, 400, "invalid_request_error", "missing_required_parameter", "messages"),
        (.missingCallersKey, 401, "authentication_error", "missing_api_key", nil),
        (.modelNotFound(known: ["gpt-4o", "o*"]), 404, "invalid_request_error", "model_not_found", "model"),
        (.modelNotFound(known: []), 404, "invalid_request_error", "model_not_found", "model"),
        (
            .tokensSpent(needed: 1031, left: 5, retryAfter: .seconds(9)), 429, "insufficient_quota", "insufficient_quota", nil
        ),
        (.tokensBeyondDay(needed: 1031, limit: 9), 429, "insufficient_quota", "insufficient_quota", nil),
        (.unknownPath, 404, "invalid_request_error", "unknown_url", nil),
        (.methodNotAllowed(allowed: "POST"), 405, "invalid_request_error", "method_not_allowed", nil),
        (.headersTooLarge(bytesMax: 64 << 10), 431, "invalid_request_error", "headers_too_large", nil),
        (.malformedHeaders, 400, "invalid_request_error", "malformed_headers", nil),
        (.bodyTooLarge(bytesMax: 8 << 20), 413, "invalid_request_error", "request_too_large", nil),
        (.compressedBody(coding: "gzip"), 415, "invalid_request_error", "unsupported_content_encoding", nil),
        (.compressedBody(coding: nil), 415, "invalid_request_error", "unsupported_content_encoding", nil),
        (.overloaded(retryAfter: .milliseconds(1500)), 503, "overloaded_error", "overloaded", nil),
        (.memoryFull, 503, "overloaded_error", "memory_full", nil),
        (.budgetsUnknown, 503, "overloaded_error", "budget_store_unavailable", nil),
        (.hookFailed, 503, "overloaded_error", "hook_unavailable", nil),
        (.denied(status: 403, message: nil), 403, "permission_error", "request_denied", nil),
        (.denied(status: 401, message: "No."), 401, "authentication_error", "request_denied", nil),
        (.denied(status: 429, message: "No."), 429, "rate_limit_error", "request_denied", nil),
        (.denied(status: 451, message: "No."), 451, "invalid_request_error", "request_denied", nil),
        (.shuttingDown, 503, "overloaded_error", "shutting_down", nil),
        (.unknownRoute, 500, "server_error", "unknown_route", nil),
        (.internalDefect(requestID: "req_1"), 500, "server_error", "internal_error", nil),
        (.upstreamRefused(status: 422, refused), 422, "t", "c", "p"),
        (.upstreamRefused(status: 400, nil), 400, "invalid_request_error", nil, nil),
        (.upstreamRefused(status: 401, nil), 401, "authentication_error", nil, nil),
        (.upstreamRefused(status: 403, nil), 403, "permission_error", nil, nil),
        (.upstreamRefused(status: 404, nil), 404, "invalid_request_error", nil, nil),
        (.upstreamRefused(status: 429, nil), 429, "rate_limit_error", nil, nil),
        (.upstreamRefusedKey(status: 401), 503, "upstream_error", "upstream_key_refused", nil),
        (.upstreamFailed(.unreachable), 503, "upstream_error", "upstream_unreachable", nil),
        (.upstreamFailed(.connectionRefused), 503, "upstream_error", "upstream_connection_refused", nil),
        (.upstreamFailed(.insecure), 503, "upstream_error", "upstream_tls_failed", nil),
        (.upstreamFailed(.noAnswer), 503, "upstream_error", "upstream_no_answer", nil),
        (.upstreamFailed(.garbage), 503, "upstream_error", "upstream_garbage", nil),
        (.upstreamFailed(.compressed(reason: "the body is compressed")), 503, "upstream_error", "upstream_compressed", nil),
        (.upstreamFailed(.status(402, refused)), 503, "upstream_error", "upstream_status", nil),
        (.upstreamRefusedKey(status: 403, refused), 503, "upstream_error", "upstream_key_refused", nil),
        (.upstreamFailed(.status(500)), 503, "upstream_error", "upstream_status", nil),
        (.upstreamFailed(.status(418)), 503, "upstream_error", "upstream_status", nil),
        (.upstreamFailed(.error(refused!)), 503, "upstream_error", "upstream_reported_error", nil),
        (.upstreamTimedOut(.connect, after: .seconds(3)), 503, "upstream_timeout", "connect_timeout", nil),
        (.upstreamTimedOut(.send, after: .seconds(30)), 503, "upstream_timeout", "send_timeout", nil),
        (.upstreamTimedOut(.firstToken, after: .milliseconds(1500)), 503, "upstream_timeout", "first_token_timeout", nil),
        (.upstreamTimedOut(.idle, after: .seconds(30)), 503, "upstream_timeout", "idle_timeout", nil),
        (.upstreamTimedOut(.total, after: .seconds(600)), 503, "upstream_timeout", "total_timeout", nil),
        (.upstreamCutOff, 503, "upstream_error", "upstream_cut_off", nil),
        (.upstreamAnswerTooLarge(bytesMax: 1), 503, "upstream_error", "upstream_answer_too_large", nil),
        (.upstreamEventTooLarge(bytesMax: 1), 503, "upstream_error", "upstream_event_too_large", nil),
    ]

    @Test(arguments: table)
    func `each error has its status, type, code and param`(
        _ error: ChatError, status: Int, type: String, code: String?, param: String?
    ) {
        #expect(error.status == status)
        #expect(error.type == type)
        #expect(error.code == code)
        #expect(error.param == param)
    }

    @Test func `tokens that are left tomorrow are waited for, and those that a whole day does not have are not`() {
        let spent = ChatError.tokensSpent(needed: 1031, left: 5, retryAfter: .milliseconds(8500))
        #expect(
            spent.message == """
                This request needs 1031 tokens, and 5 of your tokens of the day are left. The next day begins in 9 s, at 0:00 UTC; \
                a shorter chat or a smaller 'max_tokens' may still go.
                """)
        #expect(spent.headers.map { "\($0.name): \($0.value)" } == ["Retry-After: 9", "X-Should-Retry: false"])
        let never = ChatError.tokensBeyondDay(needed: 1031, limit: 500)
        #expect(
            never.message == """
                This request needs 1031 tokens, and you have 500 in a whole day, so that it never fits. Send a smaller 'max_tokens', \
                or a shorter chat.
                """)
        #expect(never.headers.map { "\($0.name): \($0.value)" } == ["X-Should-Retry: false"])
    }

    @Test(arguments: [301, 302, 307, 308]) func `a redirect asks the operator for the place, and nobody to try again`(status: Int)
    {
        let error = ChatError.upstreamFailed(.status(status, Self.refused))
        #expect(
            error.message == """
                The model's server redirects to another place (HTTP \(status)). Whoever runs this server must set its URL to that place.
                """)
    }

    @Test(arguments: table.map(\.0)) func `each body is OpenAI's error object`(_ error: ChatError) throws {
        let body = error.body
        let root = try JSONScanner.validate(body.span, depthMax: 2)
        let member = root.member("error", in: body.span)
        let object = try #require(member)
        #expect(
            object.members(in: body.span).map { JSONText.decode($0.name, in: body.span) } == ["message", "type", "param", "code"])
        #expect(object.member("message", in: body.span)?.string(in: body.span) == error.message)
        #expect(object.member("type", in: body.span)?.string(in: body.span) == error.type)
        #expect(object.member("param", in: body.span)?.string(in: body.span) == error.param)
        #expect(object.member("code", in: body.span)?.string(in: body.span) == error.code)
        #expect(!error.message.isEmpty && error.message.hasSuffix(error.message == "Bad" ? "Bad" : "."))
    }

    @Test(arguments: table.map(\.0)) func `each event is one data line with the same object`(_ error: ChatError) throws {
        var splitter = EventSplitter(eventBytesMax: 1 << 16)
        splitter.append(error.event)
        let event = try #require(try splitter.next())
        #expect(splitter.data(of: event) == error.body[...])
        #expect(splitter.partialCount == 0)
    }

    @Test func `a body reads as it should`() {
        let error = ChatError.invalidParameter("messages[3].role", .wrongType(expected: "a string"))
        let body = #"{"error":{"message":"'messages[3].role' must be a string.","type":"invalid_request_error","#
        #expect(error.body == bytes(body + #""param":"messages[3].role","code":"invalid_type"}}"#))
    }

    @Test(arguments: [
        #"{"message":"","type":"t","param":"x"}"#, #"{"message":"","reason":"no"}"#, #"{"message":" ","code":"c","title":"no"}"#,
        #"{"message":"","message":"\u0020","text":"no"}"#,
    ])
    func `an error without a message gets one`(object: String) throws {
        for body in ["{\"error\":\(object)}", object] {
            let error = ChatError.upstreamAnswered(status: 400, body: bytes(body).span, key: UpstreamKey(), depthMax: 9)
            let told = error.body
            let message = try JSONScanner.validate(told.span, depthMax: 9).member("error", in: told.span)?
                .member("message", in: told.span)?.string(in: told.span)
            #expect(message?.allSatisfy(\.isWhitespace) == false, "\(String(decoding: told, as: UTF8.self))")
        }
    }

    @Test func `no secret in what an upstream says about itself is told to the caller`() throws {
        let reported = UpstreamError(body: bytes(#"{"error":{"message":"cannot reach http://u:secret@db"}}"#).span, depthMax: 64)
        let error = ChatError.upstreamReported(try #require(reported), key: UpstreamKey())
        #expect(!String(decoding: error.body, as: UTF8.self).contains("secret"))
    }

    @Test(arguments: [
        ([], "This server has no model of that name."),
        (["a"], "This server has no model of that name. Ask for one of those that it has ('a')."),
        (["a", "b*"], "This server has no model of that name. Ask for one of those that it has ('a', 'b*')."),
        (
            (1...11).map { "m\($0)" },
            "This server has no model of that name. Ask for one of those that it has "
                + "('m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9', 'm10', …)."
        ),
    ])
    func `an unknown model is told with the known ones`(_ known: [String], text: String) {
        #expect(ChatError.modelNotFound(known: known).message == text)
    }

    @Test func `ten known models are the whole list`() {
        let message = ChatError.modelNotFound(known: (1...10).map { "m\($0)" }).message
        #expect(message.hasSuffix("'m9', 'm10')."))
    }

    @Test func `a missing key of the caller is told with what to send and who must pass it on`() {
        let message = ChatError.missingCallersKey.message
        #expect(message.contains("'Authorization: Bearer KEY'") && message.contains("web server in front"))
    }

    @Test func `a bare event has the text alone`() {
        #expect(
            ChatError.notAnObject.bareEvent
                == bytes("data: {\"error\":\"The request body must be a JSON object.\"}\n\n"))
        let body = bytes("{\"error\":{\"message\":\"No\\n\\\"way\\\"\"}}")
        let theirs = ChatError.upstreamAnswered(status: 400, body: body.span, key: UpstreamKey(), depthMax: 64)
        #expect(theirs.bareEvent == bytes("data: {\"error\":\"No \\\"way\\\"\"}\n\n"))
    }

    @Test(arguments: table.map(\.0)) func `each bare event is one data line with the message`(_ error: ChatError) throws {
        var splitter = EventSplitter(eventBytesMax: 1 << 16)
        splitter.append(error.bareEvent)
        let event = try #require(try splitter.next())
        let data = Array(splitter.data(of: event))
        let root = try JSONScanner.validate(data.span, depthMax: 1)
        #expect(root.members(in: data.span).count == 1)
        #expect(root.member("error", in: data.span)?.string(in: data.span) == error.message)
        #expect(splitter.partialCount == 0)
    }

    @Test func `a time limit is told with its unit`() {
        #expect(ChatError.upstreamTimedOut(.firstToken, after: .milliseconds(1500)).message.contains("1500 ms"))
        #expect(ChatError.upstreamTimedOut(.idle, after: .seconds(30)).message.contains("30 s"))
    }

    @Test func `headers say what is allowed and when to come again`() {
        #expect(ChatError.methodNotAllowed(allowed: "POST").headers.map { "\($0): \($1)" } == ["Allow: POST"])
        #expect(ChatError.overloaded(retryAfter: .milliseconds(1500)).headers.map { "\($0): \($1)" } == ["Retry-After: 2"])
        #expect(ChatError.overloaded(retryAfter: .zero).headers.map { "\($0): \($1)" } == ["Retry-After: 1"])
        #expect(ChatError.upstreamCutOff.headers.isEmpty)
    }

    @Test(arguments: [400, 404, 413, 422, 429]) func `an upstream's verdict goes through with its own object`(_ status: Int) {
        let body = bytes(#"{"error": {"code":null, "message":"N\u006f", "x":[1.0]}}"#)
        let error = ChatError.upstreamAnswered(status: status, body: body.span, key: UpstreamKey(), depthMax: 64)
        #expect(error.status == status)
        #expect(error.body == bytes(#"{"error":{"code":null, "message":"N\u006f", "x":[1.0]}}"#))
    }

    @Test(arguments: [401, 403]) func `a refused key is ours to mend, unless it is the caller's`(_ status: Int) {
        let body = bytes(#"{"error":{"message":"Incorrect API key provided: sk-12***89"}}"#)
        let ours = ChatError.upstreamAnswered(status: status, body: body.span, key: UpstreamKey(), depthMax: 64)
        guard case .upstreamRefusedKey(status: status, _) = ours else {
            Issue.record("\(ours)")
            return
        }
        let secret = UpstreamKey(secrets: [bytes("sk-12***89")])
        let masked = ChatError.upstreamAnswered(status: status, body: body.span, key: secret, depthMax: 64)
        #expect(masked.message.contains("Incorrect API key provided: ***."))
        #expect(!String(decoding: masked.body, as: UTF8.self).contains("sk-"))
        let theirs = ChatError.upstreamAnswered(
            status: status, body: body.span, key: UpstreamKey(isFromCaller: true), depthMax: 64)
        #expect(theirs.status == status && theirs.body == body)
    }

    @Test(arguments: [500, 502, 503, 529, 302, 402, 408, 409, 418, 204]) func `any other status is a failure of the upstream`(
        _ status: Int
    ) {
        let error = ChatError.upstreamAnswered(status: status, body: bytes("{}").span, key: UpstreamKey(), depthMax: 64)
        #expect(error == .upstreamFailed(.status(status)))
        #expect(error.status == 503)
    }

    @Test(
        arguments: [
            ("", nil), ("<html>", nil), ("{}", nil), ("[1]", nil), (#"{"error":null}"#, nil),
            (#"{"error":"No \"x\""}"#, "No \"x\""),
            (#"{"detail":"Not Found"}"#, "Not Found"), (#"{"detail":[{"loc":[]}]}"#, nil),
            ("model not loaded", "model not loaded"),
            ("<html><title>No</title><script>x</script><p>way</p>", "No way"), (#"{"reason":{"title":"No"}}"#, "No"),
            ("[{\"error\":{\"message\":\"No\"}}]", "No"), (#"{"error":{"message":7}}"#, nil),
            ("‹FF›", nil),
        ] as [(String, String?)])
    func `an upstream's body that is no error object is wrapped`(_ text: String, message: String?) throws {
        let error = ChatError.upstreamAnswered(status: 404, body: bytes(text).span, key: UpstreamKey(), depthMax: 64)
        let body = error.body
        let root = try JSONScanner.validate(body.span, depthMax: 2)
        let told = root.member("error", in: body.span)?.member("message", in: body.span)?.string(in: body.span)
        #expect(told == message ?? "The model's server refused the request (HTTP 404) and gave no reason.")
    }

    @Test func `an error object on several lines fits in one event`() throws {
        let body = bytes("{\"error\":{\r\n  \"message\": \"No way\"\r\n}}")
        let error = ChatError.upstreamAnswered(status: 400, body: body.span, key: UpstreamKey(), depthMax: 64)
        #expect(error.event == bytes("data: {\"error\":{    \"message\": \"No way\"  }}\n\n"))
    }

    @Test(
        arguments: [
            (#"{"error":{"message":"x","code":429}}"#, 429, 429), (#"{"error":{"message":"x","code":"413"}}"#, 413, 413),
            (#"{"error":{"message":"x","type":"invalid_request_error"}}"#, 400, 400),
            (#"{"error":{"message":"x","type":"invalid_request_error","code":1210}}"#, 400, 400),
            (#"{"error":{"message":"x","type":"invalid_request_error","code":"model_not_found"}}"#, 404, 404),
            (#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, 429, 429),
            (#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#, 429, 429),
            (#"{"error":{"message":"x","type":"rate_limit_error"}}"#, 429, 429),
            (#"{"error":{"message":"x","code":"invalid_api_key"}}"#, 503, 401),
            (#"{"error":{"message":"x","type":"invalid_request_error","code":"invalid_api_key"}}"#, 503, 401),
            (#"{"error":{"message":"x","type":"authentication_error"}}"#, 503, 401),
            (#"{"error":{"message":"x","type":"permission_error"}}"#, 503, 403),
            (#"{"error":{"message":"x","code":401}}"#, 503, 401), (#"{"error":{"message":"x","code":403}}"#, 503, 403),
            (#"{"error":{"message":"x","code":500}}"#, 503, 503), (#"{"error":{"message":"x","code":408}}"#, 503, 503),
            (#"{"error":{"message":"x","type":"server_error"}}"#, 503, 503), (#"{"error":"x"}"#, 503, 503),
        ])
    func `an error in the first event gets the status that it means`(_ text: String, ours: Int, callers: Int) throws {
        let reported = UpstreamError(body: bytes(text).span, depthMax: 64)
        let error = try #require(reported)
        #expect(ChatError.upstreamReported(error, key: UpstreamKey()).status == ours)
        #expect(ChatError.upstreamReported(error, key: UpstreamKey(isFromCaller: true)).status == callers)
    }
}
