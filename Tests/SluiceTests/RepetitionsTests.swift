import Clock
import Logging
import Testing

@testable import Sluice

/// What happens again, in virtual time.
@Suite struct RepetitionsTests {
    private func entry(_ message: String, _ metadata: Logger.Metadata = [:]) -> LogEntry {
        LogEntry(
            LogEvent(level: .warning, message: "\(message)", metadata: metadata, source: "test", file: "", function: "", line: 0))
    }

    private func moment(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `the same within a minute is counted, and told at its end`() {
        var repetitions = Repetitions()
        #expect(repetitions.note(entry("a", ["request": "1", "x": "1"]), at: moment(0)).isWritten)
        #expect(repetitions.nextEnd == nil)
        #expect(!repetitions.note(entry("a", ["request": "2", "x": "1"]), at: moment(30)).isWritten)
        #expect(repetitions.note(entry("a", ["request": "2", "x": "2"]), at: moment(31)).isWritten)
        #expect(!repetitions.note(entry("a", ["request": "3", "x": "1"]), at: moment(59)).isWritten)
        #expect(repetitions.nextEnd == moment(60))
        #expect(repetitions.ended(at: moment(59)).isEmpty)
        #expect(repetitions.ended(at: moment(60)).map(\.count) == [2])
        #expect(repetitions.nextEnd == nil)
        let next = repetitions.note(entry("a", ["request": "4", "x": "1"]), at: moment(61))
        #expect(next.isWritten && next.repeated.isEmpty)
    }

    @Test func `what comes after the minute is written, behind what was counted`() {
        var repetitions = Repetitions()
        _ = repetitions.note(entry("a"), at: moment(0))
        _ = repetitions.note(entry("a"), at: moment(1))
        let next = repetitions.note(entry("a"), at: moment(60))
        #expect(next.isWritten && next.repeated.map(\.count) == [1])
    }

    @Test func `the level counts too`() {
        var repetitions = Repetitions()
        _ = repetitions.note(entry("a"), at: moment(0))
        let error = LogEntry(
            LogEvent(level: .error, message: "a", metadata: nil, source: "test", file: "", function: "", line: 0))
        #expect(repetitions.note(error, at: moment(0)).isWritten)
    }

    @Test func `no more than so many are remembered, and nothing that was counted is lost`() {
        var (repetitions, told) = (Repetitions(), 0)
        for number in 0..<1000 {
            for _ in 0..<3 {
                told += repetitions.note(entry("\(number)"), at: moment(Int64(number) / 100)).repeated.reduce(0) {
                    $0 + $1.count
                }
            }
        }
        #expect(told == 2 * (1000 - Repetitions.knownMax))
        let rest = repetitions.ended(at: .distantFuture)
        #expect(rest.count == Repetitions.knownMax && rest.allSatisfy { $0.count == 2 })
    }
}
