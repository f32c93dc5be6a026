import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `A reload of several processes` {
    private let frames = Chunks.stream(["one", "two"])

    private func upstream(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream { request in
            request.text.contains("long")
                ? Reply([.text(frames[0]), .wait(gate)] + frames.dropFirst().map(Reply.Step.text)) : .stream(frames)
        }
    }

    /// Has each process alone answer a call, and returns the models that the upstream was asked for.
    private func models(
        _ site: ProcessSite, among isAsked: (pid_t) -> Bool = { _ in true }
    ) async throws -> Set<String> {
        let former = site.upstream.requests.value.count
        let processes = try await site.status().processes.map(\.process).filter(isAsked)
        for process in processes {
            let others = processes.filter { $0 != process }
            for other in others { kill(other, SIGSTOP) }
            // Until then one of its threads may still take the call.
            try await eventually("the others to stand still") { others.allSatisfy(isStopped) }
            let answer = try await site.call("short").ended()
            for other in others { kill(other, SIGCONT) }
            #expect(answer.isWhole)
        }
        let requests = site.upstream.requests.value.dropFirst(former)
        #expect(requests.count == processes.count)
        return Set(requests.compactMap { $0.text.firstMatch(of: /"model":"([^"]*)"/).map { String($0.output.1) } })
    }

    @Test func `is in force in all of them, or in none, under streams`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: upstream(gate)) { site in
            try await site.served(4)
            let streams = try (0..<40).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            for round in 1...5 {
                try site.write(settingsLine(model: "m\(round)"))
                let good = try await site.ask("reload")
                #expect((good.exit, good.errors) == (.code(0), ""))
                #expect(try await models(site) == ["m\(round)"])
                try site.write("heartbeat = \(round)")
                let bad = try await site.ask("reload")
                #expect(bad.exit == .code(78))
                #expect(bad.errors.contains("sluice.toml:3: heartbeat "), "\(bad.errors)")
                #expect(try await models(site) == ["m\(round)"])
                #expect(try await site.status().lastReload?.outcome == "failed")
                // One that is started now has what the others have, and not what the file says.
                let victim = try await site.status().processes[round % 4].process
                kill(victim, SIGKILL)
                try await site.served(4 + round)
                #expect(try await models(site) == ["m\(round)"])
            }
            #expect(try await site.status().restarts == 5)
            let broken = streams.count { $0.answer.value.isClosed }
            gate.open(streams.count - broken)
            for stream in streams where !stream.answer.value.isClosed { #expect(try await stream.ended().isWhole) }
        }
    }

    @Test(arguments: [SIGHUP, SIGUSR2]) func `is asked for by a signal to the master`(signal: Int32) async throws {
        try await ProcessSite.with(settingsLine(model: "before"), upstream: upstream(Gate())) { site in
            try await site.served(4)
            try site.write(settingsLine(model: "after"))
            site.sluice.process.signal(signal)
            try await eventually("the reload") { try await site.status().lastReload != nil }
            #expect(try await models(site) == ["after"])
            #expect(try await site.logs(1, "the settings were reloaded").count == 1)
        }
    }

    @Test func `names what only a start can change, and leaves that as it was for later processes too`() async throws {
        try await ProcessSite.with(settingsLine(model: "before"), upstream: upstream(Gate()), options: ["--processes", "2"]) {
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
            #expect(try await models(site) == ["after"])
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
        try await ProcessSite.with(settingsLine(model: "before"), upstream: upstream(gate)) { site in
            try await site.served(4)
            let streams = try (0..<8).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            let waiting = try ChildProcess(
                SluiceProcess.binary, ["reload", "--wait", "--control", "unix:control.sock"], environment: [:], in: site.directory
            )
            try await eventually("the reload") { try await site.status().lastReload != nil }
            // Others are not held up by it.
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(waiting.exit.value == nil)
            gate.open(streams.count)
            #expect(try await waiting.exited() == .code(0))
            for stream in streams { #expect(try await stream.ended().isWhole) }
        }
    }

    @Test func `changes the log of the master and of the processes`() async throws {
        try await ProcessSite.with(settingsLine(model: "m"), upstream: upstream(Gate()), options: ["--processes", "2"]) { site in
            try await site.served(2)
            try site.write("log.to = \"file:sluice.log\"\n" + settingsLine(model: "m"))
            #expect(try await site.ask("reload").exit == .code(0))
            let victim = try await site.status().processes[0].process
            kill(victim, SIGKILL)
            try await eventually("the end in the log") { try site.logged("a process has ended") }
            #expect(try await site.call().ended().isWhole)
            try await eventually("the answer in the log") { try site.logged("\"message\":\"answered\"") }
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
        try await ProcessSite.with(settings, upstream: upstream(Gate()), options: ["--processes", "2"]) { site in
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
        try await ProcessSite.with(settings, upstream: upstream(Gate()), options: ["--processes", "3"]) { site in
            try await site.served(3)
            let master = site.sluice.process.identifier
            #expect(try memoryFiles(of: master).contains { $0.contains("sk-stub") })
            let text = ProcessSite.text(settings, site.upstream).replacing("sk-stub", with: "sk-other")
            try site.directory.write(text, to: "sluice.toml")
            #expect(try await site.ask("reload").exit == .code(0))
            let processes = try await site.status().processes.map(\.process)
            try await eventually("the key to be gone") {
                try ([master] + processes).allSatisfy { try !memoryFiles(of: $0).contains { $0.contains("sk-stub") } }
            }
            #expect(try memoryFiles(of: master).contains { $0.contains("sk-other") })
            // One that is started now has what the others have.
            kill(processes[0], SIGKILL)
            try await site.served(4)
            #expect(try await models(site) == ["m"])
        }
    }

    @Test func `is in force also where one process cannot follow, which is replaced and named`() async throws {
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: upstream(Gate())) { site in
            try await site.served(4)
            // Until it was not the one that was asked to read them.
            var hasRefused = false
            for round in 1...20 where !hasRefused {
                let victim = try await site.status().processes[3].process
                // No descriptor that the master passes on finds room in it.
                _ = try await ChildProcess.run("prlimit", ["--pid=\(victim)", "--nofile=3:3"], in: site.directory)
                try site.write(settingsLine(model: "m\(round)"))
                let run = try await site.ask("reload")
                #expect(run.exit == .code(0), "\(run.errors)")
                try await site.served(4 + round)
                #expect(try await models(site) == ["m\(round)"])
                let reload = try await site.status().lastReload
                #expect(reload?.outcome == "in force")
                #expect(reload?.problems.count == 1)
                #expect(
                    run.errors.contains("process 4 (\(victim)) has not read")
                        || run.errors.contains("process 4 (\(victim)) could not take"))
                hasRefused = run.errors.contains("process 4 (\(victim)) could not take the settings, and is replaced")
            }
            #expect(hasRefused)
            #expect(try await site.ask("status").output.contains(", in force: process 4 ("))
        }
    }

    @Test func `breaks off no stream of a process out of descriptors, and is not over while one runs`() async throws {
        let gate = try Gate()
        try await ProcessSite.with(
            "supervise = true\n" + settingsLine(model: "m0"), upstream: upstream(gate), options: []
        ) { site in
            try await site.served(1)
            let stream = try site.call("long")
            try await stream.begun()
            let former = try await site.status().processes[0].process
            // It is healthy, but no descriptor that the master passes on finds room in it.
            _ = try await ChildProcess.run("prlimit", ["--pid=\(former)", "--nofile=3:3"], in: site.directory)
            try site.write("supervise = true\n" + settingsLine(model: "m1"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(0), "\(run.errors)")
            try await site.served(2)
            #expect(try await models(site, among: { $0 != former }) == ["m1"])
            // It ends by now, and cannot say when its stream is over.
            let waiting = try await site.ask("reload", "--wait")
            #expect(waiting.exit == .code(69))
            #expect(waiting.errors.contains("the settings are in force, but Sluice has not said"), "\(waiting.errors)")
            #expect(!stream.answer.value.isClosed)
            gate.open()
            #expect(try await stream.ended().isWhole)
            try await site.logs(1, "a process has ended")
            #expect(try await site.ask("reload", "--wait").exit == .code(0))
        }
    }

    @Test func `goes on with another process when the one that reads is told to end`() async throws {
        let gate = try Gate()
        let settings = "supervise = true\n" + settingsLine(model: "m0")
        try await ProcessSite.with(settings, upstream: upstream(gate), options: []) { site in
            try await site.served(1)
            // For its sake the process is there until the file has been read.
            let stream = try site.call("long")
            try await stream.begun()
            let former = try await site.status().processes[0].process
            let (reload, pipe) = try await site.reloadFromPipe()
            kill(former, SIGTERM)
            try await site.logs(1, "a process takes nothing new")
            // Whoever reads from now on has a file.
            #expect(unsafe unlink(site.directory.path("sluice.toml")) == 0)
            try site.write(settings.replacing("m0", with: "m1"))
            pipe.feed(ProcessSite.text(settings, site.upstream))
            #expect(try await reload.exited() == .code(0), "\(reload.errors.value.text)")
            // It was not for the reload that another one has taken its place.
            #expect(reload.errors.value.text == "")
            #expect(try await models(site, among: { $0 != former }) == ["m1"])
            gate.open()
            #expect(try await stream.ended().isWhole)
        }
    }

    @Test(arguments: [1, 2]) func `goes on with another process when the one that reads is killed, and names none`(
        count: Int
    ) async throws {
        let settings = "supervise = true\n"
        try await ProcessSite.with(
            settings + settingsLine(model: "m0"), upstream: upstream(Gate()), options: ["--processes", "\(count)"]
        ) { site in
            try await site.served(count)
            let (reload, pipe) = try await site.reloadFromPipe()
            let reader = try #require(try await site.status().processes.map(\.process).first { hasOpen("sluice.toml", $0) })
            // Whoever reads from now on has a file.
            #expect(unsafe unlink(site.directory.path("sluice.toml")) == 0)
            try site.write(settings + settingsLine(model: "m1"))
            kill(reader, SIGKILL)
            #expect(try await reload.exited() == .code(0))
            #expect(reload.errors.value.text == "")
            try await site.served(count + 1)
            #expect(try await models(site) == ["m1"])
            withExtendedLifetime(pipe) {}
        }
    }

    /// More than all of them could be asked at once with.
    @Test func `ends no process when the master is short of descriptors`() async throws {
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: upstream(Gate())) { site in
            try await site.served(4)
            let master = site.sluice.process.identifier
            let open = openNumbers(of: master)
            // For whoever asks, the new record, and one question; then there are none for another.
            try await site.allow(4, beside: open)
            try site.write(settingsLine(model: "m1"))
            let failed = try await site.ask("reload")
            #expect(failed.exit == .code(78))
            #expect(failed.errors.contains("the master cannot ask a process: "), "\(failed.errors)")
            #expect(failed.errors.contains("raise LimitNOFILE"), "\(failed.errors)")
            try await site.logs(1, "the settings were not reloaded: those from before hold")
            try await eventually("the end of that") { openNumbers(of: master) == open }
            // And for the next question.
            try await site.allow(6, beside: open)
            let run = try await site.ask("reload")
            #expect(run.exit == .code(0))
            #expect(run.errors == "")
            try await site.allow(100, beside: open)
            let status = try await site.status()
            #expect(status.restarts == 0)
            #expect(status.lastReload?.outcome == "in force")
            #expect(try await models(site) == ["m1"])
        }
    }

    /// They take all descriptors that the master has left.
    @Test func `ends no process for those who connect to the control socket meanwhile`() async throws {
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: upstream(Gate()), options: ["--processes", "2"]) { site in
            try await site.served(2)
            let master = site.sluice.process.identifier
            let open = openNumbers(of: master)
            try await site.allow(8, beside: open)
            let (reload, pipe) = try await site.reloadFromPipe()
            var silent: [Socket] = []
            for _ in 0..<8 { silent.append(try Socket.connected(path: site.directory.path("control.sock"))) }
            try await eventually("none to be left") { openNumbers(of: master).count == open.count + 8 }
            pipe.feed(ProcessSite.text(settingsLine(model: "m1"), site.upstream))
            #expect(try await reload.exited() == .code(0))
            #expect(reload.errors.value.text == "")
            for socket in silent { socket.close() }
            try await site.allow(100, beside: open)
            #expect(try await site.status().restarts == 0)
            #expect(try await models(site) == ["m1"])
        }
    }

    @Test func `that another process has found wrong names the one that was replaced before`() async throws {
        try await ProcessSite.with(settingsLine(model: "m"), upstream: upstream(Gate()), options: ["--processes", "2"]) { site in
            try await site.served(2)
            try site.write("heartbeat = 3")
            // Until it was the one that was asked first.
            var hasBeenAsked = false
            for _ in 1...20 where !hasBeenAsked {
                let victim = try await site.status().processes[0].process
                // No descriptor that the master passes on finds room in it.
                _ = try await ChildProcess.run("prlimit", ["--pid=\(victim)", "--nofile=3:3"], in: site.directory)
                let run = try await site.ask("reload")
                #expect(run.exit == .code(78))
                #expect(run.errors.contains("sluice.toml:3: heartbeat "), "\(run.errors)")
                hasBeenAsked = site.sluice.process.errors.value.text.contains("a process cannot be asked, and is replaced")
                guard hasBeenAsked else { continue }
                #expect(run.errors.contains("process 1 (\(victim)) has not read the settings, and is replaced"), "\(run.errors)")
                #expect(run.errors.split(separator: "\n").count == 2, "\(run.errors)")
            }
            #expect(hasBeenAsked)
        }
    }

    @Test func `goes by a list of allowed users of any length`() async throws {
        let users = (0..<9_000).map { "\"\(String(repeating: "0", count: 24))\($0 == 0 ? getuid() : 4_294_967_294)\"" }
        func settings(_ model: String) -> String {
            "socket.allowed_users = [\(users.joined(separator: ","))]\n" + settingsLine(model: model)
        }
        try await ProcessSite.with(settings("m0"), upstream: upstream(Gate()), options: ["--processes", "2"]) { site in
            try await site.served(2)
            try site.write(settings("m1"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(0))
            #expect(run.errors == "")
            kill(try await site.status().processes[0].process, SIGKILL)
            try await site.served(3)
            #expect(try await models(site) == ["m1"])
        }
    }

    @Test func `is in force though the master's own log cannot be had, and says so`() async throws {
        let settings = "supervise = true\n" + settingsLine(model: "m")
        try await ProcessSite.with(settings, upstream: upstream(Gate()), options: []) { site in
            try await site.served(1)
            let (folder, moved) = (site.directory.path("logs"), site.directory.path("moved"))
            #expect(unsafe mkdir(folder, 0o700) == 0)
            let (reload, hasRead) = try await site.reloadWithoutMaster(
                ProcessSite.text("log.to = \"file:logs/sluice.log\"\n" + settings, site.upstream))
            try await eventually("the process's log") { FileManager.default.fileExists(atPath: "\(folder)/sluice.log") }
            try await eventually("its answer") { hasRead() }
            #expect(unsafe rename(folder, moved) == 0)
            site.sluice.process.signal(SIGCONT)
            #expect(try await reload.exited() == .code(0))
            #expect(
                reload.errors.value.text.contains("log.to: the master's own log cannot be written, and goes where it went"),
                "\(reload.errors.value.text)")
            try await site.logs(1, "the master's log cannot be written (log.to): it goes where it went")
            #expect(try await site.status().lastReload?.outcome == "in force")
            #expect(try await site.call().ended().isWhole)
            try await eventually("the answer in the process's log") {
                try site.directory.read("moved/sluice.log").contains("\"message\":\"answered\"")
            }
        }
    }

    @Test func `that only a process has followed that has died is told as one that none goes by yet`() async throws {
        let settings = "supervise = true\n"
        try await ProcessSite.with(settings + settingsLine(model: "m0"), upstream: upstream(Gate()), options: []) { site in
            try await site.served(1)
            let reader = try await site.status().processes[0].process
            let (reload, hasRead) = try await site.reloadWithoutMaster(
                ProcessSite.text(settings + settingsLine(model: "m1"), site.upstream))
            try await site.logs(1, "the settings were reloaded")
            try await eventually("its answer") { hasRead() }
            kill(reader, SIGKILL)
            try await eventually("its end") { !lives(reader) }
            site.sluice.process.signal(SIGCONT)
            #expect(try await reload.exited() == .code(78))
            #expect(
                reload.errors.value.text.contains("no process goes by the settings yet: those that start from now on do"),
                "\(reload.errors.value.text)")
            try await site.logs(1, "the settings were reloaded, but no process goes by them yet")
            let last = try await site.status().lastReload
            #expect(last?.outcome == "in force")
            #expect(last?.problems.first?.hasPrefix("no process goes by the settings yet") == true)
            try await site.served(2)
            #expect(try await models(site) == ["m1"])
        }
    }

    @Test func `that the end overtakes is refused`() async throws {
        let gate = try Gate()
        let settings = "supervise = true\n" + settingsLine(model: "m0")
        try await ProcessSite.with(settings, upstream: upstream(gate), options: []) { site in
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
        try await ProcessSite.with(settings, upstream: upstream(gate)) { site in
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

    @Test func `while there is none has those start that wait for it, and is done as always`() async throws {
        try await ProcessSite.with(
            "supervise = true\n" + settingsLine(model: "m0"), upstream: upstream(Gate()), options: []
        ) { site in
            // So often that the next one is waited for.
            for round in 1...5 {
                try await site.served(round)
                if round < 5 { kill(try await site.status().processes[0].process, SIGKILL) }
            }
            var count = 5
            for (file, status, expected) in [
                (settingsLine(model: "m1"), Int32(0), "m1"), ("heartbeat = 3", 78, "m1"), (settingsLine(model: "m2"), 0, "m2"),
            ] {
                kill(try await site.status().processes[0].process, SIGKILL)
                try await site.logs(count, "\"signal\":\"SIGKILL\"")
                count += 1
                try site.write("supervise = true\n" + file)
                let run = try await site.ask("reload")
                #expect(run.exit == .code(status), "\(run.errors)")
                #expect(try await site.status().lastReload?.outcome == (status == 0 ? "in force" : "failed"))
                try await site.served(count)
                #expect(try await models(site) == [expected])
            }
        }
    }

    @Test func `while none can serve changes nothing, and says so`() async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        let lines = """
            [upstreams.other]
            url = "https://localhost:9"
            key = "k"
            """
        let settings = "supervise = true\nauthorities_file = \"authority.pem\"\n" + settingsLine(model: "m0")
        try await ProcessSite.with(
            settings, upstream: upstream(Gate()), upstreamLines: lines, options: [], in: directory
        ) { site in
            try await site.served(1)
            let content = try directory.read("authority.pem")
            #expect(unsafe unlink(authority.file) == 0)
            kill(try await site.status().processes[0].process, SIGKILL)
            try await site.logs(3, "a process has ended")
            let run = try await site.ask("reload")
            #expect(run.exit == .code(78))
            #expect(run.errors.contains("no process serves"), "\(run.errors)")
            let reload = try await site.status().lastReload
            #expect(reload?.outcome == "failed")
            #expect(reload?.problems.first?.contains("no process serves") == true)
            try directory.write(content, to: "authority.pem")
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await models(site) == ["m0"])
        }
    }

    @Test func `is not held up by a process that does not answer`() async throws {
        try await ProcessSite.with(
            "supervise = true\n" + settingsLine(model: "m0"), upstream: upstream(Gate()), options: []
        ) { site in
            try await site.served(1)
            let victim = try await site.status().processes[0].process
            kill(victim, SIGSTOP)
            try site.write("supervise = true\n" + settingsLine(model: "m1"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(78))
            #expect(run.errors.contains("\(victim)"), "\(run.errors)")
            try await site.served(2)
            #expect(try await models(site) == ["m0"])
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await models(site) == ["m1"])
        }
    }

    @Test func `that takes too long to read changes nothing, and says so`() async throws {
        let settings = "supervise = true\n" + settingsLine(model: "m0")
        try await ProcessSite.with(settings, upstream: upstream(Gate()), options: []) { site in
            try await site.served(1)
            let (reload, pipe) = try await site.reloadFromPipe()
            #expect(try await reload.exited() == .code(78))
            let errors = reload.errors.value.text
            #expect(errors.contains("reading the settings takes longer than 5s: "), "\(errors)")
            #expect(errors.contains("sluice.toml"), "\(errors)")
            #expect(errors.split(separator: "\n").count == 1, "\(errors)")
            #expect(pipe.isRead)
            #expect(try await site.status().restarts == 0)
            #expect(try await models(site) == ["m0"])
        }
    }

    /// Nothing of the one that reads stands still but the reading, as that of a disk that does not answer.
    @Test(arguments: [1, 2]) func `that a process reads late ends none of its streams, and it has what the others have then`(
        count: Int
    ) async throws {
        let gate = try Gate()
        let settings = "supervise = true\ntimeouts.drain = \"1s\"\n"
        try await ProcessSite.with(
            settings + settingsLine(model: "m0"), upstream: upstream(gate), options: ["--processes", "\(count)"]
        ) { site in
            try await site.served(count)
            let streams = try (0..<8).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            let (reload, pipe) = try await site.reloadFromPipe()
            let reader = try #require(try await site.status().processes.map(\.process).first { hasOpen("sluice.toml", $0) })
            let thread = try #require(threads(of: reader).first { $0.name == "task" }).number
            let freezer = try ChildProcess(
                Python.interpreter, ["\(repository)/Tests/EndToEnd/clients/freeze.py", thread], in: site.directory)
            _ = try await ChildProcess.line(containing: "stopped", in: freezer.output)
            // Whoever reads from now on has a file.
            #expect(unsafe unlink(site.directory.path("sluice.toml")) == 0)
            try site.write(settings + settingsLine(model: "m1"))
            pipe.feed(ProcessSite.text(settings + settingsLine(model: "late"), site.upstream))
            #expect(try await reload.exited(within: .seconds(60)) == .code(count == 1 ? 78 : 0))
            let errors = reload.errors.value.text
            #expect(errors.contains("(\(reader)) has not read the settings within 10s"), "\(errors)")
            let late = try await site.logs(1, "a process is late with a reload")
            #expect(late[0].contains("\"process\":\(reader)"))
            try await freezer.end()
            try await site.logs(1, "a process that was late has the settings in force")
            #expect(try await models(site) == [count == 1 ? "m0" : "m1"])
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await models(site) == ["m1"])
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.status().restarts == 0)
        }
    }

    @Test func `that a process takes late ends none of its streams, and holds for it when it comes to it`() async throws {
        let gate = try Gate()
        let settings = "timeouts.drain = \"1s\"\n"
        try await ProcessSite.with(
            settings + settingsLine(model: "m0"), upstream: upstream(gate), options: ["--processes", "2"]
        ) { site in
            try await site.served(2)
            let streams = try (0..<8).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            let (reload, pipe) = try await site.reloadFromPipe()
            let late = try #require(try await site.status().processes.map(\.process).first { !hasOpen("sluice.toml", $0) })
            kill(late, SIGSTOP)
            try await eventually("it to stand still") { isStopped(late) }
            pipe.feed(ProcessSite.text(settings + settingsLine(model: "m1"), site.upstream))
            #expect(try await reload.exited(within: .seconds(60)) == .code(0))
            let errors = reload.errors.value.text
            #expect(errors.contains("(\(late)) is late"), "\(errors)")
            #expect(try await site.status().lastReload?.problems.count == 1)
            kill(late, SIGCONT)
            try await site.logs(1, "a process that was late has the settings in force")
            #expect(try await models(site) == ["m1"])
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.status().restarts == 0)
        }
    }

    @Test func `goes by how many processes there are, and not by how many the file names by now`() async throws {
        let settings = settingsLine(model: "m0")
        try await ProcessSite.with(
            "processes = 2\n" + settings, upstream: upstream(Gate()), upstreamLines: "concurrent = 4", options: []
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
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: upstream(Gate()), options: ["--processes", "2"]) { site in
            for round in 1...5 {
                try await site.served(round == 1 ? 2 : 1 + round)
                kill(try await site.status().processes[0].process, SIGKILL)
                try site.write(settingsLine(model: "m\(round)"))
                try await eventually("the reload") { try await site.ask("reload").exit == .code(0) }
                try await site.served(2 + round)
                #expect(try await models(site) == ["m\(round)"])
            }
        }
    }
}

