// What a caller gets while there is no answer yet.

import Chat
import Clock
import EventLoop
import FastCGI
import Settings

/// Shows a caller who waits what is due: comments that keep its connection, and sentences that fill the silence on the phone. A hook and
/// the race behind it have the same, so that neither begins anew.
final class WaitingSigns {
    private var heartbeat: Heartbeat
    /// Nil where nothing is ever said.
    private var filler: Filler?
    /// Has the call's platform say it, and what has become of that; nil where the stream does.
    private let control: CallControl?
    private let posts: FillerPosts?

    /// - Parameters:
    ///   - mayFill: whether a sentence could stand there.
    ///   - start: when the silence began.
    init(for question: Question, by generation: WorkerGeneration, mayFill: Bool = true, from start: Instant) {
        let isStreaming = question.form.isStreaming
        heartbeat = Heartbeat(every: isStreaming ? generation.shared.settings.heartbeat : .zero, from: start)
        let settings = isStreaming && mayFill ? question.route.filler.flatMap { question.chat.takesSentences ? $0 : nil } : nil
        filler = settings.map { Filler($0, from: start) }
        control = settings?.speaker == .control ? generation.upstreams.callControl : nil
        posts = control.map { _ in FillerPosts() }
    }

    /// When something is due; `distantFuture` for never.
    var due: Instant { min(heartbeat.due, filler?.due ?? .distantFuture) }

    /// Shows what is due now, which may be nothing: a comment at most, and a sentence.
    ///
    /// - Throws: `FastCGIError` where the caller is not there any more to get it.
    @inline(never)
    func show(to reply: inout Reply, for question: Question, on loop: EventLoop) async throws(FastCGIError) {
        if loop.now >= heartbeat.due {
            try await reply.keepAlive()
            heartbeat.wrote(at: loop.now)
        }
        guard let text = sentence(for: question, at: loop.now) else { return }
        try await reply.say(text)
        filler?.said(at: loop.now)
        heartbeat.wrote(at: loop.now)
    }

    // What is never inlined would need room in the frame that waits, which is kept as long as the stream.

    /// The sentence that the stream is to say now. One that the platform says is on its way by then, and none of the stream's.
    @inline(never)
    private func sentence(for question: Question, at now: Instant) -> String? {
        guard let due = filler?.due, now >= due, let text = filler?.text(for: question.chat) else { return nil }
        guard let control, let posts, let settings = filler?.settings else { return text }
        // Where the first one cannot be asked for, neither can the next.
        if control.say(text, in: question, by: settings, posts) { filler?.said(at: now) } else { filler?.stop() }
        return nil
    }

    /// Nobody is there any more to get one.
    func stop() {
        heartbeat.stop()
        filler?.stop()
    }

    /// What has been said.
    var fillers: FillerCounts { FillerCounts(streamed: posts == nil ? filler?.count ?? 0 : 0, posts: posts) }
}

/// How many sentences were said while there was no answer.
struct FillerCounts {
    /// By the stream.
    var streamed = 0
    /// By the call's platform; nil where that is not asked.
    var posts: FillerPosts?
}

/// How many sentences a call's platform was asked to say. An object, since what becomes of one may be known when the answer comes already.
final class FillerPosts {
    private var asked = 0
    private(set) var failed = 0

    /// How many it has taken, or may take still.
    var said: Int { asked - failed }

    func hasAsked() { asked += 1 }
    func hasFailed() { failed += 1 }
}
