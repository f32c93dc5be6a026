import Clock
import Foundation
import Glibc
import Logging
import Settings
import TestSupport
import Testing

@testable import Sluice

/// Files, the journal and syslog, and what changes while they are written to.
@Suite(.timeLimit(.minutes(2))) struct LogDestinationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private var environment: Log.Environment {
        Log.Environment(
            variable: { _ in nil }, standardError: -1, journal: directory.path("journal"), syslog: directory.path("log"))
    }

    /// A log whose daemon is the test.
    private func log(_ destination: Settings.Log.Destination, _ format: Settings.Log.Format? = nil) throws -> Log {
        try Log(Settings.Log(level: .trace, format: format, destination: destination), in: environment)
    }

    private func matched(_ text: String) -> String {
        text.replacing(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d sluice\[\d+\]/, with: "LOCAL")
    }

    @Test func `syslog gets a message for each line, with its level`() throws {
        let daemon = try Daemon(at: directory.path("log"))
        let log = try log(.syslog)
        log.logger.draining(.seconds(30))
        log.logger.fewDescriptors(1, needed: 84, requests: 2)
        #expect(matched(daemon.receive()) == "<29>LOCAL: draining: no new requests limit=30s")
        #expect(
            matched(daemon.receive())
                == "<28>LOCAL: the limit of open descriptors is lower than the limit of requests needs: raise LimitNOFILE or ulimit -n"
                + " descriptors=1 needed=84 requests=2")
    }

    @Test func `the journal gets a message for each line, with fields`() throws {
        let daemon = try Daemon(at: directory.path("journal"))
        let log = try log(.journal)
        log.logger.draining(.seconds(30))
        #expect(
            daemon.receive() == """
                PRIORITY=5
                SYSLOG_IDENTIFIER=sluice
                MESSAGE=draining: no new requests limit=30s
                SLUICE_LIMIT=30s

                """)
    }

    @Test func `a daemon that is started anew gets the lines from then on, and those that waited`() throws {
        var daemon: Daemon? = try Daemon(at: directory.path("log"))
        let log = try log(.syslog)
        log.logger.draining(.seconds(1))
        #expect(daemon?.receive().contains("limit=1s") == true)
        daemon = nil
        log.logger.draining(.seconds(2))
        daemon = try Daemon(at: directory.path("log"))
        log.logger.draining(.seconds(3))
        #expect(daemon?.receive().contains("limit=2s") == true)
        #expect(daemon?.receive().contains("limit=3s") == true)
        // One that is replaced at once.
        daemon = nil
        daemon = try Daemon(at: directory.path("log"))
        log.logger.draining(.seconds(4))
        #expect(daemon?.receive().contains("limit=4s") == true)
    }

    @Test func `a daemon that is not there yet harms nothing`() throws {
        let log = try log(.journal)
        #expect(!log.isConnected)
        log.logger.drained()
        let daemon = try Daemon(at: directory.path("journal"))
        #expect(daemon.receive().contains("MESSAGE=stopped\n"))
    }

    @Test func `a daemon that takes nothing holds nobody up, and gets the count`() throws {
        let daemon = try Daemon(at: directory.path("log"))
        let log = try log(.syslog)
        for number in 0..<20_000 { log.logger.draining(.milliseconds(number)) }
        var (count, text) = (0, "")
        // Behind all lines at the latest stands how many were lost.
        while count <= 20_000, !text.contains("log lines were lost") {
            text = daemon.receive()
            try #require(!text.isEmpty, "no line more")
            count += 1
        }
        let lost = try #require(text.firstMatch(of: /count=(\d+)/).flatMap { Int($0.1) })
        #expect(count - 1 + lost == 20_000)
    }

    // MARK: Files

    @Test func `a file is made for its owner and its group, and what it has stays`() throws {
        let path = try directory.write("before\n", to: "old")
        for name in ["old", "new"] {
            let log = try log(.file(directory.path(name)))
            log.logger.drained()
            log.flush(within: .seconds(30))
        }
        #expect(try directory.read("old").hasPrefix("before\n{"))
        var status = stat()
        #expect(unsafe stat(directory.path("new"), &status) == 0 && status.st_mode & 0o777 == 0o640)
        #expect(path == directory.path("old"))
    }

    @Test func `a file that cannot be made is an error`() {
        let path = directory.path("none/log")
        let error = #expect(throws: (any Error).self) { _ = try log(.file(path)) }
        #expect(error.map { "\($0)" } == "\(path): No such file or directory")
    }

    /// What a file has; nothing where there is none yet.
    private func text(of name: String) throws -> String {
        FileManager.default.fileExists(atPath: directory.path(name)) ? try directory.read(name) : ""
    }

    /// Whether the file that is there is what the log has opened.
    private var isOpenedAgain: Bool {
        FileManager.default.contents(atPath: directory.path("file"))?.isEmpty == false
    }

    @Test func `a file that was moved is left when it is opened again, and no line is lost`() async throws {
        let log = try log(.file(directory.path("file")))
        let requests = RequestLog(log)
        var (number, texts) = (0, [String]())
        for round in 0..<5 {
            for _ in 0..<100 {
                requests.write(RequestRecord(RequestID(callers: "r\(number)"), at: .current), at: .current)
                number += 1
            }
            #expect(unsafe rename(directory.path("file"), directory.path("file.\(round)")) == 0)
            for _ in 0..<100 {
                requests.write(RequestRecord(RequestID(callers: "r\(number)"), at: .current), at: .current)
                number += 1
            }
            #expect(log.reopen())
            try await eventually("another file") { isOpenedAgain }
        }
        log.flush(within: .seconds(30))
        for name in (0..<5).map({ "file.\($0)" }) + ["file"] { texts.append(try directory.read(name)) }
        let found = texts.joined().matches(of: /"request":"r(\d+)"/).compactMap { Int($0.1) }
        #expect(found == Array(0..<number))
        #expect(texts.joined().ranges(of: "the log file was opened again").count == 5)
    }

    @Test func `a file that cannot be opened again stays, and that is told in it`() async throws {
        #expect(unsafe mkdir(directory.path("folder"), 0o700) == 0)
        let log = try log(.file(directory.path("folder/file")))
        #expect(unsafe rename(directory.path("folder"), directory.path("moved")) == 0)
        #expect(log.reopen())
        try await eventually("the reason") { try directory.read("moved/file").contains("cannot be opened again") }
        log.logger.drained()
        log.flush(within: .seconds(30))
        #expect(try directory.read("moved/file").contains("stopped"))
    }

    @Test func `a file that could not be made at the start is tried when it is to be opened again`() async throws {
        let pipe = LogPipe()
        let wanted = Settings.Log(destination: .file(directory.path("later/file")))
        let log = try Log(Settings.Log(), wanted: wanted, in: pipe.environment)
        #expect(log.reopen())
        var said = ""
        try await eventually("the reason") {
            said += pipe.read()
            return said.contains("cannot be opened again")
        }
        #expect(unsafe mkdir(directory.path("later"), 0o700) == 0)
        #expect(log.reopen())
        try await eventually("the file's first line") { try text(of: "later/file").contains("the log file was opened again") }
    }

    @Test func `a file that a change could not have is tried when it is to be opened again`() async throws {
        let log = try log(.file(directory.path("one")))
        #expect(throws: (any Error).self) { try log.reconfigure(Settings.Log(destination: .file(directory.path("none/two")))) }
        #expect(unsafe mkdir(directory.path("none"), 0o700) == 0)
        #expect(log.reopen())
        try await eventually("the file's first line") { try text(of: "none/two").contains("the log file was opened again") }
        // Settings that are in force again are what is wanted.
        try log.reconfigure(Settings.Log(destination: .file(directory.path("one"))))
        log.logger.drained()
        log.flush(within: .seconds(30))
        #expect(try directory.read("one").contains("stopped"))
    }

    @Test func `another destination gets what comes from then on, and the old one what came before`() throws {
        let log = try log(.file(directory.path("one")))
        for _ in 0..<100 { log.logger.drained() }
        try log.reconfigure(Settings.Log(format: .text, destination: .file(directory.path("two"))))
        log.logger.endingAtOnce()
        log.flush(within: .seconds(30))
        #expect(try directory.read("one").ranges(of: "stopped").count == 100)
        #expect(try directory.read("two").hasSuffix(" notice   stopped at once by a second signal\n"))
    }

    @Test func `settings that are in force and wanted are not taken again, and others are`() async throws {
        let settings = Settings.Log(destination: .file(directory.path("one")), slow: .seconds(5))
        let log = try Log(settings, in: environment)
        let version = log.version
        try await log.reconfigureElsewhere(settings)
        #expect(log.version == version)
        await #expect(throws: (any Error).self) {
            try await log.reconfigureElsewhere(Settings.Log(destination: .file(directory.path("none/two"))))
        }
        // In force, but not wanted any more: when the file is opened again it is to be this one.
        try await log.reconfigureElsewhere(settings)
        #expect(unsafe mkdir(directory.path("none"), 0o700) == 0)
        log.reopen()
        log.logger.drained()
        log.flush(within: .seconds(30))
        #expect(try directory.read("one").contains("stopped"))
        try await log.reconfigureElsewhere(Settings.Log(destination: .file(directory.path("two"))))
        #expect(log.version == version + 1)
    }

    @Test func `a destination that cannot be had changes nothing`() throws {
        let log = try log(.file(directory.path("one")))
        #expect(throws: (any Error).self) {
            try log.reconfigure(Settings.Log(level: .critical, destination: .file(directory.path("none/two"))))
        }
        #expect(log.level == .trace)
        log.logger.drained()
        log.flush(within: .seconds(30))
        #expect(try directory.read("one").contains("stopped"))
    }

    @Test func `settings may change while all threads log`() async throws {
        let log = try log(.file(directory.path("one")))
        let changes = 60
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<3 {
                group.addTask {
                    let requests = RequestLog(log)
                    for number in 0..<2000 {
                        requests.write(RequestRecord(RequestID(callers: "r\(thread)-\(number)"), at: .current), at: .current)
                        // No more than there is room for: on a busy machine the log's thread has to wait for its turn.
                        if number % 100 == 99 { log.flush(within: .seconds(30)) }
                    }
                }
            }
            group.addTask { [directory] in
                for number in 0..<changes {
                    let format = Settings.Log.Format.allCases[number % 3]
                    let destination = Settings.Log.Destination.file(directory.path(["one", "two"][number / 2 % 2]))
                    do { try log.reconfigure(Settings.Log(format: format, destination: destination)) } catch {
                        Issue.record(error)
                    }
                    log.reopen()
                }
            }
        }
        log.flush(within: .seconds(30))
        let text = try directory.read("one") + directory.read("two")
        let found = text.matches(of: /request"?[:=]"?(r\d-\d+)/).map { String($0.1) }
        #expect(found.count == 6000 && Set(found).count == 6000)
    }

    // MARK: Standard error

    @Test func `lines have a level for systemd where it reads them, and nowhere else`() throws {
        let pipe = LogPipe()
        var status = stat()
        #expect(unsafe fstat(pipe.writing, &status) == 0)
        let stream = "\(status.st_dev):\(status.st_ino)"
        for (journal, start) in [(stream, "<5>{"), ("1:1", "{"), (nil, "{")] {
            var environment = pipe.environment
            environment.variable = { $0 == "JOURNAL_STREAM" ? journal : nil }
            try Log(Settings.Log(), in: environment).logger.drained()
            #expect(pipe.read().hasPrefix(start))
        }
    }

    @Test(arguments: [
        ([:], true), (["NO_COLOR": "1"], false), (["NO_COLOR": ""], true), (["TERM": "dumb"], false), (["TERM": "xterm"], true),
    ])
    func `a terminal gets text, in colours unless somebody wants none`(variables: [String: String], isColored: Bool) throws {
        var (reading, writing) = (Int32(-1), Int32(-1))
        try #require(unsafe openpty(&reading, &writing, nil, nil, nil) == 0)
        defer { close(reading) }
        var environment = environment
        (environment.standardError, environment.variable) = (writing, { variables[$0] })
        let log = try Log(Settings.Log(), in: environment)
        log.logger.drained()
        let text = readAll(reading, milliseconds: 1000)
        #expect(text.contains("stopped") && !text.contains("{"))
        #expect(text.contains("\u{1B}[") == isColored)
        try log.reconfigure(Settings.Log(format: .json))
        log.logger.drained()
        #expect(readAll(reading, milliseconds: 1000).hasPrefix("{"))
    }
}

/// What takes datagrams at a path, as syslog's daemon or the journal's.
private final class Daemon {
    private let number: Int32
    private let path: String

    init(at path: String) throws {
        self.path = path
        number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
    }

    deinit {
        close(number)
        unsafe unlink(path)
    }

    /// The next message; nothing when none has come for a minute.
    func receive() -> String {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe recv(number, &buffer, buffer.count, 0)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}
