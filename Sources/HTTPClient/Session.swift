// A worker's HTTP client: libcurl's multi handle on the worker's loop.

import CCurl
package import EventLoop
import Glibc

/// All calls of one worker to its upstreams: their connections, which outlive a request, and their TLS sessions.
///
/// It belongs to its loop's thread, and so does everything made by it.
package final class Session {
    /// Trust, and limits in the units that their names say.
    package struct Configuration: Sendable {
        /// A file of trusted certificates (PEM) in place of the system's.
        package var caFile: String?
        /// `User-Agent` of requests that bring none.
        package var userAgent = "sluice"
        /// How long what was sent may stay unacknowledged before its connection counts as lost: a firewall that has forgotten an
        /// idle connection says nothing.
        package var acknowledgementTimeout = Duration.seconds(5)
        /// The response headers that are kept, in lower case; a `*` at a name's end stands for anything. All of them when nil: APIs
        /// send twenty and more.
        package var keptHeaders: [String]?
        /// Open connections, busy ones counted: above it each transfer that ends closes the longest idle one.
        package var connectionsMax = 4096
        /// Easy handles kept for the next requests. One takes about 8 KB.
        package var spareHandlesMax = 128
        /// What one read takes from a connection at most, held by each open transfer. libcurl allows 1 KiB to 512 KiB.
        /// Events are a few hundred bytes, and a larger buffer costs memory without saving time.
        package var receiveBufferBytes = 2 << 10
        /// With so much unread, an HTTP/1 response is not read on until the reader has taken it.
        package var unreadBytesMax = 64 << 10
        /// With so much unread, an HTTP/2 response fails: pausing it would stall the other streams of its connection.
        package var unreadMultiplexedBytesMax = 4 << 20

        /// The system's certificates and the limits above.
        package init() {}
    }

    /// On whose thread all of this happens.
    package let loop: EventLoop
    let configuration: Configuration
    let keptHeaders: [HeaderPattern]?
    /// Buffers between two bursts of bytes, so that a silent transfer owns none.
    var spareBuffers = SpareBuffers()
    private var multi: MultiHandle?
    private var timer: Timer?
    private var sockets: [curl_socket_t: Socket] = [:]
    private var spareHandles: [EasyHandle] = []
    private var transfers: [Transfer] = []
    /// Transfers that a callback wants to end, until libcurl has returned and they can be removed.
    private var doomed: [(Transfer, HTTPError)] = []
    private var isInsideLibcurl = false
    /// See `connectLocally(to:)`.
    private var localAddress: String?
    /// Whether connections are kept for calls that may come in an hour.
    private var hasWarmConnections = false
    /// Told of sockets that have something to say while no transfer uses them.
    var idleObservers: [ObjectIdentifier: (curl_socket_t) -> Void] = [:]

    /// - Throws: `HTTPError.unavailable` when memory or descriptors are out.
    package init(on loop: EventLoop, _ configuration: Configuration = Configuration()) throws(HTTPError) {
        self.loop = loop
        self.configuration = configuration
        keptHeaders = configuration.keptHeaders?.map { HeaderPattern($0) }
        let multi = try MultiHandle()
        self.multi = multi
        timer = Timer(on: loop) { [unowned self] in act(on: CURL_SOCKET_TIMEOUT, events: 0) }
        multi.set(CURLMOPT_MAXCONNECTS, configuration.connectionsMax)
        unsafe multi.report(to: self, sockets: socketChanged, timer: timerChanged)
    }

    deinit { close() }

    /// Opens connections to a URL's scheme, host and port, and opens them anew whenever some are gone, until what it returns
    /// is let go or the session is closed. The URL's path, query and user information are not sent.
    ///
    /// - Parameters:
    ///   - count: how many stand ready beside those that calls use, at least 1. Over HTTP/2 it is one whatever the count:
    ///     all calls share it.
    ///   - connectTimeout: for name, connection and TLS together.
    ///   - report: called on the loop's thread, for the log.
    /// - Throws: `HTTPError.invalidRequest` when the URL is not one to connect to.
    package func keepWarm(
        _ url: String, count: Int, connectTimeout: Duration, times: WarmConnections.Times = WarmConnections.Times(),
        report: @escaping (WarmConnections.Report) -> Void
    ) throws(HTTPError) -> WarmConnections {
        guard let origin = origin(of: url) else { throw .invalidRequest(reason: "the URL cannot be parsed") }
        let request = HTTPRequest(
            .head, origin, connectTimeout: connectTimeout, totalTimeout: connectTimeout + times.answer)
        try request.validate()
        hasWarmConnections = true
        return WarmConnections(request, count: count, times, in: self, report: report)
    }

    /// Makes all connections to one unix socket, whatever host a URL names: no name is looked up, and no proxy asked.
    ///
    /// - Parameter address: an abstract one, without the NUL ahead of it.
    /// - Precondition: there was no request so far.
    package func connectLocally(to address: String) {
        precondition(transfers.isEmpty && spareHandles.isEmpty)
        localAddress = address
    }

    /// Cancels every transfer and closes every connection. A second call does nothing.
    package func close() {
        while let transfer = transfers.last { transfer.cancel() }
        spareHandles = []
        multi?.stopReporting()
        for socket in sockets.values { socket.watch?.cancel() }
        sockets = [:]
        timer?.cancel()
        timer = nil
        multi = nil
    }
}

