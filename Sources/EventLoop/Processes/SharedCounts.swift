// Numbers that several processes have in common.

import CLinux
import Glibc
import Synchronization

/// A row of numbers in memory that processes share (memfd_create(2)). Each process changes one of them, so that what a dead one has
/// counted is known, and can be taken away. Whatever one writes there, no other one ends by it: the memory keeps its size, and a number is
/// read as one from 0 to a million.
///
/// The memory is never let go of: whoever has these has them for as long as the process is there.
@safe package final class SharedCounts: @unchecked Sendable {
    private let descriptor: Descriptor
    private let numbers: UnsafeMutablePointer<Atomic<Int>>
    /// How many they are.
    package let count: Int

    /// As which each is read, at most.
    private static let valueMax = 1_000_000
    /// Each has a line of the cores' caches for itself.
    private static let stride = 64 / MemoryLayout<Atomic<Int>>.size
    private static let lineBytes = 64

    /// Zeros.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    package convenience init(count: Int) throws(SystemError) {
        let number = try SystemError.check(
            "memfd_create", unsafe memfd_create("sluice counts", UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING)))
        let descriptor = Descriptor(owning: number)
        _ = try SystemError.check("ftruncate", ftruncate(number, off_t(count * Self.lineBytes)))
        _ = try SystemError.check("fcntl", fcntl(number, FILE_ADD_SEALS, FILE_SEAL_SIZE))
        try self.init(descriptor)
    }

    /// Those that another process has made.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    package init(_ descriptor: consuming Descriptor) throws(SystemError) {
        guard let size = FileStatus(descriptor.number)?.size else { throw SystemError("fstat") }
        let memory = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw SystemError("mmap") }
        count = size / Self.lineBytes
        unsafe numbers = memory.bindMemory(to: Atomic<Int>.self, capacity: count * Self.stride)
        self.descriptor = descriptor
    }

    /// To pass them on.
    package var number: Int32 { descriptor.number }

    /// One of them.
    package subscript(_ index: Int) -> Int { Self.clamped(unsafe numbers[checked(index)].load(ordering: .relaxed)) }

    /// All of them together.
    package var sum: Int { (0..<count).reduce(0) { $0 + self[$1] } }

    /// Adds to one.
    package func add(_ change: Int, to index: Int) {
        _ = unsafe numbers[checked(index)].wrappingAdd(change, ordering: .sequentiallyConsistent)
    }

    /// Sets one to zero, and tells what it was.
    @discardableResult package func clear(_ index: Int) -> Int {
        Self.clamped(unsafe numbers[checked(index)].exchange(0, ordering: .sequentiallyConsistent))
    }

    private static func clamped(_ number: Int) -> Int { min(max(number, 0), valueMax) }

    private func checked(_ index: Int) -> Int {
        precondition(index >= 0 && index < count)
        return index * Self.stride
    }
}
