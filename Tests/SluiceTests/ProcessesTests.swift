// What master and processes go by, as values.

import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Testing

@testable import Sluice

@Suite struct `The back-off of a place for a process` {
    @Test func `is none for the first time, and longer each time that one dies soon`() {
        var backoff = RestartBackoff()
        let delays = (0..<12).map { _ in backoff.delay(afterLife: .seconds(9)) }
        #expect(delays[..<4] == [.zero, .milliseconds(100), .milliseconds(200), .milliseconds(400)])
        #expect(delays.last == .seconds(30))
        let later = (0..<100).map { _ in backoff.delay(afterLife: .zero) }
        #expect(later.allSatisfy { $0 == .seconds(30) })
    }

    @Test func `is none after one that lived for some time`() {
        var backoff = RestartBackoff()
        for _ in 0..<5 { _ = backoff.delay(afterLife: .zero) }
        let delays = [backoff.delay(afterLife: .seconds(10)), backoff.delay(afterLife: .zero)]
        #expect(delays == [.zero, .milliseconds(100)])
    }

    @Test func `is never none for one that could not be started`() {
        var backoff = RestartBackoff()
        let delays = (0..<3).map { _ in backoff.delayAfterFailure() }
        #expect(delays == [.milliseconds(100), .milliseconds(100), .milliseconds(200)])
    }
}

@Suite struct `The watchdog of a process` {
    @Test func `barks when so many ticks have passed`() {
        var watchdog = Watchdog(timeout: .seconds(3))
        let hangs = (0..<4).map { _ in watchdog.tick(after: .seconds(1), period: .seconds(1)) }
        #expect(hangs == [false, false, false, true])
    }

    @Test func `begins anew with each word`() {
        var watchdog = Watchdog(timeout: .seconds(3))
        for _ in 0..<10 {
            let hangs = (0..<3).map { _ in watchdog.tick(after: .seconds(1), period: .seconds(1)) }
            #expect(hangs == [false, false, false])
            watchdog.reset()
        }
    }

    @Test func `waits no shorter for a machine that stood still`() {
        var watchdog = Watchdog(timeout: .seconds(3))
        let hangs = (0..<3).map { _ in watchdog.tick(after: .seconds(3600), period: .seconds(1)) }
        #expect(hangs == [false, false, false])
    }
}

@Suite struct `The places for processes` {
    private func process(_ place: Int, slot: Int, pid: pid_t = 0) throws -> ServingProcess {
        let process = try ServingProcess(place: place, slot: slot, watchdog: Watchdog(timeout: .seconds(30)))
        process.pid = pid
        return process
    }

    @Test func `give each process a slot that no other one has, until too many end`() throws {
        var places = ProcessPlaces(count: 2)
        for slot in 0..<places.slotsCount {
            #expect(places.freeSlot == slot)
            let process = try process(slot % 2, slot: slot)
            places.put(process)
            places.retire(process)
        }
        #expect(places.freeSlot == nil)
        places.remove(places.leaving[3])
        #expect(places.freeSlot == 3)
    }

    @Test func `have another one for each that comes to its end, and count it`() throws {
        var places = ProcessPlaces(count: 2)
        let (first, second) = (try process(0, slot: 0, pid: 1), try process(1, slot: 1, pid: 2))
        let next = try process(0, slot: 2, pid: 3)
        places.put(first)
        places.put(second)
        #expect((places.present.count, places.restarts, places.allServe) == (2, 0, false))
        first.state = .serving
        second.state = .serving
        #expect(places.allServe)
        places.retire(first)
        places.retire(first)
        #expect((places.leaving.map(\.pid), places.present.map(\.pid), places.restarts) == ([1], [2], 1))
        #expect(!places.isInPlace(first))
        places.put(next)
        #expect((places.all.map(\.pid), places.serving.map(\.pid)) == ([3, 2, 1], [2]))
        // Its place is another's: its end leaves none empty.
        let isEmpty = [places.remove(first), places.remove(next)]
        #expect(isEmpty == [false, true])
        #expect((places[0] == nil, places.all.map(\.pid)) == (true, [2]))
    }

    @Test func `wait longer each for itself`() throws {
        var places = ProcessPlaces(count: 2)
        let delays = [0, 0, 1].map { places.delay(of: $0, afterLife: .zero) }
        #expect(delays == [.zero, .milliseconds(100), .zero])
        #expect(places.delayAfterFailure(of: 1) == .milliseconds(100))
        #expect(places.restarts == 3)
    }

