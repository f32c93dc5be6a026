// What tests of reloads of several processes do with a site.

import Foundation
import Glibc
import TestSupport
import Testing

extension ProcessSite {
    static let frames = Chunks.stream(["one", "two"])

    /// One that ends a long answer when the gate is open.
    static func upstream(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream { request in
            request.text.contains("long")
                ? .begun(frames, then: gate) : .stream(frames)
        }
    }

    /// Has each process alone answer a call, and returns the models that the upstream was asked for.
    func models(among isAsked: (pid_t) -> Bool = { _ in true }) async throws -> Set<String> {
        let former = upstream.requests.value.count
        // One that has been replaced takes nothing any more.
        let processes = try await status().processes.filter { $0.state == "serving" }.map(\.process).filter(isAsked)
        for process in processes {
            let others = processes.filter { $0 != process }
            for other in others { kill(other, SIGSTOP) }
            // Until then one of its threads may still take the call.
            try await eventually("the others to stand still") { others.allSatisfy(isStopped) }
            let answer = try await call("short").ended()
            for other in others { kill(other, SIGCONT) }
            #expect(answer.isWhole)
        }
        let requests = upstream.requests.value.dropFirst(former)
        #expect(requests.count == processes.count)
        return Set(requests.compactMap { $0.text.firstMatch(of: /"model":"([^"]*)"/).map { String($0.output.1) } })
    }

    /// Lets the master open so many descriptors, and no more, beside some that it has.
    func allow(_ count: Int, beside open: Set<Int>) async throws {
        // The limit is one of their numbers.
        let limit = (0..<1024).filter { !open.contains($0) }[count]
        _ = try await ChildProcess.run(
            "prlimit", ["--pid=\(sluice.process.identifier)", "--nofile=\(limit):"], in: directory)
    }

    func logged(_ text: String) throws -> Bool { try directory.read("sluice.log").contains(text) }

    /// Has the one process read settings anew while the master stands still.
    ///
    /// - Returns: whoever has asked for it, and whether the process has answered the master.
    func reloadWithoutMaster(_ text: String) async throws -> (reload: ChildProcess, hasAnswered: () -> Bool) {
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
    func reloadFromPipe() async throws -> (reload: ChildProcess, pipe: SettingsPipe) {
        try await SettingsPipe.reload(in: directory)
    }

    /// Whoever reads, of these; nil when the reload is over before that is seen. It opens the pipe a moment before it has it.
    func reader(of processes: [pid_t], for reload: ChildProcess) async throws -> pid_t? {
        var reader: pid_t?
        try await eventually("a reader") {
            reader = processes.first { hasOpen("sluice.toml", $0) }
            return reader != nil || reload.exit.value != nil
        }
        return reader
    }

    /// The same, and the thread that reads stands still. Python may come to be later than reading may take: then it is tried again.
    func frozenReader() async throws -> (reload: ChildProcess, pipe: SettingsPipe, reader: pid_t, freezer: ChildProcess) {
        let processes = try await status().processes.map(\.process)
        while true {
            let (reload, pipe) = try await reloadFromPipe()
            if let reader = try await reader(of: processes, for: reload),
                let thread = threads(of: reader).first(where: { $0.name == "task" })?.number
            {
                let freezer = try ChildProcess(
                    Python.interpreter, ["\(repository)/Tests/EndToEnd/clients/freeze.py", thread], in: directory)
                try await freezer.output.wait(for: "its word") { $0.ended || $0.lines.contains("stopped") }
                let isStopped = freezer.output.value.lines.contains("stopped")
                if isStopped, hasOpen("sluice.toml", reader) { return (reload, pipe, reader, freezer) }
                try await freezer.end()
            }
            _ = try await reload.exited()
        }
    }
}
