import EventLoop
import Foundation
import Glibc
import Settings
import TestSupport
import Testing

@testable import Sluice

/// Lines go to whatever takes them, whole, and never wait.
@Suite(.timeLimit(.minutes(2))) struct LogOutputTests {
    private static let form = LogForm(format: .json)
    /// Less than what a pipe has room for.
    private static let queueBytesMax = 32 << 10

    init() { _ = signal(SIGPIPE, SIG_IGN) }

    private func output(_ descriptor: Int32, queueBytesMax: Int = queueBytesMax) throws -> LogOutput {
        try LogOutput(.descriptor(descriptor), Self.form, queueBytesMax: queueBytesMax)
    }

    /// The end to write to is never closed: the output's thread may try once more, and another file is not to get that.
    private func pair(_ isPipe: Bool) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        _ = unsafe isPipe ? pipe(&ends) : socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        return (ends[0], ends[1])
    }

    private func line(_ size: Int) -> ArraySlice<UInt8> { String(repeating: "x", count: size - 1).utf8 + [10] }

    /// The count of the line that tells of lost ones.
    private func lost(_ line: Substring) -> Int? {
        line.contains("log lines were lost") ? line.firstMatch(of: /"count":(\d+)}/).flatMap { Int($0.1) } : nil
    }

    @Test(arguments: [true, false], [20, 333, 4096])
    func `what a full pipe or socket and the queue do not take is counted, and told as soon as there is room`(
        isPipe: Bool, size: Int
    ) throws {
        let (reading, writing) = pair(isPipe)
        defer { close(reading) }
        let output = try output(writing)
        for _ in 0..<30_000 { output.write(line(size)) }
        // Nobody writes another line.
        var text = ""
        while !text.contains("log lines were lost") || text.utf8.last != 10 { text += readAll(reading, milliseconds: 10) }
        let lines = text.split(separator: "\n")
        let told = lines.compactMap { lost($0) }
        #expect(told.count == 1 && lost(lines.last ?? "") != nil)
        #expect(lines.dropLast().allSatisfy { $0.utf8.count == size - 1 })
        #expect(lines.count - 1 + (told.first ?? 0) == 30_000)
        // All that is written from now on arrives.
        for _ in 0..<3 { output.write(line(size)) }
        #expect(
            readAll(reading, milliseconds: 10).split(separator: "\n").map(\.utf8.count) == Array(repeating: size - 1, count: 3))
        output.flush(within: .seconds(10))
    }

    @Test func `what the queue takes comes once somebody reads, in its order`() throws {
        let (reading, writing) = pair(true)
        defer { close(reading) }
        let output = try output(writing, queueBytesMax: LogOutput.queueBytesMax)
        for number in 0..<2000 { output.write(ArraySlice("\(number) \(String(repeating: "x", count: 100))\n".utf8)) }
        var text = ""
        while text.count(where: \.isNewline) < 2000 { text += readAll(reading, milliseconds: 10) }
        #expect(text.split(separator: "\n").map { Int($0.prefix { $0 != " " }) } == (0..<2000).map { $0 })
    }

    @Test func `a terminal that nobody reads holds nobody up, and gets whole lines once it is read again`() throws {
        var (reading, writing) = (Int32(-1), Int32(-1))
        try #require(unsafe openpty(&reading, &writing, nil, nil, nil) == 0)
        defer { close(reading) }
        let output = try output(writing)
        for _ in 0..<2_000 { output.write(line(333)) }
        var text = ""
        while !text.contains("log lines were lost") || text.utf8.last != 10 { text += readAll(reading, milliseconds: 10) }
        let lines = text.split(whereSeparator: \.isNewline)
        #expect(lines.allSatisfy { $0.utf8.count == 332 || lost($0) != nil }, "\(lines.map(\.utf8.count))")
        #expect(lines.count - 1 + lines.compactMap { lost($0) }.reduce(0, +) == 2_000)
    }

    @Test func `whoever is gone costs nothing`() throws {
        let (reading, writing) = pair(true)
        close(reading)
        for descriptor in [writing, -1] {
            let output = try output(descriptor)
            for _ in 0..<100_000 { output.write(line(333)) }
            // It does not wait for what fails.
            output.flush(within: .seconds(60))
        }
    }

    @Test func `a device without room costs nothing`() throws {
        let output = try LogOutput(.file("/dev/full"), Self.form)
        for _ in 0..<100_000 { output.write(line(333)) }
        output.flush(within: .seconds(60))
    }

    /// As a disk that is full for some time: the file may not grow, and then it may.
    @Test func `a file that may not grow gets all that was queued, and the count of the rest, when it may again`() async {
        await #expect(processExitsWith: .success) {
            _ = signal(SIGXFSZ, SIG_IGN)
            let directory = try TemporaryDirectory()
            let (path, size) = (directory.path("log"), 333)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: rlim_t.max)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let output = try LogOutput(.file(path), LogForm(format: .json), queueBytesMax: 32 << 10)
            for number in 0..<1000 {
                output.write("\(number) \(String(repeating: "x", count: size))".utf8.prefix(size - 1) + [10])
            }
            output.flush(within: .seconds(60))
            #expect(try directory.read("log").utf8.count <= 10_000)
            limit.rlim_cur = rlim_t.max
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            var text = ""
            while !text.contains("log lines were lost") || text.utf8.last != 10 { text = try directory.read("log") }
            let lines = text.split(separator: "\n")
            let count = lines.last?.firstMatch(of: /"count":(\d+)}/).flatMap { Int($0.1) } ?? 0
            #expect(lines.dropLast().map { Int($0.prefix { $0 != " " }) } == (0..<(lines.count - 1)).map { $0 })
            #expect(lines.count - 1 + count == 1000 && count > 0)
        }
    }

    /// Nobody has moved it: what is left of a line follows what was written of it.
    @Test func `a file that may not grow, and is opened again meanwhile, gets each line whole`() async {
        await #expect(processExitsWith: .success) {
            _ = signal(SIGXFSZ, SIG_IGN)
            let directory = try TemporaryDirectory()
            let (path, size, count) = (directory.path("log"), 333, 60)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: rlim_t.max)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let isReopened = Observed(false)
            let output = try LogOutput(
                .file(path), LogForm(format: .json), queueBytesMax: 32 << 10,
                onReopened: { _ in isReopened.update { $0 = true } })
            for number in 0..<count {
                output.write("\(number) \(String(repeating: "x", count: size))".utf8.prefix(size - 1) + [10])
            }
            output.flush(within: .seconds(60))
            #expect(try directory.read("log").utf8.count == 10_000)
            output.reopen(path)
            try await isReopened.wait(for: "it to be opened again") { $0 }
            limit.rlim_cur = rlim_t.max
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            var lines: [Substring] = []
            try await eventually("all lines") {
                lines = try directory.read("log").split(separator: "\n")
                return lines.count >= count
            }
            #expect(lines.map { Int($0.prefix { $0 != " " }) } == Array(0..<count))
        }
    }

    /// As where a supervisor has changed the user: the descriptor cannot be opened again, and is shared with whoever relies on
    /// its waiting or not waiting.
    @Test(.enabled(if: geteuid() == 0, "needs root"), arguments: [false, true], [false, true])
    func `a full pipe of another user's holds nobody up and is not tried without end`(isNonBlocking: Bool, hasThreads: Bool) async
    {
        await #expect(processExitsWith: .success) { [isNonBlocking, hasThreads] in
            var ends: [Int32] = [0, 0]
            _ = unsafe pipe(&ends)
            if isNonBlocking { _ = fcntl(ends[1], F_SETFL, O_NONBLOCK) }
            #expect(setuid(54_321) == 0)
            if !hasThreads {
                // As many as there are by now, and more than this user has.
                var limit = rlimit(rlim_cur: 1, rlim_max: 1)
                _ = unsafe setrlimit(__rlimit_resource_t(__RLIMIT_NPROC.rawValue), &limit)
            }
            let output = try LogOutput(.descriptor(ends[1]), LogForm(format: .json), queueBytesMax: 32 << 10)
            let line: ArraySlice<UInt8> = String(repeating: "x", count: 332).utf8 + [10]
            for _ in 0..<2_000 { output.write(line) }
            if hasThreads {
                // Its name is the thread's own first deed.
                try await eventually("a thread") { try threads(named: "log") == 1 }
                try await eventually("a thread that sleeps") { try (0..<100).allSatisfy { _ in try isAsleep("log") } }
            }
            var text = ""
            try await eventually("the count of what was lost") {
                text += readAll(ends[0], milliseconds: 10)
                if !hasThreads { output.write(line) }
                return text.contains("log lines were lost")
            }
            #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count == 332 || $0.contains("log lines were lost") })
        }
    }

    @Test func `lines of several threads and several processes' openings are whole in a file`() async throws {
        let directory = try TemporaryDirectory()
        let outputs = try (0..<2).map { _ in
            try LogOutput(.file(directory.path("log")), Self.form, queueBytesMax: LogOutput.queueBytesMax)
        }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    for _ in 0..<200 {
                        outputs[number % 2].write(Array(String(repeating: "\(number)", count: 50 + number).utf8) + [10])
                    }
                }
            }
        }
        for output in outputs { output.flush(within: .seconds(30)) }
        let lines = try directory.read("log").split(separator: "\n")
        #expect(lines.count == 800)
        #expect(
            lines.allSatisfy { line in
                line.allSatisfy { $0 == line.first } && line.utf8.count == 50 + (Int(String(line.prefix(1))) ?? 0)
            })
    }

    @Test func `a thread that has nothing more to do ends with its output`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            var outputs = try (0..<10).flatMap { ["/dev/full", directory.path("log\($0)")] }.map {
                try LogOutput(.file($0), LogForm(format: .json))
            }
            for output in outputs { output.write(ArraySlice("a line\n".utf8)) }
            // Its name is a thread's own first deed.
            while try threads(named: "log") < outputs.count { sched_yield() }
            outputs = []
            while try threads(named: "log") > 0 { sched_yield() }
            for number in 0..<10 { #expect(try directory.read("log\(number)") == "a line\n") }
        }
    }
}

/// Whether the thread of a name waits for something.
private func isAsleep(_ name: String) throws -> Bool {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").contains {
        try String(contentsOfFile: "/proc/self/task/\($0)/stat", encoding: .utf8).contains("(\(name)) S ")
    }
}

private func threads(named name: String) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count {
        // One that is gone by now has none.
        (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == name + "\n"
    }
}
