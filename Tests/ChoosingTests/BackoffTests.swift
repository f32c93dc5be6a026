import TestSupport
import Testing

@testable import Choosing

@Suite(.ownThread) struct BackoffTests {
    /// The limits of the first waits, in milliseconds; the last one goes on.
    struct Row: Sendable {
        let base: Int, max: Int
        let limits: [Int]

        func limit(_ wait: Int) -> Duration { .milliseconds(limits[min(wait, limits.count - 1)]) }

        /// Eleven, as a target is tried again ten times at most.
        func waits(seed: UInt64) -> [Duration] {
            var generator = SeededGenerator(seed: seed)
            var backoff = Backoff(base: .milliseconds(base), max: .milliseconds(max))
            return (0..<11).map { _ in backoff.next(using: &generator) }
        }
    }

    static let rows = [
        Row(base: 100, max: 2000, limits: [100, 200, 400, 800, 1600, 2000]), Row(base: 100, max: 350, limits: [100, 200, 350]),
        Row(base: 500, max: 300, limits: [300]), Row(base: 7, max: 7, limits: [7]), Row(base: 0, max: 2000, limits: [0]),
    ]

    @Test(arguments: rows) func `waits never shrink, and never exceed a limit that doubles up to the highest`(row: Row) {
        for seed in 0..<2000 as Range<UInt64> {
            var previous = Duration.zero
            for (number, wait) in row.waits(seed: seed).enumerated() {
                #expect(previous <= wait && wait <= row.limit(number), "wait \(number), seed \(seed)")
                previous = wait
            }
        }
    }

    @Test(arguments: rows) func `a wait is longer than the one before by at least as much as its limit is`(row: Row) {
        for seed in 0..<2000 as Range<UInt64> {
            let waits = row.waits(seed: seed)
            for number in 1..<waits.count {
                let growth = row.limit(number) - row.limit(number - 1)
                #expect(waits[number] - waits[number - 1] >= growth, "wait \(number), seed \(seed)")
            }
        }
    }

    @Test(arguments: [(1, 0, 100), (2, 100, 200), (3, 300, 400)])
    func `each wait may be anything that the one before leaves it`(number: Int, least: Int, most: Int) {
        let row = Self.rows[0]
        let waits = (0..<2000 as Range<UInt64>).map { row.waits(seed: $0)[number - 1] }
        #expect(waits.contains { $0 < .milliseconds(least + 30) } && waits.contains { $0 > .milliseconds(most - 30) })
    }

    @Test func `the first wait is spread evenly over its whole range`() {
        let waits = (0..<10_000 as Range<UInt64>).map { Self.rows[0].waits(seed: $0)[0] }
        for tenth in 0..<10 {
            let count = waits.count { .milliseconds(tenth * 10) <= $0 && $0 < .milliseconds(tenth * 10 + 10) }
            #expect((850...1150).contains(count), "\(count) from \(tenth * 10) ms on")
        }
    }

    /// A judge that counts 50 ms as nothing, and a tenth as no growth, cannot call the two waits of the default constant: as
    /// measured, the first may be longer by 80 ms than it was meant to be.
    @Test func `two waits are told from a constant interval, though the first was measured long`() {
        for seed in 0..<10_000 as Range<UInt64> {
            let waits = Self.rows[0].waits(seed: seed)
            #expect(waits[1] >= .milliseconds(50))
            #expect(waits[1] > (waits[0] + .milliseconds(80)) * 1.1, "seed \(seed)")
        }
    }
}
