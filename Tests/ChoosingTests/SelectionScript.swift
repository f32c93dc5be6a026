// Plays a selection against scripted targets in virtual time, and writes down what it does.

import Chat
import Clock
import EventLoop
import Testing

@testable import Choosing

/// What a target does with one attempt. Times are milliseconds from the attempt's start.
struct Reaction {
    enum End {
        case firstToken
        case failure(AttemptFailure)
        case refusal(Selection.Denial)
        case silence
    }
    let end: End
    var after = 0
    var isResting = false
    var queuedFor = 0

    static func ok(after: Int = 50) -> Reaction { Reaction(end: .firstToken, after: after) }
    static func fails(_ error: ChatError, after: Int = 0, retryAfter: Duration? = nil) -> Reaction {
        Reaction(end: .failure(AttemptFailure(error, retryAfter: retryAfter)), after: after)
    }
    /// - Parameter wait: `retry-after` as it stands in the header, at noon on 1 January 2026.
    static func status(_ status: Int, wait: String? = nil, after: Int = 0) -> Reaction {
        let error = ChatError.upstreamAnswered(status: status, body: [UInt8]().span, key: UpstreamKey(), depthMax: 8)
        return fails(error, after: after, retryAfter: RetryAfter.duration(wait, unixTime: .seconds(1_767_268_800)))
    }
    static func cut(after: Int = 0) -> Reaction { fails(.upstreamFailed(.noAnswer), after: after) }
    static let refused = fails(.upstreamFailed(.connectionRefused))
    static let insecure = fails(.upstreamFailed(.insecure))
    static func connectTimeout(after: Int) -> Reaction {
        fails(.upstreamTimedOut(.connect, after: .milliseconds(after)), after: after)
    }
    static let silent = Reaction(end: .silence)
    static let full = Reaction(end: .refusal(.full(retryAfter: .seconds(1))))
    static let restsMeanwhile = Reaction(end: .refusal(.resting))
    static let overBudget = Reaction(end: .refusal(.overBudget))

    /// An error as the first event of a stream.
    static func event(_ json: String) -> Reaction {
        let error = UpstreamError(body: Array(json.utf8).span, depthMax: 8)
        return fails(error.map { .upstreamReported($0, key: UpstreamKey()) } ?? .upstreamFailed(.garbage))
    }

    /// With this the target has failed often enough to rest.
    var andRests: Reaction { with { $0.isResting = true } }
    func queued(for time: Int) -> Reaction { with { $0.queuedFor = time } }
    private func with(_ change: (inout Reaction) -> Void) -> Reaction {
        var copy = self
        change(&copy)
        return copy
    }
}

/// A target and what it does with its first attempt, its second, and so on; the last counts for all that follow.
struct ScriptedTarget {
    var target = SelectionTarget()
    let reactions: [Reaction]

    init(
        _ reactions: Reaction..., firstToken: Int = 1000, total: Int = 10_000, hedgeAfter: Int? = nil, rests: Bool = false,
        weight: Int? = nil, outstanding: Int = 0, hasRoom: Bool = true
    ) {
        self.reactions = reactions
        target.firstToken = .milliseconds(firstToken)
        target.total = .milliseconds(total)
        target.hedgeAfter = hedgeAfter.map { .milliseconds($0) }
        target.isResting = rests
        target.weight = weight
        target.outstandingCount = outstanding
        target.hasRoom = hasRoom
    }
}

/// A row: what the targets `a`, `b`, `c` do → what is done, each with its millisecond.
struct SelectionScript: CustomTestStringConvertible {
    let testDescription: String
    let targets: [ScriptedTarget]
    var plan = SelectionPlan()
    let expected: String

    init(
        _ name: String, _ targets: ScriptedTarget..., retries: Int = 2, fallbackOn: [Int] = [], endsAtFirstToken: Bool = false,
        gives expected: String
    ) {
        testDescription = name
        self.targets = targets
        plan.retriesMax = retries
        plan.fallbackOn = fallbackOn
        plan.endsAtFirstToken = endsAtFirstToken
        self.expected = expected
    }

