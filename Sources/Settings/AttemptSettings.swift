// How often a request is tried, and how long a target that fails is left alone.

import Choosing

/// How often a request is tried again, or twice at once. What each value means, its field says, behind them.
package struct AttemptSettings: Equatable, Sendable {
    /// Further attempts on the same target, beyond the first.
    package var retriesMax = 2
    /// Retries as a share of a model's requests, in percent.
    package var retryPercentMax = 20
    /// The longest `retry-after` (RFC 9110 §10.2.3) that is waited for.
    package var retryAfterMax = Duration.seconds(2)
    /// Hedges as a share of a model's requests, in percent.
    package var hedgePercentMax = 10
}

extension AttemptSettings {
    static var fields: [Field<Self>] {
        [
            Field(
                "retries", \.retriesMax, .number(in: 0...10),
                """
                How often a request is tried again on the same target, as long as nothing of an answer has reached the caller. \
                Before the first retry Sluice waits up to 100 ms, at random, and longer before each further one, up to 2 s.
                """,
                examples: [FieldExample("1", in: .llama)]),
            Field(
                "retry_after_max", \.retryAfterMax, .duration(in: .upToADay),
                """
                A target that asks for a longer pause, by retry-after, is not waited for: the next one's turn comes at once.
                """,
                examples: [FieldExample(#""1s""#, in: .llama)]),
            Field(
                "retry_budget", \.retryPercentMax, .percentage(in: 0...100),
                """
                Retries are at most this share of a model's requests of the last 10 seconds, and 3 in any case. "0%" allows none.
                """,
                examples: [FieldExample(#""10%""#, in: .llama)]),
            Field(
                "hedge_max", \.hedgePercentMax, .percentage(in: 0...100),
                """
                Hedges (hedge_after of a model) are at most this share of its requests of the last minute, and 1 in any case. \
                "0%" allows none.
                """,
                examples: [FieldExample(#""5%""#, in: .llama)]),
        ]
    }
}

extension RestPlan {
    static var fields: [Field<Self>] {
        [
            Field(
                "rest_after", \.failuresMax, .number(in: 1...1000),
                "A target rests after this many failures in a row: requests go to others.",
                examples: [FieldExample("3", in: .openai)]),
            Field(
                "rest_share", \.failedPercentMax, .percentage(in: 1...100),
                "It rests too when this share of its last 20 requests failed.", examples: [FieldExample(#""30%""#, in: .openai)]),
            Field(
                "rest_for", \.restFor, .duration(in: .upToADay),
                """
                How long the first rest is. Then one request tries the target, and each that fails doubles the next rest. "0s": \
                no rest.
                """,
                examples: [FieldExample(#""5s""#, in: .openai)]),
            Field(
                "rest_max", \.restMax, .duration(in: .upToADay), "The longest rest, at least rest_for.",
                examples: [FieldExample(#""2m""#, in: .openai)]),
        ]
    }

    /// Tells a first rest that is longer than the longest.
    func check(_ table: SettingsReader) {
        guard restFor > restMax else { return }
        if table.node("rest_for") != nil {
            table.report(["rest_for"], "must not be longer than rest_max, which is \(restMax.setting)")
        } else {
            table.report(["rest_max"], "must not be shorter than rest_for, which is \(restFor.setting)")
        }
    }
}
