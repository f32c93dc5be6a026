// One worker's connections to an upstream, to hooks, to platforms or to a collector, for as long as some generation uses them.

import Chat
import HTTPClient
import Settings

/// The connections that one object of options has made; they are closed with the last generation that has it. Requests keep theirs.
final class UpstreamConnections {
    let session: Session
    let options: ConnectionOptions

    init(_ session: Session, _ options: ConnectionOptions) { (self.session, self.options) = (session, options) }

    /// Those of a former generation where they are the same.
    static func of(
        _ options: ConnectionOptions, in session: Session, _ former: UpstreamConnections?
    ) -> UpstreamConnections {
        if let former, former.session === session, former.options === options { return former }
        return UpstreamConnections(session, options)
    }

    deinit { session.closeConnections(of: options) }
}

/// Connections to an upstream that stand ready.
final class WarmUpstream {
    /// What makes two generations' wishes the same.
    struct Identity: Equatable {
        fileprivate let url: String
        fileprivate let count: Int
        fileprivate let connectTimeout: Duration
        private let options: ObjectIdentifier
        private let session: ObjectIdentifier

        /// Nil for an upstream that wants none.
        init?(_ upstream: UpstreamSettings, _ settings: Settings, _ options: ConnectionOptions, _ session: Session) {
            guard upstream.warmCount > 0 else { return nil }
            (url, count, connectTimeout) = (upstream.urlPrefix, upstream.warmCount, settings.timeouts.connect)
            (self.options, self.session) = (ObjectIdentifier(options), ObjectIdentifier(session))
        }
    }

    let identity: Identity
    private let connections: WarmConnections

    /// - Parameter report: for the log.
    /// - Throws: `HTTPError.invalidRequest` for a URL that is not one to connect to.
    init(
        _ identity: Identity, in session: Session, _ options: ConnectionOptions,
        report: @escaping (WarmConnections.Report) -> Void
    ) throws(HTTPError) {
        self.identity = identity
        connections = try session.keepWarm(
            identity.url, count: identity.count, connectTimeout: identity.connectTimeout, options: options, report: report)
    }
}

extension Session.Configuration {
    /// - Throws: `SystemError` when the kernel does not tell its limits.
    init(_ settings: Settings) throws {
        self.init()
        userAgent = "sluice/\(sluiceVersion)"
        acknowledgementTimeout = settings.timeouts.connect
        sendTimeout = settings.timeouts.send
        idleConnectionsMax = try DescriptorBudget(settings).idlePerWorker
        keptHeaders = UpstreamHead.headerNames
        authoritiesFile = settings.authoritiesFile
    }
}
