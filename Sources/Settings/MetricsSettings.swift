// What is counted for the metrics, beyond what always is, and what callers are told of times.

/// `metrics`, of the process.
package struct MetricsSettings: Equatable, Sendable {
    /// Whether each client has metrics of its own.
    package var namesClients = false

    package init() {}

    static var fields: [Field<Self>] {
        [
            Field(
                "clients", \.namesClients, .boolean,
                """
                Whether the metrics count the requests and tokens of each client too, by the web server's names, of which the page then tells \
                whoever may ask for it. Of more than 100 the others are counted together.
                """)
        ]
    }
}

extension Settings {
    static var timingField: Field<Settings> {
        Field(
            "timing", \.tellsTiming, .boolean,
            """
            Whether the head of an answer says where the time went until the first token, as Server-Timing: hook where one was asked, \
            queue, connect, upstream and sluice, in milliseconds. Not where a heartbeat or a filler has gone out before.
            """)
    }
}
