import Choosing
import Clock
import FastCGI
import Testing

@testable import Settings
@testable import Sluice

/// What is known of one target, in virtual time.
@Suite struct TargetStateTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func state(_ upstream: UpstreamSettings, match: String = "*", model: String? = nil) -> TargetState {
        let target = TargetSettings(upstream: upstream.name, model: model)
        let settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [upstream],
            models: [ModelSettings(match: ModelPattern(match), targets: [target])])
        return TargetState(Routes(settings).targets[0], of: settings)
    }

    private func upstream(_ change: (inout UpstreamSettings) -> Void = { _ in }) -> UpstreamSettings {
        var upstream = UpstreamSettings(name: "a", url: "http://a", key: .secret("k"))
        upstream.rest = RestPlan(failuresMax: 2)
        change(&upstream)
        return upstream
    }

    private func note(_ outcome: Board.Outcome, _ state: TargetState) throws -> (rests: Bool, change: TargetHealth.Change?) {
        state.note(outcome, by: try #require(state.enter(at: start, isLastResort: false)), at: start)
    }

    @Test func `a rest is told once, and a target that works has none`() throws {
        let state = state(upstream())
        let first = try note(.failed(), state)
        #expect(!first.rests && first.change == nil)
        _ = try note(.works, state)
        _ = try note(.failed(), state)
        #expect(!state.isResting(at: start))
        let permits = try (0..<2).map { _ in try #require(state.enter(at: start, isLastResort: false)) }
        let second = state.note(.failed(), by: permits[0], at: start)
        #expect(second.rests && second.change == .rests(for: .seconds(10)))
        let third = state.note(.failed(), by: permits[1], at: start)
        #expect(third.rests && third.change == nil)
        #expect(state.enter(at: start, isLastResort: false) == nil)
        var target = SelectionTarget()
        state.addState(to: &target, nil, at: start)
        #expect(target.isResting)
    }

    @Test func `another plan counts the failures from before it`() throws {
        let state = state(upstream { $0.rest = RestPlan(failuresMax: 5) })
        for _ in 0..<3 { _ = try note(.failed(), state) }
        state.apply(RestPlan(failuresMax: 3, restFor: .seconds(7)))
        #expect(!state.isResting(at: start))
        #expect(try note(.failed(), state).change == .rests(for: .seconds(7)))
    }

    @Test func `a percentile for hedges is known after 20 first tokens, and those that were lost count`() throws {
        let state = state(upstream())
        var target = SelectionTarget()
        for number in 0..<20 {
            state.addState(to: &target, .percentile(50), at: start)
            #expect(target.hedgeAfter == nil)
            _ = try note(number % 2 == 0 ? .token(after: .seconds(1)) : .lost(after: .seconds(1)), state)
        }
        state.addState(to: &target, .percentile(50), at: start)
        #expect(target.hedgeAfter == .seconds(1))
    }

    @Test func `a target is the same one whatever its limits are`() {
        let limited = upstream {
            ($0.warmCount, $0.concurrentMax, $0.queueMax, $0.queueWait) = (2, 3, 4, .seconds(5))
            $0.rest = RestPlan(failuresMax: 1)
        }
        #expect(state(limited).identity == state(upstream()).identity)
    }

    @Test func `a target is another one where it is asked otherwise`() {
        let identity = state(upstream()).identity
        #expect(state(upstream { $0.url = "http://b" }).identity != identity)
        #expect(state(upstream { $0.key = .secret("l") }).identity != identity)
        #expect(state(upstream { $0.name = "b" }).identity != identity)
        #expect(state(upstream(), match: "gpt-*").identity != identity)
        #expect(state(upstream(), model: "m").identity != identity)
    }
}
