/// How many tokens a request took, as the upstream counts them.
package struct TokenUsage: Hashable, Sendable {
    /// Of the request: the chat so far, tools and all.
    package let promptTokens: Int
    /// Of the answer.
    package let completionTokens: Int

    /// More than any model reads or writes at once: an upstream may say any number.
    private static let countMax = 10_000_000

    /// Whether a request can have taken that.
    package var isBelievable: Bool { promptTokens <= Self.countMax && completionTokens <= Self.countMax }

    /// Reads `usage`.
    /// - Parameter json: a validated chunk or completion.
    /// - Returns: nil when there is none, or one without both counts as integers from 0 up.
    package init?(_ json: Span<UInt8>) {
        guard let usage = JSONValue(validated: json).member("usage", in: json) else { return nil }
        self.init(usage, in: json)
    }

    /// - Parameter usage: the value of `usage` in a validated document; nil as above.
    package init?(_ usage: JSONValue, in json: Span<UInt8>) {
        guard let promptTokens = usage.member("prompt_tokens", in: json)?.integer(in: json), promptTokens >= 0,
            let completionTokens = usage.member("completion_tokens", in: json)?.integer(in: json), completionTokens >= 0
        else { return nil }
        (self.promptTokens, self.completionTokens) = (promptTokens, completionTokens)
    }

    private init(promptTokens: Int, completionTokens: Int) {
        (self.promptTokens, self.completionTokens) = (promptTokens, completionTokens)
    }

    /// Of two requests together.
    package func adding(_ other: TokenUsage) -> TokenUsage {
        TokenUsage(
            promptTokens: Self.sum(promptTokens, other.promptTokens),
            completionTokens: Self.sum(completionTokens, other.completionTokens))
    }

    /// Upstreams may say any number.
    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, isTooLarge) = left.addingReportingOverflow(right)
        return isTooLarge ? .max : sum
    }
}
