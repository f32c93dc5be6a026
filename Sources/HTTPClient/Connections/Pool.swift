// The connections to one origin: who gets which, and when another one is made.

import Clock
import EventLoop

/// All connections of a session to one origin, and the transfers that wait for one.
///
/// Over HTTP/1 a connection serves one transfer at a time, over HTTP/2 many. Which of the two a server speaks over TLS shows when
/// the first connection is made; those who come until then wait for it together, and get another one when it takes too long.
final class Pool {
    struct Key: Hashable {
        let origin: Origin
        let options: ObjectIdentifier
    }

    let origin: Origin
    /// The origin's, which is put together once.
    let authority: String
    let options: ConnectionOptions
    let route: Route
    let context: SessionContext
    /// TLS sessions, for the next handshakes.
    let sessions = TLSSessions()
    /// HTTP/1: connections that nobody uses, the longest idle one first.
    private(set) var idle: [Connection] = []
    /// HTTP/2: connections that can take more streams, or whose streams have not ended yet.
    private(set) var shared: [Connection] = []
    /// Connections that are being made, in this order.
    private(set) var connecting: [Connection] = []
    /// How many of them are trials' own.
    private var trialCount = 0
    private(set) var waiting: [Transfer] = [] {
        didSet { if waiting.isEmpty { patience?.cancel() } }
    }
    /// Connections of HTTP/1 that transfers use.
    private(set) var busyCount = 0
    /// What the server speaks, once that is known.
    private(set) var version: Connection.Version?
    /// Told when idle connections were taken or lost.
    weak var warm: WarmConnections?
    private var patience: Timer?
    private var spareTimer: Timer?
    private var isClosed = false
    /// Whether those who wait are being given connections.
    private var isServing = false

    /// How many connections are made at most beside those that should do.
    private static let spareConnectionsMax = 7

    init(_ origin: Origin, _ options: ConnectionOptions, _ route: Route, in context: SessionContext) {
        self.origin = origin
        authority = origin.authority
        self.options = options
        self.route = route
        self.context = context
        version = options.version == .http2 ? .http2 : options.version == .http1 || !origin.isSecure ? .http1 : nil
    }

    /// Whether a proxy, if there is one, hands on what it does not read: of HTTP it knows HTTP/1.1 alone.
    var isTunnelled: Bool { origin.isSecure || options.version == .http2 }

    func close() {
        isClosed = true
        patience?.cancel()
        spareTimer?.cancel()
        for connection in connecting + idle + shared { connection.close() }
    }

    // MARK: Transfers

    /// Gives the transfer a connection, now or when there is one.
    func begin(_ transfer: Transfer) {
        guard !isClosed else { return transfer.fail(.cancelled) }
        if let connection = sharedConnection(for: transfer) { return connection.start(transfer) }
        if !transfer.isSecondAttempt, let connection = takeIdle() { return connection.start(transfer) }
        transfer.place = .waiting
        waiting.append(transfer)
        openMissing(transfer.connectTimeout)
    }

    /// The idle connection that was used last, of those on which nothing has come meanwhile: what has belongs to nobody.
    private func takeIdle() -> Connection? {
        guard let place = idle.lastIndex(where: \.isSilent) else { return nil }
        let connection = removeIdle(at: place)
        context.removeIdle(connection)
        busyCount += 1
        return connection
    }

    // Lists are taken out for a change and put in again, as `OutputBuffer.change` does.

    private func addIdle(_ connection: Connection) {
        var idle = exchange(&self.idle, with: [])
        idle.append(connection)
        self.idle = idle
    }

    @discardableResult private func removeIdle(at place: Int) -> Connection {
        var idle = exchange(&self.idle, with: [])
        let connection = idle.remove(at: place)
        self.idle = idle
        return connection
    }

    private func addShared(_ connection: Connection) {
        var shared = exchange(&self.shared, with: [])
        shared.append(connection)
        self.shared = shared
    }

    private func removeShared(_ connection: Connection) {
        var shared = exchange(&self.shared, with: [])
        shared.removeAll { $0 === connection }
        self.shared = shared
    }

