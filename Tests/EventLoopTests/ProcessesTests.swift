import CLinux
import Clock
import Glibc
import Testing

@testable import EventLoop

@Suite struct `A message socket` {
    @Test func `carries whole messages and descriptors`() throws {
        let (one, other) = try MessageSocket.pair()
        guard case .nothing = other.receive() else { return #expect(Bool(false)) }
        let file = try MemoryFile("test")
        try file.write(Array("content".utf8))
        try one.send("first")
        try one.send("second", passing: [file.number, file.number])
        guard case .message("first", let none) = other.receive() else { return #expect(Bool(false)) }
        #expect(none.isEmpty)
        guard case .message("second", let passed) = other.receive() else { return #expect(Bool(false)) }
        #expect(passed.count == 2)
        let copy = MemoryFile(passed[0].take())
        #expect(copy.number != file.number)
        #expect(try copy.bytes() == Array("content".utf8))
    }

    @Test func `carries as many descriptors as it may, and no more`() throws {
        let (one, other) = try MessageSocket.pair()
        try one.send("many", passing: Array(repeating: one.number, count: 250))
        guard case .message("many", let passed) = other.receive() else { return #expect(Bool(false)) }
        #expect(passed.count == 250)
        #expect(throws: SystemError.self) { try one.send("too many", passing: Array(repeating: one.number, count: 251)) }
    }

    @Test func `carries as many bytes as it may, and no more`() throws {
        let (one, other) = try MessageSocket.pair()
        let most = String(repeating: "x", count: MessageSocket.bytesMax)
        try one.send(most)
        guard case .message(most, _) = other.receive() else { return #expect(Bool(false)) }
        let error = #expect(throws: SystemError.self) { try one.send(most + "x") }
        #expect(error?.code == EMSGSIZE)
        // One that comes all the same is no message, also not its first part.
        let bytes = Array((most + "x").utf8)
        #expect(unsafe send(one.number, bytes, bytes.count, 0) == bytes.count)
        try one.send("next")
        guard case .tooLong = other.receive() else { return #expect(Bool(false)) }
        guard case .message("next", _) = other.receive() else { return #expect(Bool(false)) }
    }

    /// An error that each further try would have too must not keep a loop turning.
    @Test func `is at its end where nothing can be received`() throws {
        let file = try MemoryFile("test")
        let socket = MessageSocket(Descriptor(owning: dup(file.number)))
        guard case .end = socket.receive() else { return #expect(Bool(false)) }
    }

    @Test func `takes an empty message for one, and not for the end`() throws {
        let (one, other): (MessageSocket, MessageSocket?) = try MessageSocket.pair()
        try other?.send("")
        try other?.send("second")
        guard case .message("", _) = one.receive(), case .message("second", _) = one.receive() else {
            return #expect(Bool(false))
        }
        guard case .nothing = one.receive() else { return #expect(Bool(false)) }
        withExtendedLifetime(other) {}
    }

    @Test func `never waits, and tells of the other end's end`() throws {
        let (one, other): (MessageSocket, MessageSocket?) = try MessageSocket.pair()
        #expect(throws: SystemError.self) { while true { try one.send("again") } }
        withExtendedLifetime(other) {}
        let (left, right) = try MessageSocket.pair()
        _ = consume right
        guard case .end = left.receive() else { return #expect(Bool(false)) }
        #expect(throws: SystemError.self) { try left.send("nobody") }
    }
}

@Suite struct `A shortage` {
    /// At which of some moments, told of in turn, it lasts.
    private func lastingMoments(of shortage: inout Shortage, _ moments: some Sequence<Int>) -> [Int] {
        moments.filter { shortage.isLasting(at: Instant(nanoseconds: 1) + .milliseconds($0)) }
    }

    @Test func `lasts after ten seconds, however often there was too little`() {
        var shortage = Shortage()
        let lasting = lastingMoments(of: &shortage, 0..<20_000)
        #expect(lasting == Array(10_000..<20_000))
    }

    @Test func `begins anew when there was enough meanwhile`() {
        var shortage = Shortage()
        let before = lastingMoments(of: &shortage, [0, 9_999])
        shortage.end()
        let behind = lastingMoments(of: &shortage, [11_000, 20_999, 21_000])
        #expect((before, behind) == ([], [21_000]))
    }
}

@Suite struct `A file in memory` {
    @Test func `is written once, and never changes then`() throws {
        let file = try MemoryFile("test")
        #expect(!file.isSealed)
        #expect(try file.bytes() == [])
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        try file.write(content)
        #expect(file.isSealed)
        #expect(try file.bytes() == content)
        #expect(throws: SystemError.self) { try file.write([1]) }
        #expect(ftruncate(file.number, 0) == -1)
        #expect(try file.bytes() == content)
    }

    /// As the kernel makes each where `vm.memfd_noexec` says so.
    @Test func `is known to be whole where it has a seal besides that no program may be in it`() throws {
        let (closeOnExec, noProgram) = (UInt32(0x1), UInt32(0x8))
        let number = unsafe memfd_create("test", closeOnExec | noProgram)
        try #require(number >= 0 || errno == EINVAL)
        guard number >= 0 else { return }
        let file = MemoryFile(Descriptor(owning: number))
        #expect(!file.isSealed)
        try file.write([1])
        #expect(file.isSealed)
    }
}

@Suite struct `Counts in common` {
    @Test func `are each one's own, and everybody's sum`() throws {
        let counts = try SharedCounts(count: 8)
        let others = try SharedCounts(Descriptor(owning: dup(counts.number)))
        #expect(others.count == 8)
        counts.add(2, to: 0)
        others.add(3, to: 7)
        others.add(-1, to: 0)
        #expect((counts[0], others[7], counts.sum, others.sum) == (1, 3, 4, 4))
        #expect(counts.clear(7) == 3)
        #expect((counts.sum, others.sum, others.clear(7)) == (1, 1, 0))
    }

    @Test func `are added up whatever a process writes there, and stay as many`() throws {
        let counts = try SharedCounts(count: 3)
        var number = Int.max
        for place in 0..<2 { #expect(unsafe pwrite(counts.number, &number, 8, off_t(64 * place)) == 8) }
        number = .min
        #expect(unsafe pwrite(counts.number, &number, 8, 128) == 8)
        #expect((counts.sum, counts[2]) == (2_000_000, 0))
        counts.add(1, to: 0)
        counts.add(-1, to: 2)
        #expect((0..<3).allSatisfy { 0...1_000_000 ~= counts.clear($0) })
        #expect(counts.sum == 0)
        for size in [off_t(0), 64, 4096] { #expect(ftruncate(counts.number, size) == -1) }
    }
}
