// What it takes to have an answer gone on with that has broken off (`on_cut = "continue"`).

import Chat
import Choosing
import Clock

/// What is kept of a request until its answer is whole, where another target may have to go on with that.
final class Continuation {
    let question: Question
    /// When the request came.
    let start: Instant
    /// The targets that have failed it: they come last.
    private var failed: [Target] = []

    init(of question: Question, from start: Instant) { (self.question, self.start) = (question, start) }

    func note(failed targets: [Target]) { failed += targets }

    func hasFailed(_ target: Target) -> Bool { failed.contains { $0 === target } }
}

extension ChatError {
    /// Whether another answer may fare better than one that has come to this. A verdict on the request holds for all, and where the time
    /// for all of it is over there is none to go on.
    var isWorthGoingOn: Bool {
        if case .upstreamTimedOut(.total, _) = self { return false }
        return AttemptFailure(self).countsAgainstTarget
    }
}
