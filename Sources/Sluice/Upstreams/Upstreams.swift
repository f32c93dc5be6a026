// Where answers come from: OpenAI-compatible APIs, or the demo in this process.

import Chat
import EventLoop
import HTTPClient
import Logging
import Settings

/// The upstreams of the settings, as one worker calls them.
final class Upstreams {
    /// Where the upstreams are, in the settings' order; nil for a demo.
    private let endpoints: [Endpoint?]
    /// The upstreams' names, in the same order.
    private let names: [String]
    let session: Session
    /// Connections that stand ready while there is no request for them.
    private let warm: [WarmConnections]
    private let loop: EventLoop
    private let logger: Logger
    private let jsonDepth: Int

    /// - Throws: `HTTPError` when a file of authorities cannot be used.
    init(_ settings: Settings, on loop: EventLoop, _ logger: Logger) throws {
        self.loop = loop
        self.logger = logger
        jsonDepth = settings.limits.jsonDepth
        let upstreams = settings.upstreams.map { (settings: $0, options: ConnectionOptions($0, of: settings)) }
        names = upstreams.map(\.settings.name)
        endpoints = upstreams.map { $0.settings.kind == .demo ? nil : Endpoint($0.settings, $0.options) }
        var configuration = Session.Configuration()
        configuration.userAgent = "sluice/\(sluiceVersion)"
        configuration.acknowledgementTimeout = settings.timeouts.connect
        configuration.sendTimeout = settings.timeouts.send
        configuration.idleConnectionsMax = try DescriptorBudget(settings).idlePerWorker
        configuration.keptHeaders = UpstreamHead.headerNames
        configuration.authoritiesFile = settings.authoritiesFile
        let session = Session(on: loop, configuration)
        self.session = session
        warm = try upstreams.filter { $0.settings.warmCount > 0 }.map { upstream, options in
            try session.keepWarm(
                upstream.urlPrefix, count: upstream.warmCount, connectTimeout: settings.timeouts.connect, options: options
            ) { logger.warmConnections(upstream.name, $0) }
        }
    }

    /// Asks a target. Whoever asks sees to it that the answer is cancelled in the end.
    ///
    /// - Parameter wakeup: woken when there may be something new.
    /// - Throws: `ChatError` when the request lacks what this upstream needs, or cannot be sent.
    func ask(_ target: Target, _ question: Question, waking wakeup: Wakeup) throws(ChatError) -> UpstreamAnswer {
        let id = question.caller.id
        let name = names[target.upstream]
        let noted: (UpstreamAnswer.Note) -> Void = { [logger] in logger.noted($0, id, name) }
        guard let endpoint = endpoints[target.upstream] else {
            let demo = DemoAnswer(question.chat, id, waking: wakeup, on: loop)
            return UpstreamAnswer(.demo(demo), jsonDepth: jsonDepth, noted: noted)
        }
        let request = try endpoint.request(for: question, to: target)
        do throws(HTTPError) {
            let transfer = try session.start(request, waking: wakeup)
            return UpstreamAnswer(
                .http(transfer), jsonDepth: jsonDepth, key: endpoint.key, noted: noted)
        } catch {
            noted(.failed(.connection(error)))
            throw .upstreamFailed(.unreachable)
        }
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
        case .timedOut(.send, let limit): self = .upstreamTimedOut(.send, after: limit)
        case .timedOut(.total, let limit): self = .upstreamTimedOut(.total, after: limit)
        case .refused: self = .upstreamFailed(.connectionRefused)
        case .tls: self = .upstreamFailed(.insecure)
        case .cannotResolve, .unreachable, .invalidRequest, .unavailable: self = .upstreamFailed(.unreachable)
        case .malformed(let reason) where reason.utf8.starts(with: "the body is compressed".utf8):
            self = .upstreamFailed(.compressed(reason: reason))
        case .malformed, .headTooLarge: self = .upstreamFailed(.garbage)
        case .cutOff(let count): self = count == 0 ? .upstreamFailed(.noAnswer) : .upstreamCutOff
        }
    }
}
