// The process: its workers, the sockets that they share, and the signals that end it.

import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Synchronization

/// Begins with `run`, which returns when a signal has ended it.
final class Server: Sendable {
    private let generation: Generation
    private let logger: Logger
    private let sockets: Mutex<[ListeningSocket]>
    private let workers: [Worker]
    private let isDraining = Atomic<Bool>(false)

    private static let endingSignals = [SIGTERM, SIGINT]
    /// Other daemons read their settings or open their logs again for some of these; the kernel would end the process for each.
    private static let ignoredSignals = [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR]

    /// Serves on the calling thread and on one more per further worker; returns when all streams have ended after a signal.
    ///
    /// - Throws: `ListenError` when an address cannot be used, `SystemError` when the machine has no more threads or descriptors.
    static func run(_ settings: Settings, _ logger: Logger) throws {
        // Before there is a socket to connect to: a signal that comes early waits until it is watched for.
        try SignalWatch.block(Self.endingSignals + Self.ignoredSignals)
        returnLargeMemory()
        try raiseDescriptorLimit()
        let budget = try DescriptorBudget(settings)
        if !budget.isEnough { logger.fewDescriptors(budget.limit, requests: settings.limits.requests) }
        Rehearsal.run(logger)
        let server = try Server(Generation(settings, logger), logger)
        try server.run()
    }

    private init(_ generation: Generation, _ logger: Logger) throws {
        self.generation = generation
        self.logger = logger
        let settings = generation.settings
        let activation = SocketActivation.take()
        let sockets = try ListeningSocket.open(settings.listen, access: settings.socket, activation: activation)
        self.sockets = Mutex(sockets)
        logger.listens(settings, sockets, unserved: activation.unserved(by: sockets))
        // libfcgi installs signal handlers when the first worker initializes it; ours come after that.
        let counters = Counters(settings.limits)
        workers = try (0..<settings.workers).map { _ in
            try Worker(
                generation, logger: logger, log: RequestLog(level: settings.logLevel, to: .standardError), counters: counters)
        }
    }

    private func run() throws {
        let first = workers[0]
        let signals = try SignalWatch(Self.endingSignals + Self.ignoredSignals, on: first.loop) { [unowned self] in
            if Self.ignoredSignals.contains($0) { logger.ignored(signal: $0) } else { signalled($0) }
        }
        for worker in workers {
            worker.start(sockets.withLock { $0 })
            if worker !== first { try startThread { worker.loop.run() } }
        }
        logger.serving(generation.settings)
        first.loop.run()
        signals.cancel()
        logger.drained()
    }

    private func signalled(_ number: Int32) {
        guard !isDraining.exchange(true, ordering: .relaxed) else {
            logger.endingAtOnce()
            closeSockets()
            exit(128 + number)
        }
        let limit = generation.settings.timeouts.drain
        logger.draining(limit)
        closeSockets()
        Task(executorPreference: workers[0].loop) {
            await withTaskGroup(of: Void.self) { group in
                for worker in self.workers {
                    group.addTask(executorPreference: worker.loop) { await worker.drain(within: limit) }
                }
            }
            for worker in self.workers { worker.loop.stop() }
        }
    }

    /// Nobody connects any more; the workers accept whoever has.
    private func closeSockets() {
        for socket in sockets.withLock({ exchange(&$0, with: []) }) { socket.removePath() }
    }
}
