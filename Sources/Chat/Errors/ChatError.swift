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
    /// Of the tokens that the client may take in a day too few are left for what this request may need.
    case tokensSpent(needed: Int, left: Int, retryAfter: Duration)
    /// This request may need more tokens than the client may take in a whole day, `limit`.
    case tokensBeyondDay(needed: Int, limit: Int)
    /// The client has asked as often as it may in a minute.
    case tooManyRequests(retryAfter: Duration)
    /// As many of the client's requests are being answered as may be at once.
    case tooManyAtOnce
    /// The hook that is asked before each turn refuses this one, with a status from 400 to 499 and perhaps words of its own.
    case denied(status: Int, message: String?)
    case unknownPath
    /// `allowed` is the value of the `Allow` header, such as `POST`.
    case methodNotAllowed(allowed: String)
    case bodyTooLarge(bytesMax: Int)
    /// The headers, with what the web server adds to them, are larger than the limit.
    case headersTooLarge(bytesMax: Int)
    /// A header has a NUL in it, or its name an equals sign.
    case malformedHeaders
    /// The body is compressed; `coding` is nil when its name is not fit to be repeated.
    case compressedBody(coding: String?)

    // This server.
    case overloaded(retryAfter: Duration)
    /// What all requests together may hold is held, and was for as long as one could wait.
    case memoryFull
    /// The hook that is asked before each turn has failed, and the settings let no turn pass without it.
    case hookFailed
    /// What clients use is counted by several machines together, and where they do that cannot be reached.
    case budgetsUnknown
    /// It is being stopped, and the time for open streams to finish is over.
    case shuttingDown
    /// The web server names a route that the settings do not have, or none where they have named ones alone.
    case unknownRoute
    case internalDefect(requestID: String)

    // The upstream. ``upstreamAnswered(status:body:key:depthMax:)`` picks the right one for a response.
    /// Its verdict on the caller's request, which goes through with its status.
    case upstreamRefused(status: Int, UpstreamError?)
    /// It does not accept the key from Sluice's settings.
    case upstreamRefusedKey(status: Int, UpstreamError? = nil)
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
    /// It closed the connection, or ended its stream, before it said anything.
    case noAnswer
    /// It sent what is neither events nor a completion.
    case garbage
    /// Its answer is in a content coding, though none was asked for; `reason` is a sentence without its end that says so.
    case compressed(reason: String)
    /// It answered with a status that is no verdict on the request, such as 500 or 402.
    case status(Int, UpstreamError? = nil)
    /// It reported an error, behind a status of success, that is no verdict on the request.
    case error(UpstreamError)

    /// The status that it answered with, or would have.
    package var status: Int? {
        switch self {
        case .status(let status, _): status
        case .error(let error): error.status
        default: nil
        }
    }

    /// Whether it speaks of the upstream's account or capacity: the same target will not do better in a moment, another may.
    package var isAboutAccount: Bool {
        guard let status else { return false }
        return (400..<500).contains(status) && status != 408 && status != 409
    }
}

/// The key that an upstream is called with.
package struct UpstreamKey: Sendable {
    /// It is the caller's own (`key = "passthrough"`), so that 401 and 403 are about that.
    package let isFromCaller: Bool
    /// What nobody may read, should the upstream repeat it in the words of an error or as a name.
    package var secrets: [[UInt8]]
    /// Whether no words of an error go on, since texts that are not the caller's to read went out with it: see
    /// `ChatRequest.hasOwnTexts(_:)`.
    package var withholdsWords = false

    /// - Parameters:
    ///   - isFromCaller: whether the caller sent it, so that its refusal is the caller's to hear of.
    ///   - secrets: the bytes of each text that is masked in the upstream's words.
    package init(isFromCaller: Bool = false, secrets: [[UInt8]] = []) {
        (self.isFromCaller, self.secrets) = (isFromCaller, secrets)
    }
}

/// The deadlines of an upstream call.
package enum UpstreamTimeout: String, Hashable, Sendable {
    case connect, send, firstToken = "first_token", idle, total
}

extension ChatError {
    /// The error for an upstream's response that has no status of success.
    /// - Parameters:
    ///   - body: the response's body, of whatever kind.
    ///   - coding: the content coding that the body came in, and so was not read.
    package static func upstreamAnswered(
        status: Int, body: Span<UInt8>, coding: String? = nil, key: UpstreamKey, depthMax: Int
    ) -> ChatError {
        let words = UpstreamError(body: body, depthMax: depthMax) ?? coding.map(UpstreamError.compressed)
        let error = words?.shown(key)
        return verdict(status, error, key) ?? .upstreamFailed(.status(status, error))
    }

    /// The error for one that the upstream reported behind a status of success.
    package static func upstreamReported(_ error: UpstreamError, key: UpstreamKey) -> ChatError {
        let error = error.shown(key)
        return error.status.flatMap { verdict($0, error, key) } ?? .upstreamFailed(.error(error))
    }

    private static func verdict(_ status: Int, _ error: UpstreamError?, _ key: UpstreamKey) -> ChatError? {
        switch status {
        case 401 where !key.isFromCaller, 403 where !key.isFromCaller: .upstreamRefusedKey(status: status, error)
        case 400, 401, 403, 404, 413, 422, 429: .upstreamRefused(status: status, error)
        default: nil
        }
    }
}
