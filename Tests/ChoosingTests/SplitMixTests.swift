import Testing

@testable import Choosing

@Suite struct SplitMixTests {
    @Test func `the numbers of all generators are spread evenly, and none comes twice`() {
        var (first, second) = (SplitMix(), SplitMix())
        var seen: Set<UInt64> = []
        var counts = [Int](repeating: 0, count: 16)
        for _ in 0..<40_000 {
            seen.insert(first.next())
            seen.insert(second.next())
            counts[Int.random(in: 0..<16, using: &first)] += 1
        }
        #expect(seen.count == 80_000)
        for count in counts { #expect(abs(count - 2500) < 300) }
    }
}
