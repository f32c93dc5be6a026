// A worker's HTTP client, and the file of this module to read first.

package import EventLoop

/// All calls of one worker to its upstreams, and their connections, which outlive a request.
///
/// It belongs to its loop's thread, and so does everything made by it. A request's path, from top to bottom:
///
/// 1. `Session.start` checks the request, finds the `Pool` of its URL's origin, and makes the `Transfer` that its caller reads.
/// 2. `Pool.begin` gives the transfer a `Connection` that is open. Without one the transfer waits, and the pool opens another:
///    `Dialer` (names by `Resolver`, addresses side by side), `ProxyTunnel` and `TLSStream` where they are needed, then
///    `Pool.opened`.
/// 3. `Connection.start` hands it to `HTTP1` or `HTTP2`, which write head and body by `Connection.write`: through `TLSStream`
///    where there is TLS, to the `StreamSocket`. What the socket does not take waits in `UnsentBytes`.
///
/// And its answer's, from bottom to top:
///
/// 1. The loop tells the socket's `Watch`, and `Connection` receives once, decrypts, and lets `HTTP1` (`ResponseParser`) or `HTTP2`
///    (nghttp2, `HTTP2Stream`) take the bytes. Both build the head by `HeadBuilder`.
/// 2. `Transfer.receive` keeps head and body until they are taken, and wakes its caller. One that takes nothing stops its connection
///    (HTTP/1) or its stream (HTTP/2).
/// 3. At the end `Transfer.finish` or `fail` says how it was, and `Pool.release` keeps the connection or `Pool.closed` forgets it.
///    A request that a kept connection has lost unanswered goes back to `Pool.begin`, once.
///
/// Who keeps what until its end: a session its pools and transfers, a pool its connections but for those that transfers use over
/// HTTP/1, which keep them, and a connection its socket and all that is spoken over it. `Resolver` and `TLSContext` are the process's.
package final class Session {
    /// Trust, and limits in the units that their names say.
    package struct Configuration: Equatable, Sendable {
        /// A PEM file of the authorities that are trusted, in place of the system's.
        package var authoritiesFile: String?
        /// `User-Agent` of requests that bring none.
        package var userAgent = "sluice"
        /// How long what was sent may stay unacknowledged before its connection counts as lost: a firewall that has forgotten an
        /// idle connection says nothing.
        package var acknowledgementTimeout = Duration.seconds(5)
        /// How long an upstream may take nothing of what is being sent to it.
        package var sendTimeout = Duration.seconds(30)
        /// The response headers that are kept, in lower case; a `*` at a name's end stands for anything. All of them when nil: APIs
        /// send twenty and more.
        package var keptHeaders: [String]?
        /// Connections that nobody uses: above it the longest idle one is closed.
        package var idleConnectionsMax = 1024
        /// How long a connection of HTTP/2 without streams is kept beside another one.
        package var spareTime = Duration.seconds(60)
        /// With so much unread, a response is not read on until the reader has taken it.
        package var unreadBytesMax = 64 << 10
        /// After how long a connection of HTTP/2 that is silent while a request waits is asked whether it is alive.
        package var silenceMax = Duration.seconds(1)
        /// After how long without a step forward callers who wait for another's connection get a further one.
        package var patience = Duration.milliseconds(250)

        /// The system's certificates and the limits above.
        package init() {}
    }

    /// On whose thread all of this happens.
    package let loop: EventLoop
    let configuration: Configuration
    let context: SessionContext
    /// Buffers between two bursts of bytes, so that a silent transfer owns none.
    let spareBuffers = SpareBuffers()
    private(set) var transfers: [Transfer] = []
    private(set) var pools: [Pool.Key: Pool] = [:]
    /// Most requests are for the URL of the one before.
    private var lastDestination: Destination?
    /// The route of all connections, whatever host a URL names.
    private var fixedRoute: Route?
    private(set) var isClosed = false

    /// A session without connections. The file of authorities is read when the first connection needs it, or by
    /// `ConnectionOptions.loadTLS` before.
    package convenience init(on loop: EventLoop, _ configuration: Configuration = Configuration()) {
        self.init(on: loop, configuration, .shared)
    }

    /// - Parameter route: of all connections, whatever host a URL names.
    init(
        on loop: EventLoop, _ configuration: Configuration = Configuration(), _ resolver: Resolver, route: Route? = nil
    ) {
        self.loop = loop
        self.configuration = configuration
        fixedRoute = route
        context = SessionContext(on: loop, configuration, resolver)
    }

    deinit { close() }

    /// Whether it is as another configuration would make it, but for `idleConnectionsMax`, which may change.
    package func fits(_ configuration: Configuration) -> Bool {
        var same = configuration
        same.idleConnectionsMax = self.configuration.idleConnectionsMax
        return same == self.configuration
    }

    /// Connections that nobody uses: above it the longest idle one is closed.
    package var idleConnectionsMax: Int {
        get { context.idleConnectionsMax }
        set { context.idleConnectionsMax = newValue }
    }

    /// Told of each connection that is made, before anything is asked over it; nil for nobody.
    package var onConnected: ((NewConnection) -> Void)? {
        get { context.onConnected }
        set { context.onConnected = newValue }
    }

    /// Closes the connections that these options have made, which no transfer uses any more.
    package func closeConnections(of options: ConnectionOptions) {
        if lastDestination?.pool.options === options { lastDestination = nil }
        for (key, pool) in pools where key.options == ObjectIdentifier(options) {
            pool.close()
            pools[key] = nil
        }
    }

    /// Forgets the origins that nobody uses at the moment, if these options have made connections to more than so many: where URLs come
    /// from outside there is no end of them.
    package func forgetUnused(of options: ConnectionOptions, above countMax: Int) {
        let own = pools.filter { $0.key.options == ObjectIdentifier(options) }
        guard own.count > countMax else { return }
        if lastDestination?.pool.options === options { lastDestination = nil }
        for (key, pool) in own where pool.isUnused {
            pool.close()
            pools[key] = nil
        }
    }

    /// Cancels every transfer and closes every connection. A second call does nothing.
    package func close() {
        isClosed = true
        while let transfer = transfers.last { transfer.cancel() }
        for pool in pools.values { pool.close() }
        pools = [:]
        lastDestination = nil
    }
}

