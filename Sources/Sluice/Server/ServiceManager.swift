// systemd, where it started this process and waits to be told how it does.

import EventLoop
import Glibc
import Synchronization

/// Tells the service manager what state the process is in (sd_notify(3)). Nothing depends on whether it hears that.
final class ServiceManager: Sendable {
    private let descriptor: Descriptor
    /// Where it listens. Its socket may be another one after it was upgraded, so that each message is sent there anew.
    private let address: UnixAddress
    /// After how long without `alive()` it ends the process; nil when it does not watch.
    let watchdog: Duration?
    private let isStopping = Atomic<Bool>(false)
    private let lastStatus = Mutex("")
    /// Whether it has not taken `READY=1` yet, and waits for it.
    private let owesReady = Atomic<Bool>(false)

    /// Nil when the process was started by something else.
    ///
    /// - Parameter environment: looks a variable up.
    init?(_ environment: (String) -> String?) {
        guard let name = environment("NOTIFY_SOCKET"), let address = Self.address(of: name) else { return nil }
        self.address = address
        guard let descriptor = UnixAddress.datagramSocket() else { return nil }
        self.descriptor = descriptor
        let isForOther = environment("WATCHDOG_PID").map { pid_t($0) != getpid() } ?? false
        let microseconds = environment("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
        // More often than that nobody can be asked.
        watchdog = microseconds > 0 && !isForOther ? .microseconds(max(microseconds, 30_000)) : nil
    }

    /// Of anything else than these two nothing is said.
    private static func address(of name: String) -> UnixAddress? {
        switch name.utf8.first {
        case UInt8(ascii: "@"): UnixAddress(abstract: String(name.dropFirst()))
        case UInt8(ascii: "/"): UnixAddress(path: name)
        default: nil
        }
    }

    /// Connections are accepted, or the settings of a reload are in force, or are not. Once it has been told that the process stops,
    /// nothing else is true any more.
    ///
    /// - Parameter mayWait: whether the caller may wait for a second, while it takes nothing.
    func ready(mayWait: Bool = false) {
        if isStopping.load(ordering: .relaxed) { return }
        owesReady.store(!send("READY=1", mayWait: mayWait), ordering: .relaxed)
    }

    /// Tells again what it had no room for.
    func tellAgain() { if owesReady.load(ordering: .relaxed) { ready() } }

    /// The settings are being read again.
    func reloading() {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    /// No new requests are taken.
    func stopping() {
        isStopping.store(true, ordering: .relaxed)
        send("STOPPING=1")
    }

    /// How the process does, if that is not what was told last.
    ///
    /// - Parameter text: a line for people.
    func status(_ text: String) {
        lastStatus.withLock { last in if text != last, send("STATUS=\(text)") { last = text } }
    }

    /// The process does what it should; for the watchdog.
    func alive() { send("WATCHDOG=1") }

    /// - Returns: whether it was taken.
    @discardableResult private func send(_ message: String, mayWait: Bool = false) -> Bool {
        let bytes = Array(message.utf8)
        for _ in 0..<(mayWait ? 20 : 1) {
            if address.send(bytes, by: descriptor) { return true }
            if mayWait { usleep(50_000) }
        }
        return false
    }
}
