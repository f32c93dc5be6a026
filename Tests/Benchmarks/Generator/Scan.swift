// How fast a request is read and the upstream's is put together, without any server: one thread, the same body again and again.

import Chat
import Glibc

/// Measures `ChatRequest` on one body in batches of about a millisecond, whose best and median tell how disturbed it was.
struct Scan {
    private let body: [UInt8]
    private let batches: Int

    private static let requestsInBatch = 100
    /// Sluice's own limit.
    private static let depthMax = 64

    init(_ options: inout Options) throws(UsageError) {
        let opening = try RequestBody(options.text("body", default: "long")).opening
        let shape = StreamShape(events: 1, interval: 0, delay: 0)
        body = Array(StreamRequest(number: 1, shape: shape, opening: opening).body.utf8)
        batches = try options.number("batches", default: 500)
        guard batches > 0 else { throw UsageError("--batches takes a number above 0") }
    }

    /// Returns `NAME_best_ns=… NAME_median_ns=…`, each for one request.
    func run() throws -> String {
        let chat = try read()
        let reading = try fields("read") { try read().isStreaming }
        let assembling = try fields("assemble") { !upstreamBody(of: chat).isEmpty }
        return (["body_bytes=\(body.count)", "upstream_bytes=\(upstreamBody(of: chat).count)"] + reading + assembling)
            .joined(separator: " ")
    }

    private func read() throws(ChatError) -> ChatRequest { try ChatRequest(body: body, depthMax: Self.depthMax) }

    private func upstreamBody(of chat: ChatRequest) -> [UInt8] { chat.upstreamBody(UpstreamRules()) }

    /// Times `work`, whose result must be true: it cannot be left out, and it did what it should.
    private func fields(_ name: String, _ work: () throws -> Bool) throws -> [String] {
        var batchTimes: [Int] = []
        for _ in 0..<batches {
            let start = cpuNanoseconds()
            for _ in 0..<Self.requestsInBatch {
                let isRight = try work()
                precondition(isRight, "the body asks for a stream and has members")
            }
            batchTimes.append((cpuNanoseconds() - start) / Self.requestsInBatch)
        }
        batchTimes.sort()
        return ["\(name)_best_ns=\(batchTimes[0])", "\(name)_median_ns=\(batchTimes[batches / 2])"]
    }

    /// This thread's time on a CPU: what other processes took meanwhile is not in it.
    private func cpuNanoseconds() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