// MARK: - Transfers

extension Session {
    var isClosed: Bool { multi == nil }

    /// Starts the request. The caller sees to it that its transfer is cancelled when nobody reads it any more. The request is let go
    /// as soon as libcurl has it: a caller that keeps no copy holds no body while the answer comes.
    ///
    /// - Parameter wakeup: woken when there may be something new; several transfers that one task waits for can share it.
    /// - Throws: `HTTPError.invalidRequest` or `.unavailable`.
    package func start(_ request: consuming HTTPRequest, waking wakeup: Wakeup) throws(HTTPError) -> Transfer {
        guard let multi else { throw .unavailable(reason: "the session is closed") }
        try request.validate()
        let handle = if let spare = spareHandles.popLast() { spare } else { try makeHandle(multi) }
        try handle.prepare(for: request, userAgent: configuration.userAgent)
        if hasWarmConnections { handle.useConnectionsOfAnyAge() }
        let transfer = Transfer(request.outline, handle, waking: wakeup, in: self)
        let code = callLibcurl { multi.add(handle) }
        guard code == CURLM_OK else { throw .unavailable(reason: "curl_multi_add_handle: \(code.rawValue)") }
        transfer.place = transfers.count
        transfers.append(transfer)
        transfer.setDeadlines()
        return transfer
    }

    private func makeHandle(_ multi: MultiHandle) throws(HTTPError) -> EasyHandle {
        let handle = try EasyHandle()
        handle.configure(configuration)
        handle.report(to: self)
        if let localAddress { handle.set(CURLOPT_ABSTRACT_UNIX_SOCKET, localAddress) }
        multi.shareSessions(with: handle)
        return handle
    }

    /// Takes a transfer's handle out of libcurl, which closes its connection (HTTP/1) or resets its stream (HTTP/2)
    /// unless the response was whole.
    func remove(_ transfer: Transfer, _ handle: EasyHandle) {
        let last = transfers.removeLast()
        if last !== transfer {
            transfers[transfer.place] = last
            last.place = transfer.place
        }
        let mustFlush = resetsLinger && !transfer.isWhole
        // It closes the connection if no other transfer uses it. One that did not even answer a trial is of no use.
        if mustFlush || (transfer.isTrial && !transfer.isWhole) { handle.set(CURLOPT_FORBID_REUSE, 1) }
        callLibcurl { multi?.remove(handle) }
        if mustFlush, let connection = transfer.sharedConnection { flush(connection) }
        handle.forget()
        if spareHandles.count < configuration.spareHandlesMax { spareHandles.append(handle) }
    }

    /// Pushes a stream's reset out by way of another stream of its connection. Without one the connection is closed by now.
    private func flush(_ connection: Connection) {
        let sibling = transfers.first { $0.connection == connection && $0.isSent }
        callLibcurl { sibling?.handle?.flushConnection() }
    }

    /// What libcurl held back comes in from inside this call.
    func unpause(_ transfer: Transfer, _ handle: EasyHandle) {
        let code = callLibcurl { handle.unpause() }
        if code != CURLE_OK { transfer.finish(code) }
        endDoomed()
    }

