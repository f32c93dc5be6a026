import Clock
import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Testing

@testable import Sluice

@Suite struct `A record of settings` {
    private let files: [String: Result<String, SystemError>] = [
        "/etc/sluice.toml": .success("include = \"*.toml\"\n"), "empty": .success(""), "a\nb 1:2,\n": .success("1:a,\n\0x"),
        "gone": .failure(SystemError("gone", code: ENOENT)),
    ]

    private func recorder() -> FileRecorder {
        let recorder = FileRecorder(
            FileAccess(
                read: { path throws(SystemError) in
                    guard let file = files[path] else { throw SystemError(path, code: EACCES) }
                    return Array(try file.get().utf8)
                },
                list: { pattern throws(SystemError) in
                    if pattern == "bad" { throw SystemError(pattern, code: EIO) }
                    return pattern == "*.toml" ? ["a.toml", "b c.toml"] : []
                }))
        for path in files.keys.sorted() + ["other"] { _ = try? recorder.access.read(path) }
        for pattern in ["*.toml", "none", "bad"] { _ = try? recorder.access.list(pattern) }
        return recorder
    }

    private let startOnly = StartOnlySettings(
        text: "listen = \"unix:/s\"\nworkers = 1\n", file: "/etc/x\ny 1:2,\n", allowedUsers: [0, 33, 4_294_967_294])

    private let settings: Settings = {
        var settings = Settings(listen: [.unix("/s")], workers: 1, upstreams: [], models: [])
        settings.log = Settings.Log(
            level: .warning, format: .logfmt, destination: .file("/var/log/x\ny"), fileBytesMax: 10 << 20, filesCount: 7,
            slow: .milliseconds(7))
        settings.timeouts.drain = .milliseconds(1234)
        return settings
    }()

    @Test func `says what was read, word for word, and what could not be`() throws {
        let record = try #require(SettingsRecord(bytes: recorder().takeRecord(of: settings, startOnly: startOnly).bytes))
        #expect(record.head == SettingsRecord.Head(log: settings.log, drain: .milliseconds(1234)))
        #expect(record.startOnly == startOnly)
        let access = record.access
        for (path, file) in files {
            switch file {
            case .success(let text): #expect(try access.read(path) == Array(text.utf8))
            case .failure(let error): #expect(throws: error) { try access.read(path) }
            }
        }
        #expect(throws: SystemError("other", code: EACCES)) { try access.read("other") }
        #expect(throws: SystemError("never", code: ENOENT)) { try access.read("never") }
        #expect(try access.list("*.toml") == ["a.toml", "b c.toml"])
        #expect(try access.list("none") == [])
        #expect(throws: SystemError("bad", code: EIO)) { try access.list("bad") }
    }

    @Test func `is none when anything of it is missing, or there is more`() {
        let bytes = recorder().takeRecord(of: settings, startOnly: startOnly).bytes
        for count in bytes.indices { #expect(SettingsRecord(bytes: Array(bytes[..<count])) == nil, "\(count)") }
        #expect(SettingsRecord(bytes: Array(bytes.dropFirst())) == nil)
        #expect(SettingsRecord(bytes: bytes + bytes) == nil)
        for text in ["", "0:,", "4:0:,,,", "12:0:,0:,0:,0:,,", "999999999999:,"] {
            #expect(SettingsRecord(bytes: Array(text.utf8)) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("warning", "wornung"), ("logfmt", "logfmd"), ("file:/var", "fill:/var"), ("1234000000", "12340x0000"),
        ("7000000", "7x00000"),
        ("4294967294", "4294967296"), ("\(ENOENT),0:,", "x,0:,"), ("\(EIO),0:,", "x,0:,"),
    ])
    func `is none with a word in it that nobody knows`(known: String, unknown: String) {
        let bytes = recorder().takeRecord(of: settings, startOnly: startOnly).bytes
        let changed = bytes.replacing(Array(known.utf8), with: Array(unknown.utf8), maxReplacements: 1)
        #expect(changed != bytes)
        #expect(SettingsRecord(bytes: changed) == nil)
    }

    private func head(of bytes: [UInt8]) throws -> SettingsRecord.Head {
        let file = try MemoryFile("test")
        try file.write(bytes)
        return try SettingsRecord.Head(reading: file)
    }

    @Test func `is read by the master no further than its head, and is none there either when it is cut off`() throws {
        let record = recorder().takeRecord(of: settings, startOnly: startOnly)
        #expect(try head(of: record.bytes) == record.head)
        for count in record.bytes.indices {
            #expect(throws: SettingsError.self, "\(count)") { try head(of: Array(record.bytes[..<count])) }
        }
        for text in ["4:9:ab,", "1:9", "20:99999999:ab,0:,0:,,", "6:2:0:,,,"] {
            #expect(throws: SettingsError.self, "\(text)") { try head(of: Array(text.utf8)) }
        }
        // One that its writer can still change is none.
        #expect(throws: SettingsError.self) { try SettingsRecord.Head(reading: MemoryFile("test")) }
    }

    @Test func `is whole however long its parts are`() throws {
        var settings = settings
        settings.log.destination = .file("/" + String(repeating: "x", count: 1 << 20))
        let startOnly = StartOnlySettings(
            text: String(repeating: "x", count: 2 << 20), file: nil, allowedUsers: Array(0..<100_000))
        let content = [UInt8](repeating: 1, count: 4 << 20)
        let record = SettingsRecord(
            head: FileRecorder().takeRecord(of: settings, startOnly: startOnly).head, startOnly: startOnly,
            files: [("large", .success(content))], lists: [])
        #expect(try head(of: record.bytes) == record.head)
        let read = try #require(SettingsRecord(bytes: record.bytes))
        #expect(read.head == record.head)
        #expect(read.startOnly == startOnly)
        #expect(try read.access.read("large") == content)
    }
}

@Suite struct NetstringTests {
    @Test func `give back what they were made of`() {
        let contents: [[UInt8]] = [[], Array("hello".utf8), Array(",1:2,:".utf8), [UInt8](repeating: 0, count: 1000)]
        let bytes = Netstring.joined(contents)
        #expect(bytes.starts(with: "0:,5:hello,".utf8))
        #expect(Netstring.split(bytes[...])?.map { Array($0) } == contents)
        #expect(Netstring.split([]) == [])
    }

    @Test(arguments: [
        "x", "5", "5:", ":,", "5:hello", "5:hello;", "5:hello,x", "6:hello,", "-1:,", "+1:a,", " 1:a,", "999999999999:a,",
        "99999999999999999999:a,",
    ])
    func `are none where anything is missing, or anything else is there`(text: String) {
        #expect(Netstring.split(Array(text.utf8)[...]) == nil)
    }
}
