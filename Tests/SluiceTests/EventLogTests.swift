import EventLoop
import FastCGI
import Glibc
import HTTPClient
import Logging
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// The lines that do not tell of a request.
@Suite struct EventLogTests {
    /// What is logged, from the message on.
    private func lines(_ settings: Settings.Log = Settings.Log(level: .trace), _ act: (Logger) -> Void) throws -> [String] {
        let pipe = LogPipe()
        let log = try Log(settings, in: pipe.environment)
        act(log.logger)
        log.flush(within: .seconds(10))
        return pipe.read().split(separator: "\n").map { line in
            line.ranges(of: #""message""#).first.map { String(line[$0.lowerBound...]) } ?? String(line)
        }
    }

    @Test func `numbers are numbers, and durations are as settings write them`() throws {
        let lines = try lines { logger in
            logger.fewDescriptors(1024, needed: 8288, requests: 4096)
            logger.draining(.seconds(30))
            logger.ignored(signal: 1)
            logger.warmConnections("a", .ready(connections: 2))
        }
        #expect(lines.first?.hasSuffix(#","descriptors":1024,"needed":8288,"requests":4096}"#) == true)
        #expect(
            lines.dropFirst() == [
                #""message":"draining: no new requests","limit":"30s"}"#,
                #""message":"a signal was ignored","signal":1}"#,
                #""message":"connections stand ready","count":2,"upstream":"a"}"#,
            ])
    }

    @Test(arguments: [
        (Settings.Log.Format.json, #"level":"notice","message":"stopped","process":7}"#),
        (.logfmt, "level=notice message=stopped process=7"),
        (.text, "notice   stopped    process=7"),
    ])
    func `a process among others says which one it is`(format: Settings.Log.Format, words: String) throws {
        let pipe = LogPipe()
        var environment = pipe.environment
        environment.process = 7
        let log = try Log(Settings.Log(format: format), in: environment)
        log.logger.drained()
        log.flush(within: .seconds(10))
        #expect(pipe.read().hasSuffix(words + "\n"))
    }

    @Test(arguments: [
        (ConnectionRefusal.peerNotAllowed(userID: 65534), "the user 65534 may not connect: socket.allowed_users leaves it out"),
        (.addressNotAllowed("10.0.0.9"), "the address 10.0.0.9 may not connect: allowed_addresses leaves it out"),
        (.unexpectedRecord(type: 9), "a record of type 9 is out of place"),
    ])
    func `a refused connection is told in plain words`(refusal: ConnectionRefusal, words: String) throws {
        let line = #""message":"a FastCGI connection was refused","reason":"\#(words)","total":1}"#
        #expect(try lines { $0.connectionRefused(refusal, total: 1, isWarning: true) } == [line])
    }

    @Test func `the HTTP client's timeouts are told as settings write them`() {
        #expect(HTTPError.timedOut(.connect, after: .seconds(3)).description == "no connection within 3s")
        #expect(HTTPError.timedOut(.total, after: .milliseconds(1500)).description == "not finished within 1500ms")
    }

    @Test func `a late first token is told with where the time went`() throws {
        var wait = FirstTokenWait(upstream: "a", attemptsCount: 2, total: .milliseconds(6500))
        (wait.queue, wait.connect) = (.milliseconds(500), .milliseconds(250))
        (wait.waiting, wait.retries) = (.milliseconds(4750), .seconds(1))
        let lines = try lines { $0.firstTokenWasLate(RequestID(callers: "r-1"), "caller", wait) }
        #expect(
            lines == [
                #""message":"the first token was late","attempts":2,"client":"caller","connect":0.250,"queue":0.500,"request":"r-1""#
                    + #","retries":1.000,"seconds":6.500,"upstream":"a","waiting":4.750}"#
            ])
    }