    /// From a callback of libcurl, which goes on until it returns.
    func doom(_ transfer: Transfer, _ error: HTTPError) { doomed.append((transfer, error)) }

    private func endDoomed() {
        while let (transfer, error) = doomed.popLast() { transfer.fail(error) }
    }
}

// MARK: - Readiness and time

extension Session {
    /// One of libcurl's sockets.
    private struct Socket {
        /// It stays between two transfers, which saves each of them two system calls.
        var watch: Watch?
        /// Whether a transfer waits for something on it.
        var isUsed = false
        /// libcurl tells when it closes a connection. Its resolver's sockets it closes without a word.
        let isConnection: Bool
    }

    /// From a callback of libcurl: a connection is about to be made with it.
    func opened(_ socket: curl_socket_t) {
        willClose(socket)
        sockets[socket] = Socket(isConnection: true)
        setAcknowledgementTimeout(configuration.acknowledgementTimeout, of: socket)
    }

    /// From a callback of libcurl: its number may serve something else from now on.
    func willClose(_ socket: curl_socket_t) { sockets.removeValue(forKey: socket)?.watch?.cancel() }

    /// From a callback of libcurl: what it wants to know about a socket of its own.
    func watch(_ number: curl_socket_t, _ what: Int32, for transfer: Transfer?) {
        let interest: Readiness =
            switch what {
            case CURL_POLL_IN: .readable
            case CURL_POLL_OUT: .writable
            default: [.readable, .writable]
            }
        var socket = sockets[number] ?? Socket(isConnection: false)
        socket.isUsed = true
        do {
            if let watch = socket.watch {
                try watch.update(interest)
            } else {
                // `close()` cancels the watches before the session ends.
                socket.watch = try Watch(number, for: interest, on: loop) { [unowned(unsafe) self] readiness in
                    unsafe self.changed(number, readiness)
                }
            }
        } catch {
            if let transfer { doom(transfer, .unavailable(reason: error.description)) }
        }
        sockets[number] = socket
    }

    /// From a callback of libcurl: no transfer waits for anything on it.
    func unwatch(_ number: curl_socket_t) {
        guard let socket = sockets[number] else { return }
        // One whose connection was never made libcurl closes without a word, and its number serves something else next.
        if socket.isConnection, isConnected(number) {
            sockets[number]?.isUsed = false
        } else {
            willClose(number)
        }
    }

    private func isConnected(_ socket: curl_socket_t) -> Bool {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &address) { buffer in
            unsafe getpeername(socket, buffer.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length) == 0
        }
    }

    /// Whether libcurl waits for something on the socket: a transfer uses it.
    func isUsed(_ socket: curl_socket_t) -> Bool { sockets[socket]?.isUsed == true }

    private func changed(_ socket: curl_socket_t, _ readiness: Readiness) {
        if isUsed(socket) { return act(on: socket, events: readiness.events) }
        // Its end, or what libcurl reads when it next has a use for it.
        sockets[socket]?.watch?.cancel()
        sockets[socket]?.watch = nil
        for observer in idleObservers.values { observer(socket) }
    }

    /// From a callback of libcurl: when to call it again at the latest.
    func setTimer(_ milliseconds: Int) {
        guard milliseconds >= 0 else { return timer?.cancel() ?? () }
        timer?.set(at: .current + .milliseconds(milliseconds))
    }

    private func act(on socket: curl_socket_t, events: Int32) {
        callLibcurl { multi?.act(on: socket, events: events) }
        while let (transfer, code) = multi?.nextFinished() { transfer.finish(code) }
        endDoomed()
    }

    /// libcurl must not be called from its own callbacks. They only note what has happened and wake tasks, which run later.
    private func callLibcurl<Result>(_ call: () -> Result) -> Result {
        precondition(!isInsideLibcurl, "called from inside a callback of libcurl")
        isInsideLibcurl = true
        defer { isInsideLibcurl = false }
        return call()
    }
}

extension Readiness {
    /// An error alone would make libcurl give up without reading what it is.
    fileprivate var events: Int32 {
        var events: Int32 = 0
        if contains(.readable) || contains(.hangUp) { events |= CURL_CSELECT_IN }
        if contains(.writable) { events |= CURL_CSELECT_OUT }
        if contains(.error) { events |= CURL_CSELECT_IN | CURL_CSELECT_ERR }
        return events
    }
}
