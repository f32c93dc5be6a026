// Everything that can be set, and its defaults. `SettingsSources` says where the values come from.

import Chat
import Choosing
import FastCGI
import HTTPClient
import Logging

struct Settings: Equatable, Sendable {
    static let defaultListen = "unix:/run/sluice/sluice.sock"
    static let defaultBaseURL = "https://api.openai.com/v1"
    static let workersRange = 1...256

    var listen: ListenAddress
    /// Who may use the unix socket that Sluice makes.
    var socket = SocketAccess()
    var workers: Int
    /// A comment line goes to the caller after this much silence, so that neither side takes the connection for dead; zero: never.
    var heartbeat = Duration.seconds(10)
    var limits = Limits()
    var timeouts = Timeouts()
    /// Of each model that says nothing else.
    var attempts = AttemptSettings()
    /// Of each upstream that says nothing else.
    var rest = RestPlan()
    var logLevel = Logger.Level.info
    /// A PEM file of the authorities that vouch for an upstream, instead of the system's: `SSL_CERT_FILE`, as curl and Python take it.
    var authoritiesFile: String?
    /// For how long the addresses of an upstream's name are used before they are looked up again.
    var nameLifetime = Duration.seconds(60)
    /// The model for requests that name none.
    var defaultModel: String?
    var errors = ErrorForm.json
    /// What a voice says in place of an error that comes before a stream's first event.
    var spokenError: String?
    var refusal = Refusal.pass
    var onDisconnect = Disconnect.cancel
    /// In the file's order; names are unique.
    var upstreams: [UpstreamSettings]
    /// The first that matches a request's model counts.
    var models: [ModelSettings]

    struct Limits: Equatable, Sendable {
        /// Requests that are answered at once, over all workers; a further one gets 503.
        var requests = 4096
        var bodyBytes = 8 << 20
        var parametersBytes = 64 << 10
        /// One server-sent event of an upstream.
        var eventBytes = 1 << 20
        /// An upstream's answer that is not streamed.
        var answerBytes = 32 << 20
        /// Bodies of requests, and answers that are collected or wait for slow callers, of all workers together.
        var memoryBytes = MachineMemory.unknownLimit
        var jsonDepth = 64
    }

    struct Timeouts: Equatable, Sendable {
        /// Of a request on the FastCGI connection, from its first byte to its last.
        var request = Duration.seconds(60)
        /// To the upstream: name, TCP and TLS.
        var connect = Duration.seconds(3)
        /// While the upstream takes nothing of a request's body.
        var send = Duration.seconds(30)
        /// From the request to the first event.
        var firstToken = Duration.seconds(15)
        /// Between two events.
        var idle = Duration.seconds(30)
        var total = Duration.seconds(600)
        /// While the caller's side takes nothing.
        var clientWrite = Duration.seconds(30)
        /// After SIGTERM, for streams to finish.
        var drain = Duration.seconds(30)

        /// Those of a model or a target, which go before wider ones.
        struct Own: Equatable, Sendable {
            var connect: Duration?
            var firstToken: Duration?
            var idle: Duration?
            var total: Duration?
        }

        func overridden(by own: Own) -> Timeouts {
            var timeouts = self
            timeouts.connect = own.connect ?? connect
            timeouts.firstToken = own.firstToken ?? firstToken
            timeouts.idle = own.idle ?? idle
            timeouts.total = own.total ?? total
            return timeouts
        }
    }

    /// How errors of a stream are told.
    enum ErrorForm: String, CaseIterable, Sendable {
        /// By status before the first event, and as OpenAI's error object inside the stream.
        case json
        /// As `data: {"error":"text"}` behind a status of 200.
        case sse
    }

    /// What becomes of a delta's `refusal`.
    enum Refusal: String, CaseIterable, Sendable {
        case pass
        /// Its text stands in `content` too.
        case speak
    }

    /// What becomes of the upstream's answer when the caller leaves.
    enum Disconnect: String, CaseIterable, Sendable {
        case cancel
        /// It is read to its end, so that its usage is known.
        case drain
    }
}

/// An API that answers requests.
struct UpstreamSettings: Equatable, Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case openai, azure, compatible
        /// Answers in this process, without network.
        case demo
    }

    enum Key: Equatable, Sendable {
        case none
        case secret(String)
        /// The caller's own.
        case passthrough
    }

    struct Header: Equatable, Sendable {
        var name: String
        var value: String
    }

    static let defaultAPIVersion = "2024-10-21"

    var name: String
    var kind = Kind.openai
    /// `http`, `https` or `unix`, without a slash at its end; empty for the demo.
    var url = ""
    var key = Key.none
    /// Sent with each request.
    var headers: [Header] = []
    /// Azure's `api-version`.
    var apiVersion = defaultAPIVersion
    /// Parameters that it takes besides OpenAI's own.
    var addedParameters: Set<String> = []
    /// Whether it gets whatever the caller sends.
    var passesAllParameters = false
    /// Whether it is asked for a stream's usage.
    var asksForUsage = true
    /// `stream_options.include_obfuscation`; nil leaves it out.
    var obfuscation: Bool?
    var httpVersion = ConnectionOptions.Version.auto
    /// Requests that share a connection of HTTP/2.
    var streamsMax = 100
    /// PEM files of the client's certificate and of its key, for an upstream that asks who calls: both or neither.
    var certificate: String?
    var certificateKey: String?
    /// Who is asked for the way to it.
    var proxy = ProxyChoice.environment
    /// Connections that each worker keeps open, though there is no request for them.
    var warmCount = 0
    /// Requests that it is asked at a time, by all workers; nil for no limit.
    var concurrentMax: Int?
    /// Requests that wait for one of those to end.
    var queueMax = 100
    var queueWait = Duration.seconds(1)
    /// When it is left alone after failures.
    var rest = RestPlan()
}

/// How often a request is tried again, or twice at once.
struct AttemptSettings: Equatable, Sendable {
    /// Further attempts on the same target, beyond the first.
    var retriesMax = 2
    /// Further attempts on any target, of recent requests.
    var retryPercentMax = 20
    /// A `retry-after` of at most this much is waited for; a longer one means the next target at once.
    var retryAfterMax = Duration.seconds(2)
    /// Requests that are hedged, of recent ones.
    var hedgePercentMax = 10
}

/// Where requests for some models go, and how they are changed on the way.
struct ModelSettings: Equatable, Sendable {
    var match: ModelPattern
    /// At least one. The next is asked when those before it fail.
    var targets: [TargetSettings]
    var edits = ParameterEdits()
    var attempts = AttemptSettings()
    /// When another target is asked beside one that is slow; nil for never.
    var hedgeAfter: HedgeDelay?
    /// Statuses that go to the next target, though they are the request's fault, or the key's.
    var fallbackOn: [Int] = []
    var timeouts = Settings.Timeouts.Own()
}

/// One upstream, as a place to send a model's requests to.
struct TargetSettings: Equatable, Sendable {
    /// The upstream's name.
    var upstream: String
    /// The model to ask it for, instead of the caller's.
    var model: String?
    /// Neighbours that have one share the requests in proportion; one without stands in the order alone.
    var weight: Int?
    /// Parameters that go out whatever the caller sent, and whatever the model's edits say.
    var set: [ParameterEdits.Value] = []
    var timeouts = Settings.Timeouts.Own()
}
