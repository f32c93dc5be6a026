// What several answers to the same question say together, and none alone.

/// What is done to answers on their way at the same place: a machine that stands still does so once, or at another place.
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
    /// Whether it is one. Lumps that more than half of the answers have, and not all, may be chance.
    let isCertain: Bool

    /// So many answers must show it.
    private static let (lateMin, alikeMin) = (2, 3)

    /// - Returns: nil where there is none.
    init?(of paces: [Pace]) {
        let late = paces.indices.filter { paces[$0].isLate }
        if late.count >= Self.lateMin {
            (kind, hold, places) = (.lag, late.map { paces[$0].lag }.min() ?? .zero, late)
            isCertain = true
            return
        }
        let told = paces.count { $0.verdict != .unclear }
        for run in paces.flatMap(\.runs) {
            let alike = paces.map { $0.runs.filter(run.isAlike) }
            let places = alike.indices.filter { !alike[$0].isEmpty && paces[$0].verdict != .unclear }
            guard places.count >= Self.alikeMin, places.count * 2 > told else { continue }
            kind = .lump((run.pairs.lowerBound + 1)...(run.pairs.upperBound + 1))
            (hold, self.places) = (alike.joined().map(\.hold).max() ?? run.hold, places)
            isCertain = places.count == told
            return
        }
        return nil
    }
}
