// Spans that wait to be sent.

import Chat

/// Spans in the order of their requests' ends, as many as there is room for: what comes when it is full is not taken.
struct TraceQueue {
    /// What is sent at once.
    struct Batch {
        /// A whole request body.
        let body: [UInt8]
        let count: Int
    }

    /// What it has room for.
    static let (spansMax, bytesMax) = (2048, 1 << 20)
    /// What is sent at once: what is beyond waits for the next time.
    static let (batchSpansMax, batchBytesMax) = (512, 256 << 10)

    private var traces: [EncodedSpans] = []
    /// How many spans wait.
    private(set) var count = 0
    private var bytesCount = 0

    /// Whether there is as much as is sent at once.
    var hasWholeBatch: Bool { count >= Self.batchSpansMax || bytesCount >= Self.batchBytesMax }

    /// - Returns: false where there is no room for it.
    mutating func add(_ trace: EncodedSpans) -> Bool {
        guard count + trace.count <= Self.spansMax, bytesCount + trace.bytes.count <= Self.bytesMax else { return false }
        traces.append(trace)
        count += trace.count
        bytesCount += trace.bytes.count
        return true
    }

    /// Takes out what is sent next; nil where nothing waits.
    ///
    /// - Parameter start: of the body, as `start(of:)` has it.
    mutating func takeBatch(behind start: [UInt8]) -> Batch? {
        var (body, spansCount, tracesCount) = (start, 0, 0)
        for trace in traces {
            let isTooMuch = spansCount + trace.count > Self.batchSpansMax || body.count + trace.bytes.count > Self.batchBytesMax
            if tracesCount > 0, isTooMuch { break }
            if tracesCount > 0 { body.append(UInt8(ascii: ",")) }
            body += trace.bytes
            spansCount += trace.count
            tracesCount += 1
            bytesCount -= trace.bytes.count
        }
        guard tracesCount > 0 else { return nil }
        traces.removeFirst(tracesCount)
        count -= spansCount
        body.append("]}]}]}")
        return Batch(body: body, count: spansCount)
    }

    /// Lets go of all that waits.
    ///
    /// - Returns: how many spans it was.
    mutating func removeAll() -> Int {
        defer { self = TraceQueue() }
        return count
    }

    /// `ExportTraceServiceRequest` up to its first span.
    ///
    /// - Parameter service: the name of who sends it.
    static func start(of service: String) -> [UInt8] {
        var start: [UInt8] = []
        start.append(#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"#)
        start.appendJSONString(service)
        start.append(#"}},{"key":"service.version","value":{"stringValue":"#)
        start.appendJSONString(sluiceVersion)
        start.append(#"}}]},"scopeSpans":[{"scope":{"name":"sluice","version":"#)
        start.appendJSONString(sluiceVersion)
        start.append(#"},"spans":["#)
        return start
    }
}
