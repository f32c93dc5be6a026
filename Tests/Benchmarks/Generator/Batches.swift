// How long a piece of work takes, without any server: one thread, the same again and again.

import Glibc

/// Times work in batches of up to a millisecond, whose best and median tell how disturbed it was.
struct Batches {
    let count: Int
    /// How often the work is done in each.
    let size: Int

    init(_ options: inout Options, size: Int) throws(UsageError) {
        count = try options.number("batches", default: 500)
        guard count > 0 else { throw UsageError("--batches takes a number above 0") }
        self.size = size
    }

    /// Times `work`, whose result must be true: it cannot be left out, and it did what it should.
    /// - Returns: `NAME_best_ns=…` and `NAME_median_ns=…`, each for one time.
    func fields(_ name: String, _ work: () throws -> Bool) rethrows -> [String] {
        var times: [Int] = []
        for _ in 0..<count {
            let start = cpuNanoseconds()
            for _ in 0..<size {
                let isRight = try work()
                precondition(isRight, "\(name) does what it should")
            }
            times.append((cpuNanoseconds() - start) / size)
        }
        times.sort()
        return ["\(name)_best_ns=\(times[0])", "\(name)_median_ns=\(times[count / 2])"]
    }

    /// This thread's time on a CPU: what other processes took meanwhile is not in it.
    private func cpuNanoseconds() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
