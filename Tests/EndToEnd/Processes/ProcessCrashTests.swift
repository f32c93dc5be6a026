import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `A process that dies` {
    private let frames = Chunks.stream(["one", "two"])

    private func upstream(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream { request in
            request.text.contains("short")
                ? .stream(frames) : .begun(frames, then: gate)
        }
    }

    @Test func `ends its own streams alone, visibly, and another one takes its place`() async throws {
        let gate = try Gate()
        // The machine may be so busy that they are silent for long.
        let settings = "timeouts = {idle = \"10m\", total = \"20m\"}"
        try await ProcessSite.with(settings, upstream: upstream(gate), upstreamLines: "concurrent = 4_000") { site in
            try await site.served(4)
            let connections = Connections(to: site.sluice.socket)
            var open: [FastCGICaller] = []
            for round in 0..<20 {
                while open.count < 200 {
                    let stream = try site.call()
                    try await stream.begun()
                    open.append(stream)
                }
                let before = try await site.status()
                #expect(before.processes.compactMap(\.active).reduce(0, +) == open.count)
                // The upstream's places that dead processes had are free again.
                let upstreams = before.processes.compactMap(\.upstreams?.first)
                #expect(upstreams.map(\.open).reduce(0, +) == open.count)
                let victim = before.processes[round % 4]
                kill(victim.process, [SIGKILL, SIGSEGV, SIGILL][round % 3])
                let line = try await site.logs(round + 1, "a process has ended")[round]
                let signal = ["SIGKILL", "SIGSEGV", "SIGILL"][round % 3]
                for part in [
                    "\"process\":\(victim.process)", "\"signal\":\"\(signal)\"", "\"streams\":\(victim.active ?? -1)",
                ] {
                    #expect(line.contains(part), "\(line)")
                }
                try await site.served(4 + round + 1)
                // Each of its connections has ended with it, and no other.
                try await site.brokenOff(victim.active ?? -1, of: &open)
                #expect(try await site.call("short").ended().isWhole)
            }
            gate.open(open.count)
            for stream in open { #expect(try await stream.ended().isWhole) }
            let status = try await site.status()
            #expect((status.restarts, status.active, status.processes.count) == (20, 0, 4))
            #expect(try await connections.end() == [])
        }
    }

    @Test func `at once, again and again, is waited for longer each time, for ever`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await ProcessSite.with(upstream: upstream, options: ["--processes", "2"]) { site in
            try await site.served(2)
            let other = try await site.status().processes[1].process
            for round in 0..<5 {
                let victim = try await site.status().processes.first { $0.process != other }
                kill(try #require(victim).process, SIGKILL)
                try await site.logs(round + 1, "a process has ended")
                #expect(try await site.call().ended().isWhole)
                try await site.served(3 + round)
            }
            var last: Double?
            for line in try await site.logs(5, "a process has ended") {
                let delay = try #require(milliseconds(line))
                let lived = try #require(line.firstMatch(of: /"lived":([0-9.]+)/).flatMap { Double($0.output.1) })
                // On a slow machine any may have lived long enough to be none of those that keep dying.
                if let last, lived < 10 { #expect(delay > last, "\(line)") } else { #expect(delay == 0, "\(line)") }
                last = delay
            }
        }
    }

    @Test func `alone under a master is started again too, and connections wait for it`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await ProcessSite.with("supervise = true", upstream: upstream, options: []) { site in
            for round in 1...3 {
                try await site.served(round)
                kill(try await site.status().processes[0].process, SIGKILL)
                try await site.logs(round, "a process has ended")
                #expect(try await site.call().ended().isWhole)
            }
        }
    }

    @Test(arguments: [("", "0"), ("core_dumps = true", "unlimited")], [1, 4])
    func `leaves no core dump unless that is asked for`(setting: (line: String, limit: String), count: Int) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await ProcessSite.with(
            setting.line, upstream: upstream, options: ["--processes", "\(count)"], launcher: ["prlimit", "--core=unlimited"]
        ) { site in
            #expect(try await site.call().ended().isWhole)
            var processes = [site.sluice.process.identifier]
            if count > 1 {
                try await site.served(count)
                processes += try await site.status().processes.map(\.process)
            }
            for process in processes {
                let text = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
                let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
                #expect(line.split(separator: " ")[4] == setting.limit, "\(line)")
            }
        }
    }

    @Test func `is one that hangs, too`() async throws {
        let gate = try Gate()
        let environment = ["NOTIFY_SOCKET": "/nowhere/notify.sock", "WATCHDOG_USEC": "40000000"]
        try await ProcessSite.with(upstream: upstream(gate), environment: environment) { site in
            try await site.served(4)
            var open: [FastCGICaller] = []
            for _ in 0..<12 {
                open.append(try site.call())
                try await open.last?.begun()
            }
            let victim = try #require(try await site.status().processes.first { $0.active ?? 0 > 0 })
            let active = try #require(victim.active)
            kill(victim.process, SIGSTOP)
            try await eventually("it to stand still") { isStopped(victim.process) }
            // It is told as such, and holds nobody up.
            let status = try await site.status(stopped: victim.process)
            #expect(status.processes.filter { $0.state != "serving" }.map(\.process) == [victim.process])
            #expect(status.processes.first { $0.process == victim.process }?.state == "silent")
            #expect(status.processes.map(\.place) == [1, 2, 3, 4])
            #expect(status.processesServing == 3)
            #expect(try await site.ask("status").exit == .code(0))
            let hung = try await site.logs(1, "a process hangs and is ended")[0]
            #expect(hung.contains("\"process\":\(victim.process)"))
            let line = try await site.logs(1, "a process has ended")[0]
            #expect(line.contains("\"process\":\(victim.process)") && line.contains("\"signal\":\"SIGKILL\""))
            try await site.served(5)
            try await site.brokenOff(active, of: &open)
            #expect(open.count == 12 - active)
            gate.open(open.count)
            for stream in open { #expect(try await stream.ended().isWhole) }
            #expect(try await site.logs(1, "a process hangs").count == 1)
        }
    }
}

/// After how long a line of the log promises another process.
private func milliseconds(_ line: String) -> Double? {
    guard let match = line.firstMatch(of: /"again_in":"([0-9.]+)(ms|s)"/) else { return nil }
    return Double(match.output.1).map { match.output.2 == "s" ? 1000 * $0 : $0 }
}

extension ProcessSite {
    /// Waits until so many of the streams have ended, which then are broken off, and takes them away.
    fileprivate func brokenOff(_ count: Int, of open: inout [FastCGICaller]) async throws {
        let streams = open
        try await eventually("\(count) streams to end") { streams.count { $0.answer.value.isClosed } >= count }
        let ended = open.filter { $0.answer.value.isClosed }
        #expect(ended.count == count)
        #expect(ended.allSatisfy { $0.answer.value.isBroken })
        open.removeAll { $0.answer.value.isClosed }
    }
}

/// Connects again and again until it is told to end.
private final class Connections: Sendable {
    private let isOver = Observed(false)
    private let refusals = Observed<[String]>([])
    private let hasEnded = Observed(false)

    init(to path: String) {
        let thread = Thread { [isOver, refusals, hasEnded] in
            while !isOver.value {
                do { try Socket.connected(path: path).close() } catch { refusals.update { $0.append("\(error)") } }
                usleep(2_000)
            }
            hasEnded.update { $0 = true }
        }
        thread.start()
    }

    /// Why connections were refused.
    func end() async throws -> [String] {
        isOver.update { $0 = true }
        try await hasEnded.wait(for: "the end") { $0 }
        return refusals.value
    }
}
