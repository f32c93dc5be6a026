import Choosing
import EventLoop
import FastCGI
import Glibc
import Testing

@testable import Settings

/// The main file is `dir/sluice.toml`.
@Suite struct SettingsIncludeTests {
    private func load(_ text: String, _ files: [String: String], environment: [String: String] = [:]) throws -> Settings {
        try settings(text, environment: environment, files: files)
    }

    private let pattern = "include = 'conf.d/*.toml'\n"

    // MARK: What they say

    @Test func `what stands in included files counts as if it stood in the main one`() throws {
        let shared = try load(
            "\(pattern)limits.body = '1MiB'\nsocket = {mode = '0600'}\n[timeouts]\nidle = '5s'",
            [
                "dir/conf.d/limits.toml": "workers = 3\n[limits]\nevent = '2MiB'",
                "dir/conf.d/timeouts.toml": "[timeouts]\ntotal = '20s'\n[socket]\ngroup = 'g'",
                "dir/conf.d/empty.toml": "", "dir/conf.d/upstreams.toml": "[upstreams.d]\nkind = 'demo'",
            ])
        let whole = """
            limits = {body = '1MiB', event = '2MiB'}
            socket = {mode = '0600', group = 'g'}
            timeouts = {idle = '5s', total = '20s'}
            workers = 3
            upstreams.d.kind = 'demo'
            """
        #expect(try shared == settings(whole))
    }

    @Test func `one upstream may stand in several files, as with its key in one for few eyes`() throws {
        let upstreams = try load(
            "\(pattern)[upstreams.a]\nurl = 'http://a'\nheaders = {X-A = '1'}",
            [
                "dir/conf.d/keys.toml": "[upstreams.a]\nkey = 'k'\nheaders.X-B = '2'",
                "dir/conf.d/names.toml": "upstreams.a.warm = 2",
            ]
        ).upstreams
        let headers = [UpstreamSettings.Header(name: "X-A", value: "1"), UpstreamSettings.Header(name: "X-B", value: "2")]
        #expect(upstreams == [UpstreamSettings(name: "a", url: "http://a", key: .secret("k"), headers: headers, warmCount: 2)])
    }

    @Test func `models of included files come before those of the main one, in the order of the files' names`() throws {
        let models = try load(
            "\(pattern)[[models]]\nmatch = 'm'\n[[models]]\nmatch = '*'",
            [
                "dir/conf.d/20-b.toml": "[[models]]\nmatch = 'b'\n[[models]]\nmatch = 'c'",
                "dir/conf.d/10-a.toml": "[[models]]\nmatch = 'a'", "dir/conf.d/3.toml": "models = [{match = 'd'}]",
            ]
        ).models
        #expect(models.map(\.match.description) == ["a", "b", "c", "d", "m", "*"])
    }