    /// The transfer does not wait any more.
    func leave(_ transfer: Transfer) {
        if let place = waiting.firstIndex(where: { $0 === transfer }) { waiting.remove(at: place) }
        if trialCount > 0, let connection = connecting.first(where: { $0.trial === transfer }) { return connection.close() }
        while connectingForWaiting > connectingMax, let connection = leastPromising { connection.close() }
    }

    /// Of those in the making the oldest, if it seems to hang, else the youngest.
    private var leastPromising: Connection? {
        let patience = context.configuration.patience
        let oldest = connecting.first { $0.trial == nil }
        if let oldest, oldest.hangs(after: patience) <= context.loop.now { return oldest }
        return connecting.last { $0.trial == nil }
    }

    /// One that was kept may be as dead as the one before it: a server that ends has often closed all of them.
    private func sharedConnection(for transfer: Transfer) -> Connection? {
        shared.first { $0.hasRoom && (!transfer.isSecondAttempt || $0.begun >= transfer.attemptStart) }
    }

    /// In their order, but for second attempts that need a fresher connection than there is.
    ///
    /// A stream that ends as soon as it begins leaves room for the next: that one's turn comes here, not inside the one before.
    private func serveWaiting() {
        guard !isServing else { return }
        isServing = true
        defer { isServing = false }
        var place = 0
        while place < waiting.count {
            if let connection = sharedConnection(for: waiting[place]) {
                connection.start(waiting.remove(at: place))
            } else if waiting[place].isSecondAttempt {
                place += 1
            } else {
                break
            }
        }
        if !waiting.isEmpty { openMissing(waiting[0].connectTimeout) }
    }

    // MARK: Opening

    /// How many transfers a new connection will do for.
    private var transfersPerConnection: Int {
        switch version {
        case .http1: 1
        case .http2: max(1, options.streamsMax)
        case nil: .max
        }
    }

    private var neededConnections: Int {
        waiting.isEmpty ? 0 : (waiting.count - 1) / transfersPerConnection + 1
    }

    /// How many may be in the making, when those that were needed take too long.
    private var connectingMax: Int { neededConnections + min(waiting.count, Self.spareConnectionsMax) }

    /// A trial's connection serves others too, unless it is known to be HTTP/1's.
    private var connectingForWaiting: Int { version == .http1 ? connecting.count - trialCount : connecting.count }

    private func openMissing(_ timeout: Duration) {
        while connectingForWaiting < neededConnections { open(within: timeout) }
        if !waiting.isEmpty { setPatience() }
    }

    /// The first step may fail, and so change everything, before this returns.
    private func open(within timeout: Duration, for trial: Transfer? = nil) {
        let connection = Connection(in: self, for: trial)
        connecting.append(connection)
        if trial != nil { trialCount += 1 }
        connection.open(within: timeout)
    }

    /// Opens a connection that stands ready for others, by a request where HTTP/1 is spoken.
    func beginTrial(_ trial: Transfer) {
        trial.place = .waiting
        open(within: trial.connectTimeout, for: trial)
    }

    /// A hanging handshake must not hold up all who come after it, and whoever comes must not put off the others' patience.
    private func setPatience() {
        let timer = patience ?? Timer(on: context.loop) { [unowned self] in losePatience() }
        patience = timer
        if !timer.isSet { timer.set(at: .current + context.configuration.patience) }
    }

    /// Not with one that has just come a step further: to the server's next address, when one is deaf, or to the handshake with a
    /// distant server.
    private func losePatience() {
        guard let first = waiting.first else { return }
        let limit = context.configuration.patience
        if let due = connecting.map({ $0.hangs(after: limit) }).max(), due > context.loop.now {
            patience?.set(at: due)
            return
        }
        if connectingForWaiting < connectingMax { open(within: first.connectTimeout) }
        if !waiting.isEmpty { setPatience() }
    }

    // MARK: - From connections

