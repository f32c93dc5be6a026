// How long the parts of a request may take.

extension Settings {
    /// Those of the process, or of a target with all that models and targets say. What each is for, its field says, behind them.
    package struct Timeouts: Equatable, Sendable {
        /// From a request's first byte from the web server to its last.
        package var request = Duration.seconds(60)
        /// For a connection to the upstream: name, proxy, TCP and TLS together.
        package var connect = Duration.seconds(3)
        /// While the upstream takes nothing of a request's body.
        package var send = Duration.seconds(30)
        /// From an attempt's start to its stream's first token. For as long a body may wait for memory.
        package var firstToken = Duration.seconds(15)
        /// From one event of the upstream's to the next.
        package var idle = Duration.seconds(30)
        /// From the request's start to the end of its answer.
        package var total = Duration.seconds(600)
        /// While the caller's side takes nothing.
        package var clientWrite = Duration.seconds(30)
        /// From the signal to end to the end of the streams that are open; zero ends them at once.
        package var drain = Duration.seconds(30)

        /// Those of a model or a target, which go before wider ones. Each is nil where the wider one holds.
        package struct Own: Equatable, Sendable {
            /// In place of `Timeouts.connect`.
            package var connect: Duration?
            /// In place of `Timeouts.firstToken`.
            package var firstToken: Duration?
            /// In place of `Timeouts.idle`.
            package var idle: Duration?
            /// In place of `Timeouts.total`.
            package var total: Duration?
        }

        /// The same, but for what a narrower place says.
        package func overridden(by own: Own) -> Timeouts {
            var timeouts = self
            timeouts.connect = own.connect ?? connect
            timeouts.firstToken = own.firstToken ?? firstToken
            timeouts.idle = own.idle ?? idle
            timeouts.total = own.total ?? total
            return timeouts
        }
    }
}

extension Settings.Timeouts {
    /// The same for everything.
    package init(all limit: Duration) {
        (request, connect, send, firstToken, idle) = (limit, limit, limit, limit, limit)
        (total, clientWrite, drain) = (limit, limit, limit)
    }

    static var fields: [Field<Self>] {
        [
            Field(
                "request", \.request, .timeout,
                "For a request to come in from the web server, from its first byte to its last."),
            Field(
                "connect", \.connect, .timeout,
                """
                For a connection to the upstream: name, proxy, TCP and TLS together. One on which the upstream's machine has \
                acknowledged nothing for so long counts as lost, and its request goes out over another.
                """),
            Field("send", \.send, .timeout, "While the upstream takes nothing of a request's body."),
            Field(
                "first_token", \.firstToken, .timeout,
                """
                From the request to the first text, tool call, refusal or sound of the upstream's stream. A role is none; reasoning is \
                one only where reasoning_counts is true, and a model that hides it may need longer. Answers that are not streamed have no events: for them, connect and total \
                count.
                """),
            Field(
                "idle", \.idle, .timeout,
                "From one event to the next. Until the first token, behind a role or reasoning, it is no less than first_token."),
            Field(
                "total", \.total, .timeout,
                "For a whole answer. nginx's fastcgi_read_timeout must be longer, or nginx ends it first."),
            Field("client_write", \.clientWrite, .timeout, "While the caller's side takes nothing."),
            Field(
                "drain", \.drain, .duration(in: .upToADay),
                #"For open streams to finish after SIGTERM. "0s" ends them at once."#),
        ]
    }
}

extension Settings.Timeouts.Own {
    static var fields: [Field<Self>] {
        [
            field("connect", \.connect), field("first_token", \.firstToken, examples: [#""5s""#]), field("idle", \.idle),
            field("total", \.total),
        ]
    }

    private static func field(
        _ key: String, _ property: WritableKeyPath<Self, Duration?>, examples: [FieldExample] = []
    ) -> Field<Self> {
        Field(key, optional: property, .timeout, "In place of timeouts.\(key).", default: .inherited, examples: examples)
    }
}
