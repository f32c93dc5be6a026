// What callers get through a web server.

import Foundation
import TestSupport

extension FrontGroup {
    /// Answers of all kinds, and requests that are served.
    static let serving = FrontGroup(rows: [
        FrontRow("a stream, event by event, over HTTP/1.1") { front in
            try await front.streams(over: .curl, "HTTP/1.1")
        },
        FrontRow("a stream, event by event, over HTTP/2") { front in
            try await front.streams(over: .curlHTTP2, "HTTP/2")
        },
        FrontRow("an answer that does not stream") { front in
            front.replies["whole"] = .json(Chunks.completion("Hello there"))
            for client in [Client.plain, .curlHTTP2] {
                let answer = try await front.site.call(chat("<whole>", stream: false), over: client).ended()
                try expect(answer.status == 200 && answer.content == Chunks.completion("Hello there"), "\(client): \(answer)")
                try expect(answer.head?.contentType == "application/json", "\(client): \(answer)")
            }
        },
        FrontRow("errors of Sluice and of upstreams, 400 to 503, as they are") { front in
            for status in [400, 404, 413, 422, 429] {
                front.replies["\(status)"] = .json(Chunks.error("upstream says \(status)", type: "t\(status)"), status: status)
                try await front.refuses(chat("<\(status)>"), status, "t\(status)")
            }
            for status in [401, 500, 502, 504] {
                front.replies["\(status)"] = .json(Chunks.error("upstream says \(status)"), status: status)
                try await front.refuses(chat("<\(status)>"), 503, "upstream_error")
            }
            try await front.refuses(ChatCall("{"), 400, "invalid_request_error")
            try await front.refuses(ChatCall("", path: "/v/\(RunningServer.token)/nothing"), 404, "invalid_request_error")
            let method = try await front.refuses(ChatCall("", method: "GET"), 405, "invalid_request_error")
            try expect(method.head?["Allow"] == "POST", "\(method)")
        },
        FrontRow("the head alone, for HEAD") { front in
            for (path, status) in [("/v1/models", 200), ("/v1/chat/completions", 405)] {
                let answer = try await front.site.call(ChatCall("", path: path, method: "HEAD")).ended()
                try expect(answer.status == status && answer.body.isEmpty, "\(answer)")
                try expect(answer.head?.contentType == "application/json", "\(answer)")
            }
        },
        FrontRow("a token in the path, which is in no log") { front in
            let call = ChatCall(
                chat().body, token: nil, path: "/v/\(RunningServer.token)/chat/completions?caller=15551234567")
            try await front.answers(call)
            try expect(!front.site.server.log.contains(RunningServer.token), front.site.server.log)
            try expect(!front.site.server.log.contains("15551234567"), front.site.server.log)
            try expect(!front.site.sluice.process.errors.value.text.contains(RunningServer.token), "Sluice logs the token")
        },
        FrontRow("a body of 8 MiB, whole") { front in
            let text = String(repeating: "0123456789abcdef", count: (8 << 20) / 16 - 10)
            try await front.answers(chat("big" + text))
            let arrived = try await front.site.upstream.request(containing: "big0123")
            try expect(arrived.text.contains(text), "\(arrived.body.count) bytes")
        },
        FrontRow("a connection that the caller keeps") { front in
            let answers = try await front.site.answers(to: (0..<20).map { chat("\($0)") }, connections: 2)
            for answer in answers {
                try expect(answer.content == FrontSite.Replies.frames.joined() && answer.end == .complete, "\(answer)")
                try expect(answer.head?["Connection"]?.lowercased() != "close", "\(answer)")
            }
        },
        FrontRow("/sluice/ping, /sluice/status, /sluice/metrics and the page, for this machine") { front in
            let ping = try await front.site.call(ChatCall("", token: nil, path: "/sluice/ping", method: "GET")).ended()
            try expect(ping.status == 200 && ping.text == "pong\n", "\(ping)")
            let status = try await front.site.call(ChatCall("", token: nil, path: "/sluice/status?json", method: "GET")).ended()
            try expect(status.status == 200 && status.text.hasPrefix("{"), "\(status)")
            var scrape = ChatCall("", token: nil, path: "/sluice/metrics", method: "GET")
            let text = try await front.site.call(scrape).ended()
            try expect(text.status == 200 && text.head?.contentType == "text/plain; version=0.0.4; charset=utf-8", "\(text)")
            scrape.fields = [("Accept", "application/openmetrics-text; version=1.0.0")]
            let open = try await front.site.call(scrape).ended()
            try expect(open.status == 200 && open.text.hasSuffix("# EOF\n"), "\(open)")
            for path in ["/sluice/", "/sluice"] {
                let page = try await front.site.call(ChatCall("", token: nil, path: path, method: "GET")).ended()
                try expect(page.status == 200 && page.text.hasSuffix("</html>\n"), "\(page)")
                try expect(page.head?["Content-Security-Policy"]?.hasPrefix("default-src 'none';") == true, "\(page)")
            }
        },
    ])
}

struct NotSo: Error, CustomStringConvertible { let description: String }

func expect(_ isSo: Bool, _ found: @autoclosure () -> String) throws {
    if !isSo { throw NotSo(description: String(found().prefix(2_000))) }
}

extension FrontSite {
    /// Each event is sent when the one before has reached the caller.
    func streams(over client: Client, _ version: String) async throws {
        let frames = Chunks.stream(["Why", " did", " the", " chicken"])
        let gate = try Gate()
        replies["\(client)"] = .stream(frames, each: gate)
        let stream = try site.call(chat("<\(client)>"), over: client)
        for index in frames.indices.dropFirst() {
            try await stream.received.wait(for: "event \(index)") { $0.content == frames[...index].joined() }
            gate.open()
        }
        let answer = try await stream.ended()
        try expect(answer.end == .complete && answer.head?.startLine.hasPrefix(version) == true, "\(answer)")
    }

    /// A whole stream.
    func answers(_ call: ChatCall, over client: Client = .plain) async throws {
        let answer = try await site.call(call, over: client).ended()
        try expect(answer.content == Replies.frames.joined() && answer.end == .complete, "\(answer)")
    }

    /// An error in JSON.
    @discardableResult
    func refuses(_ call: ChatCall, _ status: Int, _ type: String) async throws -> Received {
        let answer = try await site.call(call).ended()
        try expect(answer.status == status && answer.error?.type == type, "\(status): \(answer) \(answer.text)")
        try expect(answer.head?.contentType == "application/json", "\(answer)")
        return answer
    }
}
