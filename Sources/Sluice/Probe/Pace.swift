// Whether events came as they were sent, or somebody on the way held them back.

/// How the events of one answer came, held against when they were made.
///
/// What decides is which events came together with the one before them though they were made apart. A buffer on the way does that to all
/// of them, each time; a machine that stands still does it to a few. So a pair counts only where the moments are certain: where they were
/// made that far apart by the maker's own word, and where the reader had looked so short a time before that they cannot have come apart
/// while it was busy elsewhere.
struct Pace: Equatable, Sendable {
    /// One event: when it came, for how long nobody had looked before that, and when it was made.
    struct Event: Equatable, Sendable {
        let arrived: Duration
        let blind: Duration
        /// By its maker's clock.
        let made: Duration
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
    let count: Int

    /// Of what was made closer together nothing is expected.
    private static let gapMin = Duration.milliseconds(25)
    /// So many pairs must be certain.
    private static let certainMin = 5

    init(_ events: [Event]) {
        count = events.count
        guard let first = events.first else { return }
        lumps = 1
        for (event, next) in zip(events, events.dropFirst()) {
            let (gap, made) = (next.arrived - event.arrived, next.made - event.made)
            if gap > .zero { lumps += 1 }
            guard made >= Self.gapMin else { continue }
            // Each may have come that much sooner than it was read.
            if gap + event.blind < made / 2 {
                together += 1
            } else if gap - next.blind >= made / 2 {
                apart += 1
            }
        }
        let ways = events.map { $0.arrived - $0.made }
        let quickest = ways.min() ?? (first.arrived - first.made)
        longestHold = (ways.max() ?? quickest) - quickest
    }

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