    @Test func `know of an end that was heard of ahead of the pid, and forget those of strangers`() throws {
        var places = ProcessPlaces(count: 1)
        let process = try process(0, slot: 0)
        places.put(process)
        #expect(places.ended(7, .killed(signal: SIGKILL)) == nil)
        #expect(places.ended(8, .exited(status: 0)) == nil)
        process.pid = 7
        #expect(places.takeEnd(of: process) == .killed(signal: SIGKILL))
        #expect(places.takeEnd(of: process) == nil)
        places.forgetUnknownEnds()
        process.pid = 8
        #expect(places.takeEnd(of: process) == nil)
        #expect(places.ended(8, .exited(status: 0)) === process)
    }

    @Test func `wait no longer for what has not come to be`() throws {
        var places = ProcessPlaces(count: 2)
        let (first, second) = (try process(0, slot: 0), try process(1, slot: 1, pid: 5))
        places.put(first)
        places.put(second)
        places.removeUnstarted()
        #expect(places.all.map(\.pid) == [5])
    }
}

@Suite struct `What a process has to tell its master` {
    @Test func `is said until it is taken, in its order, but for what comes again by itself`() {
        var (reports, taken, isHeard) = (OwedReports(), [ProcessReport](), false)
        func say(_ report: ProcessReport) {
            reports.report(report) {
                if isHeard { taken.append($0) }
                return isHeard
            }
        }
        say(.ready)
        say(.alive(ProcessLoad(streams: 1)))
        say(.stopping)
        #expect(taken == [])
        isHeard = true
        say(.alive(ProcessLoad(streams: 2)))
        say(.alive(ProcessLoad(streams: 3)))
        #expect(taken == [.ready, .stopping, .alive(ProcessLoad(streams: 2)), .alive(ProcessLoad(streams: 3))])
    }
}

@Suite struct `A record of settings` {
    private let files: [String: Result<String, SystemError>] = [
        "/etc/sluice.toml": .success("include = \"*.toml\"\n"), "empty": .success(""), "a\nb 1 2\n": .success("file 1 1\n\0x"),
        "gone": .failure(SystemError("gone", code: ENOENT)),
    ]

    private func recorder() -> FileRecorder {
        let recorder = FileRecorder(
            FileAccess(
                readFile: { path throws(SystemError) in
                    guard let file = files[path] else { throw SystemError(path, code: EACCES) }
                    return Array(try file.get().utf8)
                },
                listFiles: { pattern throws(SystemError) in
                    if pattern == "bad" { throw SystemError(pattern, code: EIO) }
                    return pattern == "*.toml" ? ["a.toml", "b c.toml"] : []
                }))
        for path in files.keys.sorted() + ["other"] { _ = try? recorder.access.readFile(path) }
        for pattern in ["*.toml", "none", "bad"] { _ = try? recorder.access.listFiles(pattern) }
        return recorder
    }

    private let start = StartSettings(text: "listen = \"unix:/s\"\nworkers = 1\n", file: "/etc/x\ny 1 2\n")

    private let settings: Settings = {
        var settings = Settings(listen: [.unix("/s")], workers: 1, upstreams: [], models: [])
        settings.log = Settings.Log(level: .warning, format: .logfmt, destination: .file("/var/log/x\ny"))
        settings.timeouts.drain = .milliseconds(1234)
        return settings
    }()

    @Test func `says what was read, word for word, and what could not be`() throws {
        let record = try #require(SettingsRecord(bytes: recorder().record(of: settings, start).bytes))
        #expect(record.head == SettingsRecord.Head(log: settings.log, drain: .milliseconds(1234), start: start))
        let access = record.access
        for (path, file) in files {
            switch file {
            case .success(let text): #expect(try access.readFile(path) == Array(text.utf8))
            case .failure(let error): #expect(throws: error) { try access.readFile(path) }
            }
        }
        #expect(throws: SystemError("other", code: EACCES)) { try access.readFile("other") }
        #expect(throws: SystemError("never", code: ENOENT)) { try access.readFile("never") }
        #expect(try access.listFiles("*.toml") == ["a.toml", "b c.toml"])
        #expect(try access.listFiles("none") == [])
        #expect(throws: SystemError("bad", code: EIO)) { try access.listFiles("bad") }
    }

