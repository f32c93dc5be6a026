// Signals as readiness.

import CLinux
import Glibc

/// Delivers process signals to a loop through a `signalfd`.
package final class SignalWatch {
    private let descriptor: Descriptor
    private var watch: Watch?

    /// Blocks the signals in the calling thread. Those of `startThread(named:_:)` have all blocked from their beginning.
    ///
    /// - Throws: `SystemError` when the kernel refuses: they would go to whatever handler there is.
    package static func block(_ signals: [Int32]) throws(SystemError) {
        var set = signalSet(signals)
        let code = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError("pthread_sigmask", code: code) }
    }

    /// All that may be kept from a thread: the kernel does not let those of its own faults wait.
    static var allButFaults: sigset_t {
        var set = sigset_t()
        unsafe sigfillset(&set)
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { unsafe sigdelset(&set, signal) }
        return set
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

    fileprivate static func signalSet(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}

/// Signals as a descriptor, for a thread that polls several. They reach the process by this alone.
package struct PolledSignals: ~Copyable {
    private let descriptor: Descriptor

    /// Blocks them in the calling thread.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    package init(_ signals: [Int32]) throws(SystemError) {
        try SignalWatch.block(signals)
        var set = SignalWatch.signalSet(signals)
        let flags = Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC)
        descriptor = Descriptor(owning: try SystemError.check("signalfd", unsafe signalfd(-1, &set, flags)))
    }

    /// To be polled.
    package var number: Int32 { descriptor.number }

    /// The next one that has come; nil when there is none.
    package func next() -> Int32? {
        var information = signalfd_siginfo()
        let count = unsafe read(number, &information, MemoryLayout<signalfd_siginfo>.size)
        return count > 0 ? Int32(information.ssi_signo) : nil
    }

    /// Has one of them do what it does to a process that does not watch for it: end it, or stop it until it is to go on.
    package func act(on signal: Int32) {
        var set = SignalWatch.signalSet([signal])
        // Swift's runtime may have a handler of its own, which takes it for a crash.
        _ = Glibc.signal(signal, SIG_DFL)
        _ = raise(signal)
        // It is delivered by this.
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }
}
