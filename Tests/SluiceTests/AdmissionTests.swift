import Chat
import Clock
import EventLoop
import FastCGI
import Testing

@testable import Choosing
@testable import Settings
@testable import Sluice

/// What attempts hold of an upstream and a target, in virtual time.
@Suite struct AdmissionTests {
    private let board: Board
    private let route: Route
    private let wakeup: Wakeup
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// One place and one more in the queue; a target rests after two failures.
    init() throws {
        var upstream = UpstreamSettings(name: "a", url: "http://a", concurrentMax: 1, queueMax: 1)
        upstream.rest = RestPlan(failuresMax: 2)
        let model = ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])
        let generation = try Generation(Settings(listen: [.inherited(0)], workers: 1, upstreams: [upstream], models: [model]))
        board = generation.board
        route = try generation.routes.route(for: "m")
        wakeup = Wakeup(on: try EventLoop())
    }

    /// What an attempt finds that starts now.
    private func found(isLastResort: Bool = false) -> Found { Found(enter(isLastResort: isLastResort)) }

    private func enter(_ reason: Selection.PlannedAttempt.Reason = .first, isLastResort: Bool = false) -> StartDecision {
        let attempt = Selection.PlannedAttempt(id: 0, target: 0, reason: reason, isLastResort: isLastResort)
        return board.enter(attempt, on: route.targets[0], of: route, at: start, waking: wakeup)
    }

    private func admitted(isLastResort: Bool = false) throws -> Admission { try enter(isLastResort: isLastResort).admission() }

    private func queued() throws -> QueuedPlace { try enter().queuedPlace() }

    // MARK: Places

    @Test func `an admission that is lost on the way gives its place back`() throws {
        do {
            let admission = try admitted()
            #expect(found() == .queue)
            _ = consume admission
        }
        #expect(found() == .place)
    }

    @Test(arguments: 0..<3) func `each end of an attempt gives its place back, once`(end: Int) throws {
        for _ in 0..<3 {
            let admission = try admitted()
            switch end {
            case 0: _ = admission.worked(at: start)
            case 1: admission.lost(after: .seconds(1), at: start)
            default: _ = admission.succeeded(after: .seconds(1), at: start)
            }
            #expect(found() == .place)
            // A second one has to wait, so that no place was given back twice.
            let holder = try admitted()
            #expect(found() == .queue)
            _ = consume holder
        }
    }

    @Test func `the one that won keeps its place until its answer is over`() throws {
        do {
            let place = try admitted().succeeded(after: .seconds(1), at: start)
            #expect(found() == .queue)
            _ = consume place
        }
        #expect(found() == .place)
    }

    // MARK: The queue

    @Test func `whoever waits gets the place that was given back, and nobody else`() throws {
        let admission = try admitted()
        var waiting = try queued()
        let isWaiting = if case nil = waiting.claim(at: start, isLate: false) { true } else { false }
        #expect(isWaiting)
        #expect(found() == .full)
        admission.lost(after: .seconds(1), at: start)
        #expect(found() == .queue)
        let decision = waiting.claim(at: start, isLate: false)
        guard let decision else { throw UnexpectedDecision() }
        #expect(Found(decision) == .place)
        #expect(found() == .place)
    }

    @Test func `one that gives up leaves the queue, and one that is late is refused`() throws {
        let admission = try admitted()
        do { _ = try queued() }
        #expect(found() == .queue)
        do {
            var late = try queued()
            let decision = late.claim(at: start, isLate: true)
            guard let decision else { throw UnexpectedDecision() }
            #expect(Found(decision) == .full)
            #expect(found() == .queue)
        }
        #expect(found() == .queue)
        _ = consume admission
        #expect(found() == .place)
    }

    @Test func `a place that was given to one that had gone is passed on`() throws {
        let admission = try admitted()
        do {
            let waiting = try queued()
            admission.lost(after: .seconds(1), at: start)
            #expect(found() == .queue)
            _ = consume waiting
        }
        #expect(found() == .place)
    }

    @Test func `a hedge does not wait`() throws {
        let admission = try admitted()
        #expect(Found(enter(.hedge)) == .full)
        _ = consume admission
    }

    // MARK: Health

    @Test func `failures make a target rest, and an attempt that is lost on the way tells nothing`() throws {
        let first = try admitted().failed(at: start)
        for _ in 0..<5 { #expect(found() == .place) }
        let second = try admitted().failed(at: start)
        #expect((first, second) == (false, true))
        #expect(found() == .rest)
    }

    @Test func `a target that works does not rest for the failures before it`() throws {
        _ = try admitted().failed(at: start)
        _ = try admitted().succeeded(after: .seconds(1), at: start)
        #expect(try !admitted().failed(at: start))
        #expect(try !admitted().worked(at: start))
        #expect(try !admitted().failed(at: start))
        #expect(found() == .place)
    }

    @Test func `a probe that is lost on the way lets another one be it`() throws {
        for _ in 0..<2 { _ = try admitted().failed(at: start) }
        #expect(found(isLastResort: true) == .place)
        // It was the probe, and told nothing: the next one is not kept away by it for longer.
        _ = try admitted(isLastResort: true).succeeded(after: .seconds(1), at: start)
        #expect(found() == .place)
    }
}
