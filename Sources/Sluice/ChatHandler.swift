// The path of a request, top to bottom: check it, ask the upstream, hand the answer on. The file to read first.

import Chat
import EventLoop
import FastCGI
import Logging

/// Answers the requests of one worker.
struct ChatHandler {
    private let settings: Settings
    private let loop: EventLoop
    private let logger: Logger
    private let upstream: Upstream
    private let models: [UInt8]

    /// - Throws: `HTTPError` when libcurl cannot be set up.
    init(_ settings: Settings, on loop: EventLoop, _ logger: Logger) throws {
        self.settings = settings
        self.loop = loop
        self.logger = logger
        upstream = try Upstream(settings, on: loop, logger)
        models = settings.modelList
    }

    /// Answers one request, whatever comes: with the answer, with an error, or by cutting the connection when the caller is gone.
    func answer(_ request: Request, _ response: consuming Response, isOverloaded: Bool) async {
        let id = RequestID(callers: request["HTTP_X_REQUEST_ID"])
        let start = loop.now
        var reply = Reply(response, id)
        do {
            do {
                if isOverloaded { throw ChatError.overloaded(retryAfter: .seconds(1)) }
                try await serve(request, id, &reply)
                logger.answered(id, after: loop.now - start)
            } catch let error as ChatError {
                logger.requestFailed(id, error, after: loop.now - start)
                try await reply.fail(error)
            } catch is CancellationError {
                // Either the caller left, and the attempt to tell it throws that, or the server's time to drain is over.
                try await reply.fail(.shuttingDown)
            } catch let error where !(error is FastCGIError) {
                logger.requestBroken(id, error)
                try await reply.fail(.internalDefect(requestID: id.description))
            }
            try await reply.finish()
        } catch {
            logger.callerLeft(id, error, after: loop.now - start)
        }
    }

    private func serve(_ request: Request, _ id: RequestID, _ reply: inout Reply) async throws {
        switch try Route(request) {
        case .chat: try await chat(request, id, &reply)
        case .models: try await reply.sendJSON(models)
        case .openAPI: try await reply.sendJSON(openAPIDocument)
        }
    }

    private func chat(_ request: Request, _ id: RequestID, _ reply: inout Reply) async throws {
        if request.isBodyTooLarge { throw ChatError.bodyTooLarge(bytesMax: settings.limits.bodyBytes) }
        let chat = try ChatRequest(body: request.body, depthMax: settings.limits.jsonDepth)
        let correlation = Correlation(request, id)
        request.release()
        let isStreaming = chat.isStreaming
        try await upstream.withAnswer(to: chat, correlation) { answer in
            if isStreaming {
                try await Relay(answer, settings, on: loop).run(&reply)
            } else {
                try await forward(answer, &reply)
            }
        }
        if upstream.isDemo { logger.answeredByDemo(id) }
    }

    /// One JSON object, not streamed: it goes on when it is whole.
    private func forward(_ answer: UpstreamAnswer, _ reply: inout Reply) async throws {
        let deadline = loop.now + settings.timeouts.total
        guard let body = try await answer.collect(bytesMax: settings.limits.answerBytes, until: deadline) else {
            throw ChatError.upstreamTimedOut(.total, after: settings.timeouts.total)
        }
        reply.upstream = answer.head
        try answer.checkStatus(body)
        switch ChatFrame(body.span, depthMax: settings.limits.jsonDepth) {
        case .chunk: try await reply.sendJSON(body)
        case .error(let error): throw ChatError.upstreamReported(error, isCallersKey: false)
        case .done, .other, .garbage: throw ChatError.upstreamFailed(.garbage)
        }
    }
}

/// What ties a request to its log lines and to the upstream's.
struct Correlation {
    let id: RequestID
    /// The caller's `X-Client-Request-Id`, or the request's id.
    let clientRequestID: String
    /// W3C Trace Context.
    let traceparent: String?

    init(_ request: Request, _ id: RequestID) {
        self.id = id
        clientRequestID = Self.sane(request["HTTP_X_CLIENT_REQUEST_ID"]) ?? id.description
        traceparent = Self.sane(request["HTTP_TRACEPARENT"])
    }

    /// A header that may go upstream as it is: 1 to 512 printable ASCII characters. Any other is the caller's mistake, and is left
    /// out instead of spoiling the request.
    static func sane(_ value: String?) -> String? {
        guard let value, (1...512).contains(value.utf8.count) else { return nil }
        return value.utf8.allSatisfy { (0x20..<0x7F).contains($0) } ? value : nil
    }
}
