import Testing

@testable import HTTPClient
@testable import Sluice

/// Which of the listed models is asked.
@Suite struct ModelChoiceTests {
    private func choices(_ names: [String]) -> [String] {
        var choice = ModelChoice(names)
        return names.indices.compactMap { _ in choice.next() }
    }

    @Test(arguments: [
        (["text-embedding-3-small", "gpt-4o-mini"], ["gpt-4o-mini"]),
        (["Whisper-1", "TTS-1", "dall-e-3", "omni-moderation-latest", "gpt-image-1", "BAAI/bge-ReRanker", "a"], ["a"]),
        (["a", "b", "c", "d"], ["a", "b", "c"]), (["nomic-embed-text"], []), ([], []),
    ])
    func `three at most are tried, and none that its name shows to be for something else`(names: [String], tried: [String]) {
        #expect(choices(names) == tried)
    }

    @Test(arguments: [
        (refusal(404), true), (refusal(400), true), (refusal(403), true), (refusal(429), false), (refusal(503), false),
        (answer(200), false), (failed(.refused), false),
    ])
    func `another one is tried where a model cannot be asked, and not where it has no time`(answer: ProbeAnswer, isNeeded: Bool) {
        #expect(ModelChoice.isAnother(neededAfter: answer) == isNeeded)
    }

    @Test func `that none can be asked is told with their names`() {
        var choice = ModelChoice(["a", "b"])
        #expect(choice.words.hasPrefix("no chat model is listed"))
        _ = choice.next()
        #expect(choice.words.hasPrefix("a is no chat model, or not to be had: --model NAME, or set probe = true"))
        _ = choice.next()
        #expect(choice.words.hasPrefix("a, b are no chat models, or not to be had: --model NAME"))
    }

    @Test func `sluice-probe is to be among the client's models`() {
        for words in [ModelChoice.noModel, ModelChoice([]).words] {
            #expect(words.hasSuffix("or set probe = true, and have sluice-probe among the client's models"), "\(words)")
        }
    }

    @Test func `a list that is refused is told as such`() {
        let words = ModelChoice.refusal("the list of models", refusal(503))
        #expect(words.hasPrefix("no model is known, since the list of models was refused (503): "))
    }
}
