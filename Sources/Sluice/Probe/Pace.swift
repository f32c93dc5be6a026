// Whether events came as they were sent, or somebody on the way held them back.

/// How the events of one answer came, held against when they were made.
///
/// What decides is which events came together with the one before them though they were made apart. A buffer on the way does that
/// to all of them, each time; a machine that stands still does it to a few. So a pair counts only where the moments are certain:
/// where they were made that far apart by the maker's own word, and where the reader had looked so short a time before that they
/// cannot have come apart while it was busy elsewhere.
struct Pace: Equatable, Sendable {
    /// One event: when it came, for how long nobody had looked before that, and when it was made.
    struct Event: Equatable, Sendable {
        let arrived: Duration
        let blind: Duration
        /// By its maker's clock.
        let made: Duration
    }

    /// Neighbouring events that came together.
    struct Run: Equatable, Sendable {
        /// Of them each but the last, by its place among all, from 0 on.
        let pairs: Range<Int>
        /// The longest that one of them was on its way for certain, beyond the quickest event.
        let hold: Duration

        /// Whether both begin and end at the same place, but for one event.
        func isAlike(_ other: Run) -> Bool {
            abs(pairs.lowerBound - other.pairs.lowerBound) <= 1 && abs(pairs.upperBound - other.pairs.upperBound) <= 1
        }
    }

    /// How an answer came.
    enum Verdict: Equatable, Sendable {
        case oneByOne
        case held
        /// Too few moments are certain.
        case unclear
    }

    /// Pairs that came together though they were made apart.
    private(set) var together = 0
    /// Pairs that came apart, as they were made.
    private(set) var apart = 0
    /// In how many moments the events came.
    private(set) var lumps = 0
    /// The longest that an event was on its way, beyond the quickest one.
    private(set) var longestHold = Duration.zero
    /// What came together for so long that another answer in which it did too says that it was held.
    private(set) var runs: [Run] = []
    /// How much later than the answer's end each event certainly was, at the least. The end waits for nothing; what came together
    /// with it is not counted.
    private(set) var lag = Duration.zero
    let count: Int

    /// Of what was made closer together nothing is expected.
    private static let gapMin = Duration.milliseconds(25)
    /// So many pairs must be certain.
    private static let certainMin = 5
    /// Of a run that says something beside others.
    private static let (runMin, runHoldMin) = (3, Duration.milliseconds(100))
    /// Two pauses may be a server's own, and half of another is for what is not certain.
    private static let lagMin = ProbeModel.pause * 5 / 2

    /// - Parameter end: when the answer's end came; nil where that is not known.
    init(_ events: [Event], end: Duration? = nil) {
        count = events.count
        guard let first = events.first, let last = events.last else { return }
        let neighbours = zip(events, events.dropFirst())
        lumps = 1 + neighbours.count { $0.arrived < $1.arrived }
        let pairs = neighbours.map(Self.areTogether)
        (together, apart) = (pairs.count { $0 == true }, pairs.count { $0 == false })
        let ways = events.map { $0.arrived - $0.made }
        let quickest = ways.min() ?? (first.arrived - first.made)
        longestHold = (ways.max() ?? quickest) - quickest
        let certain = events.map { $0.arrived - $0.blind - $0.made }
        runs = pairs.indices.split { pairs[$0] != true }.compactMap { places in
            let hold = (certain[places.lowerBound...places.upperBound].max() ?? quickest) - quickest
            return places.count >= Self.runMin && hold >= Self.runHoldMin ? Run(pairs: places, hold: hold) : nil
        }
        guard let end else { return }
        // What came together with the end was let go by it.
        let ahead = events.indices.filter { end - events[$0].arrived >= Self.gapMin }
        guard ahead.count >= Self.certainMin, let least = ahead.map({ certain[$0] }).min() else { return }
        // The end was made at that moment or later, and no answer takes less than no time.
        let way = max(end - last.made - ProbeModel.pause * ProbeModel.eventsBehindTexts, .zero)
        lag = max(least - way, .zero)
    }

    /// Whether two that were made apart came together; nil where that is not certain.
    private static func areTogether(_ event: Event, _ next: Event) -> Bool? {
        let (gap, made) = (next.arrived - event.arrived, next.made - event.made)
        guard made >= gapMin else { return nil }
        // Each may have come that much sooner than it was read.
        if gap + event.blind < made / 2 { return true }
        return gap - next.blind >= made / 2 ? false : nil
    }

    /// Whether each event waited for several behind it.
    var isLate: Bool { lag >= Self.lagMin }

    /// Whether something in it was held, which another answer may confirm.
    var isSuspicious: Bool { !runs.isEmpty || isLate }

    /// A buffer leaves few pairs apart: the ends of its lumps. Of two it keeps at least every other one together.
    var verdict: Verdict {
        guard together + apart >= Self.certainMin else { return .unclear }
        return together >= apart ? .held : .oneByOne
    }

    /// Whether it came as a whole: nothing of it apart.
    var isWhole: Bool { verdict == .held && apart == 0 }

    /// So many that come as a whole are no machine that stood still: of two web servers behind one name one may hold back alone.
    static let wholeMin = 2

    /// Of several answers the one that tells most: a buffer holds all of them back, or each that comes by it as a whole, while a
    /// machine that stands still does so once.
    static func best(of paces: [Pace]) -> Pace? {
        let certain = paces.filter { $0.verdict != .unclear }
        let whole = certain.filter(\.isWhole)
        if whole.count >= wholeMin { return whole[0] }
        return certain.first { $0.verdict == .oneByOne } ?? certain.first ?? paces.first
    }
}

/// How answers of an upstream came whose pace nobody knows.
struct UnknownPace: Equatable, Sendable {
    /// How long the first text took in an answer of one token, and how long in a long one.
    let short: Duration
    let long: Duration
    /// Of the long one: its events with text, and in how many moments they came.
    let count: Int
    let lumps: Int

    /// Fewer events say nothing.
    private static let countMin = 8

    /// A buffer lets the first text wait for those behind it; an upstream that is quick, or speaks in lumps itself, does not.
    var verdict: Pace.Verdict {
        guard count >= Self.countMin else { return .unclear }
        if lumps * 4 > count { return .oneByOne }
        return long > short * 2 && long - short > .milliseconds(300) ? .held : .unclear
    }
}
