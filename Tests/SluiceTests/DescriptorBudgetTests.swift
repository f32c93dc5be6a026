import FastCGI
import Testing

@testable import Settings
@testable import Sluice

@Suite struct DescriptorBudgetTests {
    private func budget(_ limit: Int, requests: Int, workers: Int) -> DescriptorBudget {
        var settings = Settings(listen: [.inherited(0)], workers: workers, upstreams: [], models: [])
        settings.limits.requests = requests
        return DescriptorBudget(limit: limit, settings)
    }

    @Test(arguments: [1, 4, 64])
    func `the sum that the README gives is enough for any number of workers`(workers: Int) throws {
        let sum = 2 * 4096 + 64 + 8 * workers
        #expect(budget(sum, requests: 4096, workers: workers).isEnough)
        #expect(!budget(sum - 1, requests: 4096, workers: workers).isEnough)
    }

    @Test func `platforms that are asked to say fillers take some of each worker's`() {
        var settings = Settings(
            listen: [.inherited(0)], workers: 4, upstreams: [], models: [ModelSettings(match: ModelPattern("*"), targets: [])])
        let needed = DescriptorBudget(limit: 10_000, settings).needed
        settings.filler = FillerSettings()
        #expect(DescriptorBudget(limit: 10_000, settings).needed == needed)
        settings.filler?.speaker = .control
        #expect(DescriptorBudget(limit: 10_000, settings).needed == needed + 4 * CallControl.atOnceMax)
    }

    @Test(arguments: [(8_288, 4), (12_288, 1_000), (1_000_000, 4096), (1024, 4)])
    func `what streams leave is shared out to the workers for idle connections`(limit: Int, expected: Int) throws {
        #expect(budget(limit, requests: 4096, workers: 4).idlePerWorker == expected)
    }

    @Test func `idle connections and streams together stay within the limit`() throws {
        for workers in [1, 2, 4, 8] {
            for limit in stride(from: 9_000, through: 100_000, by: 991) {
                let budget = budget(limit, requests: 4096, workers: workers)
                #expect(2 * 4096 + 64 + (8 + budget.idlePerWorker) * workers <= limit)
            }
        }
    }
}
