// What a web server keeps away from Sluice.

import Foundation
import TestSupport

extension FrontGroup {
    /// Strangers, and requests that nobody in good faith sends.
    static let refusing = FrontGroup(
        changes: { $0.strangers },
        rows: [
            FrontRow("401 for a stranger, and for a wrong token in the path beside a right header") { front in
                for token in [nil, "wrong", "", RunningServer.token + "x"] {
                    let answer = try await front.refuses(ChatCall("{}", token: token), 401, "authentication_error")
                    try expect(answer.head?["WWW-Authenticate"]?.hasPrefix("Bearer") == true, "\(answer)")
                }
                try await front.refuses(ChatCall("{}", path: "/v/wrong/chat/completions"), 401, "authentication_error")
                try expect(front.site.upstream.requests.value.isEmpty, "the upstream was asked")
            },
            FrontRow("no /sluice/ping, /sluice/status, /sluice/metrics or page for others") { front in
                for page in ["ping", "status", "status?json", "metrics", ""] {
                    let call = ChatCall("", path: "/sluice/\(page)", method: "GET")
                    let answer = try await front.site.call(call).ended()
                    try expect([403, 404].contains(answer.status) && !answer.text.contains("pong"), "\(answer)")
                    try expect(!answer.text.contains("requests") && !answer.text.contains("<script"), "\(answer)")
                }
            },
            FrontRow("413 above 8 MiB") { front in
                for count in [(8 << 20) + 1, 20 << 20] {
                    let call = ChatCall([UInt8](repeating: UInt8(ascii: " "), count: count))
                    let answer = try await front.refuses(call, 413, "invalid_request_error")
                    try expect(answer.error?.code == "request_too_large", "\(answer)")
                }
            },
            FrontRow("two headers Authorization: no token of a caller goes on") { front in
                for tokens in [
                    (RunningServer.token, "wrong"), ("wrong", RunningServer.token),
                    (RunningServer.token, RunningServer.otherToken),
                ] {
                    var call = chat("<twice>")
                    (call.token, call.fields) = (tokens.0, [("Authorization", "Bearer \(tokens.1)")])
                    let answer = try await front.site.call(call).ended()
                    try expect([200, 400, 401].contains(answer.status), "\(answer)")
                }
                for request in front.site.upstream.requests.value {
                    try expect(
                        request.head.fields.filter { $0.name == "Authorization" }.map(\.value) == ["Bearer sk-stub"],
                        "\(request.head)")
                }
            },
            FrontRow("headers that pose as parameters (X_Under, SLUICE_CLIENT, SLUICE_STATUS)") { front in
                var call = chat("<posing>")
                call.fields = [
                    ("X_Under", "1"), ("SLUICE_CLIENT", "somebody"), ("Sluice-Client", "somebody"), ("SLUICE_STATUS", "on"),
                    ("REQUEST_URI", "/sluice/status"), ("HTTP_AUTHORIZATION", "Bearer x"), ("X-Request-Id", "posing-1"),
                ]
                try await front.answers(call)
                let request = try await front.site.upstream.request(containing: "<posing>")
                try expect(request.head["Authorization"] == "Bearer sk-stub", "\(request.head)")
                try await front.site.sluice.process.errors.wait(for: "the request in the log") { output in
                    output.lines.contains { $0.contains(#""request":"posing-1","client":"first""#) }
                }
                try expect(!front.site.sluice.process.errors.value.text.contains("somebody"), "a caller has named itself")
            },
            FrontRow("a header Proxy") { front in
                var call = chat()
                call.fields = [("Proxy", "http://127.0.0.1:9")]
                try await front.answers(call)
            },
            FrontRow("a NUL in a header") { front in
                let answer = try await front.raw(
                    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Nul: a\0b\r\n" + front.rest("<nul>"))
                try expect(answer.contains(" 4") && !answer.contains(" 200"), answer)
                try expect(!front.asked("<nul>"), "the upstream was asked")
                try await front.answers(chat())
            },
            FrontRow("a header of 64 KB") { front in
                var call = chat("<long>")
                call.fields = [("X-Long", String(repeating: "x", count: 70_000))]
                let answer = try await front.site.call(call).ended()
                try expect([400, 431].contains(answer.status) && !front.asked("<long>"), "\(answer)")
                try await front.answers(chat())
            },
            FrontRow("a path that is written oddly, which is in no log") { front in
                let token = RunningServer.token
                let paths = [
                    "/v/\(token)/%zz/chat/completions", "/v/\(token)/../../../x", "//v/\(token)/chat/completions",
                    "/V/\(token)/chat/completions", "/v%2f\(token)%2fchat%2fcompletions", "/v/\(token)/a b/chat/completions",
                ]
                for path in paths {
                    let head = "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
                    let answer = try await front.raw(head + "{}")
                    try expect(!answer.hasPrefix("HTTP/1.1 5") && !answer.contains(token), "\(path): \(answer)")
                }
                try await front.answers(chat())
                try expect(!front.site.server.log.contains(token), front.site.server.log)
            },
            FrontRow(
                "a body of 40 KB without a length",
                gaps: [
                    .haproxy: FrontRow.Gap(
                        "411", "HAProxy tells Sluice how long a body is, and has room for 15 KB of one without a length."
                    ) { front in
                        let answer = try await front.raw(front.chunked())
                        try expect(answer.contains(" 411 ") && answer.contains("length_required"), answer)
                    }
                ]
            ) { front in
                let answer = try await front.raw(front.chunked()) { $0.contains("[DONE]") }
                try expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("Hello"), answer)
            },
            FrontRow("forms of request smuggling") { front in
                for (number, form) in Smuggling.forms.enumerated() {
                    let hidden =
                        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        + front.rest("<hidden \(number)>")
                    let requests = front.site.upstream.requests
                    let asked = { @Sendable in requests.value.count { $0.text.contains("<hidden \(number)>") } }
                    // What the web server takes for a second request it also answers.
                    let answered = { @Sendable (answer: String) in answer.components(separatedBy: "HTTP/1.1 200").count - 1 }
                    // Some wait for more of a body than there is.
                    let request = Smuggling.request(form, token: RunningServer.token, hidden)
                    let answer = try await front.raw(request, patience: 2) { asked() <= answered($0) }
                    try expect(asked() <= answered(answer), "\(form): \(asked()) asked, \(answered(answer)) answered")
                }
                try await front.answers(chat())
            },
        ])
}

/// Heads in which two readers could see two ends of a body.
private enum Smuggling {
    static let forms = [
        "Content-Length: LENGTH\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: LENGTH",
        "Content-Length: LENGTH\r\nContent-Length: 5", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length: 0x5",
        "Content-Length: 5\r\nTransfer-Encoding : chunked", "Content-Length: 5\r\nTransfer-Encoding: xchunked",
        "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked", "Content-Length: 5\r\nTransfer-Encoding: identity, chunked",
        "Content-Length: 5\r\nTransfer_Encoding: chunked", "Content-Length: 5\r\n\u{b}Transfer-Encoding: chunked",
    ]

    /// A chunked body that is over at once, and behind that what must not become a request of its own between the servers.
    static func request(_ form: String, token: String, _ hidden: String) -> String {
        let body = "0\r\n\r\n" + hidden
        let head = form.replacing("LENGTH", with: "\(body.utf8.count)")
        return "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n\(head)\r\n\r\n\(body)"
    }
}

extension FrontSite {
    /// The rest of a request: its token and its body.
    fileprivate func rest(_ text: String) -> String {
        let body = String(decoding: chat(text).body, as: UTF8.self)
        return "Authorization: Bearer \(RunningServer.token)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A chat whose body comes in one chunk.
    fileprivate func chunked() -> String {
        let body = String(decoding: chat(String(repeating: "long ", count: 8_000)).body, as: UTF8.self)
        return "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(RunningServer.token)\r\n"
            + "Connection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
    }

    /// All that comes back for these bytes, until the web server closes the connection or says nothing more behind a head.
    ///
    /// - Parameters:
    ///   - patience: how many seconds it may take until it says anything.
    ///   - isAll: whether nothing that is due is missing; more is waited for otherwise.
    fileprivate func raw(
        _ text: String, patience: Int = 30, isAll: @escaping @Sendable (String) -> Bool = { _ in true }
    ) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            startThread("raw client") { continuation.resume(with: Result { try rawHere(text, patience, isAll) }) }
        }
    }

    private func rawHere(_ text: String, _ patience: Int, _ isAll: (String) -> Bool) throws -> String {
        let socket = try Socket.connected(port: site.server.plainPort)
        socket.limitReads(seconds: patience)
        try socket.write(Array(text.utf8))
        var answer = ""
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                let bytes = try socket.read()
                if bytes.isEmpty { return answer }
                answer += String(decoding: bytes, as: UTF8.self)
                if answer.contains("\r\n\r\n") { socket.limitReads(seconds: 1) }
            } catch let error as SystemError {
                // It keeps the connection, or has reset it with bytes of the request unread.
                if error.code != EAGAIN || isAll(answer) || .now > end { return answer }
            }
        }
    }

    fileprivate func asked(_ text: String) -> Bool { site.upstream.requests.value.contains { $0.text.contains(text) } }
}

extension WebServer {
    /// What makes a stranger of this machine.
    var strangers: [Change] {
        switch self {
        case .nginx: [Change("allow 127.0.0.0/8;", to: "")]
        case .lighttpd: [Change(#"=~ "^(127\.|::1$)""#, to: #"=~ "^(128\.|::1$)""#)]
        case .apache: [Change("Require ip 127.0.0.0/8 ::1", to: "Require ip 128.0.0.0/8")]
        case .caddy: [Change("remote_ip 127.0.0.0/8 ::1", to: "remote_ip 128.0.0.0/8")]
        case .haproxy: [Change("src 127.0.0.0/8 ::1", to: "src 128.0.0.0/8")]
        }
    }
}
