// One attempt on one target, until it has won or failed.

import Chat
import Choosing
import Clock
import Settings

/// An answer on its way, with what it has of its target: a place at the upstream, and a word to tell about the target's health.
final class Attempt {
    enum Progress {
        /// One must wait.
        case none
        case failed(AttemptFailure)
        /// It is an answer: its `stream`'s, unless it has a `completion`.
        case won
    }

    let id: Int
    /// What it is made for.
    let reason: Selection.PlannedAttempt.Reason
    let target: Target
    let stream: AnswerStream
    let start: Instant
    /// The whole answer of an upstream that did not stream, once it has come.
    private(set) var completion: Completion?
    /// When the text of an error must have come; `distantFuture` while none is awaited.
    private var textDeadline = Instant.distantFuture
    /// Its leave to ask the target, until it has won or ended.
    private var admission: Admission?
    /// Its place at the upstream, from when it has won until its answer is over.
    private var place: Place?

    /// How long the text of an error may take from its head, when the status alone calls for another target or a retry.
    private static let errorTextTime = Duration.milliseconds(250)

    init(
        _ attempt: Selection.PlannedAttempt, on target: Target, _ stream: AnswerStream, _ admission: consuming Admission,
        at start: Instant
    ) {
        (id, reason) = (attempt.id, attempt.reason)
        self.target = target
        self.stream = stream
        self.admission = consume admission
        self.start = start
    }

    // MARK: Its progress

    /// When it must have progressed at the latest; `distantFuture` while the selection's timeouts alone count. One that has sent a role, and
    /// nothing since, is silent as any stream is.
    var deadline: Instant { stream.firstEvent == nil ? textDeadline : min(textDeadline, stream.deadline) }

    /// What has become of it; to be asked again at `deadline`, if nothing arrives before.
    ///
    /// - Throws: `CancellationError` when it was cancelled.
    func progress(at now: Instant) throws(CancellationError) -> Progress {
        do {
            switch try stream.open() {
            case .events: return .won
            case .completion(let completion):
                self.completion = completion
                return .won
            case nil:
                try checkErrorText(at: now)
                if stream.firstEvent != nil, now >= stream.deadline { throw stream.silence }
                return .none
            }
        } catch let error as ChatError {
            return .failed(AttemptFailure(error, retryAfter: stream.head?.retryAfter))
        } catch {
            throw CancellationError()
        }
    }

    /// Gives up on the text of an error that is no verdict on the request, when it takes too long.
    private func checkErrorText(at now: Instant) throws(ChatError) {
        guard let error = stream.statusError, AttemptFailure(error).countsAgainstTarget else { return }
        if textDeadline == .distantFuture { textDeadline = now + Self.errorTextTime }
        if now >= textDeadline { throw error }
    }

    // MARK: Its end

    /// Its answer is the one that the caller gets.
    func win(at now: Instant) { place = admission.take()?.succeeded(after: now - start, at: now) }

    /// It is over without an answer.
    ///
    /// - Parameter reason: in one word.
    /// - Returns: whether its target rests now.
    func fail(_ reason: String, countsAgainstTarget: Bool, at now: Instant) -> Bool {
        stream.cancel()
        guard let admission = admission.take() else { return false }
        return countsAgainstTarget ? admission.failed(reason, at: now) : admission.worked(at: now)
    }

    /// Another one was decisive.
    func lose(at now: Instant) {
        stream.cancel()
        admission.take()?.lost(after: now - start, at: now)
    }

    /// Ends it, whatever it has come to.
    func end() {
        stream.cancel()
        admission = nil
        place = nil
    }
}
