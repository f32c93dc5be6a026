import Clock
import EventLoop
import FastCGI
import Testing

@testable import Choosing
@testable import Settings
@testable import Sluice

/// What a board has of the one before it, in virtual time.
@Suite struct BoardReloadTests {
    private let wakeup: Wakeup
    private let start = Instant(nanoseconds: 1_000_000_000)

    init() throws { wakeup = Wakeup(on: try EventLoop()) }

    /// A board with one route, and what it was made of.
    private struct Made {
        let board: Board
        let route: Route
    }

    private func upstream(_ name: String = "a", _ change: (inout UpstreamSettings) -> Void = { _ in }) -> UpstreamSettings {
        var upstream = UpstreamSettings(name: name, url: "http://\(name)", key: .secret("k"))
        upstream.rest = RestPlan(failuresMax: 2)
        change(&upstream)
        return upstream
    }

    /// - Parameter targets: the upstreams' names; nil for each of them once.
    private func made(
        _ upstreams: [UpstreamSettings], targets: [String]? = nil, retryPercentMax: Int = 20, replacing former: Made? = nil
    ) throws -> Made {
        var model = ModelSettings(
            match: ModelPattern("*"), targets: (targets ?? upstreams.map(\.name)).map { TargetSettings(upstream: $0) })
        model.attempts.retryPercentMax = retryPercentMax
        let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: upstreams, models: [model])
        let routes = Routes(settings)
        let made = Made(board: Board(settings, routes, replacing: former?.board), route: try routes.route(for: "m"))
        made.board.takeEffect()
        return made
    }

    private func enter(
        _ made: Made, target: Int = 0, _ reason: Selection.PlannedAttempt.Reason = .first
    ) -> StartDecision {
        let attempt = Selection.PlannedAttempt(id: 0, target: target, reason: reason, isLastResort: false)
        return made.board.enter(attempt, on: made.route.targets[target], of: made.route, at: start, waking: wakeup)
    }

    private func admitted(_ made: Made, target: Int = 0) throws -> Admission {
        try enter(made, target: target).admission()
    }

    private func queued(_ made: Made) throws -> QueuedPlace {
        try enter(made).queuedPlace()
    }

    /// Whether the turn has come of one that waits; then it gives its place back at once.
    private func expectTurn(_ hasCome: Bool, _ place: inout QueuedPlace, _ location: SourceLocation = #_sourceLocation) {
        let isWaiting = if case nil = place.claim(at: start, isLate: false) { true } else { false }
        #expect(isWaiting != hasCome, sourceLocation: location)
    }

    /// Makes a target rest.
    private func exhaust(_ made: Made, target: Int = 0) throws {
        for _ in 0..<2 { _ = try admitted(made, target: target).failed(at: start) }
    }

    private func resting(_ made: Made) -> [Bool] {
        made.route.targets.indices.map { Found(enter(made, target: $0)) == .rest }
    }

    @Test func `an upstream that the settings have no more is told of as long as there is anything of it`() throws {
        let first = try made([upstream("a"), upstream("b")])
        let open = try admitted(first, target: 1)
        var last = try made([upstream("a")], replacing: first)
        last = try made([upstream("a")], replacing: last)
        let told = last.board.upstreamStatus
        #expect(told.map(\.name) == ["a", "b"])
        #expect(told.map(\.open) == [0, 1] && told.map(\.isFormer) == [false, true])
        _ = open.failed(at: start)
        #expect(last.board.upstreamStatus.map(\.name) == ["a"])
    }

    /// A request between two attempts holds no place, and its generation may be of many reloads ago.
    @Test func `an upstream that was gone counts what requests from before begin at it, whenever they do`() throws {
        let limited = upstream("b") { $0.concurrentMax = 1 }
        let first = try made([upstream("a"), limited])
        var last = first
        for _ in 0..<4 { last = try made([upstream("a")], replacing: last) }
        let holder = try admitted(first, target: 1)
        #expect(last.board.upstreamStatus.map(\.name) == ["a", "b"])
        let present = try made([limited], replacing: last)
        #expect(Found(enter(present)) == .queue)
        _ = consume holder
        _ = try admitted(present)
    }

    @Test func `an upstream that was gone begins anew when the last one is over who had it`() throws {
        var former: Made? = try made([upstream("a"), upstream("b") { $0.concurrentMax = 1 }])
        weak let witness = former?.board.places[1]
        let between = try made([upstream("a")], replacing: former)
        former = nil
        #expect(witness == nil)
        _ = try admitted(made([upstream("b") { $0.concurrentMax = 1 }], replacing: between))
    }

    // MARK: Targets

    @Test func `a rest goes on`() throws {
        let former = try made([upstream(), upstream("b")])
        try exhaust(former)
        let present = try made([upstream("b"), upstream()], replacing: former)
        #expect(resting(present) == [false, true])
        #expect(present.board.restingCount(at: start) == 1)
    }

    @Test func `failures from before count, also those that are told to the board before`() throws {
        let former = try made([upstream()])
        let first = try admitted(former)
        let second = try admitted(former)
        let present = try made([upstream()], replacing: former)
        _ = first.failed(at: start)
        #expect(resting(present) == [false])
        _ = second.failed(at: start)
        #expect(resting(present) == [true])
    }

    @Test func `a target with another key or URL begins without a rest`() throws {
        let former = try made([upstream()])
        try exhaust(former)
        #expect(resting(try made([upstream { $0.key = .secret("l") }], replacing: former)) == [false])
        #expect(resting(try made([upstream { $0.url = "http://c" }], replacing: former)) == [false])
        #expect(resting(try made([upstream()], replacing: former)) == [true])
    }

    @Test func `a target that was gone meanwhile begins anew`() throws {
        let former = try made([upstream(), upstream("b")])
        try exhaust(former)
        let between = try made([upstream("b")], replacing: former)
        #expect(resting(try made([upstream(), upstream("b")], replacing: between)) == [false, false])
    }

    @Test func `targets that are alike have what they had, each in its turn`() throws {
        let former = try made([upstream()], targets: ["a", "a", "a"])
        try exhaust(former, target: 1)
        #expect(resting(try made([upstream()], targets: ["a", "a", "a"], replacing: former)) == [false, true, false])
        #expect(resting(try made([upstream()], targets: ["a"], replacing: former)) == [false])
        let more = try made([upstream()], targets: ["a", "a", "a", "a"], replacing: former)
        #expect(resting(more) == [false, true, false, false])
    }

    @Test func `another plan for rests holds from the moment that the board takes effect`() throws {
        let former = try made([upstream { $0.rest = RestPlan(failuresMax: 9) }])
        try exhaust(former)
        #expect(resting(former) == [false])
        let present = try made([upstream { $0.rest = RestPlan(failuresMax: 3) }], replacing: former)
        #expect(resting(present) == [false])
        _ = try admitted(former).failed(at: start)
        #expect(resting(present) == [true])
    }

    // MARK: Places

    @Test func `places that are held count, whatever has become of the key`() throws {
        let former = try made([upstream { $0.concurrentMax = 1 }])
        let holder = try admitted(former)
        let present = try made([upstream { ($0.concurrentMax, $0.key) = (1, .none) }], replacing: former)
        var waiting = try queued(present)
        expectTurn(false, &waiting)
        _ = consume holder
        expectTurn(true, &waiting)
    }

    @Test func `an upstream with another URL has all its places`() throws {
        let former = try made([upstream { $0.concurrentMax = 1 }])
        let holder = try admitted(former)
        let present = try made([upstream { ($0.concurrentMax, $0.url) = (1, "http://c") }], replacing: former)
        _ = try admitted(present)
        _ = consume holder
    }

    @Test func `more places go to those who wait since before`() throws {
        let former = try made([upstream { $0.concurrentMax = 1 }])
        let holder = try admitted(former)
        var first = try queued(former)
        var second = try queued(former)
        expectTurn(false, &first)
        let present = try made([upstream { $0.concurrentMax = 2 }], replacing: former)
        let decision = first.claim(at: start, isLate: false)
        guard let turn = decision else { throw CancellationError() }
        expectTurn(false, &second)
        #expect(Found(enter(present)) == .queue)
        _ = consume turn
        expectTurn(true, &second)
        _ = consume holder
    }

    @Test func `fewer places take none from those who have one`() throws {
        let former = try made([upstream { $0.concurrentMax = 2 }])
        let first = try admitted(former)
        let second = try admitted(former)
        let present = try made([upstream { $0.concurrentMax = 1 }], replacing: former)
        var waiting = try queued(present)
        _ = consume first
        expectTurn(false, &waiting)
        _ = consume second
        expectTurn(true, &waiting)
    }

    // MARK: Budgets

    @Test func `what was spent stays spent, unless the share is another`() throws {
        let former = try made([upstream()])
        let isPaid: (Made) -> Bool = { if case .refused(.overBudget) = enter($0, .retry) { false } else { true } }
        #expect((0..<5).map { _ in isPaid(former) } == [true, true, true, false, false])
        #expect(!isPaid(try made([upstream()], replacing: former)))
        #expect(isPaid(try made([upstream()], retryPercentMax: 30, replacing: former)))
    }
}
