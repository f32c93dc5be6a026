// What several answers to the same question say together, and none alone.

/// What is done to answers on their way at the same place, in two of them or more: a machine that stands still does so once, or
/// at another place.
struct PaceHabit: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        /// The events with these numbers, from 1 on, come in one lump.
        case lump(ClosedRange<Int>)
        /// Each event waits for several behind it, and only the answer's end does not.
        case lag
    }

    let kind: Kind
    /// The longest that an event was late for certain; of a lag the least.
    let hold: Duration
    /// The answers that show it, by their places.
    let places: [Int]

    /// So many answers must show it, and of a lump so many pairs must be the same; or more answers, where they are fewer pairs.
    private static let (answersMin, pairsMin) = (2, 4)
    private static let (moreAnswersMin, fewPairsMin) = (3, 3)

    /// - Returns: nil where there is none.
    init?(of paces: [Pace]) {
        let late = paces.indices.filter { paces[$0].isLate }
        if late.count >= Self.answersMin {
            (kind, hold, places) = (.lag, late.map { paces[$0].lag }.min() ?? .zero, late)
            return
        }
        for run in paces.flatMap(\.runs) {
            let shared = paces.map { pace in pace.runs.map { run.shared(with: $0) }.max() ?? 0 }
            let many = shared.indices.filter { shared[$0] >= Self.pairsMin }
            let few = shared.indices.filter { shared[$0] >= Self.fewPairsMin }
            guard many.count >= Self.answersMin || few.count >= Self.moreAnswersMin else { continue }
            kind = .lump((run.pairs.lowerBound + 1)...(run.pairs.upperBound + 1))
            let alike = paces.flatMap(\.runs).filter { run.shared(with: $0) >= Self.fewPairsMin }
            (hold, places) = (alike.map(\.hold).max() ?? run.hold, few)
            return
        }
        return nil
    }
}
