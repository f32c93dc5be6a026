// How fast a request is read and the upstream's is put together.

import Chat

/// Measures `ChatRequest` on one body.
struct Scan {
    private let body: [UInt8]
    private let batches: Batches

    /// Sluice's own limit.
    private static let depthMax = 64

    init(_ options: inout Options) throws(UsageError) {
        let opening = try RequestBody(options.text("body", default: "long")).opening
        let shape = StreamShape(events: 1, interval: 0, delay: 0)
        body = Array(StreamRequest(number: 1, shape: shape, opening: opening).body.utf8)
        batches = try Batches(&options, size: 100)
    }

    /// Returns `NAME_best_ns=… NAME_median_ns=…`, each for one request.
    func run() throws -> String {
        let chat = try read()
        let reading = try batches.fields("read") { try read().isStreaming }
        let assembling = batches.fields("assemble") { !upstreamBody(of: chat).isEmpty }
        return (["body_bytes=\(body.count)", "upstream_bytes=\(upstreamBody(of: chat).count)"] + reading + assembling)
            .joined(separator: " ")
    }

    private func read() throws(ChatError) -> ChatRequest { try ChatRequest(body: body, depthMax: Self.depthMax) }

    private func upstreamBody(of chat: ChatRequest) -> [UInt8] { chat.upstreamBody(UpstreamRules()).bytes }
}