    /// Draws the highest number always, so that a back-off takes its whole bound: 100 ms, 200 ms, 400 ms.
    private struct Highest: RandomNumberGenerator {
        mutating func next() -> UInt64 { .max }
    }

    private struct Fact {
        let time: Int
        let tell: (inout Selection, Instant, inout Highest) -> Void
    }

    func play() -> String {
        var generator = Highest()
        var selection = Selection(targets.map(\.target), plan, at: Instant(nanoseconds: 0))
        var (now, steps, names) = (0, [String](), [String]())
        var facts: [Fact] = []
        var startsCount = targets.map { _ in 0 }
        for _ in 0..<100 {
            switch selection.next(at: at(now), using: &generator) {
            case .start(let attempt):
                let name = ["a", "b", "c"][attempt.target]
                names.append(name)
                let reactions = targets[attempt.target].reactions
                let reaction = reactions[min(startsCount[attempt.target], reactions.count - 1)]
                startsCount[attempt.target] += 1
                if case .refusal(let refusal) = reaction.end {
                    steps.append("\(now) not \(name)")
                    selection.refused(attempt.id, refusal)
                } else {
                    steps.append("\(now) \(words(attempt, name))")
                    schedule(attempt.id, reaction, now, &facts)
                }
            case .cancel(let id, .lost): steps.append("\(now) \(names[id]) lost")
            case .cancel(let id, .timedOut(let timeout)): steps.append("\(now) \(names[id]) \(timeout.rawValue)")
            case .win(let id): return (steps + ["\(now) \(names[id]) wins"]).joined(separator: ", ")
            case .giveUp(let error, let id):
                return (steps + ["\(now) \(words(error))\(id.map { " of \(names[$0])" } ?? "")"]).joined(separator: ", ")
            case .wait(let end):
                facts.sort { $0.time < $1.time }
                guard let fact = facts.first, at(fact.time) <= end else {
                    now = Int(end.nanoseconds / 1_000_000)
                    continue
                }
                facts.removeFirst()
                now = fact.time
                fact.tell(&selection, at(now), &generator)
            }
        }
        return (steps + ["no end"]).joined(separator: ", ")
    }

    private func at(_ time: Int) -> Instant { Instant(nanoseconds: Int64(time) * 1_000_000) }

    private func schedule(_ id: Int, _ reaction: Reaction, _ now: Int, _ facts: inout [Fact]) {
        let start = now + reaction.queuedFor
        facts.append(Fact(time: start) { selection, time, _ in selection.started(id, at: time) })
        switch reaction.end {
        case .silence, .refusal: break
        case .firstToken: facts.append(Fact(time: start + reaction.after) { selection, _, _ in selection.won(id) })
        case .failure(let failure):
            facts.append(
                Fact(time: start + reaction.after) { selection, time, generator in
                    selection.failed(id, failure, targetRests: reaction.isResting, at: time, using: &generator)
                })
        }
    }

    private func words(_ attempt: Selection.PlannedAttempt, _ name: String) -> String {
        let words =
            switch attempt.reason {
            case .first: name
            case .retry: "\(name) again"
            case .fallback: "then \(name)"
            case .hedge: "\(name) beside"
            }
        return attempt.isLastResort ? words + " though it rests" : words
    }

    private func words(_ error: ChatError) -> String {
        switch error {
        case .upstreamTimedOut(let timeout, _): timeout.rawValue
        case .overloaded: "overloaded"
        case .upstreamFailed(.noAnswer): "cut"
        case .upstreamFailed(.connectionRefused): "refused"
        case .upstreamFailed(.error): "error event"
        default: AttemptFailure(error).status.map(String.init) ?? "\(error)"
        }
    }
}
