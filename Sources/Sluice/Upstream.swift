// Where answers come from: an OpenAI-compatible API, or the demo in this process.

import Chat
import EventLoop
import HTTPClient
import Logging

struct Upstream {
    private enum Kind {
        case demo
        case openAI(Session, OpenAIEndpoint)
    }
    private let kind: Kind
    private let loop: EventLoop
    private let logger: Logger
    private let jsonDepth: Int

    /// - Throws: `HTTPError` when libcurl cannot be set up.
    init(_ settings: Settings, on loop: EventLoop, _ logger: Logger) throws {
        self.loop = loop
        self.logger = logger
        jsonDepth = settings.limits.jsonDepth
        let upstream = settings.upstreams[0]
        guard upstream.kind != .demo else {
            kind = .demo
            return
        }
        var configuration = Session.Configuration()
        configuration.userAgent = "sluice/\(sluiceVersion)"
        configuration.caFile = settings.authoritiesFile
        let key: String? = if case .secret(let key) = upstream.key { key } else { nil }
        kind = .openAI(
            try Session(on: loop, configuration), OpenAIEndpoint(baseURL: upstream.url, key: key, timeouts: settings.timeouts))
    }

    var isDemo: Bool { if case .demo = kind { true } else { false } }

    /// Asks, and hands the answer to `body` while it is on its way. When `body` returns, or the task is cancelled, it is over.
    ///
    /// - Throws: what `body` throws, and `ChatError` when nothing can be sent.
    func withAnswer(
        to chat: consuming ChatRequest, _ correlation: Correlation, _ body: (UpstreamAnswer) async throws -> Void
    ) async throws {
        let failed: (HTTPError) -> Void = { logger.upstreamFailed(correlation.id, $0) }
        switch kind {
        case .demo:
            let demo = DemoAnswer(chat, correlation.id, on: loop)
            try await loop.withCancellation {
                try await body(UpstreamAnswer(.demo(demo), jsonDepth: jsonDepth, failed: failed))
            } onCancel: {
                demo.cancel()
            }
        case .openAI(let session, let endpoint):
            do {
                try await session.withTransfer(endpoint.request(for: chat, correlation)) { transfer in
                    try await body(UpstreamAnswer(.http(transfer), jsonDepth: jsonDepth, failed: failed))
                }
            } catch let error as HTTPError {
                failed(error)
                throw try ChatError(error)
            }
        }
    }
}

/// An API's address and key, and how long to wait for it.
struct OpenAIEndpoint {
    private let url: String
    private let headers: [(name: String, value: String)]
    private let timeouts: Settings.Timeouts

    init(baseURL: String, key: String?, timeouts: Settings.Timeouts) {
        url = "\(baseURL)/chat/completions"
        headers = [("Content-Type", "application/json")] + (key.map { [("Authorization", "Bearer \($0)")] } ?? [])
        self.timeouts = timeouts
    }

    func request(for chat: ChatRequest, _ correlation: Correlation) -> HTTPRequest {
        var headers = headers
        headers.append(("Accept", chat.isStreaming ? "text/event-stream" : "application/json"))
        headers.append(("X-Client-Request-Id", correlation.clientRequestID))
        if let traceparent = correlation.traceparent { headers.append(("traceparent", traceparent)) }
        return HTTPRequest(
            .post, url, headers: headers, body: chat.upstreamBody(UpstreamRules()),
            connectTimeout: timeouts.connect, totalTimeout: timeouts.total)
    }
}

extension ChatError {
    /// What an HTTP failure means to the caller.
    ///
    /// - Throws: `CancellationError` for a cancelled transfer, which is nobody's failure.
    init(_ error: HTTPError) throws(CancellationError) {
        switch error {
        case .cancelled: throw CancellationError()
        case .timedOut(.connect, let limit): self = .upstreamTimedOut(.connect, after: limit)
        case .timedOut(.total, let limit): self = .upstreamTimedOut(.total, after: limit)
        case .refused: self = .upstreamFailed(.connectionRefused)
        case .tls: self = .upstreamFailed(.insecure)
        case .cannotResolve, .unreachable, .invalidRequest, .unavailable: self = .upstreamFailed(.unreachable)
        case .malformed, .headTooLarge: self = .upstreamFailed(.garbage)
        case .cutOff(let count): self = count == 0 ? .upstreamFailed(.noAnswer) : .upstreamCutOff
        case .readerTooSlow: self = .upstreamCutOff
        }
    }
}