// MARK: - Transfers

extension Session {
    /// Starts the request. The caller sees to it that its transfer is cancelled when nobody reads it any more. The request is let go
    /// as soon as it cannot be needed again: a caller that keeps no copy holds no body while the answer comes.
    ///
    /// - Parameter wakeup: woken when there may be something new; several transfers that one task waits for can share it.
    /// - Throws: `HTTPError.invalidRequest` or `.unavailable`. What goes wrong later, the transfer tells.
    package func start(_ request: consuming HTTPRequest, waking wakeup: Wakeup) throws(HTTPError) -> Transfer {
        let transfer = try prepare(request, waking: wakeup)
        transfer.pool.begin(transfer)
        return transfer
    }

    /// Starts a request of whose answer nothing but the status matters: the body is dropped. No task waits for it.
    ///
    /// - Parameters:
    ///   - keepsStart: whether the first 8 KiB of the body are kept, for `takeBytes()` at its end.
    ///   - ended: called once on the loop's thread, in the midst of what has ended it, perhaps before this returns: with the
    ///     answer's status, or with how it failed.
    /// - Throws: as above.
    package func start(
        _ request: consuming HTTPRequest, keepsStart: Bool = false, ended: @escaping (Result<Int, HTTPError>) -> Void
    ) throws(HTTPError) -> Transfer {
        let transfer = try prepare(request, waking: Wakeup(on: loop))
        transfer.keepsStart = keepsStart
        transfer.onEnd = { transfer, result in
            switch result {
            case .failure(let error): ended(.failure(error))
            case .success:
                do throws(HTTPError) { ended(.success(try transfer.takeHead()?.status ?? 0)) } catch { ended(.failure(error)) }
            }
        }
        transfer.pool.begin(transfer)
        return transfer
    }

