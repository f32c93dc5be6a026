// What a caller gets while there is no answer yet.

import Chat
import Clock

/// Tells what is due to a caller who waits: comments that keep its connection, and sentences that fill the silence on the phone.
///
///     for _ in 0..<WaitingSigns.dueMax {
///         guard let sign = signs.next(for: chat, at: loop.now) else { break }
///         try await reply.show(sign)
///         signs.shown(sign, at: loop.now)
///     }
struct WaitingSigns {
    enum Sign {
        case comment
        case text(String)
    }

    /// How many may be due at a time: one of each.
    static let dueMax = 2

    private var heartbeat: Heartbeat
    /// Nil where nothing is ever said.
    private var filler: Filler?

    /// - Parameters:
    ///   - heartbeat: how often a caller who streams gets a comment; zero for never.
    ///   - mayFill: whether a sentence could stand there.
    ///   - start: when the silence began.
    init(for question: Question, heartbeat: Duration, mayFill: Bool = true, from start: Instant) {
        let isStreaming = question.form.isStreaming
        self.heartbeat = Heartbeat(every: isStreaming ? heartbeat : .zero, from: start)
        if isStreaming, mayFill, let settings = question.route.filler, question.chat.takesSentences {
            filler = Filler(settings, from: start)
        }
    }

    /// When something is due; `distantFuture` for never.
    var due: Instant { min(heartbeat.due, filler?.due ?? .distantFuture) }

    /// What is due now.
    mutating func next(for chat: ChatRequest, at now: Instant) -> Sign? {
        if now >= heartbeat.due { return .comment }
        guard let due = filler?.due, now >= due else { return nil }
        return (filler?.text(for: chat)).map(Sign.text)
    }

    /// The caller has got it.
    mutating func shown(_ sign: Sign, at now: Instant) {
        if case .text = sign { filler?.said(at: now) }
        heartbeat.wrote(at: now)
    }

    /// Nobody is there any more to get one.
    mutating func stop() {
        heartbeat.stop()
        filler?.stop()
    }

    /// How many sentences the caller has heard.
    var fillersCount: Int { filler?.count ?? 0 }
}
