// Which model is asked where nobody names one, and `sluice-probe` is not there.

import Chat
import HTTPClient

/// The choice among the models that a deployment lists.
struct ModelChoice {
    private var names: ArraySlice<String>
    private var tried: [String] = []

    /// Why no model is asked, where nothing else is known.
    static let noModel = "no model is known: name one by --model, or \(ownModel)"
    /// What lets a client ask `sluice-probe`.
    private static let ownModel = "set probe = true, and have sluice-probe among the client's models"
    private static let triesMax = 3
    /// What stands in the names of models that answer no chats. The first that is listed may be one.
    private static let others = [
        "embed", "whisper", "tts", "dall-e", "moderation", "rerank", "image", "transcribe", "realtime", "sora", "davinci",
        "babbage",
    ].map { Array($0.utf8) }

    /// - Parameter names: in the order in which they are listed.
    init(_ names: [String]) { self.names = names.filter { !Self.isForOthers($0) }.prefix(Self.triesMax)[...] }

    private static func isForOthers(_ name: String) -> Bool {
        let small = name.utf8.map { $0 &- UInt8(ascii: "A") < 26 ? $0 | 0x20 : $0 }
        return others.contains { small.firstRange(of: $0) != nil }
    }

    /// The next one to try; nil where there is none, or enough were tried.
    mutating func next() -> String? {
        guard let name = names.popFirst() else { return nil }
        tried.append(name)
        return name
    }

    /// Whether a model cannot be asked that has answered so. One that has no time is one nevertheless.
    static func isAnother(neededAfter answer: ProbeAnswer) -> Bool {
        (400..<500).contains(answer.statusOfRefusal) && answer.statusOfRefusal != 429
    }

    /// Why none of them is asked.
    var words: String {
        guard !tried.isEmpty else { return "no chat model is listed: name one by --model, or \(Self.ownModel)" }
        let names = tried.map(\.clipped).joined(separator: ", ")
        return tried.count == 1
            ? "\(names) is no chat model, or not to be had: --model NAME, or \(Self.ownModel)"
            : "\(names) are no chat models, or not to be had: --model NAME, or \(Self.ownModel)"
    }

    /// Why one is not asked that was named, and is not there.
    static func unknown(_ name: String, _ answer: ProbeAnswer) -> String {
        "there is no model \(name.clipped) (\(answer.spokenError?.clipped ?? answer.words)): is --model the name by which callers ask?"
    }

    /// Why none is known where somebody had no time, or no room, to tell.
    static func refusal(_ what: String, _ answer: ProbeAnswer) -> String {
        let words = answer.head.map { "\($0.status)" } ?? answer.words
        return "no model is known, since \(what) was refused (\(words)): name one by --model, or ask again"
    }
}
