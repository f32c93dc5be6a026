// Descriptors that close once, and failed system calls as errors.

import Glibc

/// An owned file descriptor, closed when its value ends.
package struct Descriptor: ~Copyable, Sendable {
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

    package var description: String { "\(operation): \(reason)" }

    /// The kernel's words alone.
    package var reason: String { unsafe String(cString: strerror(code)) }

    /// Returns `result`, or throws `errno` when it is negative.
    package static func check(_ operation: String, _ result: Int32) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(operation) }
        return result
    }
}
