// Everything that can be set, and its defaults. `SettingsSources` says where the values come from.

package import Chat
package import Choosing
package import FastCGI
package import HTTPClient
package import Logging

package struct Settings: Equatable, Sendable {
    package static let defaultListen = "unix:/run/sluice/sluice.sock"
    package static let defaultBaseURL = "https://api.openai.com/v1"
    package static let workersRange = 1...256

    package var listen: ListenAddress
    /// Who may use the unix socket that Sluice makes.
    package var socket = SocketAccess()
    package var workers: Int
    /// A comment line goes to the caller after this much silence, so that neither side takes the connection for dead; zero: never.
    package var heartbeat = Duration.seconds(10)
    package var limits = Limits()
    package var timeouts = Timeouts()
    /// Of each model that says nothing else.
    package var attempts = AttemptSettings()
    /// Of each upstream that says nothing else.
    package var rest = RestPlan()
    package var logLevel = Logger.Level.info
    /// A PEM file of the authorities that vouch for an upstream, instead of the system's: `SSL_CERT_FILE`, as curl and Python take it.
    package var authoritiesFile: String?
    /// For how long the addresses of an upstream's name are used before they are looked up again.
    package var nameLifetime = Duration.seconds(60)
    /// The model for requests that name none.
    package var defaultModel: String?
    package var errors = ErrorForm.json
    /// What a voice says in place of an error that comes before a stream's first event.
    package var spokenError: String?
    package var refusal = Refusal.pass
    package var onDisconnect = Disconnect.cancel
    /// In the file's order; names are unique.
    package var upstreams: [UpstreamSettings]
    /// The first that matches a request's model counts.
    package var models: [ModelSettings]

    package struct Limits: Equatable, Sendable {
        /// Requests that are answered at once, over all workers; a further one gets 503.
        package var requests = 4096
        package var bodyBytes = 8 << 20
        package var parametersBytes = 64 << 10
        /// One server-sent event of an upstream.
        package var eventBytes = 1 << 20
        /// An upstream's answer that is not streamed.
        package var answerBytes = 32 << 20
        /// Bodies of requests, and answers that are collected or wait for slow callers, of all workers together.
        package var memoryBytes = MachineMemory.unknownLimit
        package var jsonDepth = 64
    }

    package struct Timeouts: Equatable, Sendable {
        /// Of a request on the FastCGI connection, from its first byte to its last.
        package var request = Duration.seconds(60)
        /// To the upstream: name, TCP and TLS.
        package var connect = Duration.seconds(3)
        /// While the upstream takes nothing of a request's body.
        package var send = Duration.seconds(30)
        /// From the request to the first event.
        package var firstToken = Duration.seconds(15)
        /// Between two events.
        package var idle = Duration.seconds(30)
        package var total = Duration.seconds(600)
        /// While the caller's side takes nothing.
        package var clientWrite = Duration.seconds(30)
        /// After SIGTERM, for streams to finish.
        package var drain = Duration.seconds(30)

        /// Those of a model or a target, which go before wider ones.
        package struct Own: Equatable, Sendable {
            package var connect: Duration?
            package var firstToken: Duration?
            package var idle: Duration?
            package var total: Duration?
        }

        package func overridden(by own: Own) -> Timeouts {
            var timeouts = self
            timeouts.connect = own.connect ?? connect
            timeouts.firstToken = own.firstToken ?? firstToken
            timeouts.idle = own.idle ?? idle
            timeouts.total = own.total ?? total
            return timeouts
        }
    }

    /// How errors of a stream are told.
    package enum ErrorForm: String, CaseIterable, Sendable {
        /// By status before the first event, and as OpenAI's error object inside the stream.
        case json
        /// As `data: {"error":"text"}` behind a status of 200.
        case sse
    }

    /// What becomes of a delta's `refusal`.
    package enum Refusal: String, CaseIterable, Sendable {
        case pass
        /// Its text stands in `content` too.
        case speak
    }

    /// What becomes of the upstream's answer when the caller leaves.
    package enum Disconnect: String, CaseIterable, Sendable {
        case cancel
        /// It is read to its end, so that its usage is known.
        case drain
    }
}

