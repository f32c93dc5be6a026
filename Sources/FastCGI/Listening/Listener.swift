// One worker's share of a listening socket.

import CLinux
import Clock
package import EventLoop
import Glibc

/// Accepts connections for one worker.
package final class Listener {
    /// Let go at the end, whoever still has this: others may be waiting for the address.
    private var socket: ListeningSocket?
    private let loop: EventLoop
    private let onRefusal: (ConnectionRefusal) -> Void
    private let onFailure: (SystemError) -> Void
    private let handler: (consuming Descriptor) -> Void
    private var watch: Watch?
    /// Set while the listener rests.
    private var resumption: Timer?

    /// - Parameters:
    ///   - onRefusal: called on the loop for each peer that may not connect; its connection is closed at once.
    ///   - onFailure: called on the loop each time that none can be accepted, for want of descriptors, memory or room for a watch: ten
    ///     times a second at most.
    ///   - handler: called on the loop with each accepted connection, a blocking socket as libfcgi needs it.
    package init(
        _ socket: ListeningSocket, on loop: EventLoop, onRefusal: @escaping (ConnectionRefusal) -> Void = { _ in },
        onFailure: @escaping (SystemError) -> Void = { _ in }, handler: @escaping (consuming Descriptor) -> Void
    ) {
        self.socket = socket
        self.loop = loop
        self.onRefusal = onRefusal
        self.onFailure = onFailure
        self.handler = handler
        start()
    }

    deinit { close() }

    /// Whether accepting has failed for want of descriptors or memory, and will be tried again.
    var isResting: Bool { resumption != nil }

    /// Accepts what waits, and then nothing more. Connections to a socket that somebody passed on are left for whoever has it next.
    package func drain() {
        if socket?.isOwn == true { acceptWaiting(countMax: Int(ListeningSocket.backlog)) }
        close()
    }

    /// Accepts nothing more. What waits in the kernel's queue is left to other workers, or refused with the socket's end.
    package func close() {
        watch?.cancel()
        watch = nil
        resumption?.cancel()
        resumption = nil
        socket = nil
    }

    /// Where the kernel has no room for a watch, it is tried again.
    private func start() {
        guard let socket else { return }
        do throws(SystemError) {
            watch = try Watch(socket.descriptor.number, for: [.readable, .exclusive], on: loop) { [unowned self] _ in accept() }
        } catch {
            rest()
            onFailure(error)
        }
    }

    /// Accepts what waits without this having heard of it. The kernel wakes one of those who watch a socket: where that is a process that
    /// dies or is stopped in that moment, nobody else hears of the connection until the next one comes.
    package func acceptPending() { if resumption == nil { accept() } }

    /// A few at a time: the rest of a burst is for the other workers.
    private func accept() {
        // A queue that has grown meanwhile is at its longest now.
        socket?.noteQueue(at: loop.now)
        guard socket?.isShared == true else { return acceptWaiting(countMax: 8) }
        if acceptOne() { standLast() }
    }

    /// The kernel wakes the one who has watched for longest. Where processes share a socket, the first of them would have nearly all
    /// streams, and they would end with it, while the others' places at upstreams are free: whoever has accepted goes behind the others.
    private func standLast() {
        guard let watch else { return }
        watch.cancel()
        self.watch = nil
        start()
    }

    private func acceptWaiting(countMax: Int) {
        for _ in 0..<countMax {
            guard watch != nil, acceptOne() else { return }
        }
    }

    /// Whether there may be another.
    private func acceptOne() -> Bool {
        guard let socket else { return false }
        var peer = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Asked for later, the kernel has no address any more of one that has left again.
        let number = unsafe withUnsafeMutablePointer(to: &peer) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe accept4(socket.descriptor.number, $0, &size, Int32(SOCK_CLOEXEC.rawValue))
            }
        }
        guard number >= 0 else {
            // Of these two the next one may be well.
            if errno == EINTR || errno == ECONNABORTED { return true }
            acceptFailed(errno)
            return false
        }
        let connection = Descriptor(owning: number)
        if let refusal = refusal(of: connection, from: SocketName(peer, size), to: socket) {
            onRefusal(refusal)
        } else {
            prepare(connection, isTCP: socket.isTCP)
            handler(connection)
        }
        return true
    }

    private func refusal(
        of connection: borrowing Descriptor, from peer: @autoclosure () -> SocketName, to socket: ListeningSocket
    ) -> ConnectionRefusal? {
        if let ranges = socket.allowedAddresses { return refusal(of: peer().address, by: ranges) }
        guard !socket.allowedUsers.isEmpty else { return nil }
        let user = connection.peer.uid
        return socket.allowedUsers.contains(user) ? nil : .peerNotAllowed(userID: user)
    }

    private func refusal(of address: IPAddress?, by ranges: [AddressRange]) -> ConnectionRefusal? {
        guard let address else { return .addressNotAllowed("unknown") }
        return ranges.contains { $0.contains(address) } ? nil : .addressNotAllowed("\(address)")
    }

    /// Out of descriptors or memory the socket would stay readable and the loop would spin: it rests for a moment.
    private func acceptFailed(_ code: Int32) {
        guard code != EAGAIN else { return }
        watch?.cancel()
        watch = nil
        rest()
        onFailure(SystemError("accept", code: code))
    }

    private func rest() {
        let resumption = Timer(on: loop) { [unowned self] in resume() }
        resumption.set(at: loop.now + .milliseconds(100))
        self.resumption = resumption
    }

    private func resume() {
        resumption = nil
        start()
    }

    /// Options that make a stream quick and a dead peer known. A socket that refuses them still serves.
    private func prepare(_ connection: borrowing Descriptor, isTCP: Bool) {
        let common = [(SOL_SOCKET, SO_SNDBUF, Int32(512 << 10))]
        let forTCP = [(Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1)), (SOL_SOCKET, SO_KEEPALIVE, 1)]
        for (level, option, value) in isTCP ? common + forTCP : common {
            do { try connection.set(level, option, to: value) } catch { continue }
        }
    }
}
