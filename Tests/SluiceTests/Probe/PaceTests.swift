import Testing

@testable import Sluice

/// Twenty events that are made 50 ms apart, and how they come.
@Suite struct PaceTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let verdict: Pace.Verdict
        /// When the event of that number comes, in milliseconds, and for how long nobody had looked before.
        let comes: @Sendable (Int) -> (moment: Int, blind: Int)
        var made: @Sendable (Int) -> Int = { 50 * $0 }

        init(
            _ description: String, _ verdict: Pace.Verdict, made: @escaping @Sendable (Int) -> Int = { 50 * $0 },
            _ comes: @escaping @Sendable (Int) -> (moment: Int, blind: Int)
        ) {
            (testDescription, self.verdict, self.comes, self.made) = (description, verdict, comes, made)
        }

        static let all = [
            Row("as they were made", .oneByOne) { (50 * $0 + 3, 5) },
            Row("each a while later", .oneByOne) { (50 * $0 + 400, 5) },
            Row("with jitter", .oneByOne) { (50 * $0 + 10 * ($0 % 3), 5) },
            Row("all at the end", .held) { _ in (953, 5) },
            Row("all at the end, read by and by", .held) { (953 + $0, 5) },
            Row("in lumps of four", .held) { (($0 / 4 * 4 + 3) * 50 + 3, 5) },
            Row("in pairs", .held) { (($0 / 2 * 2 + 1) * 50 + 3, 5) },
            Row("as they were made, to a reader that stood still for a while", .oneByOne) { event in
                (6..<14).contains(event) ? (700, 400) : (50 * event + 3, 5)
            },
            Row("as they were made, through a server that stood still for a while", .oneByOne) { event in
                (4..<12).contains(event) ? (600, 5) : (50 * event + 3, 5)
            },
            Row("all at the end, to a reader that had not looked", .unclear) { _ in (953, 940) },
            Row("to a reader that looks too seldom", .unclear) { (($0 / 4 * 4 + 3) * 50 + 3, 200) },
            Row("as they were made, which was at once", .unclear, made: { _ in 0 }) { _ in (3, 5) },
            Row("as they were made, in two lumps", .unclear, made: { $0 < 10 ? 0 : 500 }) { ($0 < 10 ? 3 : 503, 5) },
        ]
    }

    private func pace(_ row: Row) -> Pace {
        Pace(
            (0..<20).map { event in
                let (moment, blind) = row.comes(event)
                return Pace.Event(
                    arrived: .milliseconds(moment), blind: .milliseconds(blind), made: .milliseconds(row.made(event)))
            })
    }

    @Test(arguments: Row.all) func `a lump is told by what was made apart and came together for certain`(row: Row) {
        #expect(pace(row).verdict == row.verdict)
    }

    @Test func `what is held is told by its lumps and the longest hold`() {
        let pace = pace(Row("", .held) { _ in (953, 5) })
        #expect(pace.count == 20 && pace.lumps == 1 && pace.longestHold == .milliseconds(950))
    }

    /// Twenty events and the answer's end, through a way that holds them back until one that is made later.
    private func pace(blind: Int = 5, until: (Int) -> Int) -> Pace {
        Pace(
            (0..<20).map { event in
                Pace.Event(
                    arrived: .milliseconds(50 * until(event) + 3), blind: .milliseconds(blind), made: .milliseconds(50 * event))
            }, end: .milliseconds(50 * 21 + 3))
    }

    /// A way that holds a part of each answer.
    struct Way: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let kind: PaceHabit.Kind
        /// In so many answers it shows.
        let answers: Int
        /// With which event an event comes.
        let until: @Sendable (Int) -> Int

        init(_ description: String, _ kind: PaceHabit.Kind, answers: Int = 3, _ until: @escaping @Sendable (Int) -> Int) {
            (testDescription, self.kind, self.answers, self.until) = (description, kind, answers, until)
        }

        static let all = [
            Way("the first ten at once", .lump(1...10)) { max($0, 9) },
            Way("the first four at once", .lump(1...4)) { max($0, 3) },
            Way("the last ten at once", .lump(11...20)) { $0 >= 10 ? 21 : $0 },
            Way("the last eight at once", .lump(13...20)) { $0 >= 12 ? 21 : $0 },
            Way("some in the midst at once", .lump(6...10)) { (5..<10).contains($0) ? 9 : $0 },
            Way("each with the fifth behind it", .lag, answers: 2) { min($0 + 5, 21) },
            Way("each with the third behind it", .lag, answers: 2) { min($0 + 3, 21) },
        ]
    }

    @Test(arguments: Way.all) func `what several answers say at the same place is a habit of the way`(way: Way) {
        let (held, flowing) = (pace(until: way.until), pace { $0 })
        #expect(held.verdict == .oneByOne && held.isSuspicious && !flowing.isSuspicious)
        let few = Array(repeating: held, count: way.answers - 1)
        let habit = PaceHabit(of: few + [held])
        #expect(habit?.kind == way.kind && habit?.places == Array(0..<way.answers) && habit?.isCertain == true)
        #expect(PaceHabit(of: few) == nil && PaceHabit(of: few + [flowing]) == nil)
        // Another one that came well says of lumps that they may be chance.
        let other = PaceHabit(of: [flowing] + few + [held])
        #expect(other?.places == Array(1...way.answers) && other?.isCertain == (way.kind == .lag))
        // Nobody had looked.
        #expect(!pace(blind: 600, until: way.until).isSuspicious)
    }

    @Test func `a machine that stands still has no habit`() {
        let standsStill = { (from: Int, to: Int) in pace { (from..<to).contains($0) ? to : $0 } }
        #expect(PaceHabit(of: [standsStill(2, 10), pace { $0 }]) == nil)
        #expect(PaceHabit(of: [standsStill(2, 7), standsStill(11, 17), standsStill(6, 10)]) == nil)
        #expect(PaceHabit(of: [standsStill(0, 19), standsStill(4, 9)]) == nil)
        #expect(PaceHabit(of: [standsStill(2, 10), standsStill(4, 10), standsStill(2, 8)]) == nil)
        #expect(PaceHabit(of: [standsStill(2, 10), standsStill(2, 10)]) == nil)
        #expect(!pace { $0 + 1 }.isLate)
        #expect(PaceHabit(of: []) == nil)
    }

    @Test func `no events are no verdict`() {
        #expect(Pace([]).verdict == .unclear)
        #expect(Pace.best(of: []) == nil)
    }

    @Test func `a buffer holds every answer back, or some as a whole, and noise does not`() {
        let (held, oneByOne, unclear) = (pace(Row.all[3]), pace(Row.all[0]), pace(Row.all[9]))
        let lumps = pace(Row.all[5])
        #expect(held.isWhole && !oneByOne.isWhole && !unclear.isWhole && !lumps.isWhole)
        #expect(Pace.best(of: [lumps, lumps, oneByOne])?.verdict == .oneByOne)
        #expect(Pace.best(of: [held, oneByOne])?.verdict == .oneByOne)
        #expect(Pace.best(of: [oneByOne, held, oneByOne, held])?.verdict == .held)
        #expect(Pace.best(of: [unclear, held])?.verdict == .held)
        #expect(Pace.best(of: [unclear, unclear])?.verdict == .unclear)
    }

    @Test(arguments: [
        (100, 120, 40, 40, Pace.Verdict.oneByOne), (100, 120, 40, 12, .oneByOne), (100, 2000, 40, 1, .held),
        (100, 120, 40, 1, .unclear), (100, 350, 40, 1, .unclear), (900, 1300, 40, 1, .unclear), (100, 2000, 3, 1, .unclear),
    ])
    func `of an unknown pace a buffer lets the first text wait for the last`(
        short: Int, long: Int, count: Int, lumps: Int, verdict: Pace.Verdict
    ) {
        let pace = UnknownPace(short: .milliseconds(short), long: .milliseconds(long), count: count, lumps: lumps)
        #expect(pace.verdict == verdict)
    }
}
