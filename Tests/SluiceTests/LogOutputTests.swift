import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Lines go to whatever takes them, whole, and never wait.
@Suite struct LogOutputTests {
    private func pair(_ isPipe: Bool) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        _ = unsafe isPipe ? pipe(&ends) : socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        return (ends[0], ends[1])
    }

    /// - Parameter milliseconds: how long nothing may come before it is all.
    private func readAll(_ descriptor: Int32, milliseconds: Int32 = 0) -> String {
        var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&interest, 1, milliseconds) == 1 {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test(arguments: [true, false], [20, 333, 4096])
    func `what a full pipe or socket does not take is counted, and told first`(isPipe: Bool, size: Int) throws {
        let (reading, writing) = pair(isPipe)
        defer { for end in [reading, writing] { close(end) } }
        let output = LogOutput(writing)
        let line = Array(String(repeating: "x", count: size - 1).utf8) + [10]
        for _ in 0..<30_000 { output.write(line) }
        let first = readAll(reading).split(separator: "\n")
        #expect(first.allSatisfy { $0.utf8.count == size - 1 } && first.count < 30_000)
        output.write(line)
        let second = readAll(reading).split(separator: "\n")
        // A socket may have had room for a part of one more.
        let told = try #require(second.first { $0.contains("lost") })
        let lost = 30_000 - first.count - (second.count - 2)
        #expect(told.hasSuffix("\"count\":\(lost)}"), "\(told), and \(lost) are missing")
        #expect(second.last?.utf8.count == size - 1)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a terminal that nobody reads holds nobody up, and gets whole lines once it is read again`() throws {
        var (reading, writing) = (Int32(-1), Int32(-1))
        try #require(unsafe openpty(&reading, &writing, nil, nil, nil) == 0)
        defer { for end in [reading, writing] { close(end) } }
        let output = LogOutput(writing)
        let line = Array(String(repeating: "x", count: 332).utf8) + [10]
        for _ in 0..<2_000 { output.write(line) }
        // The kernel hands on what a terminal was given some time later, in a thread of its own.
        var text = readAll(reading)
        while !text.contains("log lines were lost") || text.utf8.last != 10 {
            output.write(line)
            text += readAll(reading, milliseconds: 10)
        }
        let lines = text.split(whereSeparator: \.isNewline)
        #expect(lines.allSatisfy { $0.utf8.count == 332 || $0.contains("log lines were lost") }, "\(lines.map(\.utf8.count))")
        #expect(lines.first?.utf8.count == 332 && lines.count < 2_000)
    }

    @Test func `whoever is gone costs nothing, and a line that does not fit leaves out what is too long`() {
        let (reading, writing) = pair(true)
        defer { close(writing) }
        close(reading)
        _ = signal(SIGPIPE, SIG_IGN)
        LogOutput(writing).write([10])
        LogOutput(-1).write([10])
        var line = Array("{\"message\":\"m\"".utf8)
        line.appendLogMember("long", String(repeating: "\u{1}", count: 1_000))
        line.appendLogMember("short", "value")
        #expect(String(decoding: line, as: UTF8.self) == #"{"message":"m","short":"value""#)
    }
}
