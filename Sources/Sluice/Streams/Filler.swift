// What a caller on the phone hears while the model is silent (`filler`).

import Chat
import Clock
import Settings

/// Tells when a sentence is due, and which one. It says nothing until something is, so that it costs a request nothing whose token is in
/// time.
struct Filler {
    let settings: FillerSettings
    /// When the next one is due; `distantFuture` for never.
    private(set) var due: Instant
    /// The text that the request begins with, once that is known: the messages are gone through once.
    private var first: Int?
    /// How many have been said.
    private(set) var count = 0

    /// - Parameter start: when the silence began.
    init(_ settings: FillerSettings, from start: Instant) {
        self.settings = settings
        due = settings.countMax > 0 ? start + settings.after : .distantFuture
    }

    /// What is to be said now; in a stream with what makes a voice say it at once.
    mutating func text(for chat: ChatRequest) -> String {
        let first = first ?? first(for: chat)
        self.first = first
        let text = settings.texts[(first + count) % settings.texts.count]
        return settings.speaker == .control ? text : settings.mark.applied(to: text)
    }

    /// One has been said.
    mutating func said(at now: Instant) {
        count += 1
        due = count < settings.countMax ? now + settings.again : .distantFuture
    }

    /// Nobody is there any more to hear one.
    mutating func stop() { due = .distantFuture }

    /// The text that a request begins with. Nothing is remembered: it is the one behind those that the assistant's last message begins
    /// with. Where that begins with none, each turn of a conversation has one more message of the user, or of a tool, than the one before.
    private func first(for chat: ChatRequest) -> Int {
        let (turnsCount, lastAnswer) = chat.conversation
        if let last = lastAnswer.flatMap({ lastText(atStartOf: $0.utf8[...]) }) { return last + 1 }
        return max(0, turnsCount - 1) % settings.texts.count
    }

    private func lastText(atStartOf answer: Substring.UTF8View) -> Int? {
        var (rest, last) = (answer, Int?.none)
        for _ in 0..<settings.countMax {
            // Of two that begin alike the longer one was meant.
            let found = settings.texts.indices.filter { rest.starts(with: settings.texts[$0].withoutDots.utf8) }
            guard let index = found.max(by: { settings.texts[$0].utf8.count < settings.texts[$1].utf8.count }) else { break }
            last = index
            rest = rest.dropFirst(settings.texts[index].withoutDots.utf8.count).dropMark()
        }
        return last
    }
}

extension FillerSettings.Mark {
    /// A sentence behind which the answer goes on.
    fileprivate func applied(to text: String) -> String {
        switch self {
        case .none: text + " "
        case .vapi: text + " <flush />"
        // A pause is written as an ellipsis, in the place of a full stop or of another one.
        case .elevenlabs:
            text.withoutDots + "... "
        }
    }
}

extension String {
    fileprivate var withoutDots: String { String(decoding: utf8.prefix(utf8.count - dotsBytes), as: UTF8.self) }

    /// How many bytes of full stops and ellipses stand at its end.
    private var dotsBytes: Int {
        var count = 0
        for scalar in unicodeScalars.reversed() {
            guard scalar == "." || scalar == "…" else { break }  // by characters: the settings' own
            count += UTF8.width(scalar)
        }
        return count
    }
}

extension Substring.UTF8View {
    /// Without what stands between a text and what follows it: dots, blanks, and a sign for the platform.
    fileprivate func dropMark() -> Self {
        let separators = " .\u{2026}\n".utf8
        var rest = drop { separators.contains($0) }
        let flush = "<flush />".utf8
        if rest.starts(with: flush) { rest = rest.dropFirst(flush.count).drop { separators.contains($0) } }
        return rest
    }
}
