/// Everything that can keep a caller from a whole answer. Status, type, code and text come from one switch each.
package enum ChatError: Error, Hashable, Sendable {
    // The caller's request.
    case invalidJSON(JSONError)
    case notAnObject
    /// A parameter that is missing or of the wrong type; `param` is its path, as in `messages[3].role`.
    case invalidParameter(_ param: String, ParameterProblem)
    /// A webhook event of a voice platform that was posted to this URL.
    case webhook
    /// The upstream is called with the caller's own key (`key = "passthrough"`), and there is none.
    case missingCallersKey
    /// No model in the settings has the name that the caller asks for; `known` are those that have one, patterns left out.
    case modelNotFound(known: [String])
    case unknownPath
    /// `allowed` is the value of the `Allow` header, such as `POST`.
    case methodNotAllowed(allowed: String)
    case bodyTooLarge(bytesMax: Int)

    // This server.
    case overloaded(retryAfter: Duration)
    /// It is being stopped, and the time for open streams to finish is over.
    case shuttingDown
    case internalDefect(requestID: String)

    // The upstream. ``upstreamAnswered(status:body:isCallersKey:depthMax:)`` picks the right one for a response.
    /// Its verdict on the caller's request, which goes through with its status.
    case upstreamRefused(status: Int, UpstreamError?)
    /// It does not accept the key from Sluice's settings.
    case upstreamRefusedKey(status: Int)
    case upstreamFailed(UpstreamFailure)
    case upstreamTimedOut(UpstreamTimeout, after: Duration)
    /// It broke off inside its answer.
    case upstreamCutOff
    /// It sent an answer, one that is not streamed, above the limit.
    case upstreamAnswerTooLarge(bytesMax: Int)
    /// It sent an event above the limit.
    case upstreamEventTooLarge(bytesMax: Int)
}

/// What is wrong with a parameter of the request.
package enum ParameterProblem: Hashable, Sendable {
    case missing
    case empty
    /// `expected` completes "must be …".
    case wrongType(expected: String)
    /// A text of more than `bytesMax` bytes in UTF-8.
    case tooLong(bytesMax: Int)
}

/// Why there is no answer from the upstream.
package enum UpstreamFailure: Hashable, Sendable {
    /// No address for its name, or no route to it.
    case unreachable
    case connectionRefused
    case insecure
    /// It closed the connection before the first event.
    case noAnswer
    /// It sent what is neither events nor a completion.
    case garbage
    /// It answered with a status that is no verdict on the request, such as 500.
    case status(Int)
    /// It reported an error, in its first event, that is no verdict on the request.
    case error(UpstreamError)
}

/// The deadlines of an upstream call.
package enum UpstreamTimeout: String, Hashable, Sendable {
    case connect, send, firstToken = "first_token", idle, total
}

extension ChatError {
    /// The error for an upstream's response that has not the status 200.
    /// - Parameters:
    ///   - body: the response's body, of whatever kind.
    ///   - isCallersKey: the caller's own key went to the upstream (`key = "passthrough"`), so 401 and 403 are about that.
    package static func upstreamAnswered(
        status: Int, body: Span<UInt8>, isCallersKey: Bool, depthMax: Int
    ) -> ChatError {
        switch status {
        case 401 where !isCallersKey, 403 where !isCallersKey: .upstreamRefusedKey(status: status)
        case 400, 401, 403, 404, 413, 422, 429: .upstreamRefused(status: status, UpstreamError(body: body, depthMax: depthMax))
        default: .upstreamFailed(.status(status))
        }
    }

    /// The error for one that the upstream reported in its first event, behind a status of 200.
    package static func upstreamReported(_ error: UpstreamError, isCallersKey: Bool) -> ChatError {
        switch error.status {
        case let status? where (status == 401 || status == 403) && !isCallersKey: .upstreamRefusedKey(status: status)
        case let status? where [400, 401, 403, 404, 413, 422, 429].contains(status): .upstreamRefused(status: status, error)
        default: .upstreamFailed(.error(error))
        }
    }
}

extension UpstreamError {
    /// The HTTP status that the error would have had, told by its code or else its type; nil for an error of the upstream's own.
    fileprivate var status: Int? {
        if let status = code.flatMap({ Int($0) }), (400...599).contains(status) { return status }
        return switch (code, type) {
        case ("invalid_api_key", _), (_, "authentication_error"): 401
        case (_, "permission_error"): 403
        case ("model_not_found", _): 404
        case ("rate_limit_exceeded", _), ("insufficient_quota", _), (_, "rate_limit_error"): 429
        case (_, "invalid_request_error"): 400
        default: nil
        }
    }
}
