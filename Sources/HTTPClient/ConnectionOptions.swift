// What an upstream's settings say about its connections.

import Synchronization

/// How connections to an upstream are made and shared; one object an upstream, told apart by identity.
///
/// A later reading of the settings uses the object of the one before it for as long as it says the same: then the connections stay.
package final class ConnectionOptions: Sendable {
    /// Which version of HTTP is spoken. `http2` without TLS begins with HTTP/2, by prior knowledge (RFC 9113 §3.3).
    package enum Version: String, CaseIterable, Sendable {
        /// What the server chooses in the TLS handshake (RFC 7301); without TLS HTTP/1.1.
        case auto
        case http1 = "1.1"
        case http2 = "2"
    }

    /// The version of HTTP.
    package let version: Version
    /// The client's own certificate, and those between it and its authority: a PEM file, for upstreams that ask for one.
    package let certificate: String?
    /// Its key, a PEM file.
    package let certificateKey: String?
    /// What is asked for the way there.
    package let proxy: ProxyChoice
    /// How long the addresses of a name are used before it is looked up again.
    package let nameLifetime: Duration
    /// How many streams of HTTP/2 share a connection, unless the server allows fewer.
    package let streamsMax: Int
    /// The context that its files made, and the authorities' file that it was made with.
    private let tls = Mutex<(authoritiesFile: String?, context: TLSContext)?>(nil)

    /// The defaults below.
    package static let standard = ConnectionOptions()

    /// Nothing is checked here: a file that cannot be used fails the connections, or `loadTLS` before there are any.
    package init(
        version: Version = .auto, certificate: String? = nil, certificateKey: String? = nil,
        proxy: ProxyChoice = .environment, nameLifetime: Duration = .seconds(60), streamsMax: Int = 100
    ) {
        self.version = version
        self.certificate = certificate
        self.certificateKey = certificateKey
        self.proxy = proxy
        self.nameLifetime = nameLifetime
        self.streamsMax = streamsMax
    }
}

extension ConnectionOptions {
    /// Reads the files that connections with TLS need, so that no connection has to. Files that others have read are not read again, as
    /// long as those use what was made of them and the files are as they were.
    ///
    /// - Parameter authoritiesFile: as `Session.Configuration.authoritiesFile`.
    /// - Returns: when the client's own certificate is valid; nil without one.
    /// - Throws: `HTTPError.tls` with the name of a file that cannot be used, and why.
    @discardableResult
    package func loadTLS(authoritiesFile: String?) throws(HTTPError) -> CertificateValidity? {
        try tlsContext(authoritiesFile: authoritiesFile).certificateValidity
    }

    /// - Throws: as `loadTLS(authoritiesFile:)`.
    func tlsContext(authoritiesFile: String?) throws(HTTPError) -> TLSContext {
        try tls.withLock { tls throws(HTTPError) in
            if let tls, tls.authoritiesFile == authoritiesFile { return tls.context }
            let context = try TLSContext.shared(
                TLSIdentity(authoritiesFile: authoritiesFile, certificate: certificate, certificateKey: certificateKey))
            tls = (authoritiesFile, context)
            return context
        }
    }

    /// Whether connections are made by others as they are by these, from the same content of files.
    ///
    /// - Precondition: both have had `loadTLS`, or need none.
    package func makeSameConnections(as other: ConnectionOptions) -> Bool {
        version == other.version && certificate == other.certificate && certificateKey == other.certificateKey
            && proxy == other.proxy && nameLifetime == other.nameLifetime && streamsMax == other.streamsMax
            && tls.withLock { $0?.context } === other.tls.withLock { $0?.context }
    }

    /// What is offered to a server with TLS (RFC 7301).
    var protocols: [ALPN] {
        switch version {
        case .auto: [.http2, .http1]
        case .http1: [.http1]
        case .http2: [.http2]
        }
    }
}
