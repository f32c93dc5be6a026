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
        let call = try ChatRequest(body: Array(body.dropLast()) + Array(Self.call.utf8), depthMax: Self.depthMax)
        let finding = batches.fields("find") { Self.paths.texts(in: call).allSatisfy { $0 != nil } }
        return (["body_bytes=\(body.count)", "upstream_bytes=\(upstreamBody(of: chat).count)"] + reading + assembling + finding)
            .joined(separator: " ")
    }

    /// What a voice platform adds, in place of the body's last brace.
    private static let call = #"""
        ,"call":{"id":"c-1","orgId":"o-1","createdAt":"2026-11-29T01:37:09.867Z","type":"inboundPhoneCall","status":"in-progress",
        "assistantId":"7d0f1e52-8a21-4c55-9d0e-1f2a3b4c5d6e","phoneCallProvider":"twilio","phoneCallTransport":"pstn"},
        "phoneNumber":{"id":"p-1","number":"+4930654321"},"customer":{"number":"+4930123456"},"metadata":{"tenant":"north"}}
        """#
    /// What conditions of the settings look for: `when`.
    private static let paths = RequestPaths(
        ["call.assistantId", "metadata.tenant", "customer.number", "phoneNumber.id"].compactMap { RequestPath($0) })

    private func read() throws(ChatError) -> ChatRequest { try ChatRequest(body: body, depthMax: Self.depthMax) }

    private func upstreamBody(of chat: ChatRequest) -> [UInt8] { chat.upstreamBody(UpstreamRules()).bytes }
}
