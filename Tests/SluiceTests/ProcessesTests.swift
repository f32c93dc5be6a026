// What master and processes go by, as values.

import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Testing

@testable import Sluice

@Suite struct `A place for a process` {
    @Test func `is filled at once for the first time, and waits longer each time that one dies soon`() {
        var plan = RestartPlan()
        let waits = (0..<12).map { _ in plan.wait(afterLife: .seconds(9)) }
        #expect(waits[..<4] == [.zero, .milliseconds(100), .milliseconds(200), .milliseconds(400)])
        #expect(waits.last == .seconds(30))
        let later = (0..<100).map { _ in plan.wait(afterLife: .zero) }
        #expect(later.allSatisfy { $0 == .seconds(30) })
    }

    @Test func `is filled at once after one that lived for some time`() {
        var plan = RestartPlan()
        for _ in 0..<5 { _ = plan.wait(afterLife: .zero) }
        let waits = [plan.wait(afterLife: .seconds(10)), plan.wait(afterLife: .zero)]
        #expect(waits == [.zero, .milliseconds(100)])
    }
}

@Suite struct `The silence of a process` {
    @Test func `is too long when so many ticks have passed`() {
        var silence = Silence(limit: .seconds(3))
        let isTooLong = (0..<4).map { _ in silence.tick(after: .seconds(1), period: .seconds(1)) }
        #expect(isTooLong == [false, false, false, true])
    }

    @Test func `ends with each word`() {
        var silence = Silence(limit: .seconds(3))
        for _ in 0..<10 {
            let isTooLong = (0..<3).map { _ in silence.tick(after: .seconds(1), period: .seconds(1)) }
            #expect(isTooLong == [false, false, false])
            silence.end()
        }
    }

    @Test func `is not longer for a machine that stood still`() {
        var silence = Silence(limit: .seconds(3))
        let isTooLong = (0..<3).map { _ in silence.tick(after: .seconds(3600), period: .seconds(1)) }
        #expect(isTooLong == [false, false, false])
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

    private let settings: Settings = {
        var settings = Settings(listen: [.unix("/s")], workers: 1, upstreams: [], models: [])
        settings.log = Settings.Log(level: .warning, format: .logfmt, destination: .file("/var/log/x\ny"))
        settings.timeouts.drain = .milliseconds(1234)
        return settings
    }()

    @Test func `says what was read, word for word, and what could not be`() throws {
        let record = try #require(SettingsRecord(bytes: recorder().record(of: settings).bytes))
        #expect(record.log == settings.log)
        #expect(record.drain == .milliseconds(1234))
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

    @Test func `is none when anything of it is missing`() {
        let bytes = recorder().record(of: settings).bytes
        for count in bytes.indices { _ = SettingsRecord(bytes: Array(bytes[..<count])) }
        #expect(SettingsRecord(bytes: []) == nil)
        #expect(SettingsRecord(bytes: Array(bytes.dropLast())) == nil)
        #expect(SettingsRecord(bytes: Array(bytes.dropFirst())) == nil)
        #expect(SettingsRecord(bytes: Array("file 9223372036854775807 1\n".utf8)) == nil)
    }
}

@Suite struct `What master and process say` {
    @Test func `is understood by the other one`() {
        for message: MasterMessage in [
            .begin(place: 3, slot: 7, period: .milliseconds(250), ownSockets: [true, false], allowedUsers: []),
            .begin(place: 0, slot: 0, period: .seconds(1), ownSockets: [true], allowedUsers: [0, 33, 4_294_967_294]),
            .begin(place: 0, slot: 0, period: .seconds(1), ownSockets: [], allowedUsers: [1]), .end, .endAtOnce, .ask(.status),
            .ask(.statusJSON), .ask(.reload), .ask(.take), .ask(.wait),
        ] { #expect(MasterMessage(text: message.text) == message) }
        for report: ProcessReport in [.ready, .stopping, .alive(ProcessLoad(streams: 12, resting: 1, upstreams: 3))] {
            #expect(ProcessReport(text: report.text) == report)
        }
        for text in ["", "alive", "alive a b c", "begin 1 -1 1 own", "alive 1 2", "ask", "ask me", "begin 1", "reload"] {
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
