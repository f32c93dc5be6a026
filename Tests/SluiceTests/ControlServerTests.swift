import EventLoop
import TestSupport
import Testing

@testable import Sluice

/// What a test lets answer at a control socket.
private final class Asked: Controllable {
    struct Counts: Sendable { var (statuses, reloads, cancelledReloads) = (0, 0, 0) }

    let counts = Observed(Counts())
    let page: String
    let (reloaded, formersEnded, ended) = (Awaited<ControlAnswer>(), OneTimeEvent(), OneTimeEvent())

    init(page: String = "page") { self.page = page }

    func status(_ form: StatusForm) async -> [UInt8]? {
        counts.update { $0.statuses += 1 }
        return ControlAnswer(.ok, [page]).bytes
    }

    func metricsPage() async -> [UInt8]? { ControlAnswer(.ok, ["metrics"]).bytes }
    func clients(isJSON: Bool) async -> ControlAnswer? { ControlAnswer(.ok) }
    func reload() async -> ControlAnswer? {
        counts.update { $0.reloads += 1 }
        let answer = await reloaded.value()
        if answer == nil { counts.update { $0.cancelledReloads += 1 } }
        return answer
    }

    func formersEnd() async -> Bool {
        await formersEnded.wait()
        return !Task.isCancelled
    }

    func reopenLog() async -> ControlAnswer { .logIsNoFile }

    func stop() async { await ended.wait() }

    func stopAtOnce() async { ended.come() }
}

@Suite(.timeLimit(.minutes(1)), .ownThread) struct `Whoever asks at the control socket` {
    private let directory: TemporaryDirectory
    private var path: String { directory.path("control.sock") }

    init() throws { directory = try TemporaryDirectory() }

    /// Lets somebody be asked while a test runs.
    private func serving(_ asked: Asked, _ test: () async throws -> Void) async throws {
        let loop = try EventLoop()
        try startThread(named: "loop") { loop.run() }
        defer { loop.stop() }
        let server = try ControlServer(at: path, on: loop)
        defer { server.removePath() }
        try server.start(asked)
        try await test()
    }

    private func asking(_ line: String) throws -> Socket {
        let socket = try Socket.connected(path: path)
        socket.limitReads(seconds: 30)
        try socket.write(Array("\(line)\n".utf8))
        return socket
    }

    /// All that is said up to the end.
    private func heard(_ socket: Socket) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let part = try socket.read()
            if part.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += part
        }
    }

    @Test func `has no place from those who have left while a reload goes on`() async throws {
        let asked = Asked()
        try await serving(asked) {
            var leaving: [Socket] = []
            for count in 1...16 {
                leaving.append(try asking("reload wait"))
                try await asked.counts.wait(for: "reload \(count)") { $0.reloads == count }
            }
            #expect(try heard(asking("reload wait")) == "refused 40\n16 wait already: reload without waiting\n")
            for socket in leaving { socket.close() }
            try await asked.counts.wait(for: "them to have left") { $0.cancelledReloads == 16 }
            let waiting = try asking("reload wait")
            try await asked.counts.wait(for: "another reload") { $0.reloads == 17 }
            asked.reloaded.come(ControlAnswer(.ok, ["a remark"]))
            asked.formersEnded.come()
            #expect(try heard(waiting) == "ok 9\na remark\nover\n")
        }
    }

    @Test func `hears what has come of a reload that is not in force, and waits for nothing then`() async throws {
        let asked = Asked()
        asked.reloaded.come(ControlAnswer(.failed, ["a mistake"]))
        try await serving(asked) {
            for line in ["reload", "reload wait"] {
                let text = try heard(asking(line))
                #expect(text == "failed 10\na mistake\n")
            }
        }
    }

    @Test func `is answered while many others do not read their answers`() async throws {
        let asked = Asked(page: String(repeating: "x", count: 4 << 20))
        try await serving(asked) {
            var deaf: [Socket] = []
            for count in 1...40 {
                deaf.append(try asking("status"))
                try await asked.counts.wait(for: "status \(count)") { $0.statuses == count }
            }
            #expect(try ControlClient(path: path).ask(.status(StatusForm())).lines == [asked.page])
            // They have made room.
            #expect(try heard(deaf[0]).utf8.count < asked.page.utf8.count)
        }
    }

    @Test func `for the end hears of it when all is over`() async throws {
        let asked = Asked()
        try await serving(asked) {
            let stopping = try asking("stop")
            #expect(String(decoding: try stopping.read(), as: UTF8.self) == "ok 0\n")
            asked.ended.come()
            #expect(String(decoding: try stopping.read(), as: UTF8.self) == "over\n")
        }
    }

    /// Each of them may have said a part of what it wants, and there are always others.
    @Test(arguments: ["", "relo", "reload"])
    func `is let in however many others do not say what they want`(part: String) async throws {
        let asked = Asked()
        asked.reloaded.come(ControlAnswer(.ok))
        asked.ended.come()
        try await serving(asked) {
            var silent: [Socket] = []
            for _ in 0..<5 {
                for _ in 0..<40 {
                    let socket = try Socket.connected(path: path)
                    if !part.isEmpty { try socket.write(Array(part.utf8)) }
                    silent.append(socket)
                }
                let answer = try heard(asking("reload"))
                #expect(answer == "ok 0\n")
            }
            let first = try heard(silent.removeFirst())
            #expect(first == "refused 32\nit is asked by too many at once\n")
        }
    }

    @Test func `for a reload has its place when many others wait for one`() async throws {
        let asked = Asked()
        try await serving(asked) {
            var waiting: [Socket] = []
            for count in 1...40 {
                waiting.append(try asking("reload"))
                try await asked.counts.wait(for: "reload \(count)") { $0.reloads == count }
            }
            asked.reloaded.come(ControlAnswer(.ok))
            #expect(try heard(waiting.removeLast()) == "ok 0\n")
            #expect(try heard(waiting.removeFirst()).hasPrefix("refused "))
        }
    }

    @Test func `for the end hears of it when the process ends, and no sooner`() async throws {
        let asked = Asked()
        asked.ended.come()
        try await serving(asked) {
            let stopping = try #require(UnixAddress(path: path)).connectedStream(within: .seconds(60))
            let isSent = stopping.sendAtOnce(Array("stop\n".utf8))
            #expect(isSent)
            var (text, part) = ("", [UInt8](repeating: 0, count: 64))
            while !text.hasSuffix("over\n"), stopping.isReadable(within: .seconds(30)) {
                guard case .bytes(let count) = stopping.receive(into: &part) else { break }
                text += String(decoding: part.prefix(count), as: UTF8.self)
            }
            #expect(text == "ok 0\nover\n")
            // Whatever would have ended the connection has had its turn behind this.
            #expect(try heard(asking("status")) == "ok 5\npage\n")
            let isOver = stopping.isReadable(within: .zero)
            #expect(!isOver)
        }
    }
}
