// Signals as readiness.

import CLinux
import Glibc

/// Delivers process signals to a loop through a `signalfd`.
package final class SignalWatch {
    private let descriptor: Descriptor
    private var watch: Watch?

    /// Blocks the signals in the calling thread. Threads that it starts later inherit that: call it before any other starts.
    ///
    /// - Throws: `SystemError` when the kernel refuses: they would go to whatever handler there is.
    package static func block(_ signals: [Int32]) throws(SystemError) {
        var set = signalSet(signals)
        let code = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError("pthread_sigmask", code: code) }
    }

    /// Blocks in the calling thread all signals but those of its own faults, which the kernel does not let wait.
    package static func blockAll() {
        var set = sigset_t()
        unsafe sigfillset(&set)
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { unsafe sigdelset(&set, signal) }
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// - Parameter handler: called on the loop's thread with the signal's number.
    /// - Precondition: the signals are blocked in every thread, see `block(_:)`.
    /// - Throws: `SystemError` when the process is out of descriptors.
    package init(_ signals: [Int32], on loop: EventLoop, handler: @escaping (Int32) -> Void) throws(SystemError) {
        var set = Self.signalSet(signals)
        let flags = Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC)
        descriptor = Descriptor(owning: try SystemError.check("signalfd", unsafe signalfd(-1, &set, flags)))
        let number = descriptor.number
        watch = try Watch(number, for: .readable, on: loop) { _ in
            var information = signalfd_siginfo()
            while unsafe read(number, &information, MemoryLayout<signalfd_siginfo>.size) > 0 {
                handler(Int32(information.ssi_signo))
            }
        }
    }

    /// No handler call begins after this. The signals stay blocked.
    package func cancel() { watch?.cancel() }

    private static func signalSet(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}
