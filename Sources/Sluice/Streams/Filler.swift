// What a caller on the phone hears while the model is silent (`filler`).

import Chat
import Clock
import Settings

/// Tells when a sentence is due, and which one. It says nothing until something is, so that it costs a request nothing whose token is in
/// time.
struct Filler {
    private let settings: FillerSettings
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

    /// What is to be said now, with what makes a voice say it at once.
    mutating func text(for chat: ChatRequest) -> String {
        let first = first ?? first(for: chat)
        self.first = first
        return settings.mark.applied(to: settings.texts[(first + count) % settings.texts.count])
    }

    /// One has been said.
    mutating func said(at now: Instant) {
        count += 1
        due = count < settings.countMax ? now + settings.again : .distantFuture
    }

    /// Nobody is there any more to hear one.
    mutating func stop() { due = .distantFuture }

    /// The text that a request begins with. Each turn of a conversation has one more message of the user, or of a tool, than the one before,
    /// so they take turns though nothing is remembered; and what the assistant has begun its last message with does not come again.
    private func first(for chat: ChatRequest) -> Int {
        let (turnsCount, lastAnswer) = chat.conversation
        let index = turnsCount % settings.texts.count
        let isRepeated = lastAnswer?.utf8.starts(with: settings.texts[index].utf8) == true
        return isRepeated ? index + 1 : index
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
            String(decoding: text.utf8.prefix(text.utf8.count - text.dotsBytes), as: UTF8.self) + "... "
        }
    }
}

extension String {
    /// How many bytes of full stops and ellipses stand at its end.
    fileprivate var dotsBytes: Int {
        var count = 0
        for scalar in unicodeScalars.reversed() {
            guard scalar == "." || scalar == "…" else { break }  // by characters: the settings' own
            count += UTF8.width(scalar)
        }
        return count
    }
}