    @Test func `is none when anything of it is missing, or there is more`() {
        let bytes = recorder().record(of: settings, start).bytes
        for count in bytes.indices { #expect(SettingsRecord(bytes: Array(bytes[..<count])) == nil, "\(count)") }
        #expect(SettingsRecord(bytes: Array(bytes.dropFirst())) == nil)
        #expect(SettingsRecord(bytes: bytes + Array("list 0 0\n".utf8)) == nil)
        for text in ["", "record 0 0\n", "record 9223372036854775807 1\n", "record -1 0\n", "file 9223372036854775807 1\n"] {
            #expect(SettingsRecord(bytes: Array(text.utf8)) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("warning", "wornung"), ("logfmt", "logfmd"), ("file:/var", "fill:/var"), ("1234000000", "12340x0000"),
        ("unread 4 1\ngone2", "unread 4 1\ngonex"),
        ("unlisted 3 1\nbad5", "unlisted 3 1\nbadx"), ("unlisted", "unlisded"),
    ])
    func `is none with a word in it that nobody knows`(known: String, unknown: String) {
        let bytes = recorder().record(of: settings, start).bytes
        let changed = bytes.replacing(Array(known.utf8), with: Array(unknown.utf8), maxReplacements: 1)
        #expect(changed != bytes)
        #expect(SettingsRecord(bytes: changed) == nil)
    }

    @Test func `is read by the master no further than its head, and is none there either when it is cut off`() throws {
        let record = recorder().record(of: settings, start)
        func head(of bytes: [UInt8]) throws -> SettingsRecord.Head {
            let file = try MemoryFile("test")
            try file.write(bytes)
            return try SettingsRecord.Head(reading: file)
        }
        #expect(try head(of: record.bytes) == record.head)
        for count in record.bytes.indices {
            #expect(throws: SettingsError.self, "\(count)") { try head(of: Array(record.bytes[..<count])) }
        }
        // What is behind the head means nothing to it.
        let content = Array(repeating: UInt8(1), count: 1 << 20)
        let large = SettingsRecord(head: record.head, files: [("large", .success(content))], lists: [])
        #expect(try head(of: large.bytes) == record.head)
        // One that its writer can still change is none.
        #expect(throws: SettingsError.self) { try SettingsRecord.Head(reading: MemoryFile("test")) }
    }
}

@Suite struct `What master and process say` {
    @Test func `is understood by the other one`() {
        func start(_ sockets: [ProcessStart.Socket], _ users: [UInt32] = []) -> MasterMessage {
            .begin(ProcessStart(place: 3, slot: 7, period: .milliseconds(250), sockets: sockets, allowedUsers: users))
        }
        let odd = ProcessStart.Socket(isOwn: false, name: "unix:/a b\n own \u{1}/end at once ")
        let messages: [MasterMessage] = [
            start([.init(isOwn: true, name: "unix:/s"), odd]), start([odd], [0, 33, 4_294_967_294]), start([], [1]), .end,
            .endAtOnce,
            .ask(.reload), .ask(.take), .ask(.wait),
        ]
        for message in messages + StatusForm.all.map({ .ask(.status($0)) }) {
            #expect(MasterMessage(text: message.text) == message)
        }
        for report: ProcessReport in [.ready, .stopping, .alive(ProcessLoad(streams: 12, resting: 1, upstreams: 3))] {
            #expect(ProcessReport(text: report.text) == report)
        }
        for text in ["", "alive", "alive a b c", "begin 1 -1 1", "alive 1 2", "ask", "ask me", "begin 1", "reload"] {
            #expect(MasterMessage(text: text) == nil)
            #expect(ProcessReport(text: text) == nil)
        }
    }

    @Test func `can be added up, whatever a process says of its load`() {
        #expect(
            ProcessReport(text: "alive \(Int.max) \(Int.min) -1")
                == .alive(ProcessLoad(streams: 1_000_000, resting: 0, upstreams: 0)))
        #expect(ProcessReport(text: "alive 9223372036854775808 0 0") == nil)
    }

    @Test(arguments: [
        (["sluice", "serve"], ["sluice", "serve", "--process", "3"]),
        (["sluice", "serve", "--listen", "fd:0", "--"], ["sluice", "serve", "--process", "3", "--listen", "fd:0", "--"]),
    ]) func `is heard by a process whatever its command line ends with`(line: [String], expected: [String]) {
        #expect(ServingProcess.arguments(ofPlace: 2, of: line) == expected)
    }
}
