// A connection's descriptor and its watch, as one thing with one owner.

import CLinux
import Clock
import EventLoop
import Glibc

/// A stream socket on a loop's thread: TCP or unix. It never waits.
///
/// Whoever holds the object holds the descriptor: it is closed by `close()` or with its last reference, its watch just before
/// it, and its number is told to nobody.
final class StreamSocket {
    typealias Sent = Descriptor.Sent

    /// Called on the loop's thread when the socket is ready for what was asked: whoever is told that there is something to read
    /// calls `receive`, and is told again if that may have left something. May be replaced.
    var handler: (Readiness) -> Void = { _ in }

    /// Whether it was connected within its initialiser, as unix sockets are.
    private(set) var isConnectedAtOnce = false

    private let loop: EventLoop
    private let isIP: Bool
    private var descriptor: Descriptor?
    /// The descriptor's; -1 when it is closed.
    private var number: Int32
    private var watch: Watch?
    /// Whether the kernel has told, as it does once, of something that is not received with what stands before it.
    private var hasSomethingBehind = false
    private var acknowledgementMilliseconds: UInt32 = 0
    /// Why the kernel does not watch it any more; an `errno`. Then there is no watch.
    private var refusal: Int32?
    private var refusalTimer: Timer?

    /// Opens a socket and begins to connect it, and asks to be told when it is writable: then `connectionError` tells the outcome.
    ///
    /// - Parameter acknowledgementMilliseconds: see `setAcknowledgementTimeout(_:)`.
    /// - Throws: `SystemError`: of `socket` and `epoll_ctl` when the process or the machine is out of something, of `connect`
    ///   when that failed at once.
    init(
        connectingTo address: SocketAddress, acknowledgementMilliseconds: UInt32, on loop: EventLoop
    ) throws(SystemError) {
        (self.loop, isIP) = (loop, address.isIP)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        number = try SystemError.check("socket", socket(address.family, type, 0))
        descriptor = Descriptor(owning: number)
        if isIP { setOptions() }
        setAcknowledgementTimeout(acknowledgementMilliseconds)
        try connect(to: address)
        watch = try Watch(number, for: .writable, on: loop) { [unowned self] in ready($0) }
    }

    deinit { close() }

