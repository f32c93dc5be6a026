// Where answers come from: OpenAI-compatible APIs, or the demo in this process.

import Chat
import EventLoop
import HTTPClient
import Logging

/// The upstreams of the settings, as one worker calls them.
final class Upstreams {
    /// One for each upstream, in the settings' order; nil for a demo.
    private let endpoints: [Endpoint?]
    private let session: Session
    private let loop: EventLoop
    private let logger: Logger
    private let jsonDepth: Int

    /// - Throws: `HTTPError` when libcurl cannot be set up.
    init(_ settings: Settings, on loop: EventLoop, _ logger: Logger) throws {
        self.loop = loop
        self.logger = logger
        jsonDepth = settings.limits.jsonDepth
        endpoints = settings.upstreams.map { $0.kind == .demo ? nil : Endpoint($0) }
        var configuration = Session.Configuration()
        configuration.userAgent = "sluice/\(sluiceVersion)"
        configuration.caFile = settings.authoritiesFile
        session = try Session(on: loop, configuration)
    }

    /// What to ask a target.
    ///
    /// - Throws: `ChatError` when the request lacks what this upstream needs.
    func call(_ target: Target, for chat: ChatRequest, _ caller: Caller) throws(ChatError) -> UpstreamCall {
        guard let endpoint = endpoints[target.upstream] else { return .demo(DemoAnswer(chat, caller.id, on: loop)) }
        return .http(try endpoint.request(for: chat, to: target, caller), isCallersKey: endpoint.takesCallersKey)
    }

    /// Asks, and hands the answer to `body` while it is on its way. When `body` returns, or the task is cancelled, it is over.
    ///
    /// - Throws: what `body` throws, and `ChatError` when nothing can be sent.
    func withAnswer(
        to call: consuming UpstreamCall, _ id: RequestID, _ body: (UpstreamAnswer) async throws -> Void
    ) async throws {
        let failed: (HTTPError) -> Void = { [logger] in logger.upstreamFailed(id, $0) }
        switch consume call {
        case .demo(let demo):
            try await loop.withCancellation {
                try await body(UpstreamAnswer(.demo(demo), jsonDepth: jsonDepth, failed: failed))
            } onCancel: {
                demo.cancel()
            }
        case .http(let request, let isCallersKey):
            do {
                try await session.withTransfer(request) { transfer in
                    try await body(
                        UpstreamAnswer(.http(transfer), jsonDepth: jsonDepth, isCallersKey: isCallersKey, failed: failed))
                }
            } catch let error as HTTPError {
                failed(error)
                throw try ChatError(error)
            }
        }
    }
}

/// A question to one upstream, ready to be asked.
enum UpstreamCall {
    case http(HTTPRequest, isCallersKey: Bool)
    case demo(DemoAnswer)
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