    @Test func `a list names them in its order, and one that it names twice is read once`() throws {
        let files = [
            "dir/a.toml": "[[models]]\nmatch = 'a'", "dir/b.toml": "[[models]]\nmatch = 'b'", "/c": "[[models]]\nmatch = 'c'",
        ]
        #expect(
            try load("include = ['b.toml', '/c', '[ab].toml', '/c']", files).models.map(\.match.description) == ["b", "c", "a"])
        #expect(try load("include = []", files) == settings(""))
    }

    @Test(arguments: [
        ("conf.d/*.toml", ["a", "b"]), ("conf.d/?.toml", ["a", "b"]), ("conf.d/[!a].toml", ["b"]), ("*/a.toml", ["a"]),
        ("/etc/*", ["e"]), ("conf.d/*", ["backup", "a", "b"]), ("nothing.d/*.toml", []), ("conf.d/.*.toml", ["hidden"]),
    ])
    func `a pattern matches as in a shell, hidden files and backups not by chance`(pattern: String, read: [String]) throws {
        let names = [
            "dir/conf.d/a.toml": "a", "dir/conf.d/b.toml": "b", "dir/conf.d/.hidden.toml": "hidden",
            "dir/conf.d/a.tml~": "backup", "dir/a.toml": "elsewhere", "/etc/e": "e",
        ]
        let files = names.mapValues { "[[models]]\nmatch = '\($0)'" }
        let models = try load("include = '\(pattern)'", files).models
        #expect(models.map(\.match.description) == (read.isEmpty ? ["*"] : read))
    }

    @Test func `relative paths in them begin at their own directory, and may hold variables`() throws {
        let settings = try load(
            "include = ['conf.d/a.toml', '${CREDENTIALS}/b.toml']\nauthorities_file = 'ca.pem'",
            [
                "dir/ca.pem": "", "dir/conf.d/key": "a", "/run/key": "b", "dir/conf.d/c.pem": "",
                "dir/conf.d/a.toml": """
                [upstreams.a]
                kind = 'compatible'
                url = 'https://a'
                key_file = 'key'
                certificate = 'c.pem'
                certificate_key = 'c.pem'
                """,
                "/run/b.toml": "[upstreams.b]\nurl = 'http://b'\nkey_file = 'key'\n[[models]]\nmatch = '*'\ntargets = ['a', 'b']",
            ], environment: ["CREDENTIALS": "/run"])
        #expect(settings.authoritiesFile == "dir/ca.pem")
        #expect(settings.upstreams.map(\.certificate) == ["dir/conf.d/c.pem", nil])
        #expect(settings.upstreams.map(\.key) == [.secret("a"), .secret("b")])
    }

    @Test func `a directory whose name looks like a pattern is none`() {
        let file = SettingsFile(path: #"/a*/[b]\?/sluice.toml"#)
        #expect(file.resolved(pattern: "*.toml") == #"/a\*/\[b]\\\?/*.toml"#)
        #expect(file.resolved(pattern: "/*.toml") == "/*.toml")
        #expect(SettingsFile(path: "sluice.toml").resolved(pattern: "*.d/x") == "*.d/x")
    }

    @Test func `the settings that are shown need none of them`() throws {
        let files = ["dir/conf.d/a.toml": "workers = 3\n[[models]]\nmatch = 'a'", "dir/conf.d/b.toml": "retries = 1"]
        let original = try load(pattern, files)
        #expect(try settings(original.text) == original)
    }

    @Test func `those that were read are named in that order`() throws {
        var options = SettingsOptions()
        options.config = "sluice.toml"
        let files = ["sluice.toml": "include = ['b.toml', '?.toml']", "a.toml": "", "b.toml": ""]
        let loaded = try SettingsSources(
            options: options, environment: { _ in nil },
            readFile: { path throws(SystemError) in
                guard let text = files[path] else { throw absent(path) }
                return [UInt8](text.utf8)
            }, listFiles: { _ in ["b.toml", "a.toml"] }, readTLSFiles: { _, _ in nil }
        ).load()
        #expect(loaded.file == "sluice.toml")
        #expect(loaded.included == ["b.toml", "a.toml"])
    }

    // MARK: Mistakes

    struct Mistake: Sendable, CustomTestStringConvertible {
        let text: String
        var files: [String: String] = [:]
        let problems: [String]
        var testDescription: String {
            "\(text.split(separator: "\n").joined(separator: " | ")) \(files.sorted { $0.key < $1.key })"
        }

        init(_ text: String, _ files: [String: String], _ problems: String...) {
            self.text = text
            self.files = Dictionary(uniqueKeysWithValues: files.map { ("dir/\($0.key)", $0.value) })
            self.problems = problems.map { "dir/\($0)" }
        }
    }

    private static let missing = "which cannot be read: No such file or directory"

    private static let names = [
        Mistake("include = 7", [:], "sluice.toml:1: include must be a path or a pattern, or an array of them"),
        Mistake("\ninclude = ''", [:], "sluice.toml:2: include must not be empty"),
        Mistake(
            "include = ['a',\n 7, '']", ["a": ""],
            "sluice.toml:2: include[1] must be a string", "sluice.toml:2: include[2] must not be empty"),
        Mistake(
            "include = 'x${NO}'", [:],
            "sluice.toml:1: include takes the environment's NO, which is not set or is empty\(serviceHint)"),
        Mistake("include = 'a.toml'", [:], "sluice.toml:1: include names dir/a.toml, \(missing)"),
        Mistake("include = 'b/SK-secret'", [:], "sluice.toml:1: include names dir/b/SK-…, \(missing)"),
        Mistake(
            "include = ['b.toml',\n'a.toml',\n'c.toml']", ["b.toml": ""],
            "sluice.toml:2: include[1] names dir/a.toml, \(missing)", "sluice.toml:3: include[2] names dir/c.toml, \(missing)"),
        Mistake("include = '*.toml'", ["a.toml": ""], "sluice.toml:1: include names this file itself"),
        Mistake("include = 'sluice.toml'", [:], "sluice.toml:1: include names this file itself"),
        Mistake(
            "include = 'a'", ["a": "\ninclude = 'b'", "b": ""],
            "a:2: include has no meaning in an included file: dir/sluice.toml must name all"),
        Mistake(
            "[limits]\ninclude = 'a'", [:],
            "sluice.toml:2: unknown key 'limits.include'; 'include' holds for all: put it above the first [table]"),
    ]

    private static let twice = [
        Mistake(
            "include = 'a'\n\nworkers = 1", ["a": "\nworkers = 1"], "a:2: workers is set twice: dir/sluice.toml:3 sets it too"),
        Mistake(
            "include = '?'\nlimits.body = '1MiB'",
            ["a": "limits = {event = '1MiB', body = '1MiB'}", "b": "[limits]\n\nevent = '2MiB'"],
            "a:1: limits.body is set twice: dir/sluice.toml:2 sets it too",
            "b:3: limits.event is set twice: dir/a:1 sets it too"),
        Mistake(
            "include = '?'",
            ["a": "[upstreams.a]\nkind = 'demo'", "b": "[upstreams.a]\nkind = 'demo'", "c": "upstreams.a.kind = 'demo'"],
            "b:2: upstreams.a.kind is set twice: dir/a:2 sets it too", "c:1: upstreams.a.kind is set twice: dir/a:2 sets it too"),
        Mistake(
            "include = 'a'\nsocket = {allowed_users = ['a']}", ["a": "socket.allowed_users = ['b']"],
            "a:1: socket.allowed_users is set twice: dir/sluice.toml:2 sets it too"),
        Mistake(
            "include = 'a'\nlimits = 1", ["a": "limits.body = '1MiB'"],
            #"sluice.toml:2: limits must be a table, as in limits = {requests = 4096, body = "8MiB"}"#,
            "a:1: limits is set twice: dir/sluice.toml:2 sets it too"),
        Mistake(
            "include = 'a'\n[models]\nx = 1", ["a": "[[models]]\nmatch = '*'"],
            "sluice.toml:2: models must be tables: [[models]]", "a:1: models is set twice: dir/sluice.toml:2 sets it too"),
        Mistake(
            "include = 'a'\n[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'\n[[models]]\nmatch = '*'\ntargets = ['a', 'b']",
            ["a": "models = 'x'"], "a:1: models is set twice: dir/sluice.toml:6 sets it too"),
    ]

    private static let places = [
        Mistake(
            "include = '?'\nworker = 1", ["a": "\nheartbeat = 10", "b": "[upstreams.x]\nkind = 'dmo'\n[timeout]"],
            "sluice.toml:2: unknown key 'worker'; did you mean 'workers'?",
            #"a:2: heartbeat needs a unit, as in "800ms", "5s", "10m" or "1h""#,
            #"b:2: upstreams.x.kind must be "openai", "azure", "compatible" or "demo""#,
            "b:3: unknown key 'timeout'; did you mean 'timeouts'?"),
        Mistake(
            "include = 'a'\n[[models]]\nmatch = '*'", ["a": "\n[[models]]\nmatch = 'x'\ntargets = ['dmo']"],
            "a:4: models[0].targets[0] names no upstream; did you mean 'demo'?"),
        Mistake(
            "include = 'a'\n[[models]]\nmatch = 'y'\n[[models]]\nmatch = 'x-1'", ["a": "[[models]]\nmatch = 'x*'"],
            "sluice.toml:4: models[1] is never reached: models[0] of dir/a:1 matches the same models first"),
        Mistake(
            "include = 'a'\n[[models]]\nmatch = 'x'", ["a": "[[models]]\nmatch = 'b'\n[[models]]\nmatch = 'b'"],
            "a:3: models[1] is never reached: models[0] matches the same models first"),
        Mistake(
            "include = '?/a'", ["c/a": "authorities_file = 'no.pem'\n[upstreams.a]\nurl = 'http://a'\nkey_file = 'no.key'"],
            "c/a:1: authorities_file names a file that cannot be read: No such file or directory",
            "c/a:4: upstreams.a.key_file names a file that cannot be read: No such file or directory"),
        Mistake(
            "include = 'a'\nlimits.body = '100MiB'\n[upstreams.a]\nkey = 'k'",
            ["a": "limits.memory = '100MiB'\nupstreams.a.key_file = 'k'"],
            "sluice.toml:4: upstreams.a.key and key_file cannot both be set",
            "a:1: limits.memory must be at least twice limits.body, which is 100MiB"),
        Mistake(
            "include = 'a'", ["a": "[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'"],
            "a:1: upstreams names several: add [[models]] to say which requests go to which"),
    ]

    private static let unread = [
        Mistake(
            "include = '?'\nworker = 1", ["a": "\n\nworkers = \n", "b": "heartbeat = 1h", "c": "workers = 0"],
            "sluice.toml:2: unknown key 'worker'; did you mean 'workers'?",
            "a:3: this is not TOML at column 11: error while parsing key-value pair: expected value",
            "b:1: this is not TOML: what begins like a number is neither one nor a date; durations, sizes, shares and modes stand in "
                + #"quotes: "4s", "8MiB", "20%", "0660""#,
            #"c:1: workers must be "auto" or a number from 1 to 256"#),
        // What the file that cannot be read may say is not missed.
        Mistake(
            "include = 'a'\nrest_for = '10m'\nlimits.body = '100MiB'\nlimits.memory = '100MiB'\n[upstreams.b]\nkind = 'compatible'\nqueue = 1\n"
                + "[[models]]\nmatch = '*'\ntargets = ['a']", ["a": "="],
            "a:1: this is not TOML at column 1: error while parsing root table: expected keys, tables, whitespace or comments"),
        Mistake(
            "include = 'a'\nupstreams.a.kind = 'demo'\nupstreams.b.kind = 'demo'", [:],
            "sluice.toml:1: include names dir/a, \(missing)"),
    ]

    @Test(arguments: names + twice + places + unread)
    func `a mistake is told where it stands`(_ mistake: Mistake) {
        var files = mistake.files
        files["dir/sluice.toml"] = mistake.text
        #expect(SettingsCase(text: mistake.text, files: files).problems == mistake.problems)
    }

    // MARK: Trouble

    /// A main file that includes what a pattern matches.
    private func problems(
        _ matches: [String], _ text: String = "include = '*.d'", read: @escaping FileReader,
        list: FileLister? = nil
    ) -> [String] {
        let sources = SettingsSources(
            options: SettingsOptions(config: "main"), environment: { _ in nil },
            readFile: { path throws(SystemError) in path == "main" ? [UInt8](text.utf8) : try read(path) },
            listFiles: list ?? { _ in matches }, readTLSFiles: { _, _ in nil })
        do { _ = try sources.load() } catch { return error.problems }
        return []
    }

    @Test(arguments: [
        (ENOENT, "which cannot be read: No such file or directory"), (EACCES, "which cannot be read: Permission denied"),
        (EISDIR, #"a directory: a pattern names what is in it, as "conf.d/*.toml" does"#), (EFBIG, "which has more than 1MiB"),
        (ETIME, "which has not come in time: a slow disk, or a pipe that nobody writes to the end"),
    ])
    func `a file that matches and cannot be read is told, whatever became of it`(code: Int32, words: String) {
        let found = problems(["a"]) { path throws(SystemError) in throw SystemError(path, code: code) }
        #expect(found == ["main:1: include names a, \(words)"])
    }

    @Test func `a directory that cannot be read is told`() {
        let found = problems(
            [], read: { _ in [] }, list: { pattern throws(SystemError) in throw SystemError(pattern, code: EACCES) })
        #expect(found == ["main:1: include names files that cannot be listed: *.d: Permission denied"])
    }

    @Test func `a key in the place of a pattern is not told`() {
        let found = problems(
            [], "include = 'sk-secret*'", read: { _ in [] },
            list: { pattern throws(SystemError) in throw SystemError(pattern, code: EACCES) })
        #expect(found == ["main:1: include names files that cannot be listed: sk-…: Permission denied"])
    }

    @Test func `more patterns than there may be files are not looked for`() {
        let text = "include = [\(Array(repeating: "'*'", count: 257).joined(separator: ","))]"
        #expect(problems([], text, read: { _ in [] }) == ["main:1: include has 257 elements: 256 are the most"])
    }

    @Test func `bytes that are not text are told with their file`() {
        #expect(problems(["a", "b"], read: { $0 == "b" ? [0x61, 0xFF] : [] }) == ["b: the file is not UTF-8 text"])
    }

    @Test func `one that is late is enough`() {
        var asked: [String] = []
        let found = problems(["a", "b", "c"]) { path throws(SystemError) in
            asked.append(path)
            if path == "b" { throw SystemError(path, code: ETIME) }
            return []
        }
        let reason = "which has not come in time: a slow disk, or a pipe that nobody writes to the end"
        #expect(found == ["main:1: include names b, \(reason)"])
        #expect(asked.filter { !$0.hasPrefix("/") } == ["a", "b"])
    }

    @Test(arguments: [(256, []), (257, ["main:1: include names 257 files: 256 are the most"])])
    func `there are 256 at most`(count: Int, expected: [String]) {
        #expect(problems((0..<count).map { "a\($0)" }) { _ in [] } == expected)
    }

    @Test(arguments: [
        (1 << 20, 3, []), ((1 << 20) + 1, 1, ["main:1: include names a0, which has more than 1MiB"]),
        (1 << 20, 4, ["main:1: include names more than 4MiB of settings, with a3"]),
        (1 << 20, 6, ["main:1: include names more than 4MiB of settings, with a3"]),
    ])
    func `each has a mebibyte at most, and all together have four`(size: Int, count: Int, expected: [String]) {
        let blank = [UInt8](repeating: UInt8(ascii: "\n"), count: size)
        #expect(problems((0..<count).map { "a\($0)" }) { path in path.hasPrefix("/") ? [] : blank } == expected)
    }
}
