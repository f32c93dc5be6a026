import Clock
import EventLoop
import TestSupport
import Testing

@testable import Choosing

@Suite(.ownThread) struct RequestBudgetTests {
    private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 5_000_000_000_000 + Int64(milliseconds) * 1_000_000) }

    private func granted(_ budget: inout RequestBudget, of wanted: Int, at time: Instant) -> Int {
        (0..<wanted).count { _ in budget.take(at: time) }
    }

    @Test(arguments: [
        (20, 100, 20), (10, 100, 10), (10, 109, 10), (100, 50, 50), (20, 0, 3), (20, 5, 3), (20, 15, 3), (20, 20, 4),
    ])
    func `recent requests pay for a share of extra attempts, and there is a minimum`(percent: Int, requests: Int, extras: Int) {
        var budget = RequestBudget(percent: percent, minimum: 3, window: .seconds(10))
        for _ in 0..<requests { budget.noteRequest(at: at(0)) }
        #expect(granted(&budget, of: 200, at: at(900)) == extras)
    }

    @Test func `a share of nothing is nothing`() {
        var (retries, hedges) = (RequestBudget.retries(percent: 0), RequestBudget.hedges(percent: 0))
        for _ in 0..<100 {
            retries.noteRequest(at: at(0))
            hedges.noteRequest(at: at(0))
        }
        #expect(!retries.take(at: at(0)) && !hedges.take(at: at(0)))
    }

    @Test func `requests and extras are forgotten when the window has passed them`() {
        var budget = RequestBudget(percent: 20, minimum: 1, window: .seconds(10))
        for _ in 0..<100 { budget.noteRequest(at: at(0)) }
        #expect(granted(&budget, of: 100, at: at(8000)) == 20)
        // The requests are gone, the extras not yet.
        #expect(granted(&budget, of: 100, at: at(11_000)) == 0)
        #expect(granted(&budget, of: 100, at: at(19_000)) == 1)
        #expect(granted(&budget, of: 100, at: at(86_400_000)) == 1)
    }

    @Test(arguments: 10...30) func `after a pause of any length nothing is left`(seconds: Int) {
        var budget = RequestBudget(percent: 100, minimum: 0, window: .seconds(10))
        for _ in 0..<100 { budget.noteRequest(at: at(0)) }
        #expect(granted(&budget, of: 1, at: at(seconds * 1000)) == 0)
    }

    @Test func `a quiet server may retry again after a while`() {
        var budget = RequestBudget.retries()
        for turn in 0..<10 {
            budget.noteRequest(at: at(turn * 20_000))
            #expect(granted(&budget, of: 5, at: at(turn * 20_000)) == 3)
        }
    }

    @Test func `times out of order are taken for now`() {
        var budget = RequestBudget(percent: 100, minimum: 0, window: .seconds(10))
        budget.noteRequest(at: at(5000))
        budget.noteRequest(at: at(0))
        #expect(granted(&budget, of: 5, at: at(-20_000)) == 2)
    }

    @Test func `no window ever holds more than its share`() {
        var generator = SeededGenerator(seed: 3)
        var budget = RequestBudget(percent: 10, minimum: 1, window: .seconds(60))
        var (time, extrasCount) = (0, 0)
        // Those of the last 60 s, and the extras of the last 54 s: the window moves in steps of 6 s.
        var (requests, extras) = ([Int](), [Int]())
        for _ in 0..<20_000 {
            time += Int.random(in: 0...400, using: &generator)
            requests.removeAll { $0 <= time - 60_000 }
            extras.removeAll { $0 <= time - 54_000 }
            budget.noteRequest(at: at(time))
            requests.append(time)
            guard Int.random(in: 0..<5, using: &generator) == 0, budget.take(at: at(time)) else { continue }
            extras.append(time)
            extrasCount += 1
            guard extras.count <= max(1, requests.count / 10) else {
                Issue.record("\(extras.count) of \(requests.count)")
                return
            }
        }
        #expect(extrasCount > 1500)
    }
}
