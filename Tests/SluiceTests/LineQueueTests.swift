import TestSupport
import Testing

@testable import Sluice

@Suite struct LineQueueTests {
    private func bytes(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

    @Test func `lines are offered whole, as many as fit, and at least one`() {
        var queue = LineQueue()
        for line in ["one\n", "three\n", "two\n"] { queue.append(bytes(line)) }
        #expect(queue.front(bytesMax: 0) == bytes("one\n"))
        #expect(queue.front(bytesMax: 9) == bytes("one\n"))
        #expect(queue.front(bytesMax: 10) == bytes("one\nthree\n"))
        queue.drop(6)
        #expect(queue.isFirstBegun && queue.bytesCount == 8)
        #expect(queue.front(bytesMax: 4) == bytes("ree\n"))
        #expect(queue.front(bytesMax: 100) == bytes("ree\ntwo\n"))
        #expect(queue.dropFirst() == (1, 0))
        #expect(!queue.isFirstBegun && queue.front(bytesMax: 100) == bytes("two\n"))
        queue.drop(4)
        #expect(queue.isEmpty && queue.bytesCount == 0 && queue.front(bytesMax: 100) == [])
    }

    @Test func `a line counts for those that it tells of`() {
        var queue = LineQueue()
        queue.append(bytes("lost: 7"), tellingOfLost: 7)
        queue.append(bytes("x"))
        #expect(queue.dropFirst() == (7, 7))
        #expect(queue.dropFirst() == (1, 0))
        #expect(queue.dropFirst() == (0, 0))
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `whatever is taken, the bytes come in their order`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (queue, put, taken) = (LineQueue(), [UInt8](), [UInt8]())
        for _ in 0..<500 {
            if Bool.random(using: &generator) {
                let line = (0..<Int.random(in: 1...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
                }
                put += line
                queue.append(line)
            } else {
                let front = queue.front(bytesMax: Int.random(in: 0...200, using: &generator))
                let count = front.isEmpty ? 0 : Int.random(in: 1...front.count, using: &generator)
                taken += front[..<count]
                queue.drop(count)
            }
            #expect(queue.bytesCount == put.count - taken.count)
        }
        while !queue.isEmpty {
            let front = queue.front(bytesMax: 64)
            taken += front
            queue.drop(front.count)
        }
        #expect(taken == put)
    }
}
