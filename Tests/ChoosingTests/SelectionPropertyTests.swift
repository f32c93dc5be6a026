import Chat
import Clock
import EventLoop
import TestSupport
import Testing

@testable import Choosing

/// Random routes and random facts, also such as nobody should tell, against what must hold in any case.
@Suite(.ownThread) struct SelectionPropertyTests {
    @Test(arguments: 0..<20) func `whatever is told, a selection keeps its rules and ends`(_ part: UInt64) {
        for seed in part * 500..<(part + 1) * 500 {
            var run = Run(seed: seed)
            if let broken = run.play() {
                Issue.record("\(broken), seed \(seed): \(run.log.joined(separator: ", "))")
                return
            }
        }
    }
}

private struct Run {
    private(set) var log: [String] = []
    private var generator: SeededGenerator
    private var selection: Selection
    private let targets: [SelectionTarget]
    private let plan: SelectionPlan
    private var now = Instant(nanoseconds: 1_000_000_000)

    // What is known of the attempts, told apart from the selection's own account.
    private var attempts: [Selection.PlannedAttempt] = []
    private var active: Set<Int> = []
    private var cancelled: Set<Int> = []
    private var grantedCounts: [Int]
    private var hedgesCount = 0
    /// By target: from when on it may be tried again; nil when it may not.
    private var retryable: [Int: Instant] = [:]
    private var winner: Int?
    private var isDecided = false
    private var hasVerdict = false
    private var isOverRetryBudget = false

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var plan = SelectionPlan()
        plan.retriesMax = Int.random(in: 0...3, using: &generator)
        plan.retryAfterMax = .milliseconds(Int.random(in: 0...3000, using: &generator))
        plan.fallbackOn = Bool.random(using: &generator) ? [] : [400, 403]
        let targets = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            var target = SelectionTarget()
            target.firstToken = .milliseconds(Int.random(in: 0...3000, using: &generator))
            target.total = .milliseconds(Int.random(in: 0...6000, using: &generator))
            target.hedgeAfter = Bool.random(using: &generator) ? .milliseconds(Int.random(in: 0...2000, using: &generator)) : nil
            target.isResting = Int.random(in: 0..<3, using: &generator) == 0
            target.weight = Bool.random(using: &generator) ? Int.random(in: 1...4, using: &generator) : nil
            target.outstandingCount = Int.random(in: 0...3, using: &generator)
            target.hasRoom = Int.random(in: 0..<3, using: &generator) > 0
            return target
        }
        (self.plan, self.targets) = (plan, targets)
        grantedCounts = targets.map { _ in 0 }
        selection = Selection(targets, plan, at: now)
        self.generator = generator
    }

    /// - Returns: the rule that was broken.
    mutating func play() -> String? {
        for _ in 0..<500 {
            let step = selection.next(at: now, using: &generator)
            log.append("\(step)")
            switch step {
            case .start(let attempt):
                if let broken = check(attempt) { return broken }
                start(attempt)
            case .cancel(let id, _):
                if !active.contains(id) { return "cancels \(id), which does not run" }
                if id == winner { return "cancels the winner" }
                if !cancelled.insert(id).inserted { return "cancels \(id) twice" }
                active.remove(id)
            case .wait(let end):
                if end <= now { return "waits for the past" }
                if winner != nil { return "waits after a win" }
                tellOrWait(until: end)
            case .win(let id):
                if id != winner { return "the wrong winner" }
                return active == [id] ? checkEnd(step) : "wins while others run"
            case .giveUp(let error, let id):
                if winner != nil || !active.isEmpty { return "gives up too soon" }
                if hasVerdict, !AttemptFailure(error).isVerdict { return "hides a verdict" }
                if let id, !attempts.indices.contains(id) { return "an error from nowhere" }
                return checkEnd(step)
            }
        }
        return "no end"
    }

    private func check(_ attempt: Selection.PlannedAttempt) -> String? {
        if attempt.id != attempts.count { return "an attempt's number" }
        if winner != nil { return "starts after a win" }
        if isDecided { return "starts after a verdict" }
        if now >= Instant(nanoseconds: 1_000_000_000) + targets[attempt.target].total { return "starts after total" }
        if grantedCounts[attempt.target] > plan.retriesMax { return "too many attempts on a target" }
        // The one that is replaced is cancelled as soon as the new one has started.
        if active.count > 2 { return "too many at a time" }
        switch attempt.reason {
        case .retry:
            if isOverRetryBudget { return "retries without a budget" }
            guard let time = retryable[attempt.target] else { return "retries what is not to be retried" }
            return now < time || !active.isEmpty ? "retries too soon" : nil
        case .first: return attempts.isEmpty ? nil : "two first ones"
        case .fallback: return grantedCounts[attempt.target] > 0 ? "falls back on what it tried" : nil
        case .hedge:
            if hedgesCount > 0 || active.count != 1 { return "too many hedges" }
            return attempt.isLastResort || !targets[attempt.target].hasRoom ? "a hedge at any cost" : nil
        }
    }

    private mutating func start(_ attempt: Selection.PlannedAttempt) {
        attempts.append(attempt)
        if attempt.reason == .hedge { hedgesCount += 1 }
        if Int.random(in: 0..<6, using: &generator) == 0 {
            let refusal: Selection.Denial = [.overBudget, .full(retryAfter: .seconds(1)), .resting].randomElement(
                using: &generator)!
            if case .overBudget = refusal, attempt.reason == .retry { isOverRetryBudget = true }
            log.append("refused \(refusal)")
            return selection.refused(attempt.id, refusal)
        }
        active.insert(attempt.id)
        grantedCounts[attempt.target] += 1
        retryable[attempt.target] = nil
        if Bool.random(using: &generator) { selection.started(attempt.id, at: now) }
    }

    /// Lets time pass, and perhaps tells something of any attempt, also of one that has ended.
    private mutating func tellOrWait(until end: Instant) {
        let id = attempts.isEmpty ? nil : Int.random(in: 0..<attempts.count, using: &generator)
        guard let id, Int.random(in: 0..<3, using: &generator) > 0 else { return now = end }
        now = now + .nanoseconds(Int64.random(in: 0...(end - now).nanoseconds, using: &generator))
        switch Int.random(in: 0..<8, using: &generator) {
        case 0...2: selection.started(id, at: now)
        case 3: win(id)
        default: fail(id)
        }
    }

    private mutating func win(_ id: Int) {
        log.append("\(id) won")
        if active.contains(id), winner == nil { winner = id }
        selection.won(id)
    }

    private mutating func fail(_ id: Int) {
        let failure = anyFailure()
        log.append("\(id) failed \(failure)")
        if active.remove(id) != nil {
            let target = attempts[id].target
            if failure.isVerdict { hasVerdict = true }
            switch failure.consequence {
            case .retry, .elsewhere:
                let wait = failure.retryAfter ?? .zero
                if wait <= plan.retryAfterMax { retryable[target] = now + wait }
            case .onlyElsewhere: break
            case .end where plan.fallbackOn.contains(failure.status ?? 0): break
            case .end:
                let isHedgeBesideAnother = attempts[id].reason == .hedge && !active.isEmpty
                if !isHedgeBesideAnother || failure.isVerdict { isDecided = true }
            }
        }
        selection.failed(id, failure, targetRests: Bool.random(using: &generator), at: now, using: &generator)
    }

    private mutating func anyFailure() -> AttemptFailure {
        let error: ChatError
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: error = .upstreamFailed(.connectionRefused)
        case 1: error = .upstreamTimedOut(.connect, after: .seconds(1))
        case 2: error = .upstreamCutOff
        case 3: error = .upstreamAnswerTooLarge(bytesMax: 1)
        case 4: error = .upstreamRefusedKey(status: [401, 403].randomElement(using: &generator)!)
        case 5, 6: error = .upstreamRefused(status: [400, 404, 413, 422].randomElement(using: &generator)!, nil)
        case 7: error = .upstreamRefused(status: 429, nil)
        default: error = .upstreamFailed(.status([402, 408, 409, 498, 500, 503].randomElement(using: &generator)!))
        }
        let waits: [Duration?] = [nil, .zero, .seconds(2), .seconds(1_000_000_000)]
        return AttemptFailure(error, retryAfter: waits.randomElement(using: &generator)!)
    }

    /// The end stays the end, whatever else is told.
    private mutating func checkEnd(_ end: Selection.Step) -> String? {
        for id in attempts.indices {
            selection.started(id, at: now)
            selection.won(id)
            selection.failed(id, anyFailure(), targetRests: false, at: now, using: &generator)
            now = now + .seconds(1)
            if selection.next(at: now, using: &generator) != end { return "goes on after the end" }
        }
        return nil
    }
}
