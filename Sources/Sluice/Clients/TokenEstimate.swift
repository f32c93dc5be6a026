// How many tokens something takes, where nobody has counted them.

import Chat
import Settings

/// Estimates by bytes: of a request before it is asked, and of an answer of which the upstream does not say what it took.
struct TokenEstimate: Equatable {
    /// Of the request.
    let prompt: Int
    /// What its answers may have.
    let answers: Int

    private static let bytesPerToken = 4
    /// More than any upstream gives.
    private static let choicesMax = 1000
    /// What an event has besides its text, a token's.
    private static let eventBytes = 256

    /// - Parameters:
    ///   - promptBytes: of the request's body.
    ///   - answerMax: the most tokens that the caller wants in an answer.
    ///   - choicesCount: how many answers it wants.
    init(promptBytes: Int, answerMax: Int?, choicesCount: Int) {
        prompt = Self.tokens(bytes: promptBytes)
        let answer = min(max(answerMax ?? ClientSettings.answerTokensDefault, 0), SpanCount.countMax)
        answers = answer * min(max(choicesCount, 1), Self.choicesMax)
    }

    private init(prompt: Int, answers: Int) { (self.prompt, self.answers) = (prompt, answers) }

    /// The same with so many bytes more in the request.
    func adding(promptBytes count: Int) -> TokenEstimate {
        TokenEstimate(prompt: prompt + Self.tokens(bytes: count), answers: answers)
    }

    /// What is taken before an upstream is asked.
    var total: Int { min(prompt + answers, SpanCount.countMax) }

    /// What the request took.
    ///
    /// - Parameters:
    ///   - usage: what the upstream says.
    ///   - bytesCount: of what came of the answer.
    ///   - eventsCount: how many events were in that.
    ///   - mayHaveBegun: whether an upstream may have begun to answer where nothing has come of an answer.
    func spent(_ usage: TokenUsage?, bytesCount: Int, eventsCount: Int, mayHaveBegun: Bool) -> Int {
        if let usage { return min(usage.promptTokens, SpanCount.countMax) + min(usage.completionTokens, SpanCount.countMax) }
        guard bytesCount > 0 else { return mayHaveBegun ? prompt : 0 }
        return prompt + eventsCount + Self.tokens(bytes: max(0, bytesCount - Self.eventBytes * eventsCount))
    }

    private static func tokens(bytes: Int) -> Int { (max(0, bytes) + bytesPerToken - 1) / bytesPerToken }
}