    /// A transfer that nobody works on yet.
    func prepare(_ request: consuming HTTPRequest, waking wakeup: Wakeup) throws(HTTPError) -> Transfer {
        loop.checkIsolated()
        guard !isClosed else { throw .unavailable(reason: "the session is closed") }
        try request.validate()
        let destination = try destination(of: request.url, request.options)
        let transfer = Transfer(request, to: destination, waking: wakeup, self)
        add(transfer)
        transfer.setDeadlines()
        return transfer
    }

    private func add(_ transfer: Transfer) {
        // As `OutputBuffer.change`.
        var transfers = exchange(&self.transfers, with: [])
        transfer.index = transfers.count
        transfers.append(transfer)
        self.transfers = transfers
    }

    /// From a transfer that has ended. The last one takes its index.
    func forget(_ transfer: Transfer) {
        var transfers = exchange(&self.transfers, with: [])
        let last = transfers.removeLast()
        if last !== transfer {
            transfers[transfer.index] = last
            last.index = transfer.index
        }
        self.transfers = transfers
    }

    /// A URL's parts, and the pool of its origin, which is made for its first request.
    ///
    /// - Throws: `HTTPError.invalidRequest` for a URL, or a proxy of the environment, that cannot be used.
    func destination(of text: String, _ options: ConnectionOptions) throws(HTTPError) -> Destination {
        if let last = lastDestination, last.pool.options === options, last.text == text { return last }
        let url = try RequestURL(text)
        let key = Pool.Key(origin: url.origin, options: ObjectIdentifier(options))
        let pool =
            if let known = pools[key] { known } else {
                Pool(url.origin, options, try route(to: url.origin, options), in: context)
            }
        pools[key] = pool
        let destination = Destination(text, url, pool)
        lastDestination = destination
        return destination
    }

    private func route(to origin: Origin, _ options: ConnectionOptions) throws(HTTPError) -> Route {
        if let fixedRoute { return fixedRoute }
        guard let proxy = try options.proxy.proxy(for: origin, in: .current) else {
            return Route(target: origin.dialTarget, proxy: nil)
        }
        return Route(target: .host(proxy.host, port: proxy.port), proxy: proxy)
    }

    /// Makes all connections to one unix socket, whatever host a URL names: no name is looked up, and no proxy asked.
    ///
    /// - Parameter address: an abstract one, without the NUL ahead of it.
    /// - Precondition: there was no request so far.
    package func connectLocally(to address: String) {
        precondition(pools.isEmpty)
        fixedRoute = Route(target: .abstract(name: address), proxy: nil)
    }
}

/// What is known of a connection once it is made.
package struct NewConnection: Sendable {
    /// Whether it speaks HTTP/2: the server's choice where it was offered.
    package let isHTTP2: Bool
    /// When the server's certificate is valid; nil without TLS.
    package let serverCertificate: CertificateValidity?
}

/// Where a request goes.
final class Destination {
    /// The whole URL, as the request has it.
    let text: String
    let url: RequestURL
    /// Of the URL's origin.
    let pool: Pool
    /// What stands behind the method in HTTP/1.1: the rest of the request line (RFC 9112 §3), and who is asked.
    let lines: [UInt8]
    /// The same in HTTP/2 (RFC 9113 §8.3.1).
    let list: FieldList

    init(_ text: String, _ url: RequestURL, _ pool: Pool) {
        (self.text, self.url, self.pool) = (text, url, pool)
        let proxy = pool.isTunnelled ? nil : pool.route.proxy
        var (lines, list) = ([UInt8(ascii: " ")], FieldList())
        // In absolute form (RFC 9112 §3.2.2).
        if proxy != nil { lines.append(utf8: "http://\(pool.authority)") }
        lines.append(utf8: "\(url.target) HTTP/1.1\r\n")
        if let authorization = proxy?.authorization { lines.appendField("Proxy-Authorization", authorization) }
        lines.appendField("Host", pool.authority)
        list.add(":scheme", pool.origin.isSecure ? "https" : "http")
        list.add(":authority", pool.authority)
        list.add(":path", url.target)
        (self.lines, self.list) = (lines, list)
    }
}

/// Where a pool's connections are made to, and what is asked there for the rest of the way.
struct Route {
    let target: DialTarget
    let proxy: Proxy?
}