/// The threads of a process.
private func threads(of process: pid_t) -> [(number: String, name: String)] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return numbers.map { number in
        let name = (try? String(contentsOfFile: "/proc/\(process)/task/\(number)/comm", encoding: .utf8)) ?? ""
        return (number, name.trimmingCharacters(in: .newlines))
    }
}

/// The processes that one has started.
private func children(of process: pid_t) -> [pid_t] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    return numbers.filter { number in
        let text = (try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)) ?? ""
        // Behind the name, which may have anything in it: the state, and the parent.
        return text.split(separator: ")").last?.split(separator: " ").dropFirst().first == "\(process)"
    }
}

private func openFiles(of process: pid_t) -> [(path: String, target: String)] {
    let folder = "/proc/\(process)/fd"
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { number in
        let path = "\(folder)/\(number)"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: path)).map { (path, $0) }
    }
}

private func hasOpen(_ name: String, _ process: pid_t) -> Bool {
    openFiles(of: process).contains { $0.target.hasSuffix("/\(name)") }
}

/// What the records of settings hold that a process has open.
private func memoryFiles(of process: pid_t) throws -> [String] {
    try openFiles(of: process).filter { $0.target.contains("memfd:sluice settings") }.map { file in
        String(decoding: try Data(contentsOf: URL(filePath: file.path)), as: UTF8.self)
    }
}

