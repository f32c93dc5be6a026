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

    /// As logrotate and whoever deploys send them, who do not know that it has only begun.
    @Test(arguments: [1, 2])
    func `is not ended by a signal that asks for something else while settings are read`(processes: Int) async throws {
        let directory = try TemporaryDirectory()
        let settings = "[upstreams.a]\nkind = \"demo\"\n"
        let arguments = ["serve", "--config", "sluice.toml", "--listen", "unix:sluice.sock", "--processes", "\(processes)"]
        let (sluice, pipe) = try await SettingsPipe.start(SluiceProcess.binary, arguments, in: directory)
        for signal in [SIGHUP, SIGUSR1, SIGUSR2] { sluice.signal(signal) }
        // For the reload, which comes when it serves.
        #expect(unsafe unlink(directory.path("sluice.toml")) == 0)
        try directory.write(settings, to: "sluice.toml")
        pipe.feed(settings)
        _ = try await ChildProcess.line(containing: #""message":"serving""#, in: sluice.errors)
        if processes == 1 { _ = try await ChildProcess.line(containing: "the settings were reloaded", in: sluice.errors) }
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
    }

    /// Keys may be in it.
    @Test(.enabled(if: geteuid() == 0, "needs root"), arguments: [("", 0), ("core_dumps = true\n", 65534)] as [(String, uid_t)])
    func `keeps its environment from its own user before it has read its settings`(line: String, owner: uid_t) async throws {
        let directory = try TemporaryDirectory()
        let own = directory.path("own")
        let results = unsafe [mkdir(own, 0o700), chown(own, 65534, 65534)]
        try #require(results == [0, 0])
        let arguments = ["--reuid", "65534", "--clear-groups", SluiceProcess.binary, "serve", "--config", "sluice.toml"]
        let (sluice, pipe) = try await SettingsPipe.start(
            "setpriv", arguments + ["--listen", "unix:own/sluice.sock"], in: directory)
        // Whose it is may read it (proc(5)).
        func environmentOwner() -> uid_t? {
            var status = stat()
            return unsafe stat("/proc/\(sluice.identifier)/environ", &status) == 0 ? status.st_uid : nil
        }
        #expect(environmentOwner() == 0)
        pipe.feed(line + "[upstreams.a]\nkind = \"demo\"\n")
        _ = try await ChildProcess.line(containing: #""message":"serving""#, in: sluice.errors)
        #expect(environmentOwner() == owner)
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
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
