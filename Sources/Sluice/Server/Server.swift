// The process: its workers, the socket that they share, and the signals that end it.

import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Synchronization

/// Begins with `run`, which returns when a signal has ended it.
final class Server: Sendable {
    private let generation: Generation
    private let log: Log
    private let logger: Logger
    private let socket: Mutex<ListeningSocket?>
    private let workers: [Worker]
    private let isDraining = Atomic<Bool>(false)

    private static let endingSignals = [SIGTERM, SIGINT]
    private static let reopeningSignal = SIGUSR1
    private static let signals = endingSignals + [reopeningSignal] + ignoredSignals
    /// Other daemons read their settings or open their logs again for some of these; the kernel would end the process for each.
    private static let ignoredSignals = [SIGHUP, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR]

    /// Serves on the calling thread and on one more per further worker; returns when all streams have ended after a signal.
    ///
    /// - Throws: `SystemError` when the address cannot be used or the machine has no more threads or descriptors.
    static func run(_ settings: Settings, _ log: Log) throws {
        let logger = log.logger
        // Before there is a socket to connect to: a signal that comes early waits until it is watched for.
        try SignalWatch.block(Self.signals)
        returnLargeMemory()
        try raiseDescriptorLimit()
        let budget = try DescriptorBudget(settings)
        if !budget.isEnough { logger.fewDescriptors(budget.limit, requests: settings.limits.requests) }
        Rehearsal.run(logger)
        let server = try Server(Generation(settings, logger), log)
        try server.run()
    }

    private init(_ generation: Generation, _ log: Log) throws {
        let logger = log.logger
        self.generation = generation
        (self.log, self.logger) = (log, logger)
        let settings = generation.settings
        socket = Mutex(try ListeningSocket(settings.listen, access: settings.socket))
        // libfcgi installs signal handlers when the first worker initializes it; ours come after that.
        let counters = Counters(settings.limits)
        workers = try (0..<settings.workers).map { _ in
            try Worker(generation, logger: logger, log: RequestLog(log), counters: counters)
        }
    }

    private func run() throws {
        let first = workers[0]
        let signals = try SignalWatch(Self.signals, on: first.loop) { [unowned self] number in
            switch number {
            case Self.reopeningSignal where log.reopen(): break
            case _ where Self.endingSignals.contains(number): signalled(number)
            default: logger.ignored(signal: number)
            }
        }
        for worker in workers {
            if let socket = socket.withLock({ $0 }) { worker.start(socket) }
            if worker !== first { try startThread { worker.loop.run() } }
        }
        logger.serving(generation.settings)
        first.loop.run()
        signals.cancel()
        logger.drained()
        log.flush(within: .seconds(1))
    }

    private func signalled(_ number: Int32) {
        guard !isDraining.exchange(true, ordering: .relaxed) else {
            logger.endingAtOnce()
            closeSocket()
            log.flush(within: .seconds(1))
            exit(128 + number)
        }
        let limit = generation.settings.timeouts.drain
        logger.draining(limit)
        closeSocket()
        Task(executorPreference: workers[0].loop) {
            await withTaskGroup(of: Void.self) { group in
                for worker in self.workers {
                    group.addTask(executorPreference: worker.loop) { await worker.drain(within: limit) }
                }
            }
            for worker in self.workers { worker.loop.stop() }
        }
    }

    /// The path goes with the last owner, and with it the chance to connect.
    private func closeSocket() { socket.withLock { $0 = nil } }
}
