import Foundation
import Glibc
import TestSupport
import Testing

/// As systemd is to a service of `Type=notify`, but for all that it does with what it hears.
@Suite struct `A service manager` {
    private let frames = Chunks.stream(["Hello"])

    private func with(
        watchdog: Bool = false, settings: String, upstream: StubUpstream, _ test: (Site, ChildProcess) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("notify.sock")
        let manager = try ChildProcess(
            Python.interpreter, ["\(repository)/Tests/EndToEnd/clients/service_manager.py", path], in: directory)
        _ = try await ChildProcess.line(containing: "listening", in: manager.output)
        var environment = ["OPENAI_API_KEY": "sk-stub", "NOTIFY_SOCKET": path]
        if watchdog { environment["WATCHDOG_USEC"] = "150000" }
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: settings, environment: environment, endsSluice: true,
            in: directory
        ) { try await test($0, manager) }
        try await manager.end()
    }

    /// All messages so far, once there are so many, but for those of the watchdog and of the status.
    private func messages(_ manager: ChildProcess, _ count: Int) async throws -> [String] {
        try await manager.output.wait(for: "\(count) messages") { output in
            let lines = output.lines.dropFirst().filter {
                $0 != "silence" && !$0.hasPrefix("WATCHDOG") && !$0.hasPrefix("STATUS")
            }
            return lines.count >= count ? lines : nil
        }
    }

    @Test func `hears that it is ready, reloads, is ready again and stops`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await with(settings: "upstreams.stub.url = \"UPSTREAM\"", upstream: upstream) { site, manager in
            #expect(try await messages(manager, 1) == ["READY=1"])
            site.sluice.process.signal(SIGHUP)
            #expect(try await messages(manager, 3)[1].wholeMatch(of: /RELOADING=1 MONOTONIC_USEC=[0-9]+/) != nil)
            #expect(try await messages(manager, 3)[2] == "READY=1")
            try site.directory.write("heartbeat = 3", to: "sluice.toml")
            site.sluice.process.signal(SIGHUP)
            #expect(try await messages(manager, 5)[4] == "READY=1")
            try await manager.output.wait(for: "the failure in words") { output in
                output.lines.contains {
                    $0.hasPrefix("STATUS=") && $0.contains("the last reload failed at ") && $0.hasSuffix(": 1 mistake")
                }
            }
            site.sluice.process.signal(SIGTERM)
            #expect(try await messages(manager, 6)[5] == "STOPPING=1")
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    @Test func `hears what has come of a reload also when whoever asked for it has left`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        let settings = "control = \"unix:control.sock\"\nupstreams.stub.url = \"UPSTREAM\""
        try await with(settings: settings, upstream: upstream) { site, manager in
            let (reload, pipe) = try await SettingsPipe.reload(in: site.directory)
            reload.signal(SIGKILL)
            _ = try await reload.exited()
            pipe.feed("heartbeat = 3")
            #expect(try await messages(manager, 3)[2] == "READY=1")
            site.sluice.process.signal(SIGTERM)
            #expect(try await site.sluice.process.exited() == .code(0))
            try await manager.output.wait(for: "the last message") { $0.lines.contains("STOPPING=1") }
            // It tells from time to time, too, but not so soon.
            #expect(manager.output.value.lines.contains { $0.hasPrefix("STATUS=") && $0.contains("the last reload failed at ") })
        }
    }

    @Test func `is told how many streams are open and how many targets rest`() async throws {
        let upstream = try StubUpstream { request in
            request.text.contains("bad") ? .json("{}", status: 500) : .begun(frames)
        }
        let settings = "retries = 0\nrest_after = 1\nrest_for = \"5m\"\nupstreams.stub.url = \"UPSTREAM\""
        try await with(watchdog: true, settings: settings, upstream: upstream) { site, manager in
            var streams: [HTTPStream] = []
            for status in [
                "STATUS=0 streams, 1 upstream", "STATUS=1 stream, 1 upstream", "STATUS=1 stream, 1 upstream, 1 resting",
            ] {
                try await manager.output.wait(for: status) { $0.lines.last { $0.hasPrefix("STATUS") } == status }
                if status.hasPrefix("STATUS=0") {
                    streams.append(try site.call(chat()))
                    try await streams[0].arrival(of: "assistant")
                }
                if status.hasSuffix("1 stream, 1 upstream") { _ = try await site.call(chat("bad")).ended() }
            }
        }
    }

    /// One worker's thread is stopped by ptrace, as if it were caught in a loop or a call that does not return.
    @Test(.enabled(if: geteuid() == 0, "ptrace needs root")) func `hears nothing more while a worker hangs`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await with(watchdog: true, settings: "upstreams.stub.url = \"UPSTREAM\"", upstream: upstream) { site, manager in
            let count = { @Sendable (output: Output) in output.lines.count { $0 == "WATCHDOG=1" } }
            try await manager.output.wait(for: "signs of life") { count($0) > 3 }
            let process = site.sluice.process.identifier
            let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")
            let worker = try #require(
                threads.first { thread in
                    let name = try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/comm", encoding: .utf8)
                    return name == "worker\n"
                })
            let freezer = try ChildProcess(
                Python.interpreter, ["\(repository)/Tests/EndToEnd/clients/freeze.py", worker], in: site.directory)
            _ = try await ChildProcess.line(containing: "stopped", in: freezer.output)
            let before = manager.output.value.lines.count
            try await manager.output.wait(for: "silence") { $0.lines.dropFirst(before).contains("silence") }
            try await freezer.end()
            let after = count(manager.output.value)
            try await manager.output.wait(for: "further signs of life") { count($0) > after + 1 }
        }
    }
}
