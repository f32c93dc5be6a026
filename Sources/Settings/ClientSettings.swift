// What clients may use: `[clients.NAME]`.

/// What each client of a name, or each whose name fits a pattern, may use. What each value means, its field says, behind them.
package struct ClientSettings: Equatable, Sendable {
    /// The clients that are meant, by the names that the web server has for them.
    package let match: ModelPattern
    /// Of prompts and answers; nil for any number.
    package var tokensPerDay: Int?
    /// Nil for any number.
    package var requestsPerMinute: Int?
    /// The most of its requests that are answered at once; nil for any number.
    package var concurrentMax: Int?
    /// The models that it may ask for, by the names that callers use; nil for all.
    package var models: [ModelPattern]?

    /// What an answer is taken to need for which the caller names no limit.
    package static let answerTokensDefault = 1024
    /// How long a client's name may be.
    package static let nameBytesMax = 128
    /// How many tables there may be.
    static let tablesMax = 1000

    /// Without any limit.
    package init(match: ModelPattern) { self.match = match }
}

extension ClientSettings {
    static var fields: [Field<Self>] {
        [
            Field(
                "tokens_per_day", optional: \.tokensPerDay, .number(in: 1...10_000_000_000),
                """
                Tokens that prompts and answers may take from 0:00 to 24:00 UTC. Before an upstream is asked a request takes what it may \
                need: one token for each 4 bytes of its body and of what prepend adds, and n times its max_completion_tokens or max_tokens, or 1,024 where it \
                has none. When it is over it keeps what the upstream says that it took, which one of kind "compatible" is asked for with \
                usage = true alone, or where it says nothing one for each 4 bytes; a request that fails without an answer gives all back. Hedges and retries are not counted. One that finds too little \
                gets 429.
                """,
                default: anyNumber, examples: [FieldExample("200_000", in: .phone), FieldExample("50_000", in: .everyone)]),
            Field(
                "requests_per_minute", optional: \.requestsPerMinute, .number(in: 1...1_000_000),
                "Requests that may begin in a minute of the clock; one more gets 429.",
                default: anyNumber, examples: [FieldExample("60", in: .phone)]),
            Field(
                "concurrent", optional: \.concurrentMax, .number(in: 1...1_000_000),
                "Requests that are answered at once, by all processes together; one more gets 429.",
                default: anyNumber, examples: [FieldExample("4", in: .phone), FieldExample("2", in: .everyone)]),
            Field(
                "models", optional: \.models, .patterns,
                """
                The models that it may ask for, by the names that callers use, or patterns of names as in match of [[models]]; for \
                others it gets 404, as for those that there are not.
                """,
                default: .words("all"), examples: [FieldExample(#"["gpt-4o-mini", "llama-*"]"#, in: .phone)]),
        ]
    }

    private static var anyNumber: FieldDefault { .words("any number") }
}

extension FieldKind<[ModelPattern]> {
    fileprivate static var patterns: Self {
        FieldKind(
            form: .texts,
            read: { reader, node throws(SettingsProblem) in
                guard case .array(let elements) = node.value else {
                    throw SettingsProblem(node, "must be an array of models' names, or of patterns of names")
                }
                guard (1...ClientSettings.tablesMax).contains(elements.count) else {
                    throw SettingsProblem(node, "must have 1 to \(ClientSettings.tablesMax) names")
                }
                var patterns: [ModelPattern] = []
                for element in elements { patterns.append(try reader.pattern(element)) }
                return patterns
            }, write: { TOMLText.array($0.map(\.description)) })
    }
}
