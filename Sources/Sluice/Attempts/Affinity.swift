// What a request's call is known by where its target is chosen (`affinity = "call"`).

import Chat
import Choosing

extension AffinityKey {
    /// How much of a message tells it from others.
    private static let messageBytesMax = 4096

    /// The call's id; where there is none, the client and how the conversation began, which each of its requests has at its front.
    init(call: String?, client: String?, _ chat: ChatRequest) {
        self.init()
        if let call {
            append(call.utf8)
            return
        }
        append((client ?? "").utf8)
        for message in chat.openingMessages {
            append([0])
            append(message.prefix(Self.messageBytesMax))
        }
    }

    /// A target, by the settings' own names.
    ///
    /// - Parameter twinsCount: how many before it have the same names.
    init(upstream: String, model: String?, twinsCount: Int) {
        self.init()
        append(upstream.utf8)
        append([0])
        append((model ?? "").utf8)
        for _ in 0..<twinsCount { append([0]) }
    }
}