private func openNumbers(of process: pid_t) -> Set<Int> {
    Set(openFiles(of: process).compactMap { Int($0.path.split(separator: "/").last ?? "") })
}

extension ProcessSite {
    /// Lets the master open so many descriptors, and no more, beside some that it has.
    fileprivate func allow(_ count: Int, beside open: Set<Int>) async throws {
        // The limit is one of their numbers.
        let limit = (0..<1024).filter { !open.contains($0) }[count]
        _ = try await ChildProcess.run(
            "prlimit", ["--pid=\(sluice.process.identifier)", "--nofile=\(limit):"], in: directory)
    }

    fileprivate func logged(_ text: String) throws -> Bool { try directory.read("sluice.log").contains(text) }

    /// Has the one process read settings anew while the master stands still.
    ///
    /// - Returns: whoever has asked for it, and whether the process has answered the master.
    fileprivate func reloadWithoutMaster(_ text: String) async throws -> (reload: ChildProcess, hasAnswered: () -> Bool) {
        let reader = try await status().processes[0].process
        func openCount() -> Int { openFiles(of: reader).count { $0.target.hasPrefix("socket:") || $0.target.contains("memfd:") } }
        let before = openCount()
        let (reload, pipe) = try await reloadFromPipe()
        let master = sluice.process.identifier
        kill(master, SIGSTOP)
        try await eventually("the master to stand still") { isStopped(master) }
        try await eventually("the question") { openCount() > before }
        pipe.feed(text)
        // What came with the question is closed behind the answer.
        return (reload, { openCount() == before })
    }

    /// Asks for a reload while the settings file is a pipe, and returns when a process has begun to read it.
    fileprivate func reloadFromPipe() async throws -> (reload: ChildProcess, pipe: SettingsPipe) {
        try await SettingsPipe.reload(in: directory)
    }
}
