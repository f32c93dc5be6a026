// How a thread that waits for readiness is woken.

import CLinux
package import Clock
import Glibc

/// Wakes the one thread that waits for it.
package final class WaitEvent: Sendable {
    private let descriptor: Descriptor

    /// One that is not signalled.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    package init() throws(SystemError) {
        let flags = Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)
        descriptor = Descriptor(owning: try SystemError.check("eventfd", eventfd(0, flags)))
    }

    /// To be polled beside others: readable once it is signalled.
    package var number: Int32 { descriptor.number }

    /// Wakes the thread, or has it not begin to wait. From any thread.
    package func signal() {
        var one: UInt64 = 1
        _ = unsafe write(descriptor.number, &one, MemoryLayout<UInt64>.size)
    }

    /// Waits until it is signalled, or another descriptor is writable, or a moment has come; it is not signalled any more then.
    ///
    /// - Parameter other: negative for none.
    package func wait(orUntilWritable other: Int32, until end: Instant) {
        var interests = [
            pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(POLLOUT), revents: 0),
        ]
        let left = (end - .current).nanoseconds
        // Rounded up: whoever comes a moment too early comes twice.
        let milliseconds = end == .distantFuture ? -1 : Int32(clamping: max(0, left + 999_999) / 1_000_000)
        _ = unsafe poll(&interests, 2, milliseconds)
        var count: UInt64 = 0
        let isTaken = unsafe read(descriptor.number, &count, MemoryLayout<UInt64>.size) > 0
        // It would be called again at once, and again.
        if !isTaken, interests[0].revents != 0 { usleep(1000) }
    }
}
