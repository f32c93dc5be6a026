// Weighted least-outstanding: the target with the fewest attempts for its weight.

/// Finds the least loaded of the targets that it is offered. One with room comes before any without.
///
/// The load is the outstanding count over the weight. Ties are broken at random in proportion to the weights, so that idle
/// targets share as their weights say too.
struct LeastOutstanding {
    /// The least loaded so far.
    private(set) var choice: Int?
    private var best = SelectionTarget()
    /// The sum of the weights of those that tie.
    private var weightsSum = 0

    mutating func offer(_ target: SelectionTarget, at index: Int, using generator: inout some RandomNumberGenerator) {
        let weight = Self.weight(of: target)
        if choice == nil || Self.isLess(target, best) {
            weightsSum = weight
        } else if Self.isLess(best, target) {
            return
        } else {
            weightsSum += weight
            // Each that ties ends up chosen with its share of the sum.
            guard Int.random(in: 0..<weightsSum, using: &generator) < weight else { return }
        }
        (choice, best) = (index, target)
    }

    private static func isLess(_ left: SelectionTarget, _ right: SelectionTarget) -> Bool {
        if left.hasRoom != right.hasRoom { return left.hasRoom }
        return left.outstandingCount * weight(of: right) < right.outstandingCount * weight(of: left)
    }

    /// Within limits that keep the products and sums above from overflowing.
    private static func weight(of target: SelectionTarget) -> Int { min(max(target.weight ?? 1, 1), 1_000_000) }
}
