// Descriptors that close once, failed system calls as errors, the environment, the cores that there are, and what malloc keeps.

import CLinux
import Glibc

/// An owned file descriptor, closed when its value ends.
package struct Descriptor: ~Copyable, Sendable {
    /// Its number, for calls of the kernel while this value lives.
    package let number: Int32

    /// - Parameter number: an open descriptor that nobody else closes.
    package init(owning number: Int32) {
        precondition(number >= 0)
        self.number = number
    }

    /// Gives the descriptor up without closing it.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    deinit { _ = close(number) }
}

/// A system call that failed, with the reason that the kernel gave.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The system call, or what it was for, with the name of the file or address at fault.
    package let operation: String
    /// The `errno` that the kernel left.
    package let code: Int32

    /// - Parameter code: the present `errno` unless given: no other call may come between.
    package init(_ operation: String, code: Int32 = errno) {
        self.operation = operation
        self.code = code
    }

    /// For the log.
    package var description: String { "\(operation): \(reason)" }

    /// The kernel's words alone.
    package var reason: String { unsafe String(cString: strerror(code)) }

    /// Returns `result`, or throws `errno` when it is negative.
    package static func check(_ operation: String, _ result: Int32) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(operation) }
        return result
    }
}

/// The value of a variable of the process's environment; nil when it is not there.
package func environmentVariable(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }

/// The cores that this process may run on, at least one. A service manager or a container may give it fewer than there are.
package func processorCount() -> Int {
    var cores = cpu_set_t()
    let size = MemoryLayout<cpu_set_t>.size
    // More than 1,024 cores do not fit the set; then all of them count.
    guard unsafe sched_getaffinity(0, size, &cores) == 0 else { return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    return unsafe withUnsafeBytes(of: cores) { unsafe $0.reduce(0) { $0 + $1.nonzeroBitCount } }
}

/// Has large memory go back to the kernel as soon as it is free. By itself malloc begins to keep it when some has been freed
/// (mallopt(3), `M_MMAP_THRESHOLD`), and what was held for one body then lies between what is held for others.
package func returnLargeMemory() {
    _ = mallopt(M_MMAP_THRESHOLD, 256 << 10)
    // What is freed at the heap's end stays for the next: to get it anew for each request costs more than that.
    _ = mallopt(M_TRIM_THRESHOLD, 1 << 20)
}
