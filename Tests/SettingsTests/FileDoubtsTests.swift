import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Settings

/// What probably is not wanted of files that settings name, and of the keys in them.
@Suite struct FileDoubtsTests {
    private static let keyFile = "[upstreams.a]\nkey_file = 'key'"
    private static let place = "dir/sluice.toml:2: upstreams.a.key_file"

    private static func warnings(ofKey key: String, mode: UInt32? = nil) throws -> [String] {
        try SettingsCase(text: keyFile, files: ["dir/key": key], modes: mode.map { ["dir/key": $0] }).loaded().warnings
    }

    @Test(
        arguments: [
            (S_IFREG | 0o644, true), (S_IFREG | 0o604, true), (S_IFREG | 0o640, false), (S_IFREG | 0o600, false),
            (S_IFCHR | 0o666, false), (S_IFIFO | 0o644, false), (nil, false),
        ] as [(UInt32?, Bool)])
    func `a key file that everybody can read is a warning`(mode: UInt32?, isWarned: Bool) throws {
        let words = "names a file whose mode lets everybody read it: chmod o-r takes that away"
        #expect(try Self.warnings(ofKey: "sk-secret", mode: mode) == (isWarned ? ["\(Self.place) \(words)"] : []))
    }

    @Test func `a key file that cannot be looked at, and a credential, are none`() throws {
        let unseen = SettingsCase(text: Self.keyFile, files: ["dir/key": "k"], modes: [:])
        #expect(try unseen.loaded().warnings == [])
        let credential = SettingsCase(
            text: "[upstreams.a]\nkey_file = 'credential:k'", environment: ["CREDENTIALS_DIRECTORY": "/run/c"],
            files: ["/run/c/k": "k"], modes: ["/run/c/k": S_IFREG | 0o444])
        #expect(try credential.loaded().warnings == [])
    }

    @Test(arguments: [
        ("\"sk-secret\"\n", true), ("'sk-secret'", true), ("\"sk-secret", false), ("\"", false), ("sk-\"secret\"", false),
    ])
    func `a key in quotes is a warning, in a file and in its place`(key: String, isWarned: Bool) throws {
        let words = "gives a key in quotes, which go out as a part of it: leave them out"
        let expected = isWarned ? ["\(Self.place) \(words)"] : []
        #expect(try Self.warnings(ofKey: key) == expected)
        let line = key.split(separator: "\n").joined()
        let inPlace = SettingsCase(text: "[upstreams.a]\nkey = '${KEY}'", environment: ["KEY": line])
        #expect(try inPlace.loaded().warnings.map { $0.replacing(".key ", with: ".key_file ") } == expected)
    }

    @Test(arguments: [
        ("OPENAI_API_KEY=sk-secret\n", true), ("KEY_2=\"sk-secret\"", true), ("_A==b", true), ("sk-secret=", false),
        ("QUJDRA==", false), ("QUJDREVG=", false), ("aGVsbG8=x", false), ("2KEY=x", false), ("=secret", false), ("A-B=c", false),
    ])
    func `a file of the environment in the place of a key's is a warning`(line: String, isWarned: Bool) throws {
        let words = "names a file that begins like one of the environment, NAME=value: all of the line goes out as the key"
        #expect(try Self.warnings(ofKey: line) == (isWarned ? ["\(Self.place) \(words)"] : []))
    }

    @Test func `a file that is there and forbidden is named, but for what is like a key`() {
        func problems(_ name: String) -> [String] {
            SettingsCase(text: "[upstreams.a]\nkey_file = '\(name)'", forbidden: ["dir/key", "/etc/sk-secret"]).problems
        }
        let words = "names a file that cannot be read:"
        #expect(problems("key") == ["\(Self.place) \(words) dir/key: Permission denied"])
        #expect(problems("/etc/sk-secret") == ["\(Self.place) \(words) /etc/sk-…: Permission denied"])
        #expect(problems("none") == ["\(Self.place) \(words) No such file or directory"])
    }

    @Test(
        arguments: [
            ("/none/budgets", "/none"), ("x/budgets", "dir/x"), ("/var/budgets", nil), ("budgets", nil), ("/budgets", nil),
            ("/hidden/budgets", nil),
        ] as [(String, String?)])
    func `a folder for budgets that is missing is named`(file: String, missing: String?) throws {
        var settings = SettingsCase(
            text: "budgets_file = '\(file)'", modes: ["dir": S_IFDIR | 0o755, "/var": S_IFDIR | 0o755], forbidden: ["/hidden"])
        let words = missing.map {
            "names a file in a folder that is missing, \($0): what clients have used is not kept until it is there"
        }
        #expect(try settings.loaded().warnings == (words.map { ["dir/sluice.toml:1: budgets_file \($0)"] } ?? []))
        settings.modes = nil
        #expect(try settings.loaded().warnings == [])
    }

    @Test func `the mode of a file is as it was made, and of none there is none`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("k", to: "key")
        #expect(unsafe chmod(path, 0o604) == 0)
        #expect(try readFileMode(path) == S_IFREG | 0o604)
        #expect(throws: SystemError(directory.path("none"), code: ENOENT)) { _ = try readFileMode(directory.path("none")) }
    }
}