    private func connect(to address: SocketAddress) throws(SystemError) {
        let result = unsafe address.withPointer { unsafe Glibc.connect(number, $0, $1) }
        // After an interruption the kernel goes on connecting (connect(2)).
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemError("connect") }
        isConnectedAtOnce = result == 0
    }

    var isOpen: Bool { number >= 0 }

    /// No handler call begins after this. A second call does nothing.
    func close() {
        refusalTimer?.cancel()
        watch?.cancel()
        (watch, refusalTimer) = (nil, nil)
        descriptor = nil
        number = -1
    }

    // MARK: Readiness

    private func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: .somethingBehind) { hasSomethingBehind = true }
        handler(readiness)
    }

    /// Changes what the handler is told, besides errors and hang-ups, which it always is unless it asks for nothing: the kernel would
    /// tell of them in every turn, though nobody is ready to see to them. No system call when nothing changes.
    ///
    /// A socket that the kernel refuses to watch any further (it is out of memory) fails: the handler is told `.error`, and again
    /// whenever it asks for something from then on, and `receive` and `send` fail with the kernel's reason.
    func setInterest(_ interest: Readiness) {
        guard isOpen else { return }
        if refusal != nil { return tellRefusal(if: interest) }
        // Whoever waits to send too is told in each turn: the kernel may take a part of what it is given, and room for more. So is
        // whoever reads a unix socket, where the kernel ends a read at each descriptor that somebody passes.
        let asked = interest == .readable && isIP ? .comingOnce : interest
        do {
            if asked.isEmpty {
                watch?.cancel()
                watch = nil
            } else if let watch {
                try watch.update(asked)
            } else {
                watch = try Watch(number, for: asked, on: loop) { [unowned self] in ready($0) }
            }
        } catch {
            refuse(error, asked)
        }
    }

    private func refuse(_ error: SystemError, _ interest: Readiness) {
        refusal = error.code
        watch?.cancel()
        watch = nil
        tellRefusal(if: interest)
    }

    /// The kernel has told of all that was there once: a part that is not received yet it is asked to tell of again.
    private func tellAgain() {
        do { try watch?.setAgain() } catch { refuse(error, .readable) }
    }

    /// The handler is told in a turn of its own, not inside the call that failed, and nothing while it asks for nothing.
    private func tellRefusal(if interest: Readiness) {
        guard !interest.isEmpty else {
            refusalTimer?.cancel()
            return
        }
        let timer = refusalTimer ?? Timer(on: loop) { [unowned self] in handler(.error) }
        refusalTimer = timer
        timer.set(at: loop.now)
    }

    // MARK: Bytes

    /// Receives into `buffer` from its start, without waiting. A buffer without room receives nothing.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Descriptor.Received {
        if let code = refusal { return .failed(code) }
        guard unsafe !buffer.isEmpty else { return .nothing }
        while true {
            let count = unsafe recv(number, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                if isIP, count == buffer.count || hasSomethingBehind { tellAgain() }
                return .bytes(count)
            }
            if count == 0 { return .endOfFile }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .nothing }
            if errno != EINTR { return .failed(errno) }
        }
    }

    /// Whether a call to `receive` would find something, be it the end or an error.
    var hasUnreadBytes: Bool {
        var byte: UInt8 = 0
        let count = unsafe recv(number, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK))
        return count >= 0 || errno != EAGAIN && errno != EWOULDBLOCK
    }

    /// Sends from the start of `bytes` what the kernel takes, without waiting.
    func send(_ bytes: UnsafeRawBufferPointer) -> Sent {
        if let code = refusal { return .failed(code) }
        return unsafe descriptor?.send(bytes) ?? .failed(EBADF)
    }

    /// Ends both directions: what has come can still be read, and behind it the end, which the handler is told like any other.
    func shutDown() { _ = shutdown(number, Int32(SHUT_RDWR)) }

    // MARK: Connecting

    /// Once it is writable or has an error: 0 when it is connected, else the `errno` of why it is not. It can be asked once.
    ///
    /// A TCP socket that chose the very port it connects to is connected to itself: nobody listens there.
    func connectionError() -> Int32 {
        guard let code = option(SO_ERROR, of: SOL_SOCKET) else { return errno }
        guard code == 0, isIP else { return code }
        guard let peer = unsafe address(by: getpeername) else { return errno }
        return unsafe peer == address(by: getsockname) ? ECONNREFUSED : 0
    }

    private func address(
        by call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        // There is room for an IPv4 one in it.
        var (storage, length) = (sockaddr_in6(), socklen_t(MemoryLayout<sockaddr_in6>.size))
        return unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call(number, $0, &length) == 0 ? SocketAddress($0) : nil
            }
        }
    }

    // MARK: Options

    /// Ends the connection when what was sent, the handshake's SYN among it, stays without acknowledgement for so long
    /// (TCP_USER_TIMEOUT, RFC 5482); 0: as long as the kernel likes.
    ///
    /// Does nothing for a unix socket. No system call when nothing changes.
    func setAcknowledgementTimeout(_ milliseconds: UInt32) {
        guard isIP, milliseconds != acknowledgementMilliseconds else { return }
        acknowledgementMilliseconds = milliseconds
        set(TCP_USER_TIMEOUT, of: Int32(IPPROTO_TCP), to: Int32(clamping: milliseconds))
    }

    /// Whether the peer's kernel has not had all that was sent; of a unix socket, whether the peer has not read it.
    var hasUnacknowledgedBytes: Bool {
        var queued = Int32(0)
        return unsafe ioctl(number, UInt(TIOCOUTQ), &queued) == 0 && queued > 0
    }

    /// What has become of the bytes that the kernel took, for TCP.
    enum Delivery {
        /// The peer's kernel has all of them.
        case done
        case underWay
        /// For so long the peer's kernel has not said a word, though it was sent something meanwhile.
        case unanswered
    }

    /// What the peer's kernel has said, as far as it was looked at.
    struct Words {
        /// The kernel's clock goes in ticks of 10 ms at most, and the one that a look is timed by does not.
        private static let blur = Int64(20)

        /// Packets without data, which are nothing but acknowledgements, and bytes that had not come before.
        private var count: UInt64 = 0
        private var since = Instant.distantFuture

        /// - Parameter asked: a moment ahead of the kernel's answer.
        /// - Returns: for how many milliseconds, at least, there has been nothing new.
        fileprivate mutating func age(at asked: Instant, _ counts: tcp_counts) -> UInt32 {
            let former = exchange(&count, with: UInt64(counts.segs_in &- counts.data_segs_in) &+ counts.bytes_received)
            if count != former { since = .current }
            // A kernel that does not count has not counted what the connection began with either.
            return count == 0 ? 0 : UInt32(clamping: (asked.nanoseconds - since.nanoseconds) / 1_000_000 - Self.blur)
        }
    }

    /// A peer that nothing reaches any more, and whose own packets arrive, sends again and again what it believes lost. To the kernel that
    /// is a word (`tcpi_last_ack_recv`), here it is none.
    ///
    /// - Parameters:
    ///   - milliseconds: how long a peer may say nothing. One that has no room for more still says so when it is asked.
    ///   - words: what it had said when this was asked before, since when something has been under way.
    /// - Returns: `.done` for a unix socket.
    func delivery(within milliseconds: UInt32, _ words: inout Words) -> Delivery {
        var (queued, whole, length) = (Int32(0), counted_tcp_info(), socklen_t(MemoryLayout<counted_tcp_info>.size))
        let asked = Instant.current
        guard isIP, unsafe ioctl(number, UInt(TIOCOUTQ), &queued) == 0, queued > 0 else { return .done }
        guard unsafe getsockopt(number, Int32(IPPROTO_TCP), TCP_INFO, &whole, &length) == 0 else { return .done }
        let (info, counts) = unsafe (whole.info, whole.behind.counts)
        let silence = max(info.tcpi_last_ack_recv, words.age(at: asked, counts))
        guard silence >= milliseconds else { return .underWay }
        // Asked whether it has room, which the kernel does ever more rarely: one question may be on its way just now.
        if info.tcpi_probes >= 2 { return .unanswered }
        let sent = info.tcpi_last_data_sent
        return sent < silence && sent >= min(1000, milliseconds / 2) ? .unanswered : .underWay
    }

    /// Nothing waits for a fuller packet, and a silent peer that is gone is found out: after 30 s without a packet it is asked
    /// every 10 s.
    private func setOptions() {
        set(TCP_NODELAY, of: Int32(IPPROTO_TCP), to: 1)
        set(SO_KEEPALIVE, of: SOL_SOCKET, to: 1)
        set(TCP_KEEPIDLE, of: Int32(IPPROTO_TCP), to: 30)
        set(TCP_KEEPINTVL, of: Int32(IPPROTO_TCP), to: 10)
    }

    /// `nil` when it has no such option.
    func option(_ option: Int32, of level: Int32) -> Int32? {
        var (value, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        return unsafe getsockopt(number, level, option, &value, &length) == 0 ? value : nil
    }

    /// A socket without the option works all the same.
    private func set(_ option: Int32, of level: Int32, to value: Int32) {
        var value = value
        _ = unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
