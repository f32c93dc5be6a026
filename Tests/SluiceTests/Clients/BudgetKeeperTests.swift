import Foundation
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

@Suite(.timeLimit(.minutes(5))) struct `A file of budgets` {
    @Test func `has no more of a request that comes to nothing than of one that never was`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("budgets")
        let (log, counts) = (try Log(Settings.Log(), in: LogPipe().environment), try ClientCounts())
        let keeper = BudgetKeeper(path, counts, log.logger)
        keeper.start(waits: true)
        var limits = ClientSettings(match: ModelPattern("*"))
        limits.tokensPerDay = 100
        do {
            let open = counts.enter(
                ClientName("a"), limits, TokenEstimate(promptBytes: 0, answerMax: 60, choicesCount: 1), at: .now)
            try await eventually("what is reserved") { records(of: path)?.records.first?.tokens.count == 60 }
            _ = consume open
        }
        keeper.end()
        #expect(records(of: path)?.records.map(\.tokens.count) == [0])
    }

    private func records(of path: String) -> BudgetRecords? {
        FileManager.default.contents(atPath: path).flatMap { BudgetRecords(file: Array($0)) }
    }
}
