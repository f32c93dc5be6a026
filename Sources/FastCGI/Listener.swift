// One worker's share of a listening socket.

import CLinux
package import EventLoop
import Glibc

/// Accepts connections for one worker.
package final class Listener {
    private let socket: ListeningSocket
    private let loop: EventLoop
    private let handler: (consuming Descriptor) -> Void
    private var watch: Watch?
    private lazy var resumption = Timer(on: loop) { [unowned self] in resume() }

    /// - Parameter handler: called on the loop with each accepted connection, a blocking socket as libfcgi needs it.
    package init(
        _ socket: ListeningSocket, on loop: EventLoop, handler: @escaping (consuming Descriptor) -> Void
    ) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        self.handler = handler
        try start()
    }

    /// Accepts nothing more. What waits in the kernel's queue is left to other workers, or refused with the socket's end.
    package func close() {
        watch?.cancel()
        watch = nil
        resumption.cancel()
    }

    private func start() throws(SystemError) {
        watch = try Watch(socket.descriptor.number, for: [.readable, .exclusive], on: loop) { [unowned self] _ in accept() }
    }

    /// A few at a time: the rest of a burst is for the other workers.
    private func accept() {
        for _ in 0..<8 where watch != nil {
            let number = accept4(socket.descriptor.number, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
            guard number >= 0 else { return acceptFailed(errno) }
            let connection = Descriptor(owning: number)
            prepare(connection)
            handler(connection)
        }
    }

    /// Out of descriptors or memory the socket would stay readable and the loop would spin: it rests for a moment.
    private func acceptFailed(_ code: Int32) {
        guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else { return }
        watch?.cancel()
        watch = nil
        resumption.set(at: loop.now + .milliseconds(100))
    }

    private func resume() {
        do { try start() } catch { resumption.set(at: loop.now + .milliseconds(100)) }
    }

    /// Options that make a stream quick and a dead peer known. A socket that refuses them still serves.
    private func prepare(_ connection: borrowing Descriptor) {
        let common = [(SOL_SOCKET, SO_SNDBUF, Int32(512 << 10))]
        let forTCP = [(Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1)), (SOL_SOCKET, SO_KEEPALIVE, 1)]
        for (level, option, value) in socket.isTCP ? common + forTCP : common {
            do { try connection.set(level, option, to: value) } catch { continue }
        }
    }
}
