import EventLoop
import Foundation
import Glibc
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

    /// As on a disk that is full: of what is written some comes to be.
    @Test func `has nothing behind its end of what could not be written whole`() async {
        await #expect(processExitsWith: .success) {
            _ = signal(SIGXFSZ, SIG_IGN)
            let directory = try TemporaryDirectory()
            let path = directory.path("budgets")
            guard var file = try LockedFile(path) else { return #expect(Bool(false)) }
            try file.append(Array(repeating: 1, count: 160))
            var limit = rlimit(rlim_cur: 500, rlim_max: rlim_t.max)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            var isWritten = true
            do { try file.append(Array(repeating: 2, count: 480)) } catch { isWritten = false }
            let (size, isWhole) = (file.size, file.isWhole)
            #expect(!isWritten && size == 160 && isWhole)
            let content = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(content == Data(repeating: 1, count: 160))
            try file.append(Array(repeating: 3, count: 160))
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(whole == content + Data(repeating: 3, count: 160))
        }
    }

    /// A process's keeper, and what it counts.
    private struct Process {
        let counts: ClientCounts
        let keeper: BudgetKeeper

        init(_ counts: ClientCounts, _ path: String) throws {
            let log = try Log(Settings.Log(), in: LogPipe().environment)
            (self.counts, keeper) = (counts, BudgetKeeper(path, counts, log.logger))
        }

        func uses(_ tokens: Int) {
            var limits = ClientSettings(match: ModelPattern("*"))
            limits.tokensPerDay = 100
            let estimate = TokenEstimate(promptBytes: 0, answerMax: tokens, choicesCount: 1)
            guard case .admitted(var reservation) = counts.enter(ClientName("a"), limits, estimate, at: .now) else {
                Issue.record("it was refused")
                return
            }
            reservation.settle(tokens)
        }

        var used: Int { counts.used(at: .now).first?.tokens ?? 0 }
    }

    /// Two processes of one Sluice.
    private func pair(_ path: String) throws -> (Process, Process) {
        let counts = try ClientCounts(slotsCount: 2)
        let other = Descriptor(owning: try SystemError.check("dup", dup(counts.number)))
        return (try Process(counts, path), try Process(ClientCounts(other, slot: 1, slotsCount: 2), path))
    }

    @Test func `counts once when the process that takes it up did not restore it`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("budgets")
        let (one, two) = try pair(path)
        let other = try LockedFile(path)
        two.keeper.start()
        try await eventually("it to be restored") { two.counts.areRestored }
        _ = consume other
        one.keeper.start()
        one.uses(5)
        try await eventually("5 tokens in the file") { records(of: path)?.records.first?.tokens.count == 5 }
        one.keeper.end()
        two.counts.clear(slot: 0)
        try await eventually("the other process to keep it") { two.counts.areKept }
        #expect(two.used == 5)
        two.keeper.end()
        #expect(records(of: path)?.records.map(\.tokens.count) == [5])
    }

    @Test func `has all that another Sluice has counted until its end, whichever process takes it up`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("budgets")
        let former = try Process(ClientCounts(), path)
        former.keeper.start(waits: true)
        former.uses(5)
        try await eventually("5 tokens in the file") { records(of: path)?.records.first?.tokens.count == 5 }
        let (one, two) = try pair(path)
        two.keeper.start(waits: true)
        try await eventually("what the other Sluice has counted") { one.used == 5 }
        former.uses(2)
        former.keeper.end()
        one.keeper.start()
        try await eventually("all 7 to count") { one.used == 7 }
        try await eventually("7 tokens in the file") { records(of: path)?.records.first?.tokens.count == 7 && one.counts.areKept }
        one.keeper.end()
        two.keeper.end()
        #expect(records(of: path)?.records.map(\.tokens.count) == [7])
    }

    @Test func `has all that another Sluice has counted until its end, though the process that restored it was killed`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let path = directory.path("budgets")
        let former = try Process(ClientCounts(), path)
        former.keeper.start(waits: true)
        former.uses(5)
        try await eventually("5 tokens in the file") { records(of: path)?.records.first?.tokens.count == 5 }
        let (one, two) = try pair(path)
        two.keeper.start(waits: true)
        two.uses(10)
        two.keeper.end()
        one.counts.clear(slot: 1)
        former.uses(2)
        former.keeper.end()
        one.keeper.start()
        try await eventually("all 17 to count") { one.used == 17 }
        one.keeper.end()
        #expect(records(of: path)?.records.map(\.tokens.count) == [17])
    }

    private func records(of path: String) -> BudgetRecords? {
        FileManager.default.contents(atPath: path).flatMap { BudgetRecords(file: Array($0)) }
    }
}
