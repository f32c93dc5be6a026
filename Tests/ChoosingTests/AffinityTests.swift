import Testing

@testable import Choosing

@Suite struct AffinityTests {
    private func key(_ text: String) -> AffinityKey {
        var key = AffinityKey()
        key.append(text.utf8)
        return key
    }

    /// The target that each of many calls has, of those that are there.
    private func choices(_ weights: [Int], without away: Set<Int> = [], hasRoom: (Int) -> Bool = { _ in true }) -> [Int?] {
        let keys = weights.indices.map { key("upstream-\($0)\0model") }
        return (0..<20_000).map { number in
            let call = key("call-\(number)")
            var closest = Closest()
            for index in weights.indices where !away.contains(index) {
                var target = SelectionTarget()
                (target.weight, target.hasRoom) = (weights[index], hasRoom(index))
                target.closeness = call.closeness(to: keys[index], weight: weights[index])
                closest.offer(target, at: index)
            }
            return closest.choice
        }
    }

    @Test(arguments: [[1, 1], [3, 1], [1, 1, 1, 1], [1, 2, 5], [1000, 1]])
    func `calls are spread as the weights say`(weights: [Int]) {
        let choices = choices(weights)
        for index in weights.indices {
            let share = Double(choices.count { $0 == index }) / Double(choices.count)
            #expect(abs(share - Double(weights[index]) / Double(weights.reduce(0, +))) < 0.02)
        }
    }

    @Test func `one that is away moves its own calls alone, and shares them out, and gets them back`() {
        let weights = [2, 1, 1]
        let before = choices(weights)
        let meanwhile = choices(weights, without: [1])
        for (before, meanwhile) in zip(before, meanwhile) where before != 1 { #expect(before == meanwhile) }
        let moved = zip(before, meanwhile).filter { $0.0 == 1 }.map(\.1)
        #expect(abs(Double(moved.count { $0 == 0 }) / Double(moved.count) - 2.0 / 3) < 0.03)
    }

    @Test func `one without room moves its own calls alone too`() {
        let before = choices([1, 1, 1])
        let meanwhile = choices([1, 1, 1]) { $0 != 2 }
        for (before, meanwhile) in zip(before, meanwhile) {
            #expect(before == 2 ? meanwhile != 2 : meanwhile == before)
        }
        #expect(choices([1, 1, 1]) { _ in false } == before)
    }

    /// Several machines, and the next version, choose alike.
    @Test func `a key is the same everywhere`() {
        #expect(choices([1, 1, 1]).prefix(8).map { $0 ?? -1 } == Self.known)
    }

    private static let known = [2, 2, 2, 2, 2, 1, 0, 2]
}
