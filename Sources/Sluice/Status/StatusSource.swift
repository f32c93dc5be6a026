// Puts a status together: all that it takes, in one place.

import Clock
import EventLoop
import FastCGI
import Glibc
import Settings
import Synchronization

/// Where this process's status comes from.
struct StatusSource: Sendable {
    let workers: [Worker]
    let counters: Counters
    let reloader: Reloader
    /// When the process began: seconds since 1970, and the moment.
    let start: (time: Int, moment: Instant)
    /// The sockets on which it listens, as long as it does.
    let sockets: @Sendable () -> [ListeningSocket]
    let isDraining: @Sendable () -> Bool
    let lostLogLines: @Sendable () -> Int
    /// Which of several processes this is; nil for one alone.
    var part: (place: Int, count: Int)?

    /// A worker that has not told of its requests by then stands still.
    private static let timeForWorkers = Duration.seconds(1)

    /// All but the listening sockets.
    ///
    /// - Parameters:
    ///   - isFull: with each request that is being answered.
    ///   - loop: on which it runs.
    func status(isFull: Bool, on loop: EventLoop) async -> Status {
        let requests = isFull ? await Self.requests(of: workers, on: loop, within: Self.timeForWorkers) : nil
        let (generation, lastReload) = await (reloader.generation, reloader.lastReload)
        let (active, connections) = (counters.active, counters.connectionsCount)
        return Status(
            head: Status.Head(
                pid: Int(getpid()), isDraining: isDraining(), startTime: start.time, uptime: .current - start.moment,
                generation: generation.number, lastReload: lastReload, lostLogLines: lostLogLines(), part: part),
            workers: workers.count,
            acceptedConnections: connections.accepted, refusedConnections: connections.refused, active: active.now,
            maxActive: active.max, memory: (counters.memory.usedBytes, counters.memory.limit),
            counts: counters.statistics.counts, upstreams: generation.board.upstreamStatus,
            targets: generation.board.status(of: generation.routes, at: .current), requests: requests,
            budgetStore: generation.storeHealth?.snapshot)
    }

    /// Asks each worker on its own loop. One that hangs is not waited for.
    static func requests(of workers: [Worker], on loop: EventLoop, within limit: Duration) async -> Status.Requests {
        let parts = Parts()
        let wakeup = Wakeup(on: loop)
        let remote = wakeup.remote
        for worker in workers {
            Task(executorPreference: worker.loop) {
                parts.add(await worker.requests(atMost: Status.Requests.countMax))
                remote.wake()
            }
        }
        var deadline = Instant.current + limit
        while parts.all.count < workers.count {
            let late = Instant.current - deadline
            // A process that has stood still itself has not heard them yet.
            if late > limit / 10 { deadline = .current + limit } else if late >= .zero { break }
            await wakeup.wait(until: deadline)
        }
        let all = parts.all
        return Status.Requests(all, silentWorkers: workers.count - all.count)
    }
}

/// What the workers have told so far.
private final class Parts: Sendable {
    private let parts = Mutex<[Status.Requests]>([])

    var all: [Status.Requests] { parts.withLock { $0 } }

    func add(_ part: Status.Requests) { parts.withLock { $0.append(part) } }
}
