// Which requests have a trace, and where it goes: what all workers know of that.

import Chat
import Choosing
import Clock
import FastCGI
import HTTPClient
import Logging
import Settings

/// The setting `traces`, as a generation has it.
final class Tracing: Sendable {
    let endpoint: String
    /// What each batch has in its head.
    let fields: CommonFields
    /// What each batch begins with.
    let batchStart: [UInt8]
    /// What no words of the collector's may quote.
    let secrets: [[UInt8]]
    /// How connections to the collector are made.
    let options: ConnectionOptions
    /// How it does.
    let health: TraceHealth
    private let share: SampledShare

    /// Nil where there are none.
    ///
    /// - Parameter former: the same of the generation before, if that has them. What stays the same is shared with it.
    /// - Throws: `HTTPError.tls` when a file that TLS needs cannot be used.
    init?(_ settings: Settings, replacing former: Tracing?, _ logger: Logger?, _ metrics: Metrics?) throws(HTTPError) {
        guard let traces = settings.traces else { return nil }
        (endpoint, share) = (traces.endpoint, traces.sample)
        fields = CommonFields([("Content-Type", "application/json")] + traces.headers.map { ($0.name, $0.value) })
        batchStart = TraceQueue.start(of: traces.service)
        secrets = traces.headers.flatMap { UpstreamKey.secrets(of: $0.value) }
        let options = ConnectionOptions(tracesOf: settings)
        if settings.tracesUseTLS { try options.loadTLS(authoritiesFile: settings.authoritiesFile) }
        if let former, former.endpoint.hasSameBytes(as: traces.endpoint), options.makeSameConnections(as: former.options) {
            self.options = former.options
        } else {
            self.options = options
        }
        health = former?.health ?? TraceHealth(logger, metrics)
    }

    /// A request has come.
    ///
    /// - Returns: nil where it gets no trace: its caller says so, or says nothing and it is none of the share.
    func begin(_ request: Request) -> RequestTrace? {
        begin(traceparent: request["HTTP_TRACEPARENT"], start: request.start) { request["HTTP_TRACESTATE"] }
    }

    /// - Parameter state: asked where it matters.
    func begin(traceparent: String?, start: Instant, state: () -> String?) -> RequestTrace? {
        guard let parent = traceparent.flatMap(TraceParent.init) else {
            return share.takes(SplitMix().next()) ? RequestTrace(start: start) : nil
        }
        return parent.isSampled ? RequestTrace(start: start, in: parent, state: Caller.sane(state())) : nil
    }
}
