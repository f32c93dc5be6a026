// How a process does at a moment, for the metrics.

import Clock
import EventLoop
import Glibc
import Settings

/// Tells the metrics how this process does: when they are asked for, and where there are several processes each second, since another one
/// may be asked.
struct MetricGauges: Sendable {
    let metrics: Metrics
    let counters: Counters
    let reloader: Reloader
    let lostLogLines: @Sendable () -> Int

    func tell() async {
        let generation = await reloader.generation
        let (board, memory) = (generation.board, counters.memory)
        let own = MetricLabels(metrics.process)
        var values: [(metric: Metric, labels: MetricLabels, value: Int)] = [
            (.activeRequests, own, counters.active.now), (.openStreams, own, counters.streamsCount),
            (.targetsResting, own, board.restingCount(at: .current)), (.memoryUsed, own, memory.usedBytes),
            (.memoryLimit, own, memory.limit),
        ]
        for upstream in board.upstreamStatus {
            values.append((.upstreamOpen, MetricLabels(upstream.name), upstream.open))
            values.append((.upstreamQueued, MetricLabels(upstream.name), upstream.queued))
        }
        metrics.linesLost(total: lostLogLines())
        // The kernel may take its time for what it counts.
        if case .success(let usage) = await resultOnThread({ OwnUsage() }) {
            values.append((.residentMemory, own, usage.residentBytes))
            values.append((.openDescriptors, own, usage.descriptorsCount))
            values.append((.descriptorsLimit, own, usage.descriptorsLimit))
        }
        metrics.tell(values)
    }
}

/// What the kernel says that this process has; not for loops. What it does not say is 0.
struct OwnUsage: Sendable {
    let residentBytes: Int
    let descriptorsCount: Int
    let descriptorsLimit: Int

    init() {
        residentBytes = Self.residentPages * sysconf(Int32(_SC_PAGESIZE))
        var limit = rlimit()
        let isKnown = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        descriptorsLimit = isKnown ? Int(clamping: limit.rlim_cur) : 0
        descriptorsCount = Self.openCount ?? (errno == EMFILE ? descriptorsLimit : 0)
    }

    /// The second number of proc(5)'s statm.
    private static var residentPages: Int {
        do throws(SystemError) {
            let columns = try readFile("/proc/self/statm").split(separator: UInt8(ascii: " "))
            return columns.count > 1 ? Int(String(decoding: columns[1], as: UTF8.self)) ?? 0 : 0
        } catch {
            return 0
        }
    }

    /// But for the one by which it looks; nil where the kernel does not tell, with its reason in `errno`.
    private static var openCount: Int? {
        guard let folder = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        // The folder itself and the one above it are listed too.
        return max(0, count - 3)
    }
}
