// A row of words that threads, and perhaps several processes, change.

import CLinux
import Glibc
import Synchronization

/// Words of 64 bits, each changed in one step by whoever has them: the threads of a process, and all processes that the memory was passed
/// on to. It keeps its size, and only the pages take memory that something was written to. A lock would be left locked by a process that
/// is killed.
///
/// The memory and its descriptor are never let go of: whoever has these has them for as long as the process is there.
@safe package final class SharedWords: @unchecked Sendable {
    /// Of its descriptor; nil where it is this process's alone.
    private let passedNumber: Int32?
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// How many they are.
    package let count: Int

    /// Zeros, of this process alone.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    package init(count: Int) throws(SystemError) {
        unsafe words = try Self.words(at: nil, count)
        passedNumber = nil
        self.count = count
    }

    /// Zeros that can be passed on.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    package init(passedOn count: Int) throws(SystemError) {
        let descriptor = try Descriptor.memoryFile("sluice words")
        let number = descriptor.number
        _ = try SystemError.check("ftruncate", ftruncate(number, off_t(count * Self.wordBytes)))
        _ = try SystemError.check("fcntl", fcntl(number, FILE_ADD_SEALS, FILE_SEAL_SIZE))
        unsafe words = try Self.words(at: number, count)
        passedNumber = descriptor.release()
        self.count = count
    }

    /// Those that another process has made.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    package init(_ descriptor: consuming Descriptor) throws(SystemError) {
        let number = descriptor.number
        guard let size = FileStatus(number)?.size else { throw SystemError("fstat") }
        count = size / Self.wordBytes
        unsafe words = try Self.words(at: number, count)
        passedNumber = descriptor.release()
    }

    private static let wordBytes = MemoryLayout<Atomic<UInt64>>.size

    private static func words(at number: Int32?, _ count: Int) throws(SystemError) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let flags = number == nil ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
        let memory = unsafe mmap(nil, count * wordBytes, PROT_READ | PROT_WRITE, flags, number ?? -1, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw SystemError("mmap") }
        return unsafe memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    }

    /// To pass them on.
    ///
    /// - Precondition: they can be.
    package var number: Int32 {
        guard let number = passedNumber else { preconditionFailure("they are this process's alone") }
        return number
    }

    package subscript(_ index: Int) -> UInt64 {
        get { unsafe words[checked(index)].load(ordering: .sequentiallyConsistent) }
        set { unsafe words[checked(index)].store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// Adds to one; beyond its range it begins anew.
    package func add(_ change: Int, to index: Int) {
        _ = unsafe words[checked(index)].wrappingAdd(
            UInt64(bitPattern: Int64(change)), ordering: .sequentiallyConsistent)
    }

    /// Puts another value in the place of one.
    ///
    /// - Returns: what it was.
    package func replace(at index: Int, with next: UInt64) -> UInt64 {
        unsafe words[checked(index)].exchange(next, ordering: .sequentiallyConsistent)
    }

    /// Puts another value in the place of one, if it is still that.
    ///
    /// - Returns: whether it was.
    package func exchange(_ former: UInt64, for next: UInt64, at index: Int) -> Bool {
        unsafe words[checked(index)].compareExchange(
            expected: former, desired: next, ordering: .sequentiallyConsistent
        ).exchanged
    }

    private func checked(_ index: Int) -> Int {
        precondition(index >= 0 && index < count)
        return index
    }
}
