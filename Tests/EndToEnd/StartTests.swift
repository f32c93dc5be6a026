import Foundation
import Glibc
import TestSupport
import Testing

/// Before it listens, Sluice answers a request of its own. Nobody may notice.
@Suite struct `A start` {
    private func started(_ upstream: StubUpstream) async throws -> SluiceProcess {
        let proxy = upstream.url.replacing("/v1", with: "")
        return try await SluiceProcess(
            upstream: upstream.url, options: ["--log-level", "trace"],
            environment: ["OPENAI_API_KEY": "sk-stub", "http_proxy": proxy, "ALL_PROXY": proxy], in: TemporaryDirectory())
    }

    @Test func `logs no request, and sends none to upstream or proxy`() async throws {
        let upstream = try StubUpstream(.silence)
        let sluice = try await started(upstream)
        sluice.process.signal(SIGTERM)
        #expect(try await sluice.process.exited() == .code(0))
        try await sluice.process.errors.wait(for: "the end of its log") { $0.ended }
        let messages = try sluice.process.errors.value.lines.map { line in
            let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(json?["message"] as? String)
        }
        #expect(messages == ["serving", "forwarding", "draining: no new requests", "stopped"])
        #expect(upstream.requests.value.isEmpty)
        try await upstream.stop()
    }

    @Test func `tells of the upstream and of the proxy on the way there, without a password`() async throws {
        let sluice = try await SluiceProcess(
            upstream: "https://upstream.invalid/v1",
            environment: ["OPENAI_API_KEY": "sk-secret", "HTTPS_PROXY": "http://user:secret@proxy.invalid:3128"],
            in: TemporaryDirectory())
        let line = try await ChildProcess.line(containing: "forwarding", in: sluice.process.errors)
        for text in [
            #""upstream":"openai""#, #""url":"https://upstream.invalid/v1""#, #""key":"set""#,
            #""proxy":"http://***@proxy.invalid:3128""#,
        ] { #expect(line.contains(text), "\(line)") }
        #expect(!line.contains("secret") && !line.contains("user"))
        try await sluice.process.end()
    }

    @Test func `leaves no worker behind but those that it serves with`() async throws {
        let upstream = try StubUpstream(.silence)
        let sluice = try await started(upstream)
        _ = try await ChildProcess.line(containing: "forwarding", in: sluice.process.errors)
        let folder = "/proc/\(sluice.process.identifier)/fd"
        // One of the start's own may be closed between the two looks at it.
        let open = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { number in
            try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(number)")
        }
        // The file is libfcgi's, to read requests from.
        for kind in ["anon_inode:[eventpoll]", "/memfd:request"] {
            #expect(open.count { $0.hasPrefix(kind) } == 2, "\(open)")
        }
        try await sluice.process.end()
        try await upstream.stop()
    }

    @Test(arguments: ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
    func `without a standard descriptor writes no log line elsewhere`(redirections: String) async throws {
        let sluice = try await SluiceProcess(upstream: "demo", redirections: redirections, in: TemporaryDirectory())
        let folder = "/proc/\(sluice.process.identifier)/fd"
        for number in 0...2 where redirections.contains("\(number)<") || redirections.contains("\(number)>") {
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(number)") == "/dev/null")
        }
        sluice.process.signal(SIGTERM)
        #expect(try await sluice.process.exited() == .code(0))
    }
}
