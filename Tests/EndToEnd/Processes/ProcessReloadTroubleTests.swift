import Foundation
import Glibc
import TestSupport
import Testing

/// A process that cannot follow, is late, or dies meanwhile, and a master that is short of something.
@Suite(.timeLimit(.minutes(20))) struct `A reload of several processes in trouble` {
    @Test func `is in force also where one process cannot follow, which is replaced and named`() async throws {
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate())) { site in
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
                #expect(try await site.models() == ["m\(round)"])
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
            "supervise = true\n" + settingsLine(model: "m0"), upstream: ProcessSite.upstream(gate), options: []
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
            #expect(try await site.models(among: { $0 != former }) == ["m1"])
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
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(gate), options: []) { site in
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
            #expect(try await site.models(among: { $0 != former }) == ["m1"])
            gate.open()
            #expect(try await stream.ended().isWhole)
        }
    }

    @Test(arguments: [1, 2]) func `goes on with another process when the one that reads is killed, and names none`(
        count: Int
    ) async throws {
        let settings = "supervise = true\n"
        try await ProcessSite.with(
            settings + settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "\(count)"]
        ) { site in
            try await site.served(count)
            let processes = try await site.status().processes.map(\.process)
            let (reload, pipe) = try await site.reloadFromPipe()
            let reader = try #require(try await site.reader(of: processes, for: reload))
            // Whoever reads from now on has a file.
            #expect(unsafe unlink(site.directory.path("sluice.toml")) == 0)
            try site.write(settings + settingsLine(model: "m1"))
            kill(reader, SIGKILL)
            #expect(try await reload.exited() == .code(0))
            #expect(reload.errors.value.text == "")
            try await site.served(count + 1)
            #expect(try await site.models() == ["m1"])
            withExtendedLifetime(pipe) {}
        }
    }

    /// More than all of them could be asked at once with.
    @Test func `ends no process when the master is short of descriptors`() async throws {
        try await ProcessSite.with(settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate())) { site in
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
            #expect(try await site.models() == ["m1"])
        }
    }

    /// They take all descriptors that the master has left.
    @Test func `ends no process for those who connect to the control socket meanwhile`() async throws {
        try await ProcessSite.with(
            settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]
        ) { site in
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
            #expect(try await site.models() == ["m1"])
        }
    }

    @Test func `that another process has found wrong names the one that was replaced before`() async throws {
        try await ProcessSite.with(
            settingsLine(model: "m"), upstream: ProcessSite.upstream(Gate()), options: ["--processes", "2"]
        ) { site in
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
                hasBeenAsked = try await site.status().restarts > 0
                guard hasBeenAsked else { continue }
                #expect(run.errors.contains("process 1 (\(victim)) has not read the settings, and is replaced"), "\(run.errors)")
                #expect(run.errors.split(separator: "\n").count == 2, "\(run.errors)")
            }
            #expect(hasBeenAsked)
            try await site.logs(1, "a process cannot be asked, and is replaced")
        }
    }

    @Test func `is in force though the master's own log cannot be had, and says so`() async throws {
        let settings = "supervise = true\n" + settingsLine(model: "m")
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(Gate()), options: []) { site in
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
        try await ProcessSite.with(settings + settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: []) {
            site in
            try await site.served(1)
            let reader = try await site.status().processes[0].process
            let (reload, hasRead) = try await site.reloadWithoutMaster(
                ProcessSite.text(settings + settingsLine(model: "m1"), site.upstream))
            try await site.logs(1, "the settings were reloaded")
            try await eventually("its answer") { hasRead() }
            kill(reader, SIGKILL)
            try await eventually("its end") { !lives(reader) }
            site.sluice.process.signal(SIGCONT)
            let exit = try await reload.exited()
            try await site.served(2)
            let last = try await site.status().lastReload
            #expect(last?.outcome == "in force")
            #expect(try await site.models() == ["m1"])
            // Its successor may serve before the master comes to tell.
            if exit == .code(0) { return }
            #expect(exit == .code(78))
            #expect(
                reload.errors.value.text.contains("no process goes by the settings yet: those that start from now on do"),
                "\(reload.errors.value.text)")
            try await site.logs(1, "the settings were reloaded, but no process goes by them yet")
            #expect(last?.problems.first?.hasPrefix("no process goes by the settings yet") == true)
        }
    }

    @Test func `while there is none has those start that wait for it, and is done as always`() async throws {
        try await ProcessSite.with(
            "supervise = true\n" + settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: []
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
                #expect(try await site.models() == [expected])
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
            settings, upstream: ProcessSite.upstream(Gate()), upstreamLines: lines, options: [], in: directory
        ) { site in
            try await site.served(1)
            let content = try directory.read("authority.pem")
            #expect(unsafe unlink(authority.file) == 0)
            kill(try await site.status().processes[0].process, SIGKILL)
            try await site.logs(3, "a process has ended")
            try await eventually("the place to be told as empty") {
                let status = try await site.status()
                return status.state == "down" && status.processesServing == 0 && status.processesWanted == 1
                    && status.emptyPlaces.first?.reason.contains("ended with status") == true
            }
            let run = try await site.ask("reload")
            #expect(run.exit == .code(78))
            #expect(run.errors.contains("no process serves"), "\(run.errors)")
            let reload = try await site.status().lastReload
            #expect(reload?.outcome == "failed")
            #expect(reload?.problems.first?.contains("no process serves") == true)
            try directory.write(content, to: "authority.pem")
            // One that has started just before is about to end.
            try await eventually("the reload") { try await site.ask("reload").exit == .code(0) }
            #expect(try await site.models() == ["m0"])
        }
    }

    @Test func `is not held up by a process that does not answer`() async throws {
        try await ProcessSite.with(
            "supervise = true\n" + settingsLine(model: "m0"), upstream: ProcessSite.upstream(Gate()), options: []
        ) { site in
            try await site.served(1)
            let victim = try await site.status().processes[0].process
            kill(victim, SIGSTOP)
            try site.write("supervise = true\n" + settingsLine(model: "m1"))
            let run = try await site.ask("reload")
            #expect(run.exit == .code(78))
            #expect(run.errors.contains("\(victim)"), "\(run.errors)")
            try await site.served(2)
            #expect(try await site.models() == ["m0"])
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await site.models() == ["m1"])
        }
    }

    @Test func `that takes too long to read changes nothing, and says so`() async throws {
        let settings = "supervise = true\n" + settingsLine(model: "m0")
        try await ProcessSite.with(settings, upstream: ProcessSite.upstream(Gate()), options: []) { site in
            try await site.served(1)
            let (reload, pipe) = try await site.reloadFromPipe()
            #expect(try await reload.exited() == .code(78))
            let errors = reload.errors.value.text
            #expect(errors.contains("reading the settings takes longer than 5s: "), "\(errors)")
            #expect(errors.contains("sluice.toml"), "\(errors)")
            #expect(errors.split(separator: "\n").count == 1, "\(errors)")
            #expect(pipe.isRead)
            #expect(try await site.status().restarts == 0)
            #expect(try await site.models() == ["m0"])
        }
    }

    /// Nothing of the one that reads stands still but the reading, as that of a disk that does not answer.
    @Test(arguments: [1, 2]) func `that a process reads late ends none of its streams, and it has what the others have then`(
        count: Int
    ) async throws {
        let gate = try Gate()
        let settings = "supervise = true\ntimeouts = {drain = \"1s\", idle = \"10m\"}\n"
        try await ProcessSite.with(
            settings + settingsLine(model: "m0"), upstream: ProcessSite.upstream(gate), options: ["--processes", "\(count)"]
        ) { site in
            try await site.served(count)
            let streams = try (0..<8).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            let (reload, pipe, reader, freezer) = try await site.frozenReader()
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
            #expect(try await site.models() == [count == 1 ? "m0" : "m1"])
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await site.models() == ["m1"])
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.status().restarts == 0)
        }
    }

    @Test func `that a process takes late ends none of its streams, and holds for it when it comes to it`() async throws {
        let gate = try Gate()
        let settings = "timeouts = {drain = \"1s\", idle = \"10m\"}\n"
        try await ProcessSite.with(
            settings + settingsLine(model: "m0"), upstream: ProcessSite.upstream(gate), options: ["--processes", "2"]
        ) { site in
            try await site.served(2)
            let streams = try (0..<8).map { _ in try site.call("long") }
            for stream in streams { try await stream.begun() }
            let processes = try await site.status().processes.map(\.process)
            let (reload, pipe) = try await site.reloadFromPipe()
            let reader = try await site.reader(of: processes, for: reload)
            let late = try #require(processes.first { $0 != reader })
            kill(late, SIGSTOP)
            try await eventually("it to stand still") { isStopped(late) }
            pipe.feed(ProcessSite.text(settings + settingsLine(model: "m1"), site.upstream))
            #expect(try await reload.exited(within: .seconds(60)) == .code(0))
            let errors = reload.errors.value.text
            #expect(errors.contains("(\(late)) is late"), "\(errors)")
            #expect(try await site.status(stopped: late).lastReload?.problems.count == 1)
            kill(late, SIGCONT)
            try await site.logs(1, "a process that was late has the settings in force")
            #expect(try await site.models() == ["m1"])
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().isWhole) }
            #expect(try await site.status().restarts == 0)
        }
    }
}
