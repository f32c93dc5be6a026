// What the loop tells about descriptors: which one, and what it is ready for.

import CLinux

/// What a descriptor is ready for, or what is asked about it: the bits of `epoll_event.events`.
package struct Readiness: OptionSet, Sendable {
    /// As epoll_ctl(2) has it.
    package let rawValue: UInt32
    /// - Parameter rawValue: as epoll_ctl(2) has it.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// There is something to read, be it the end, or a connection to accept.
    package static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    /// The kernel takes bytes, or an attempt to connect has ended.
    package static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// The peer has shut down its sending side; reported only when asked for.
    package static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
    /// Both directions are shut; always reported.
    package static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
    /// Always reported.
    package static let error = Readiness(rawValue: EPOLLERR.rawValue)
    /// All after which there is something to read, the end and an error among it.
    package static let anythingToRead = Readiness(
        rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// All after which a read may return less than is there: behind it is the end, an error, or TCP's urgent mark, at which the kernel ends
    /// a read.
    package static let somethingBehind = Readiness(
        rawValue: EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue | EPOLLPRI.rawValue)
    /// What the peer sends, that some of it is urgent, and that it sends nothing more: told once, and again only when more comes or the
    /// watch is set again (EPOLLET). The kernel then does not look at the descriptor a second time after each event.
    package static let comingOnce = Readiness(
        rawValue: EPOLLIN.rawValue | EPOLLPRI.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue)
    /// What the peer sends, and that it sends nothing more.
    package static let readableOrClosed = Readiness(rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue)
    /// Of the loops that watch one listening descriptor the kernel wakes one, not all.
    package static let exclusive = Readiness(rawValue: EPOLLEXCLUSIVE.rawValue)

    // The same as `OptionSet` has for all such sets, which other modules can only call by the conformance: at each event.

    package func contains(_ other: Readiness) -> Bool { rawValue & other.rawValue == other.rawValue }

    package func isDisjoint(with other: Readiness) -> Bool { rawValue & other.rawValue == 0 }
}

/// One descriptor's registration with a loop, level-triggered but with `comingOnce`.
///
/// The loop keeps it until `cancel()`. The descriptor stays its owner's: cancel first, close then.
package final class Watch {
    /// Its number. Not owned.
    package let descriptor: Int32
    let handler: (Readiness) -> Void
    private(set) var token: UInt64 = 0
    private let loop: EventLoop
    private var interest: Readiness
    private var isCancelled = false

    /// - Parameter handler: called on the loop's thread, once a turn for as long as the descriptor is ready; with
    ///   `comingOnce` a single time.
    /// - Throws: `SystemError` when the kernel refuses (out of memory, a regular file).
    package init(
        _ descriptor: Int32, for interest: Readiness, on loop: EventLoop, handler: @escaping (Readiness) -> Void
    ) throws(SystemError) {
        self.descriptor = descriptor
        self.handler = handler
        self.loop = loop
        self.interest = interest
        token = try loop.insert(self, interest: interest)
    }

    /// Changes what is asked. No system call when nothing changes.
    ///
    /// - Throws: `SystemError` when the kernel is out of memory.
    package func update(_ interest: Readiness) throws(SystemError) {
        guard !isCancelled, interest != self.interest else { return }
        try loop.modify(self, interest: interest)
        self.interest = interest
    }

    /// With `comingOnce`: has the handler told again of what is there already.
    ///
    /// - Throws: `SystemError` when the kernel is out of memory.
    package func setAgain() throws(SystemError) {
        if !isCancelled { try loop.modify(self, interest: interest) }
    }

    /// No handler call begins after this. A second call does nothing.
    package func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        loop.remove(self)
    }
}
