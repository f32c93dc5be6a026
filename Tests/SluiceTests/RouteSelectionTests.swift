import Chat
import Choosing
import Clock
import EventLoop
import FastCGI
import Testing

@testable import Settings
@testable import Sluice

/// What a route's settings do to a request, played in virtual time.
@Suite struct RouteSelectionTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private var generator = SystemRandomNumberGenerator()

    private func route(_ model: ModelSettings) throws -> Route {
        let upstreams = ["a", "b"].map { UpstreamSettings(name: $0, url: "http://\($0)") }
        let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: upstreams, models: [model])
        return try Routes(settings).route(for: "m")
    }

    private func model(_ targets: TargetSettings...) -> ModelSettings {
        ModelSettings(match: ModelPattern("*"), targets: targets)
    }

    /// When the selection looks again, with its first attempt running.
    private mutating func nextTimer(_ selection: consuming Selection) -> Duration? {
        guard case .start(let attempt) = selection.next(at: start, using: &generator) else { return nil }
        selection.started(attempt.id, at: start)
        guard case .wait(let time) = selection.next(at: start, using: &generator) else { return nil }
        return time - start
    }

    @Test mutating func `a stream's next target has its turn after the first one's own timeout`() throws {
        let route = try route(
            model(TargetSettings(upstream: "a", timeouts: .init(firstToken: .seconds(2))), TargetSettings(upstream: "b")))
        #expect(nextTimer(route.selection(isStreaming: true, at: start) { _, _ in }) == .seconds(2))
    }

    @Test mutating func `a route's only target is given up when its first token is late`() throws {
        var model = model(TargetSettings(upstream: "a", timeouts: .init(firstToken: .seconds(2))))
        model.attempts.retriesMax = 0
        let route = try route(model)
        var selection = route.selection(isStreaming: true, at: start) { _, _ in }
        #expect(nextTimer(selection) == .seconds(2))
        guard case .start(let attempt) = selection.next(at: start, using: &generator) else {
            Issue.record("nothing is started")
            return
        }
        selection.started(attempt.id, at: start)
        let late = start + .seconds(2)
        #expect(selection.next(at: late, using: &generator) == .cancel(attempt.id, .timedOut(.firstToken)))
        let error = ChatError.upstreamTimedOut(.firstToken, after: .seconds(2))
        #expect(selection.next(at: late, using: &generator) == .giveUp(error, of: nil))
    }

    @Test mutating func `an answer that is not streamed is given its whole time`() throws {
        var model = model(TargetSettings(upstream: "a", timeouts: .init(total: .seconds(40))), TargetSettings(upstream: "b"))
        model.hedgeAfter = .after(.seconds(1))
        #expect(nextTimer(try route(model).selection(isStreaming: false, at: start) { _, _ in }) == .seconds(40))
    }

    @Test mutating func `a stream is hedged after a time`() throws {
        var model = model(TargetSettings(upstream: "a"), TargetSettings(upstream: "b"))
        model.hedgeAfter = .after(.milliseconds(800))
        #expect(nextTimer(try route(model).selection(isStreaming: true, at: start) { _, _ in }) == .milliseconds(800))
    }

    @Test(arguments: [(19, Duration.seconds(15)), (20, .milliseconds(19))])
    mutating func `a stream is hedged after a percentile of the times that are known`(count: Int, after: Duration) throws {
        var times = FirstTokenTimes()
        for number in 1...count { times.note(.milliseconds(number)) }
        var model = model(TargetSettings(upstream: "a"), TargetSettings(upstream: "b"))
        model.hedgeAfter = .percentile(95)
        let route = try route(model)
        let selection = route.selection(isStreaming: true, at: start) { $1.hedgeAfter = route.hedgeAfter?.duration(by: times) }
        #expect(nextTimer(selection) == after)
    }

    @Test mutating func `targets with weights share, in the route's state of the moment`() throws {
        let route = try route(model(TargetSettings(upstream: "a", weight: 3), TargetSettings(upstream: "b", weight: 1)))
        for (loads, expected) in [([5, 2], 0), ([7, 2], 1), ([0, 1], 0)] {
            var selection = route.selection(isStreaming: true, at: start) { $1.outstandingCount = loads[$0] }
            guard case .start(let attempt) = selection.next(at: start, using: &generator) else {
                Issue.record("nothing is started")
                continue
            }
            #expect(attempt.target == expected)
        }
    }

    @Test func `a model's settings make its plan and budgets`() throws {
        var model = model(TargetSettings(upstream: "a"))
        model.fallbackOn = [404]
        model.attempts = AttemptSettings(
            retriesMax: 7, retryPercentMax: 0, retryAfterMax: .seconds(9), hedgePercentMax: 0)
        let plan = try route(model).plan
        #expect((plan.retriesMax, plan.retryAfterMax, plan.fallbackOn) == (7, .seconds(9), [404]))
        var (retries, hedges) = (RequestBudget.retries(of: model), RequestBudget.hedges(of: model))
        #expect(!retries.take(at: start) && !hedges.take(at: start))
        model.attempts = AttemptSettings()
        (retries, hedges) = (RequestBudget.retries(of: model), RequestBudget.hedges(of: model))
        #expect(retries.take(at: start) && hedges.take(at: start))
    }

    @Test func `an upstream's settings limit its places and its queue`() {
        var limit = ConcurrencyLimit(UpstreamSettings(name: "a", concurrentMax: 1, queueMax: 0))
        #expect([limit.enter(), limit.enter()] == [.entered, .full])
        var open = ConcurrencyLimit(UpstreamSettings(name: "a"))
        #expect((1...1000).allSatisfy { _ in open.enter() == .entered })
    }
}
