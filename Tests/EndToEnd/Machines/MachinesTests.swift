import Glibc
import TestSupport
import Testing

/// Each machine is a network namespace: nothing of the machine that runs the tests is changed.
@Suite(.enabled(if: mayMakeMachines, "machines of a test's own need root, and may not be had in a container"))
struct `Several machines behind one web server` {
    @Test(arguments: [WebServer.nginx, .haproxy])
    func `lose no stream but those of one that dies, no call, and none at all where one is drained`(kind: WebServer) async throws
    {
        let site = try await MachinesSite(kind)
        let (a, b, c) = (site.responders[0], site.responders[1], site.responders[2])
        let streams = Dictionary(grouping: try await site.open(300), by: \.machine)
        // By the number of calls that each has: a hundred, but for what the web server's processes have not told each other yet.
        #expect(streams.values.allSatisfy { $0.count >= 50 } && streams.count == 3, "\(streams.mapValues(\.count))")

        // One dies.
        a.sluice.process.signal(SIGKILL)
        for stream in streams["a"] ?? [] {
            let answer = try await stream.answer.ended()
            #expect(!answer.text.contains(Chunks.done), "a broken stream never looks complete")
        }
        #expect(try await site.answers(20).isSubset(of: ["b", "c"]))

        // Another falls silent.
        try await b.cutOff()
        #expect(try await site.answers(20) == ["c"])

        // The first returns, and the last is drained.
        try await a.start()
        try await site.isBack("a")
        c.sluice.process.signal(SIGTERM)
        try await c.sluice.refuses()
        try await eventually("the port of c to be closed") { try await site.answers(3) == ["a"] }
        #expect(try await site.answers(20) == ["a"])
        try await site.finish(streams["c"] ?? [])
        #expect(try await c.sluice.process.exited() == .code(0))

        // All are back. What had been cut off for a while has lost nothing.
        try await b.plugIn()
        try await site.finish(streams["b"] ?? [])
        try await site.isBack("b")
        try await c.start()
        try await site.isBack("c")
        let again = Dictionary(grouping: try await site.open(90), by: \.machine)
        #expect(again.count == 3 && again.values.allSatisfy { $0.count >= 15 }, "\(again.mapValues(\.count))")
        try await site.finish(again.values.flatMap { $0 })
        try await site.end()
    }
}
