// Where answers come from: OpenAI-compatible APIs, or the demo in this process.

import Chat
import EventLoop
import HTTPClient
import Logging
import Settings

/// The upstreams of the settings, as one worker calls them. Connections that a former generation has made to an upstream serve the next
/// one's requests, unless that makes them otherwise.
final class Upstreams {
    /// Where the upstreams are, in the settings' order; nil for a demo.
    private let endpoints: [Endpoint?]
    /// What they say that their models are, in the same order; nil where they are not asked.
    private let models: [UpstreamModels?]
    /// The upstreams' names, in the same order.
    private let names: [String]
    /// Which of them answers `sluice probe`; nil for none.
    private let probe: Int?
    /// What that is told of the settings.
    private let heartbeat: Duration
    let session: Session
    /// In the same order.
    private let connections: [UpstreamConnections]
    /// To hooks; nil where there are none.
    let hookConnections: UpstreamConnections?
    /// What has calls' platforms say something; nil where none is asked.
    let callControl: CallControl?
    /// To the collector of traces; nil where there is none.
    let traceConnections: UpstreamConnections?
    /// Connections that stand ready while there is no request for them, by the same order; nil for none.
    private var warm: [WarmUpstream?]
    private let idleConnectionsMax: Int
    private let loop: EventLoop
    private let logger: Logger
    private let jsonDepth: Int

    /// - Parameter former: what served this worker's requests so far, if there is such.
    /// - Throws: `HTTPError` when there is a URL that cannot be used, `SystemError` when the kernel does not tell its limits.
    init(_ generation: Generation, replacing former: Upstreams? = nil, on loop: EventLoop, _ logger: Logger) throws {
        self.loop = loop
        self.logger = logger
        let settings = generation.settings
        jsonDepth = settings.limits.jsonDepth
        (names, heartbeat) = (settings.upstreams.map(\.name), settings.heartbeat)
        probe = settings.upstreams.firstIndex { $0.name.hasSameBytes(as: Settings.probeUpstream) }
        let upstreams = zip(settings.upstreams, generation.connectionOptions)
        endpoints = upstreams.map { $0.kind == .demo ? nil : Endpoint($0, $1) }
        models = zip(endpoints, settings.upstreams).map { endpoint, upstream in
            endpoint?.modelsRequest.map { _ in UpstreamModels(of: upstream.name, on: loop, logger) }
        }
        let configuration = try Session.Configuration(settings)
        let session =
            if let session = former?.session, session.fits(configuration) { session } else {
                Session(on: loop, configuration)
            }
        self.session = session
        idleConnectionsMax = configuration.idleConnectionsMax
        let (formerConnections, formerWarm) = (former?.connections ?? [], former?.warm ?? [])
        connections = generation.connectionOptions.map { options in
            formerConnections.first { $0.session === session && $0.options === options } ?? UpstreamConnections(session, options)
        }
        hookConnections = generation.hookOptions.map { UpstreamConnections.of($0, in: session, former?.hookConnections) }
        traceConnections = generation.traces.map { UpstreamConnections.of($0.options, in: session, former?.traceConnections) }
        let formerControl = former?.callControl
        callControl = generation.platformOptions.map { options in
            if let formerControl, formerControl.isOf(session, options) { return formerControl }
            return CallControl(UpstreamConnections(session, options), logger)
        }
        warm = try upstreams.map { upstream, options in
            guard let warm = WarmUpstream.Identity(upstream, settings, options, session) else { return nil }
            let known = formerWarm.first { $0?.identity == warm }
            return try known ?? WarmUpstream(warm, in: session, options) { logger.warmConnections(upstream.name, $0) }
        }
    }

    /// Requests come from now on.
    func takeEffect() { session.idleConnectionsMax = idleConnectionsMax }

    /// From now on no further requests come, and what stands ready is kept only where the next generation wants it too.
    func retire() { warm = [] }

    /// Asks a target. Whoever asks sees to it that the answer is cancelled in the end.
    ///
    /// - Parameters:
    ///   - span: of the attempt; nil where it has none.
    ///   - wakeup: woken when there may be something new.
    /// - Throws: `ChatError` when the request lacks what this upstream needs, or cannot be sent.
    func ask(
        _ target: Target, _ question: Question, _ span: AttemptSpan? = nil, waking wakeup: Wakeup
    ) throws(ChatError) -> UpstreamAnswer {
        let id = question.caller.id
        let name = names[target.upstream]
        let noted: (UpstreamAnswer.Note) -> Void = { [logger] in logger.noted($0, id, name) }
        guard let endpoint = endpoints[target.upstream] else {
            let demo = DemoAnswer(
                question.chat, id, isProbe: target.upstream == probe, heartbeat: heartbeat, waking: wakeup, on: loop)
            return UpstreamAnswer(.demo(demo), jsonDepth: jsonDepth, noted: noted)
        }
        let (request, key) = try endpoint.request(for: question, to: target, span)
        do throws(HTTPError) {
            let transfer = try session.start(consume request, waking: wakeup)
            return UpstreamAnswer(.http(transfer), jsonDepth: jsonDepth, key: key, noted: noted)
        } catch {
            noted(.failed(.connection(error)))
            throw .upstreamFailed(.unreachable)
        }
    }
}

extension Upstreams {
    /// Of more upstreams the models are not asked for at once: each takes a descriptor. Whoever comes next has others asked.
    private static let modelsAtOnceMax = 32

    /// What upstreams say that their models are, by the upstreams' indices, of those that have said it. Comes back when each has answered,
    /// or has not within three seconds.
    ///
    /// - Throws: when nobody waits for it any more, and nobody else for the same.
    func models(of upstreams: [Int], _ budget: MemoryBudget) async throws(CancellationError) -> [Int: [String]] {
        let wakeup = Wakeup(on: loop)
        var room = max(0, Self.modelsAtOnceMax - models.count { $0?.isAsking == true })
        for index in upstreams {
            guard let list = models[index], let request = endpoints[index]?.modelsRequest else { continue }
            if list.isDue {
                if room == 0 { continue }
                room -= 1
            }
            list.ask(for: request, in: session, budget, waking: wakeup)
        }
        let lists = upstreams.compactMap { models[$0] }
        await loop.withCancellation {
            while true {
                for list in lists { list.proceed() }
                if Task.isCancelled { for list in lists { list.leave(wakeup) } }
                guard lists.contains(where: { $0.isAwaited(by: wakeup) }) else { return }
                await wakeup.wait()
            }
        } onCancel: {
            wakeup.wake()
        }
        if Task.isCancelled { throw CancellationError() }
        let known = upstreams.compactMap { index in models[index]?.names.map { (index, $0) } }
        return Dictionary(known) { first, _ in first }
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
