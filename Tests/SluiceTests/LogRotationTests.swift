import EventLoop
import struct EventLoop.SystemError
import Foundation
import Glibc
import Settings
import TestSupport
import Testing

@testable import Sluice

/// A log's file that is full is kept under another name, and the last of these goes.
@Suite(.timeLimit(.minutes(2))) struct `A log file that is full` {
    private let directory: TemporaryDirectory
    private var path: String { directory.path("log") }

    init() throws { directory = try TemporaryDirectory() }

    private func rotation(_ bytesMax: Int = 4096, files: Int = 3) -> LogRotation {
        LogRotation(path: path, bytesMax: bytesMax, filesCount: files)
    }

    private func output(_ rotation: LogRotation, onFull: @escaping @Sendable (SystemError) -> Void = { _ in }) throws
        -> LogOutput
    {
        try LogOutput(.file(path, rotation), LogForm(format: .json), onFull: onFull)
    }

    private func line(_ number: Int, _ size: Int = 100) -> ArraySlice<UInt8> {
        "\(number) \(String(repeating: "x", count: size))".utf8.prefix(size - 1) + [10]
    }

    /// Writes lines, and waits for each part of them, so that none is lost for want of room.
    private func write(_ numbers: Range<Int>, to output: LogOutput) {
        for number in numbers {
            output.write(line(number))
            if number.isMultiple(of: 500) { output.flush(within: .seconds(60)) }
        }
        output.flush(within: .seconds(60))
    }

    private var files: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() }
    }

    /// The numbers of the lines of a file.
    private func numbers(_ name: String) throws -> [Int] {
        try directory.read(name).split(separator: "\n").map { try #require(Int($0.prefix { $0 != " " })) }
    }

    @Test func `gets another name, and the newest lines are in the files that are kept`() throws {
        write(0..<1000, to: try output(rotation()))
        #expect(try files == ["log", "log.1", "log.2", "log.3"])
        for name in try files { #expect(try directory.read(name).utf8.count <= 4096, "\(name)") }
        let kept = try ["log.3", "log.2", "log.1", "log"].flatMap(numbers)
        #expect(kept == Array((1000 - kept.count)..<1000))
        // 40 lines fit each. What the thread writes at once, and does not fit any more, begins the next.
        #expect(kept.count > 80)
    }

    @Test func `loses no line where enough are kept, whoever writes to it`() throws {
        let outputs = try (0..<3).map { _ in try output(rotation(files: 100)) }
        for number in 0..<3000 { outputs[number % 3].write(line(number)) }
        for output in outputs { output.flush(within: .seconds(60)) }
        let all = try files.flatMap(numbers)
        #expect(all.sorted() == Array(0..<3000))
        // Each of the three may write a part into a file that another finds full.
        #expect(try files.count > 5)
    }

    /// Each with a file of its own that is open, as processes of a master have, and only so few kept that what one has open may be gone.
    @Test func `that another has moved is left at the next line`() throws {
        let (first, second) = (try output(rotation(files: 1)), try output(rotation(files: 1)))
        write(0..<1, to: second)
        write(1..<501, to: first)
        write(501..<502, to: second)
        #expect(try numbers("log").last == 501)
        #expect(try files == ["log", "log.1"])
    }

    @Test func `that was moved by somebody else, or removed, is left at the next line`() throws {
        let output = try output(rotation())
        write(0..<1, to: output)
        #expect(unsafe rename(path, directory.path("moved")) == 0)
        write(1..<2, to: output)
        #expect(unsafe unlink(path) == 0)
        write(2..<3, to: output)
        #expect(try (numbers("moved"), numbers("log")) == ([0], [2]))
    }

    @Test func `stays when it cannot be moved, which is told once, and takes all lines`() throws {
        try FileManager.default.createDirectory(atPath: directory.path("log.1"), withIntermediateDirectories: false)
        let told = Observed<[SystemError]>([])
        let output = try output(rotation(files: 1)) { error in told.update { $0.append(error) } }
        write(0..<1000, to: output)
        #expect(try numbers("log") == Array(0..<1000))
        #expect(told.value.map(\.code) == [EISDIR])
    }

    @Test(arguments: [([1, 2], [0, 1, 2]), ([1, 2, 3], [0, 1, 2]), ([1, 3], [0, 1, 3]), ([3], [0, 3]), ([], [0])])
    func `moves those from before on, as far as there are any`(before: [Int], after: [Int]) throws {
        for number in before { try directory.write("\(number) old\n", to: "log.\(number)") }
        let file = try opened()
        defer { close(file) }
        #expect(try rotation().leaves(file, for: 4096))
        #expect(try files.flatMap(numbers) == after)
    }

    /// A descriptor of a file with one line.
    private func opened() throws -> Int32 {
        try directory.write("0\n", to: "log")
        return unsafe open(path, O_WRONLY | O_APPEND)
    }

    @Test func `is moved by one process at a time`() throws {
        let (mine, others) = (try opened(), try opened())
        defer { for file in [mine, others] { close(file) } }
        #expect(flock(others, LOCK_EX) == 0)
        #expect(try !rotation().leaves(mine, for: 4096))
        #expect(try files == ["log"])
        _ = flock(others, LOCK_UN)
        #expect(try rotation().leaves(mine, for: 4096))
        #expect(try rotation().leaves(others, for: 4096))
        #expect(try files == ["log.1"])
    }

    @Test func `behind a link is moved where it is, and the link stays`() throws {
        try FileManager.default.createDirectory(atPath: directory.path("logs"), withIntermediateDirectories: false)
        #expect(unsafe symlink("logs/real", path) == 0)
        write(0..<100, to: try output(rotation()))
        #expect(FileStatus(notFollowing: path)?.identity != FileStatus(path)?.identity)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path("logs")).sorted()
        #expect(names.starts(with: ["real", "real.1", "real.2"]), "\(names)")
    }

    @Test func `is opened again, too, when a signal says so, and goes on to be bounded`() throws {
        let output = try output(rotation(files: 9))
        write(0..<10, to: output)
        #expect(unsafe rename(path, directory.path("moved")) == 0)
        output.reopen(path)
        write(10..<100, to: output)
        // What the thread writes at once, and does not fit any more, begins the next file: there may be more of them than full ones.
        let names = try ["moved"] + (1...9).reversed().map { "log.\($0)" }.filter(files.contains) + ["log"]
        #expect(names.count >= 4)
        #expect(try names.flatMap(numbers) == Array(0..<100))
    }

    @Test func `is none where lines go to a pipe or a device`() throws {
        let output = try LogOutput(.file("/dev/null", rotation(4096)), LogForm(format: .json))
        for number in 0..<1000 { output.write(line(number)) }
        output.flush(within: .seconds(60))
        #expect(try files == [])
    }

    /// By the log itself, as settings have it.
    @Test func `of a process is told in the log when it cannot be moved, and other settings are taken`() throws {
        try FileManager.default.createDirectory(atPath: directory.path("log.1"), withIntermediateDirectories: false)
        var settings = Settings.Log(destination: .file(path), fileBytesMax: 4096, filesCount: 1)
        let log = try Log(settings)
        for _ in 0..<100 { log.logger.drained() }
        log.flush(within: .seconds(60))
        let told = try directory.read("log").split(separator: "\n").filter { $0.contains("is full, and cannot be moved") }
        #expect(told.count == 1 && told[0].contains("Is a directory"))
        settings.filesCount = 2
        #expect(unsafe rmdir(directory.path("log.1")) == 0)
        try log.reconfigure(settings)
        for _ in 0..<100 { log.logger.drained() }
        log.flush(within: .seconds(60))
        #expect(try files == ["log", "log.1", "log.2"])
    }
}
