// What is changed of requests for OpenAI's own models, whatever the settings say.

import Chat
import Settings

/// What OpenAI's reasoning models refuse (400) of what voice platforms always send: `max_tokens`, which they want under its new name,
/// `stop`, and any `temperature` but 1 with its kin, which those from GPT-5.1 on take while they do not reason.
enum ShippedEdits: Int, CaseIterable, Sendable {
    /// The new name alone.
    case renaming
    /// Of a model that reasons, and does not in answer to this request.
    case unreasoning
    case reasoning

    var edits: ParameterEdits {
        var edits = ParameterEdits()
        edits.renamed = [ParameterEdits.Rename("max_tokens", to: "max_completion_tokens")]
        if self != .renaming { edits.dropped = ["stop"] }
        if self == .reasoning {
            edits.dropped.formUnion([
                "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias",
            ])
        }
        return edits
    }
}

/// Which of them are for the models of a pattern. A class: whoever looks for that of a model copies none.
final class ShippedPattern: Sendable {
    private let match: ModelPattern
    private let reasoning: ShippedEdits
    private let unlessReasoning: ShippedEdits

    private init(_ pattern: String, _ reasoning: ShippedEdits, unlessReasoning: ShippedEdits) {
        (match, self.reasoning, self.unlessReasoning) = (ModelPattern(pattern), reasoning, unlessReasoning)
    }

    private static let all = [
        ShippedPattern("gpt-5-chat*", .renaming, unlessReasoning: .renaming),
        ShippedPattern("gpt-5.[1-9]*", .reasoning, unlessReasoning: .unreasoning),
        ShippedPattern("gpt-5*", .reasoning, unlessReasoning: .reasoning),
        ShippedPattern("o[1-9]*", .reasoning, unlessReasoning: .reasoning),
    ]

    /// The first one that matches counts; nil where none does.
    static func of(_ model: String) -> ShippedPattern? { all.first { $0.match.matches(model) } }

    /// - Parameter isReasoning: whether the request asks for a `reasoning_effort` other than `none`.
    func edits(isReasoning: Bool) -> ShippedEdits { isReasoning ? reasoning : unlessReasoning }
}
