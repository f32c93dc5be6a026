import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `A reload of several processes` {
    @Test func `is in force in all of them, or in none, under streams`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: ProcessSite.upstream(gate)) { site in
            try await site.served(4)
            let streams = try (0..<40).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            for round in 1...5 {
                try site.write(settingsLine(model: "m\(round)"))
                let good = try await site.ask("reload")
                #expect((good.exit, good.errors) == (.code(0), ""))
                #expect(try await site.models() == ["m\(round)"])
                try site.write("heartbeat = \(round)")
                let bad = try await site.ask("reload")
                #expect(bad.exit == .code(78))
                #expect(bad.errors.contains("sluice.toml:3: heartbeat "), "\(bad.errors)")
                #expect(try await site.models() == ["m\(round)"])
                #expect(try await site.status().lastReload?.outcome == "failed")
                // One that is started now has what the others have, and not what the file says.
                let victim = try await site.status().processes[round % 4].process
                kill(victim, SIGKILL)
                try await site.served(4 + round)
                #expect(try await site.models() == ["m\(round)"])
            }
            #expect(try await site.status().restarts == 5)
            let broken = streams.count { $0.answer.value.isClosed }
            gate.open(streams.count - broken)
            for stream in streams where !stream.answer.value.isClosed { #expect(try await stream.ended().isWhole) }
        }
    }

    @Test(arguments: [SIGHUP, SIGUSR2]) func `is asked for by a signal to the master`(signal: Int32) async throws {
        try await ProcessSite.with(settingsLine(model: "before"), upstream: ProcessSite.upstream(Gate())) { site in
            try await site.served(4)
            try site.write(settingsLine(model: "after"))
            site.sluice.process.signal(signal)
            try await eventually("the reload") { try await site.status().lastReload != nil }
            #expect(try await site.models() == ["after"])
            #expect(try await site.logs(1, "the settings were reloaded").count == 1)
        }
    }

    @Test func `names what only a start can change, and leaves that as it was for later processes too`() async throws {
        try await ProcessSite.with(
            settingsLine(model: "before"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]
        ) {
            site in
            try await site.served(2)
            try site.write("socket.allowed_users = [\"daemon\"]\n" + settingsLine(model: "after"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(0))
            #expect(run.errors == "sluice: socket.allowed_users has changed, which takes a restart\n")
            for round in 1...2 {
                kill(try await site.status().processes[0].process, SIGKILL)
                try await site.served(2 + round)
            }
            #expect(try await site.models() == ["after"])
            // Those that have been started since the reload count as the others do, and nobody says it twice.
            let status = try await site.status()
            #expect(status.generation == 2 && status.processes.allSatisfy { $0.generation == 2 && $0.lastReload == nil })
            #expect(status.lastReload?.remarks == ["socket.allowed_users has changed, which takes a restart"])
            let lines = try await site.ask("status").output.split(separator: "\n")
            #expect(lines.filter { $0.hasPrefix("generation:") } == ["generation:           2"])
            #expect(
                lines.filter { $0.hasPrefix("last reload:") }.map {
                    $0.hasSuffix("in force; socket.allowed_users has changed, which takes a restart")
                }
                    == [true])
        }
    }

    @Test func `waits for all requests from before, in all processes, if it is to`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(settingsLine(model: "before"), upstream: ProcessSite.upstream(gate)) { site in
            try await site.served(4)
            let streams = try (0..<8).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            let waiting = try ChildProcess(
                SluiceProcess.binary, ["reload", "--wait", "--control", "unix:control.sock"], environment: [:], in: site.directory
            )
            try await eventually("the reload") { try await site.status().lastReload != nil }
            // Others are not held up by it.
            #expect(try await site.ask("reload").exit == .code(0))
            // Whoever waits at a terminal is told for what.
            try await waiting.errors.wait(for: "words") { $0.text.contains("waiting for the requests that began by those") }
            #expect(waiting.exit.value == nil)
            gate.open(streams.count)
            #expect(try await waiting.exited() == .code(0))
            for stream in streams { #expect(try await stream.ended().isWhole) }
        }
    }

    @Test func `changes the log of the master and of the processes`() async throws {
        try await ProcessSite.with(
            settingsLine(model: "m"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]
        ) { site in
            try await site.served(2)
            try site.write("log.to = \"file:sluice.log\"\n" + settingsLine(model: "m"))
            #expect(try await site.ask("reload").exit == .code(0))
            let victim = try await site.status().processes[0].process
            kill(victim, SIGKILL)
            try await eventually("the end in the log") { try site.logged("a process has ended") }
            #expect(try await site.call().ended().isWhole)
            try await eventually("the answer in the log") { try site.logged("\"message\":\"answered\"") }
            let processes = try await site.status().processes.map(\.process)
            let log = try site.directory.read("sluice.log")
            #expect(processes.contains { log.contains("\"message\":\"answered\",\"process\":\($0),") }, "\(log)")
            // Moved away, a file is made anew by whoever has something to say.
            #expect(unsafe rename(site.directory.path("sluice.log"), site.directory.path("old.log")) == 0)
            site.sluice.process.signal(SIGUSR1)
            try await eventually("another file") { FileManager.default.fileExists(atPath: site.directory.path("sluice.log")) }
            try await eventually("its first line") { try site.logged("the log file was opened again") }
        }
    }

    /// What it opened while it started may be the old one.
    @Test func `of the log file reaches a process that starts, too`() async throws {
        let settings = "core_dumps = true\nlog.to = \"file:sluice.log\"\n" + settingsLine(model: "m")
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]) { site in
            func serve() async throws {
                try await eventually("both to serve") {
                    let processes = try await site.status().processes
                    return processes.count == 2 && processes.allSatisfy { $0.state == "serving" }
                }
            }
            for round in 0..<5 {
                try await serve()
                let processes = try await site.status().processes.map(\.process)
                kill(processes[0], SIGKILL)
                var next: pid_t?
                try await eventually("another one that has opened the log") {
                    next = children(of: site.sluice.process.identifier).first {
                        !processes.contains($0) && hasOpen("sluice.log", $0)
                    }
                    return next != nil
                }
                let late = try #require(next)
                kill(late, SIGSTOP)
                try await eventually("it to stand still") { isStopped(late) }
                #expect(unsafe rename(site.directory.path("sluice.log"), site.directory.path("old\(round).log")) == 0)
                site.sluice.process.signal(SIGUSR1)
                try await eventually("another file") { FileManager.default.fileExists(atPath: site.directory.path("sluice.log")) }
                kill(late, SIGCONT)
                try await serve()
                // It is told of the signal when its master knows that it serves.
                try await eventually("it to have the new file") { hasOpen("sluice.log", late) }
                kill(processes[1], SIGSTOP)
                try await eventually("the other to stand still") { isStopped(processes[1]) }
                #expect(try await site.call("short").ended().isWhole)
                kill(processes[1], SIGCONT)
                try await eventually("its line in the new file") { try site.logged("\"message\":\"answered\"") }
            }
        }
    }

    @Test func `leaves in no process a key that it has taken away`() async throws {
        let settings = "core_dumps = true\n" + settingsLine(model: "m")
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(Gate()), options: ["--processes", "3"]) { site in
            try await site.served(3)
            let master = site.sluice.process.identifier
            #expect(memoryFiles(of: master).contains { $0.contains("sk-stub") })
            let text = ProcessSite.text(settings, site.upstream).replacing("sk-stub", with: "sk-other")
            try site.directory.write(text, to: "sluice.toml")
            #expect(try await site.ask("reload").exit == .code(0))
            let processes = try await site.status().processes.map(\.process)
            try await eventually("the key to be gone") {
                ([master] + processes).allSatisfy { !memoryFiles(of: $0).contains { $0.contains("sk-stub") } }
            }
            #expect(memoryFiles(of: master).contains { $0.contains("sk-other") })
            // One that is started now has what the others have.
            kill(processes[0], SIGKILL)
            try await site.served(4)
            #expect(try await site.models() == ["m"])
        }
    }

    @Test func `goes by a list of allowed users of any length`() async throws {
        let users = (0..<9_000).map { "\"\(String(repeating: "0", count: 24))\($0 == 0 ? getuid() : 4_294_967_294)\"" }
        func settings(_ model: String) -> String {
            "socket.allowed_users = [\(users.joined(separator: ","))]\n" + settingsLine(model: model)
        }
        try await ProcessSite.with(settings("m0"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]) {
            site in
            try await site.served(2)
            try site.write(settings("m1"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(0))
            #expect(run.errors == "")
            kill(try await site.status().processes[0].process, SIGKILL)
            try await site.served(3)
            #expect(try await site.models() == ["m1"])
        }
    }

    /// In a process namespace, to which that setting of the kernel belongs.
    @Test(
        .enabled(
            if: geteuid() == 0 && FileManager.default.fileExists(atPath: "/proc/sys/vm/memfd_noexec"), "root, and Linux 6.3"),
        arguments: [1, 2]
    ) func `is done where the kernel wants no programs in memory`(level: Int) async throws {
        let strict = [
            "unshare", "--pid", "--fork", "--kill-child", "sh", "-c",
            "echo \(level) >/proc/sys/vm/memfd_noexec && exec \"$0\" \"$@\"",
        ]
        try await ProcessSite.with(
            settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"], launcher: strict
        ) { site in
            try await site.served(2)
            #expect(try await site.call("short").ended().isWhole)
            try site.write(settingsLine(model: "m1"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(0) && run.errors.isEmpty, "\(run)")
            #expect(try await site.call("short").ended().isWhole)
            #expect(site.upstream.requests.value.last?.text.contains(#""model":"m1""#) == true)
            #expect(try await site.ask("stop").exit == .code(0))
        }
    }

    @Test func `that the end overtakes is refused`() async throws {
        let gate = try Gate()
        let settings = "supervise = true\n" + settingsLine(model: "m0")
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(gate), options: []) { site in
            try await site.served(1)
            let stream = try site.call("long")
            try await stream.begun()
            let (reload, pipe) = try await site.reloadFromPipe()
            site.sluice.process.signal(SIGTERM)
            try await site.logs(1, "draining: no new requests")
            pipe.feed(ProcessSite.text(settings, site.upstream))
            #expect(try await reload.exited() == .code(69))
            #expect(reload.errors.value.text.contains("refuses: it is about to end"), "\(reload.errors.value.text)")
            gate.open()
            #expect(try await stream.ended().isWhole)
        }
    }

    @Test func `holds nothing for those who have left while they waited, and lets only so many wait`() async throws {
        let gate = try Gate()
        let settings = "core_dumps = true\n" + settingsLine(model: "m")
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(gate)) { site in
            try await site.served(4)
            let stream = try site.call("long")
            try await stream.begun()
            let processes = try await site.status().processes.map(\.process)
            try await ReloadWaiter.checkLeaving(in: site.directory, [site.sluice.process.identifier] + processes) {
                gate.open()
                let answer = try await stream.ended()
                #expect(answer.isWhole)
            }
        }
    }

    @Test func `goes by how many processes there are, and not by how many the file names by now`() async throws {
        let settings = settingsLine(model: "m0")
        try await ProcessSite.with(
            "processes = 2\n" + settings, upstream: ProcessSite.upstream(Gate()), upstreamLines: "concurrent = 4", options: []
        ) { site in
            try await site.served(2)
            try site.write("processes = 1\n" + settings, "concurrent = 1")
            let few = try await site.ask("reload")
            #expect(few.exit == .code(78))
            #expect(few.errors.contains("concurrent is shared out among the processes: at least 2"), "\(few.errors)")
            try site.write("processes = 8\n" + settings, "concurrent = 6")
            let many = try await site.ask("reload")
            #expect(many.exit == .code(0))
            #expect(many.errors == "sluice: processes has changed, which takes a restart\n")
            #expect(try await site.status().processes.compactMap { $0.upstreams?.first?.places } == [3, 3])
        }
    }

    @Test func `that comes while a process starts holds for that one too`() async throws {
        try await ProcessSite.with(
            settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]
        ) { site in
            for round in 1...5 {
                try await site.served(round == 1 ? 2 : 1 + round)
                kill(try await site.status().processes[0].process, SIGKILL)
                try site.write(settingsLine(model: "m\(round)"))
                try await eventually("the reload") { try await site.ask("reload").exit == .code(0) }
                try await site.served(2 + round)
                #expect(try await site.models() == ["m\(round)"])
            }
        }
    }
}
