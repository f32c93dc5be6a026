import Clock
import Logging
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// What the status and the log have of the budgets' store, as several workers find it.
@Suite struct `How the budgets' store does` {
    private final class Rig {
        let health: StoreHealth
        private let pipe = LogPipe()
        private let log: Log

        init() throws {
            log = try Log(Settings.Log(level: .trace), in: pipe.environment)
            health = StoreHealth(of: try BudgetStoreSettings("redis://bob:hunter2@h/1"), log.logger)
        }

        /// The log's lines since the last time, by what tells them apart.
        func lines() -> [String] {
            log.flush(within: .seconds(10))
            return pipe.read().split(separator: "\n").map { line in
                if let reason = line.firstMatch(of: /"reason":"([^"]*)"/) { return String(reason.output.1) }
                return line.contains("together again") ? "again" : "up"
            }
        }
    }

    private let start = Instant(nanoseconds: 1)

    @Test func `is told without who logs in`() throws {
        let rig = try Rig()
        #expect(rig.health.address == "redis://h:6379/1")
        rig.health.failed("gone", isFirst: true, at: start)
        #expect(rig.health.snapshot.address == "redis://h:6379/1")
        #expect(rig.health.snapshot.state == .down(reason: "gone"))
        #expect(rig.health.isOf(try BudgetStoreSettings("redis://:other@h/1")))
        #expect(!rig.health.isOf(try BudgetStoreSettings("redis://bob:hunter2@h/2")))
    }

    @Test func `is up when the last worker that found it down has had an answer`() throws {
        let rig = try Rig()
        #expect(rig.health.snapshot.state == .unknown)
        rig.health.works(hadFailed: false)
        rig.health.works(hadFailed: false)
        #expect(rig.health.snapshot.state == .up)
        rig.health.failed("one", isFirst: true, at: start)
        rig.health.failed("other", isFirst: true, at: start)
        rig.health.works(hadFailed: true)
        rig.health.works(hadFailed: false)
        #expect(rig.health.snapshot.state == .down(reason: "other"))
        rig.health.works(hadFailed: true)
        #expect(rig.health.snapshot.state == .up)
        #expect(rig.lines() == ["up", "one", "other", "again"])
    }

    @Test func `is told at once, and once a minute while it is the same, with nothing behind the word that it is well`() throws {
        let rig = try Rig()
        for second in [0, 1, 59, 60, 61, 119, 120] {
            rig.health.failed("gone", isFirst: second == 0, at: start + .seconds(second))
        }
        rig.health.failed("loading", isFirst: false, at: start + .seconds(121))
        rig.health.works(hadFailed: true)
        rig.health.works(hadFailed: false)
        #expect(rig.lines() == ["gone", "gone", "gone", "loading", "again"])
    }

    @Test func `fills no log when it comes and goes all the time, and is told when it stays away`() throws {
        let rig = try Rig()
        for _ in 0..<1000 {
            rig.health.failed("gone", isFirst: true, at: start)
            rig.health.works(hadFailed: true)
        }
        let told = (0..<StoreHealth.timesMax).flatMap { _ in ["gone", "again"] }
        #expect(rig.lines() == told)
        rig.health.failed("gone", isFirst: true, at: start + .seconds(1))
        #expect(rig.lines() == [])
        #expect(rig.health.snapshot.state == .down(reason: "gone"))
        rig.health.failed("gone", isFirst: false, at: start + .seconds(60))
        #expect(rig.lines() == ["gone"])
    }
}
