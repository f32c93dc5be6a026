import EventLoop
import Testing

@testable import Settings

/// What the operator reads of the file itself: that it is missing, too large, no text or no TOML.
@Suite struct SettingsFileErrorTests {
    private static let number =
        #"this is not TOML: what begins like a number is neither one nor a date; durations, sizes, shares and modes stand in quotes: "#
        + #""4s", "8MiB", "20%", "0660""#

    private static let unquoted = [
        "heartbeat = 4s", "socket.mode = 0660", "limits.body = 8MiB", "retry_budget = 20%", "dns_ttl = 1h",
    ].map { Mistake($0, "1: \(number)") }

    private static let syntax = [
        Mistake("[{]", "1: this is not TOML: a table's name must follow '['"),
        Mistake("a = [1,\n }", "2: this is not TOML: '}' stands where the array has a value or ']'"),
        Mistake("listen = \nworkers = 2", "1: this is not TOML at column 10: error while parsing key-value pair: expected value"),
        Mistake(
            "workers = 99999999999999999999",
            "1: this is not TOML at column 31: error while parsing decimal integer"),
        Mistake("[upstreams.a]\nkey = sk-secret", #"2: this is not TOML: text stands in quotes, as in key = "…""#),
        Mistake("[upstreams.a]\nkey = true-secret", #"2: this is not TOML: text stands in quotes, as in key = "…""#),
        Mistake("listen = unix:/secret.sock # here", #"1: this is not TOML: text stands in quotes, as in listen = "…""#),
        Mistake("log.level = info\r\n", #"1: this is not TOML: text stands in quotes, as in level = "…""#),
        Mistake("listen = /secret.sock", #"1: this is not TOML: text stands in quotes, as in listen = "…""#),
        Mistake("log = {level = debug}", #"1: this is not TOML: text stands in quotes, as in level = "…""#),
        Mistake("listen = [unix:/secret.sock]", "1: this is not TOML: text stands in quotes"),
        Mistake("sk-secret = a", "1: this is not TOML: text stands in quotes"),
        Mistake("[upstreams.a]\nkey = 'secret\n", "2: this is not TOML: a string has no closing quote in its line"),
        Mistake("[upstreams.a]\nkey = \"secret\nurl = x", "2: this is not TOML: a string has no closing quote in its line"),
        Mistake("'secret\n' = 1", "1: this is not TOML: a string has no closing quote in its line"),
        Mistake("log = {to = 'stderr',}", "1: this is not TOML: no comma may stand before '}'"),
        Mistake("log = {to = 'stderr' , }", "1: this is not TOML: no comma may stand before '}'"),
    ]

    /// What the parser expects is told, and not what it has seen in its place.
    private static let expected = [
        ("[upstreams.secret\nkind = 'demo'", "expected ']'"), ("[[models]\nmatch = 'secret'", "expected ']'"),
        ("workers 4", "expected '='"), ("log = {to = 'stderr' secret = 1}", "expected comma or closing '}'"),
    ]

    @Test(arguments: expected)
    func `what is missing is told, and not what stands there`(text: String, words: String) {
        let problems = SettingsCase(text: text).problems
        #expect(problems.count == 1 && problems[0].hasPrefix("dir/sluice.toml:1: this is not TOML at column "), "\(problems)")
        #expect(problems.allSatisfy { $0.hasSuffix(words) && !$0.contains("secret") }, "\(problems)")
    }

    private static func twice(_ key: String, _ first: Int) -> String {
        "\(key) is set twice: dir/sluice.toml:\(first) sets it too"
    }

    private static let keysTwice = [
        Mistake("listen = 'a'\nlisten = 'b'", "2: \(twice("listen", 1))"),
        Mistake("[limits]\nbody = '1MiB'\n[timeouts]\nidle = '1s'\n[limits]\nevent = '1MiB'", "5: \(twice("limits", 1))"),
        Mistake("[limits]\nbody = '1MiB'\nevent = '1MiB'\nbody = '2MiB'", "4: \(twice("limits.body", 2))"),
        Mistake("log = {to = 'stderr'}\nlog.level = 'debug'", "2: \(twice("log", 1))"),
        Mistake("log.level = 'debug'\nlog = {to = 'stderr'}", "2: \(twice("log", 1))"),
        Mistake("log = {to = 'stderr', to = 'journal'}", "1: \(twice("log.to", 1))"),
        Mistake("log = {to = 'stderr'}\n[log]\nlevel = 'debug'", "2: \(twice("log", 1))"),
        Mistake("upstreams.a = {kind = 'demo'}\n[upstreams.a.headers]\nx = '1'", "2: \(twice("upstreams.a", 1))"),
        Mistake("[[models]]\nmatch = 'a'\n[[models]]\nmatch = 'b'\nmatch = 'c'", "5: \(twice("models[1].match", 4))"),
        Mistake("sk-secret = 1\n\nsk-secret = 2", "3: \(twice("sk-…", 1))"),
        // One that the scanner knows and the parser would tell first.
        Mistake("heartbeat = '1s'\nheartbeat = '2s'\nlisten = ", "2: \(twice("heartbeat", 1))"),
    ]

    @Test(arguments: [
        "limits.body = '1MiB'\nlimits.event = '1MiB'",
        "[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'\n[upstreams]\n",
        "upstreams.a.kind = 'demo'\n[upstreams.b]\nkind = 'demo'", "a = {é = 1, e\u{301} = 2}",
        "[[models]]\nmatch = 'a'\n[models.headers]\nx = '1'\n[[models]]\nmatch = 'b'\n[models.headers]\nx = '1'",
    ])
    func `what is set once is not taken for twice`(text: String) {
        #expect(!SettingsCase(text: text).problems.contains { $0.contains("is set twice") })
    }

    @Test(arguments: unquoted + syntax + keysTwice)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test func `all mistakes are told at once, in the file's order`() {
        let settings = SettingsCase(
            text: """
                timeouts = {idle = 1}
                workers = 0
                [[models]]
                targets = ["nobody"]
                [upstreams.a]
                key = "${MISSING}"
                """, options: SettingsOptions(listen: ["nowhere"], logLevel: "loud", logFormat: "xml"))
        #expect(
            settings.problems.map { String($0.prefix { $0 != " " }) }
                == [1, 2, 3, 4, 6].map { "dir/sluice.toml:\($0):" } + ["listen", "--log-level", "--log-format"])
    }

    @Test(arguments: [
        (SettingsOptions(logLevel: "loud"), "", SettingsError.Place.commandLine),
        (SettingsOptions(), "heartbeat = 5", .settings),
        (SettingsOptions(workers: 0), "heartbeat = 5", .commandLine),
        (SettingsOptions(upstream: "nowhere"), "", .commandLine),
    ])
    func `a mistake of the command line counts before those of the file`(
        options: SettingsOptions, text: String, place: SettingsError.Place
    ) {
        let error = #expect(throws: SettingsError.self) { try SettingsCase(text: text, options: options).load() }
        #expect(error?.place == place)
    }

    @Test func `a file that is named must be there`() {
        let sources = SettingsSources(
            options: SettingsOptions(config: "no.toml"), environment: { _ in nil },
            readFile: { path throws(SystemError) in throw absent(path) }, listFiles: noFiles, readTLSFiles: { _, _ in nil })
        let error = #expect(throws: SettingsError.self) { try sources.load() }
        #expect(error?.problems == ["the settings file cannot be read: no.toml: No such file or directory"])
        #expect(error?.place == .unreadableFile)
    }

    @Test(arguments: [(1 << 20, nil), (1 << 20 + 1, "the settings file cannot be read: x.toml: File too large")])
    func `a settings file has a mebibyte at most`(size: Int, problem: String?) {
        let sources = SettingsSources(
            options: SettingsOptions(config: "x.toml"), environment: { _ in nil },
            readFile: { _ in [UInt8](repeating: UInt8(ascii: "\n"), count: size) }, listFiles: noFiles,
            readTLSFiles: { _, _ in nil })
        var problems: [String] = []
        do { _ = try sources.load() } catch { problems = error.problems }
        #expect(problems == [problem].compactMap(\.self))
    }

    @Test func `bytes that are not text are no settings`() {
        let sources = SettingsSources(
            options: SettingsOptions(config: "x.toml"), environment: { _ in nil }, readFile: { _ in [0x61, 0xFF] },
            listFiles: noFiles,
            readTLSFiles: { _, _ in nil })
        let error = #expect(throws: SettingsError.self) { try sources.load() }
        #expect(error?.problems == ["x.toml: the file is not UTF-8 text"])
    }
}