    @Test func `one that waited in a queue alone is told to have done so, and as no attempt`() throws {
        var wait = FirstTokenWait(upstream: "a", attemptsCount: 0, total: .seconds(5))
        (wait.queue, wait.isWithoutPlace) = (.seconds(5), true)
        let lines = try lines { $0.firstTokenWasLate(RequestID(callers: "r-1"), nil, wait) }
        #expect(
            lines == [
                #""message":"the first token was late","attempts":0,"connect":0.000,"queue":5.000"#
                    + #","reason":"it waited in the upstream's queue, and got no place (concurrent)","request":"r-1""#
                    + #","retries":0.000,"seconds":5.000,"upstream":"a","waiting":0.000}"#
            ])
    }

    @Test func `what is less important than the level is left out, and the level can change`() throws {
        let pipe = LogPipe()
        let log = try Log(Settings.Log(level: .warning), in: pipe.environment)
        let logger = log.logger
        logger.info("one")
        logger.warning("two")
        try log.reconfigure(Settings.Log(level: .debug))
        logger.debug("three")
        logger.trace("four")
        log.flush(within: .seconds(10))
        let text = pipe.read()
        #expect(text.contains("two") && text.contains("three"))
        #expect(!text.contains("one") && !text.contains("four"))
    }

    // MARK: The same again

    @Test func `what is the same but for the request is written once, and told with its count at the end`() throws {
        let lines = try lines { logger in
            for number in 0..<41 {
                logger.noted(.failed(.connection(.refused)), RequestID(callers: "r-\(number)"), "a")
                if number == 20 { logger.noted(.failed(.connection(.refused)), RequestID(callers: "r-b"), "b") }
            }
        }
        #expect(lines.count == 3, "\(lines)")
        #expect(lines.first?.contains(#""request":"r-0","upstream":"a"}"#) == true)
        #expect(lines.dropFirst().first?.contains(#""upstream":"b"}"#) == true)
        #expect(lines.last?.hasSuffix(#","upstream":"a","repeated":40}"#) == true && lines.last?.contains("r-") == false)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func `the count comes by itself when the time is over, and to the destination of that moment`(isMoved: Bool) throws {
        let (pipe, directory) = (LogPipe(), try TemporaryDirectory())
        var environment = pipe.environment
        environment.repetitionSpan = .milliseconds(300)
        let log = try Log(Settings.Log(), in: environment)
        for _ in 0..<5 { log.logger.loopDefect("x") }
        if isMoved { try log.reconfigure(Settings.Log(destination: .file(directory.path("log")))) }
        var text = ""
        while !text.contains(#""repeated":4}"#) {
            text += isMoved ? (try? directory.read("log")) ?? "" : pipe.read(milliseconds: 10)
        }
        #expect(pipe.read().contains("repeated") == false)
        // It is forgotten with that.
        log.logger.loopDefect("x")
        log.flush(within: .seconds(10))
        text = isMoved ? try directory.read("log") : pipe.read()
        #expect(text.hasSuffix(#""what":"x"}"# + "\n"))
    }

    @Test func `changes are told each time, in their order`() throws {
        let settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", kind: .demo)],
            models: [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])])
        let target = try #require(Routes(settings).targets.first)
        let lines = try lines { logger in
            for _ in 0..<3 {
                logger.changed(target, .rests(for: .seconds(10), reason: nil))
                logger.changed(target, .isBack)
            }
            logger.draining(.zero)
            logger.draining(.zero)
        }
        #expect(lines.count == 8)
        #expect(lines.map { $0.contains("rests") } == [true, false, true, false, true, false, false, false])
    }
}

/// A pipe that a log takes for its standard error. It stays open, as standard error does: the log may have something to say when its test is
/// over, and is not to say it to whoever has the number by then.
final class LogPipe {
    let reading: Int32
    let writing: Int32

    init(size: Int32? = nil) {
        var ends: [Int32] = [0, 0]
        _ = unsafe pipe(&ends)
        (reading, writing) = (ends[0], ends[1])
        let setSize = Int32(1031)  // F_SETPIPE_SZ
        if let size { _ = fcntl(writing, setSize, size) }
    }

    var environment: Log.Environment {
        Log.Environment(variable: { _ in nil }, standardError: writing, journal: "/nowhere", syslog: "/nowhere")
    }

    /// All that is there, and comes within a time.
    func read(milliseconds: Int32 = 0) -> String { readAll(reading, milliseconds: milliseconds) }
}

/// All that can be read now.
///
/// - Parameter milliseconds: how long nothing may come before it is all.
func readAll(_ descriptor: Int32, milliseconds: Int32 = 0) -> String {
    var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
    var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while unsafe poll(&interest, 1, milliseconds) == 1 {
        let count = unsafe read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        text += buffer[..<count]
    }
    return String(decoding: text, as: UTF8.self)
}