/// An API that answers requests.
package struct UpstreamSettings: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case openai, azure, compatible
        /// Answers in this process, without network.
        case demo
    }

    package enum Key: Equatable, Sendable {
        case none
        case secret(String)
        /// The caller's own.
        case passthrough
    }

    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String
    }

    package static let defaultAPIVersion = "2024-10-21"

    package var name: String
    package var kind = Kind.openai
    /// `http`, `https` or `unix`, without a slash at its end; empty for the demo.
    package var url = ""
    package var key = Key.none
    /// Sent with each request.
    package var headers: [Header] = []
    /// Azure's `api-version`.
    package var apiVersion = defaultAPIVersion
    /// Parameters that it takes besides OpenAI's own.
    package var addedParameters: Set<String> = []
    /// Whether it gets whatever the caller sends.
    package var passesAllParameters = false
    /// Whether it is asked for a stream's usage.
    package var asksForUsage = true
    /// `stream_options.include_obfuscation`; nil leaves it out.
    package var obfuscation: Bool?
    package var httpVersion = ConnectionOptions.Version.auto
    /// Requests that share a connection of HTTP/2.
    package var streamsMax = 100
    /// PEM files of the client's certificate and of its key, for an upstream that asks who calls: both or neither.
    package var certificate: String?
    package var certificateKey: String?
    /// Who is asked for the way to it.
    package var proxy = ProxyChoice.environment
    /// Connections that each worker keeps open, though there is no request for them.
    package var warmCount = 0
    /// Requests that it is asked at a time, by all workers; nil for no limit.
    package var concurrentMax: Int?
    /// Requests that wait for one of those to end.
    package var queueMax = 100
    package var queueWait = Duration.seconds(1)
    /// When it is left alone after failures.
    package var rest = RestPlan()
}

/// How often a request is tried again, or twice at once.
package struct AttemptSettings: Equatable, Sendable {
    /// Further attempts on the same target, beyond the first.
    package var retriesMax = 2
    /// Further attempts on any target, of recent requests.
    package var retryPercentMax = 20
    /// A `retry-after` of at most this much is waited for; a longer one means the next target at once.
    package var retryAfterMax = Duration.seconds(2)
    /// Requests that are hedged, of recent ones.
    package var hedgePercentMax = 10
}

/// Where requests for some models go, and how they are changed on the way.
package struct ModelSettings: Equatable, Sendable {
    package var match: ModelPattern
    /// At least one. The next is asked when those before it fail.
    package var targets: [TargetSettings]
    package var edits = ParameterEdits()
    package var attempts = AttemptSettings()
    /// When another target is asked beside one that is slow; nil for never.
    package var hedgeAfter: HedgeDelay?
    /// Statuses that go to the next target, though they are the request's fault, or the key's.
    package var fallbackOn: [Int] = []
    package var timeouts = Settings.Timeouts.Own()
}

/// One upstream, as a place to send a model's requests to.
package struct TargetSettings: Equatable, Sendable {
    /// The upstream's name.
    package var upstream: String
    /// The model to ask it for, instead of the caller's.
    package var model: String?
    /// Neighbours that have one share the requests in proportion; one without stands in the order alone.
    package var weight: Int?
    /// Parameters that go out whatever the caller sent, and whatever the model's edits say.
    package var set: [ParameterEdits.Value] = []
    package var timeouts = Settings.Timeouts.Own()
}

// MARK: - Values that are made without a file

extension Settings {
    package init(listen: ListenAddress, workers: Int, upstreams: [UpstreamSettings], models: [ModelSettings]) {
        (self.listen, self.workers, self.upstreams, self.models) = (listen, workers, upstreams, models)
    }
}

extension UpstreamSettings {
    package init(name: String, url: String, key: Key) { (self.name, self.url, self.key) = (name, url, key) }
}

extension ModelSettings {
    package init(match: ModelPattern, targets: [TargetSettings]) { (self.match, self.targets) = (match, targets) }
}

extension TargetSettings {
    package init(upstream: String) { self.upstream = upstream }
}
