import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `The end of several processes` {
    private let frames = Chunks.stream(["one", "two"])

    private func upstream(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream(.begun(frames, then: gate))
    }

    private func open(_ site: ProcessSite, _ count: Int = 12) async throws -> [FastCGICaller] {
        try await site.served(4)
        let streams = try (0..<count).map { _ in try site.call() }
        for stream in streams { try await stream.begun() }
        return streams
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGQUIT]) func `by a signal lets streams finish`(signal: Int32) async throws {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            let streams = try await open(site)
            let processes = try await site.status().processes.map(\.process)
            site.sluice.process.signal(signal)
            try await site.sluice.refuses()
            #expect(site.sluice.process.exit.value == nil)
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.sluice.process.exited() == .code(0))
            #expect(!processes.contains(where: lives))
            for file in ["sluice.sock", "control.sock"] {
                #expect(!FileManager.default.fileExists(atPath: site.directory.path(file)))
            }
        }
    }

    /// As a service manager does it, which signals all that it has started.
    @Test func `lets streams finish also when the processes are signalled too`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            let streams = try await open(site)
            for process in try await site.status().processes { kill(process.process, SIGTERM) }
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    @Test func `is at once when the signal comes twice`() async throws {
        try await ProcessSite.with(upstream: upstream(Gate())) { site in
            let streams = try await open(site)
            let processes = try await site.status().processes.map(\.process)
            // One that hangs holds nothing up.
            kill(processes[1], SIGSTOP)
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            #expect(site.sluice.process.exit.value == nil)
            site.sluice.process.signal(SIGTERM)
            #expect(try await site.sluice.process.exited() == .code(128 + SIGTERM))
            for stream in streams { #expect(try await stream.ended().isBroken) }
            #expect(!processes.contains(where: lives))
        }
    }

    @Test func `is that of the master, however it comes`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            let streams = try await open(site)
            let processes = try await site.status().processes.map(\.process)
            site.sluice.process.signal(SIGKILL)
            _ = try await site.sluice.process.exited()
            try await site.sluice.refuses()
            #expect(processes.contains(where: lives))
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            try await site.sluice.process.errors.wait(for: "the processes to end") { $0.ended }
            // They are not this test's own: no event tells of their end.
            try await eventually("them to be gone") { !processes.contains(where: lives) }
        }
    }

    @Test func `is told by sluice stop when the last one has ended`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            let streams = try await open(site)
            let stopping = try ChildProcess(
                SluiceProcess.binary, ["stop", "--control", "unix:control.sock"], environment: [:], in: site.directory)
            try await site.sluice.refuses()
            try await stopping.errors.wait(for: "words") { $0.text.contains("waiting for its open requests") }
            #expect(stopping.exit.value == nil)
            gate.open(streams.count)
            #expect(try await stopping.exited() == .code(0))
            // Its connections go a moment ahead of it.
            try await eventually("it to be gone") { !lives(site.sluice.process.identifier) }
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    @Test(arguments: [SIGTERM, SIGKILL]) func `is told from one that comes otherwise`(signal: Int32) async throws {
        try await ProcessSite.with(upstream: upstream(Gate())) { site in
            let streams = try await open(site)
            let stopping = try ChildProcess(
                SluiceProcess.binary, ["stop", "--control", "unix:control.sock"], environment: [:], in: site.directory)
            try await site.sluice.refuses()
            site.sluice.process.signal(signal)
            #expect(try await stopping.exited() == .code(69))
            try await stopping.errors.wait(for: "words") { $0.text.contains("has not said that all requests were over") }
            withExtendedLifetime(streams) {}
        }
    }

    @Test func `comes at once by sluice stop, if it is to`() async throws {
        try await ProcessSite.with(upstream: upstream(Gate())) { site in
            let streams = try await open(site)
            let processes = try await site.status().processes.map(\.process)
            // One that hangs holds nothing up.
            kill(processes[1], SIGSTOP)
            let run = try await site.ask("stop", "--now")
            #expect(run.exit == .code(0), "\(run.errors)")
            try await eventually("all to be gone") { !([site.sluice.process.identifier] + processes).contains(where: lives) }
            #expect(try await site.sluice.process.exited() == .code(128 + SIGTERM))
            for stream in streams { #expect(try await stream.ended().isBroken) }
        }
    }

    @Test func `is told from one where a process was killed under a stream`() async throws {
        try await ProcessSite.with(upstream: upstream(Gate())) { site in
            let streams = try await open(site, 1)
            let victim = try #require(try await site.status().processes.first { $0.active ?? 0 > 0 }).process
            let stopping = try ChildProcess(
                SluiceProcess.binary, ["stop", "--control", "unix:control.sock"], environment: [:], in: site.directory)
            try await site.sluice.refuses()
            kill(victim, SIGKILL)
            #expect(try await streams[0].ended().isBroken)
            #expect(try await stopping.exited() == .code(69))
            try await stopping.errors.wait(for: "words") { $0.text.contains("has not said that all requests were over") }
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    @Test func `of one that is told to by somebody else: its streams finish, and another takes its place meanwhile`() async throws
    {
        let gate = try Gate()
        try await ProcessSite.with(upstream: upstream(gate)) { site in
            let streams = try await open(site)
            let process = try #require(try await site.status().processes.first { $0.active ?? 0 > 0 }).process
            kill(process, SIGTERM)
            try await site.served(5)
            #expect(lives(process))
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            try await site.logs(1, "a process has ended")
            #expect(try await site.status().processes.count == 4)
        }
    }

    @Test func `that many are at does not keep another one from taking its place`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(
            "supervise = true\ntimeouts = {drain = \"10m\", idle = \"10m\"}", upstream: upstream(gate), options: []
        ) { site in
            var streams: [FastCGICaller] = []
            var numbers: [pid_t] = []
            for round in 1...16 {
                try await site.served(round)
                let stream = try site.call()
                try await stream.begun()
                streams.append(stream)
                let now = try #require(try await site.status().processes.first { !numbers.contains($0.process) }).process
                numbers.append(now)
                kill(now, SIGTERM)
            }
            // The one that has been at it longest makes room.
            try await site.served(17)
            #expect(try await site.logs(1, "too many end")[0].contains("\"process\":\(numbers[0])"))
            #expect(try await streams[0].ended().isBroken)
            gate.open(streams.count - 1)
            for stream in streams.dropFirst() { #expect(try await stream.ended().isWhole) }
        }
    }
}
