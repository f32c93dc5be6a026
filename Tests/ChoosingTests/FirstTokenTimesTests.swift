import EventLoop
import TestSupport
import Testing

@testable import Choosing

@Suite(.ownThread) struct FirstTokenTimesTests {
    @Test func `fewer than twenty answers say nothing`() {
        var times = FirstTokenTimes()
        for _ in 0..<19 { times.note(.milliseconds(100)) }
        #expect(times.percentile(95) == nil)
        times.note(.milliseconds(100))
        #expect(times.percentile(95) == .milliseconds(100))
    }

    @Test(arguments: [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1), (0, 1), (101, 100)])
    func `of 1 to 100 ms in any order, a percentile is its own number`(percent: Int, milliseconds: Int) {
        var generator = SeededGenerator(seed: 5)
        var times = FirstTokenTimes()
        for time in (1...100).shuffled(using: &generator) { times.note(.milliseconds(time)) }
        #expect(times.percentile(percent) == .milliseconds(milliseconds))
    }

    @Test func `only the last 128 count`() {
        var generator = SeededGenerator(seed: 6)
        var (times, all) = (FirstTokenTimes(), [Int]())
        for _ in 0..<2000 {
            all.append(Int.random(in: 0...20, using: &generator))
            times.note(.milliseconds(all[all.count - 1]))
            let recent = all.suffix(128).sorted()
            guard recent.count >= 20 else { continue }
            #expect(times.percentile(95) == .milliseconds(recent[(recent.count * 95 + 99) / 100 - 1]))
        }
    }

    @Test func `a time beyond reason is cut to size`() {
        var times = FirstTokenTimes()
        for _ in 0..<10 {
            times.note(.seconds(1_000_000))
            times.note(.seconds(-1))
        }
        #expect(times.percentile(50) == .zero && times.percentile(51) == .microseconds(Int64(UInt32.max)))
    }
}