    /// It can take its first transfer.
    func opened(_ connection: Connection, _ version: Connection.Version) {
        _ = removeConnecting(connection)
        self.version = version
        switch version {
        case .http1:
            busyCount += 1
            if let trial = connection.trial {
                connection.start(trial)
            } else {
                release(connection)
            }
            if !waiting.isEmpty { openMissing(waiting[0].connectTimeout) }
        case .http2:
            addShared(connection)
            connection.trial?.finish(isKept: true)
            serveWaiting()
            // Those that were opened beside it are of no use now.
            if waiting.isEmpty { for other in connecting where other.trial == nil { other.close() } }
        }
    }

    /// HTTP/1: it can take a transfer. What has come meanwhile on one that has served others belongs to nobody.
    func release(_ connection: Connection) {
        if isClosed { return connection.close() }
        if let place = waiting.firstIndex(where: { !$0.isSecondAttempt || connection.isFresh }),
            connection.isFresh || connection.isSilent
        {
            return connection.start(waiting.remove(at: place))
        }
        // Whoever gets it later may find it dead.
        connection.isFresh = false
        busyCount -= 1
        addIdle(connection)
        context.addIdle(connection)
    }

    /// HTTP/2: a stream has ended, or the server allows more.
    func roomAppeared() { if !waiting.isEmpty { serveWaiting() } }

    /// HTTP/2: a connection has no streams. What a burst has needed beside it is closed some time later.
    func becameIdle() {
        guard shared.count > 1, !isClosed else { return }
        let timer = spareTimer ?? Timer(on: context.loop) { [unowned self] in closeSpare() }
        spareTimer = timer
        if !timer.isSet { timer.set(at: context.loop.now + context.configuration.spareTime) }
    }

    /// All but one of those that were idle for long enough: calls take the first that has room.
    private func closeSpare() {
        let (now, spareTime) = (context.loop.now, context.configuration.spareTime)
        let spare = shared.filter { $0.idleSince != nil }.dropFirst(shared.contains { $0.idleSince == nil && $0.hasRoom } ? 0 : 1)
        for connection in spare where connection.idleSince.map({ $0 + spareTime <= now }) ?? false { connection.close() }
        let next = spare.compactMap(\.idleSince).min()
        if let next { spareTimer?.set(at: next + spareTime) }
    }

    /// It is closed. While it was being made, `error` says why.
    func closed(_ connection: Connection, _ error: HTTPError?) {
        if removeConnecting(connection) {
            if let error { failed(connection, error) }
            // One that was to serve others too may have been its trial's own to close.
            if !isClosed, let first = waiting.first { openMissing(first.connectTimeout) }
        } else if shared.contains(where: { $0 === connection }) {
            removeShared(connection)
            context.removeIdle(connection)
            if !isClosed { roomAppeared() }
            warm?.lostIdle()
        } else if let place = idle.lastIndex(where: { $0 === connection }) {
            removeIdle(at: place)
            context.removeIdle(connection)
            warm?.lostIdle()
        } else {
            busyCount -= 1
        }
    }

    /// Whether it was in the making.
    private func removeConnecting(_ connection: Connection) -> Bool {
        guard let place = connecting.firstIndex(where: { $0 === connection }) else { return false }
        connecting.remove(at: place)
        if connection.trial != nil { trialCount -= 1 }
        return true
    }

    /// Who waits and has no connection in the making any more gets the error; its own time limit tells each waiting transfer itself.
    private func failed(_ connection: Connection, _ error: HTTPError) {
        if let trial = connection.trial { trial.fail(error) }
        if case .timedOut = error { return }
        let served = connectingForWaiting.multipliedReportingOverflow(by: transfersPerConnection)
        let room = served.overflow ? .max : served.partialValue
        while waiting.count > room { waiting.removeFirst().fail(error) }
    }

    // MARK: Counts

    /// Connections that are open, whoever uses them.
    var openCount: Int { idle.count + busyCount + shared.count }

    /// Whether no transfer has one or waits for one.
    var isUnused: Bool {
        waiting.isEmpty && connecting.isEmpty && busyCount == 0 && shared.allSatisfy { $0.idleSince != nil }
    }
}
