// A connection of bytes alone, for protocols that are none of HTTP's.

package import EventLoop

/// Where a connection of bytes goes.
package enum PlainPlace: Hashable, Sendable {
    /// A name or a numeric address, IPv6 without brackets.
    case host(String, port: UInt16)
    /// The path of a unix socket.
    case unix(path: String)
}

/// Connects to a place, hands over what comes and sends what it is given, on a loop's thread. It never waits, and has no deadline:
/// whoever has one closes it. To let go of it closes it.
package final class PlainConnection {
    /// What there is to tell.
    package enum Event {
        case connected
        /// At least one, and at most as many as a receive takes.
        case bytes([UInt8])
        /// Once, and nothing behind it. The error is `.cutOff` where the peer has ended it.
        case ended(HTTPError)
    }

    private let target: DialTarget
    private let nameLifetime: Duration
    private let loop: EventLoop
    private let onEvent: (Event) -> Void
    private var dialer: Dialer?
    private var socket: StreamSocket?
    /// What the kernel has not taken yet.
    private var unsent: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 4 << 10)

    /// How many bytes wait for the kernel to take them.
    package var unsentCount: Int { unsent.count }

    /// - Parameters:
    ///   - nameLifetime: for how long the addresses of a name serve before it is looked up again, which no loop waits for.
    ///   - onEvent: called on the loop's thread, perhaps inside `start()`; it may close the connection.
    package init(
        to place: PlainPlace, nameLifetime: Duration, on loop: EventLoop, onEvent: @escaping (Event) -> Void
    ) {
        switch place {
        case .host(let host, let port): target = .host(host, port: port)
        case .unix(let path): target = .unix(path: path)
        }
        (self.nameLifetime, self.loop, self.onEvent) = (nameLifetime, loop, onEvent)
    }

    deinit { close() }

    /// Begins to connect. To be called once.
    package func start() {
        let dialer = Dialer(to: target, nameLifetime: nameLifetime, on: loop) { [unowned self] result in
            self.dialer = nil
            switch result {
            case .success(let socket): began(socket)
            case .failure(let error): end(error)
            }
        }
        self.dialer = dialer
        dialer.start()
    }

    /// No event is told after this. A second call does nothing.
    package func close() {
        dialer?.cancel()
        socket?.close()
        (dialer, socket, unsent) = (nil, nil, [])
    }

    /// Sends bytes behind those from before. What the kernel does not take at once waits. Where there is no connection they are dropped.
    package func send(_ bytes: [UInt8]) {
        guard socket != nil else { return }
        unsent += bytes
        // The rest of what waits already is sent when the kernel asks for it.
        if unsent.count == bytes.count { flush() }
    }

    private func began(_ socket: StreamSocket) {
        self.socket = socket
        socket.handler = { [unowned self] in ready($0) }
        socket.setInterest(.readable)
        onEvent(.connected)
    }

    private func ready(_ readiness: Readiness) {
        if !unsent.isEmpty, readiness.contains(.writable) { flush() }
        if !readiness.isDisjoint(with: .anythingToRead) { receive() }
    }

    private func flush() {
        guard let socket else { return }
        switch unsafe unsent.withUnsafeBytes({ unsafe socket.send($0) }) {
        case .bytes(let count): unsent.removeFirst(count)
        case .nothing: break
        // What came before it may still be read, and the end behind that.
        case .failed: unsent = []
        }
        socket.setInterest(unsent.isEmpty ? .readable : [.readable, .writable])
    }

    /// A part of what is there: the kernel tells of the rest in a turn of its own.
    private func receive() {
        guard let socket else { return }
        switch unsafe buffer.withUnsafeMutableBytes({ unsafe socket.receive(into: $0) }) {
        case .bytes(let count): onEvent(.bytes(Array(buffer.prefix(count))))
        case .nothing: break
        case .endOfFile: end(.cutOff(afterBytes: 0))
        case .failed(let code): end(.unreachable(reason: SystemError("receive", code: code).reason))
        }
    }

    private func end(_ error: HTTPError) {
        close()
        onEvent(.ended(error))
    }
}

extension PlainPlace {
    /// - Parameters:
    ///   - text: `HOST[:PORT]`, as a URL has it.
    ///   - defaultPort: where it names none.
    /// - Throws: `HTTPError.invalidRequest`, without quoting it.
    package init(hostAndPort text: String, defaultPort: UInt16) throws(HTTPError) {
        let url = try RequestURL("http://\(text)")
        guard url.authorization == nil, url.target.utf8.count == 1 else {
            throw .invalidRequest(reason: "it is more than a host and a port")
        }
        self = .host(url.origin.host, port: url.hasPort ? url.origin.port : defaultPort)
    }

    /// Whether a unix socket's path can be connected to.
    ///
    /// - Throws: `HTTPError.invalidRequest` for one that is too long, or none.
    package static func validate(path: String) throws(HTTPError) { _ = try SocketAddress(path: path) }
}
