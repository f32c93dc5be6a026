// What a caller who leaves comes to.

import TestSupport

extension FrontGroup {
    /// Each request that is left is asked of the upstream no longer, while another one of a caller who stays goes on.
    static let leaving = FrontGroup(
        settings: "heartbeat = \"300ms\"\n" + plainSettings,
        rows: [
            leaving("the caller leaves before the first token") { try await $0.leaves("<before>", after: nil) },
            leaving("the caller leaves between events") { try await $0.leaves("<between>", after: "one") },
            FrontRow("the caller leaves while the answer does not stream", gaps: atTheEnd) { front in
                front.replies["mute"] = .silence
                let leaving = try front.site.call(chat("<mute> I leave", stream: false))
                let request = try await front.site.upstream.request(containing: "<mute> I leave")
                leaving.close()
                try await request.closedByPeer()
            },
            FrontRow("the caller leaves while it still sends") { front in
                for client in [Client.plain, .curlHTTP2] {
                    let partial = try front.partial("<partial>")
                    partial.close()
                    try await front.answers(chat("behind \(client)"), over: client)
                }
                try expect(
                    !front.site.upstream.requests.value.contains { $0.text.contains("<partial>") }, "the upstream was asked")
            },
        ])

    /// The heartbeat finds out where the server does not look.
    private static func leaving(_ name: String, _ run: @escaping @Sendable (FrontSite) async throws -> Void) -> FrontRow {
        let gap = FrontRow.Gap(
            "heartbeat", "It finds out when it writes: Sluice's `heartbeat`, or the next event, ends such a call.", run)
        return FrontRow(name, gaps: unnoticed(gap), run)
    }

    private static func unnoticed(_ gap: FrontRow.Gap) -> [WebServer: FrontRow.Gap] {
        Dictionary(uniqueKeysWithValues: WebServer.allCases.filter { !$0.noticesLeavingClients }.map { ($0, gap) })
    }

    private static let atTheEnd = unnoticed(
        FrontRow.Gap(
            "at its end",
            "It finds out when it writes, and there is nothing to write before the end: such an answer is made and paid for, within `timeouts.total`."
        ))
}

extension FrontSite {
    /// - Parameter text: what the caller has got when it leaves.
    fileprivate func leaves(_ name: String, after text: String?) async throws {
        let begin = text.map { [Reply.Step.text(Chunks.role()), .text(Chunks.content($0))] } ?? []
        for client in [Client.plain, .curlHTTP2] {
            replies[String(name.dropFirst().dropLast())] = text == nil ? .silence : Reply(begin + [.silence])
            let staying = try site.call(chat("\(name) I stay, \(client)"), over: client)
            let stays = try await site.upstream.request(containing: "\(name) I stay, \(client)")
            let leaving = try site.call(chat("\(name) I leave, \(client)"), over: client)
            let request = try await site.upstream.request(containing: "\(name) I leave, \(client)")
            if let text { try await leaving.arrival(of: text) }
            leaving.close()
            try await request.closedByPeer()
            try expect(stays.ending.value == nil && staying.received.value.end == nil, "the other call has ended too")
            staying.close()
        }
    }

    /// A request of which the last bytes do not come.
    fileprivate func partial(_ text: String) throws -> Socket {
        let socket = try Socket.connected(port: site.server.plainPort)
        let body = String(decoding: chat(text).body, as: UTF8.self)
        let head =
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(RunningServer.token)\r\nContent-Length: \(body.utf8.count + 1)\r\n\r\n"
        try socket.write(Array((head + body).utf8))
        return socket
    }
}
