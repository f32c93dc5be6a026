// One core's share of the server: a loop, and all that lives on it.

import Clock
import EventLoop
import FastCGI
import Logging
import Settings

/// Accepts connections and answers their requests, from the first byte to the last on its own loop.
actor Worker {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let logger: Logger
    private let counters: Counters
    private let buffers: SharedBuffers
    let handler: ChatHandler
    private let idle: Wakeup
    private var listeners: [Listener] = []
    private var isDraining = false
    /// What is ready to serve the requests to come, and waits for the other workers to be so too.
    private var prepared: WorkerGeneration?
    /// Where former generations have counted: requests that are open still, or what was not told yet, may need them.
    private var formerStores: [BudgetStore] = []
    /// The last error of accept(2), which is logged with the number of times; nil when there was none.
    private var acceptFailure: SystemError?
    /// For the times that are logged together, a minute after the first.
    private var acceptFailureTimer: Timer?
    // Both have room for some from the start, so that the first caller does not wait for that.
    private var connections = [Int32: Connection](minimumCapacity: 64)
    private var tasks = [Int32: Task<Void, Never>](minimumCapacity: 64)

    /// - Throws: `SystemError` or `HTTPError` when the process is out of descriptors or memory.
    init(_ generation: Generation, logger: Logger, log: sending RequestLog, counters: Counters) throws {
        self.logger = logger
        self.counters = counters
        loop = try EventLoop()
        loop.onDefect = { [logger] in logger.loopDefect($0) }
        idle = Wakeup(on: loop)
        buffers = try SharedBuffers()
        handler = ChatHandler(
            try WorkerGeneration(generation, on: loop, logger), on: loop, logger: logger, log: log, counters: counters)
    }

    /// Begins to accept as soon as the loop runs.
    ///
    /// - Parameter pages: what is told of the process to those whom the web server lets ask.
    nonisolated func start(_ sockets: [ListeningSocket], _ pages: StatusPages) {
        Task(executorPreference: loop) { await self.begin(sockets, pages) }
    }

    private func begin(_ sockets: [ListeningSocket], _ pages: StatusPages) {
        handler.pages = pages
        handler.generation.takeEffect()
        listen(sockets)
    }

    /// Accepts connections from now on, unless it drains.
    func listen(_ sockets: [ListeningSocket]) {
        guard !isDraining else { return }
        listeners = sockets.map { socket in
            Listener(
                socket, on: loop, onRefusal: { [unowned self] in refused($0) },
                onFailure: { [unowned self] in acceptFailed($0) }, handler: { [unowned self] in accept($0) })
        }
    }

    /// Accepts nothing until it is to listen again: whoever connects waits in the kernel.
    ///
    /// - Returns: whether there is no request, neither one that is answered nor one on its way in.
    func standAside() -> Bool {
        for listener in listeners { listener.close() }
        listeners = []
        return requests(atMost: 0).count == 0
    }

    /// Answers the requests of one connection, and returns when it has ended.
    func serve(_ connection: consuming Descriptor) async {
        let number = connection.number
        accept(connection)
        await tasks[number]?.value
    }

    private func accept(_ descriptor: consuming Descriptor) {
        let number = descriptor.number
        counters.connectionAccepted()
        let settings = handler.generation.shared.settings
        do {
            let connection = try Connection(
                descriptor, on: loop, sharing: buffers, limits: settings.scannerLimits, timeouts: settings.connectionTimeouts,
                budget: counters.memory)
            connections[number] = connection
            tasks[number] = Task(executorPreference: loop) { await self.serve(number) }
        } catch {
            logger.connectionFailed(error)
        }
    }

    /// The life of one connection: its requests, one after another.
    private func serve(_ number: Int32) async {
        guard let connection = connections[number] else { return }
        let leave = { [unowned self] in if let task = tasks[number] { task.cancel() } }
        while let request = await connection.nextRequest() {
            connection.onCallerLeft = handler.generation.shared.settings.onDisconnect == .cancel ? leave : nil
            await handler.answer(request, Response(on: connection))
        }
        if let refusal = connection.refusal { refused(refusal) }
        connections[number] = nil
        tasks[number] = nil
        if connections.isEmpty { idle.wake() }
    }

    private func refused(_ reason: ConnectionRefusal) {
        let (total, isFirstStranger) = counters.connectionRefused(reason)
        logger.connectionRefused(reason, total: total, isWarning: isFirstStranger)
    }

    /// Told by all workers together: at once, and the further times when a minute is over.
    private func acceptFailed(_ error: SystemError) {
        acceptFailure = error
        tellAcceptFailures(counters.acceptFailed(at: loop.now))
    }

    private func tellAcceptFailures(_ times: Int?) {
        guard let times, let acceptFailure else { return }
        logger.acceptFailed(acceptFailure, times: times)
        let timer =
            acceptFailureTimer
            ?? Timer(on: loop) { [unowned self] in
                tellAcceptFailures(counters.acceptFailuresUntold(at: loop.now))
            }
        acceptFailureTimer = timer
        timer.set(at: loop.now + AcceptFailures.pause)
    }

    /// Comes back when its loop has turned; never from one that hangs.
    ///
    /// - Parameter acceptsPending: whether it also accepts what nobody has heard of, for want of another process that was to.
    func turn(acceptsPending: Bool = false) {
        if acceptsPending { for listener in listeners { listener.acceptPending() } }
    }

    /// The requests that it is answering, and those that are on their way in.
    ///
    /// - Parameter countMax: how many of each are listed at most.
    func requests(atMost countMax: Int) -> Status.Requests {
        let now = loop.now
        let arrivals = connections.values.lazy.compactMap(\.arrival)
        var requests = Status.Requests()
        requests.count = handler.requests.count + arrivals.count
        requests.listed =
            handler.requests.oldest(atMost: countMax).map { Status.Request($0, at: now) }
            + arrivals.prefix(countMax).map { Status.Request($0, at: now) }
        return requests
    }

    // MARK: Generations

    /// Makes what a generation needs on this loop, beside the present one.
    ///
    /// - Throws: as `Upstreams`; then nothing has changed.
    func prepare(_ generation: Generation) throws {
        prepared = try WorkerGeneration(generation, replacing: handler.generation, on: loop, logger)
    }

    /// Another worker could not be prepared.
    func discard() { prepared = nil }

    /// Requests that begin from now on are served by what was prepared.
    func adopt() {
        guard let next = exchange(&prepared, with: nil) else { return }
        let former = handler.generation
        former.upstreams.retire()
        next.takeEffect()
        if let store = former.store, store !== next.store {
            store.retire()
            formerStores.append(store)
        }
        forgetStores()
        handler.adopt(next)
        let settings = next.shared.settings
        for connection in connections.values { connection.change(settings.scannerLimits, settings.connectionTimeouts) }
    }

    /// Those that no request has any more, and that have been told all.
    private func forgetStores() {
        for place in formerStores.indices.reversed() where !formerStores[place].owes {
            if isKnownUniquelyReferenced(&formerStores[place]) { formerStores.remove(at: place) }
        }
    }

    // MARK: The end

    /// Accepts nothing more, and returns when all requests are answered; those that are not by the limit are broken off.
    func drain(within limit: Duration) async {
        isDraining = true
        for listener in listeners { listener.drain() }
        listeners = []
        acceptFailureTimer?.cancel()
        for connection in connections.values { connection.drain() }
        let deadline = Instant.current + limit
        while !connections.isEmpty, loop.now < deadline { await idle.wait(until: deadline) }
        for task in tasks.values { task.cancel() }
        let end = Instant.current + .seconds(1)
        while !connections.isEmpty, loop.now < end { await idle.wait(until: end) }
        for connection in connections.values { connection.abandon() }
        while !connections.isEmpty { await idle.wait() }
        let lastDeadline = Instant.current + .seconds(1)
        for store in formerStores + [handler.generation.store].compactMap(\.self) { await store.settleAll(until: lastDeadline) }
        await handler.exporter.end(until: .current + .seconds(1))
    }
}

extension Settings {
    var scannerLimits: RecordScanner.Limits {
        RecordScanner.Limits(
            parametersBytesMax: limits.parametersBytes, bodyBytesMax: limits.bodyBytes, requestsMax: limits.requests)
    }

    var connectionTimeouts: Connection.Timeouts {
        // Whoever waits for longer has no use of an answer either.
        Connection.Timeouts(request: timeouts.request, memory: timeouts.firstToken, write: timeouts.clientWrite)
    }
}
