/// What is taken out of a text that a voice will say (setting `speech`).
package struct SpeechParts: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// What a model thinks before it answers, between `<think>` and `</think>` and the like.
    package static let think = SpeechParts(rawValue: 1)
    /// The signs of Markdown, and HTML's tags and entities in it.
    package static let markdown = SpeechParts(rawValue: 2)
    /// Emoji (UTS #51).
    package static let emoji = SpeechParts(rawValue: 4)
    /// Where links lead to, and all of a URL but its host.
    package static let links = SpeechParts(rawValue: 8)

    /// By the words of the settings.
    package static let names: [(name: String, part: SpeechParts)] = [
        ("think", .think), ("markdown", .markdown), ("emoji", .emoji), ("links", .links),
    ]
}
