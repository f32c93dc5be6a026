import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Settings

/// What settings name may be any kind of file.
@Suite(.timeLimit(.minutes(5))) struct ReadFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func failure(_ path: String, within limit: Duration = .seconds(10)) -> Int32? {
        do {
            _ = try readFile(path, bytesMax: 1 << 20, within: limit)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `a file is read whole`() throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try readFile(directory.write(bytes, to: "file")) == bytes)
        #expect(try readFile(directory.write([], to: "empty")).isEmpty)
    }

    @Test func `a pipe is read to its end, as the shell makes one of a command`() throws {
        let ends = try pipeEnds()
        defer { close(ends.reading) }
        _ = unsafe write(ends.writing, "a = 1", 5)
        close(ends.writing)
        #expect(try readFile("/dev/fd/\(ends.reading)") == [UInt8]("a = 1".utf8))
    }

    @Test func `a pipe with nobody at its other end, and one without an end, hold nobody up`() throws {
        let path = directory.path("pipe")
        #expect(unsafe mkfifo(path, 0o600) == 0)
        #expect(failure(path, within: .milliseconds(50)) == ETIME)
        let writer = unsafe open(path, O_RDWR | O_CLOEXEC)
        defer { close(writer) }
        _ = unsafe write(writer, "a", 1)
        #expect(failure(path, within: .milliseconds(50)) == ETIME)
    }

    @Test(arguments: [("/dev/zero", EFBIG), ("/", EISDIR), ("/nonexistent", ENOENT), ("/proc/self/mem", EIO)])
    func `what is no file to read is told`(path: String, code: Int32) {
        #expect(failure(path) == code)
    }
}
