import TestSupport
import Testing

@testable import Choosing

@Suite struct LeastOutstandingTests {
    private func shares(_ loads: [(outstanding: Int, weight: Int?, hasRoom: Bool)], rounds: Int = 20_000) -> [Double] {
        var generator = SeededGenerator(seed: 9)
        var counts = loads.map { _ in 0 }
        for _ in 0..<rounds {
            var least = LeastOutstanding()
            for (index, load) in loads.enumerated() {
                var target = SelectionTarget()
                (target.outstandingCount, target.weight, target.hasRoom) = load
                least.offer(target, at: index, using: &generator)
            }
            if let choice = least.choice { counts[choice] += 1 }
        }
        return counts.map { Double($0) / Double(rounds) }
    }

    @Test func `the least loaded for its weight is chosen`() {
        #expect(shares([(2, 1, true), (1, 1, true), (3, 1, true)]) == [0, 1, 0])
        #expect(shares([(2, 1, true), (5, 3, true)]) == [0, 1])
        #expect(shares([(1, 1, true), (4, 3, true)]) == [1, 0])
        #expect(shares([(1, nil, true), (0, 0, true)]) == [0, 1])
    }

    @Test func `one with room comes first`() {
        #expect(shares([(0, 9, false), (7, 1, true)]) == [0, 1])
        #expect(shares([(7, 1, true), (0, 9, false)]) == [1, 0])
    }

    @Test func `ties are broken at random by weight`() {
        for (loads, expected) in [
            ([(0, 1, true), (0, 1, true)], [0.5, 0.5]), ([(0, 3, true), (0, 1, true)], [0.75, 0.25]),
            ([(2, 1, true), (4, 2, true), (9, 1, true), (10, 5, true)], [0.125, 0.25, 0, 0.625]),
        ] as [([(Int, Int?, Bool)], [Double])] {
            for (share, expected) in zip(shares(loads), expected) { #expect(abs(share - expected) < 0.02) }
        }
    }

    @Test func `counts beyond reason do no harm`() {
        #expect(shares([(1 << 40, .max, true), (1 << 40, 1, true)], rounds: 1) == [1, 0])
    }
}
