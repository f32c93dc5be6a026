import Choosing
import Clock
import Testing

@testable import Settings
@testable import Sluice

/// What a route's requests may spend on further attempts, in virtual time.
@Suite struct RouteBudgetsTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func model(_ match: String = "*", retryPercentMax: Int = 20, hedgePercentMax: Int = 10) -> ModelSettings {
        var model = ModelSettings(match: ModelPattern(match), targets: [TargetSettings(upstream: "a")])
        (model.attempts.retryPercentMax, model.attempts.hedgePercentMax) = (retryPercentMax, hedgePercentMax)
        return model
    }

    @Test func `a first attempt and a fallback cost nothing`() {
        let budgets = RouteBudgets(model(retryPercentMax: 0, hedgePercentMax: 0))
        for _ in 0..<100 { #expect(budgets.pay(for: .first, at: start) && budgets.pay(for: .fallback, at: start)) }
    }

    @Test func `retries and hedges have a share of the requests each`() {
        let budgets = RouteBudgets(model(retryPercentMax: 50, hedgePercentMax: 20))
        for _ in 0..<10 { budgets.noteRequest(mayHedge: true, at: start) }
        #expect((0..<20).count { _ in budgets.pay(for: .retry, at: start) } == 5)
        #expect((0..<20).count { _ in budgets.pay(for: .hedge, at: start) } == 2)
    }

    @Test func `requests that are not hedged pay for no hedges`() {
        let budgets = RouteBudgets(model(hedgePercentMax: 100))
        for _ in 0..<10 { budgets.noteRequest(mayHedge: false, at: start) }
        #expect((0..<20).count { _ in budgets.pay(for: .hedge, at: start) } == 1)
    }

    @Test func `a route is the same one as long as its models and its shares are`() {
        let identity = RouteBudgets(model()).identity
        var other = model()
        other.targets = [TargetSettings(upstream: "b")]
        other.attempts.retriesMax = 5
        #expect(RouteBudgets(other).identity == identity)
        #expect(RouteBudgets(model("gpt-*")).identity != identity)
        #expect(RouteBudgets(model(retryPercentMax: 10)).identity != identity)
        #expect(RouteBudgets(model(hedgePercentMax: 20)).identity != identity)
    }
}
