import Testing

@testable import Settings

/// What clients may use: `[clients.NAME]`.
@Suite struct SettingsClientsTests {
    private let text = """
        [upstreams.demo]
        kind = "demo"
        [clients.phone]
        tokens_per_day = 200_000
        requests_per_minute = 60
        concurrent = 4
        models = ["gpt-4o-mini", "llama-*"]
        [clients."shop-*"]
        concurrent = 1
        [clients."*"]
        tokens_per_day = 10000000000

        """

    @Test func `are read in the file's order, and shown so that they give the same again`() throws {
        let settings = try settings(text)
        #expect(settings.clients.map(\.match.description) == ["phone", "shop-*", "*"])
        let phone = settings.clients[0]
        #expect((phone.tokensPerDay, phone.requestsPerMinute, phone.concurrentMax) == (200_000, 60, 4))
        #expect(phone.models?.map(\.description) == ["gpt-4o-mini", "llama-*"])
        #expect(settings.clients[1].tokensPerDay == nil)
        #expect(settings.clients[1].models == nil)
        #expect(try SettingsCase(text: settings.text).load().clients == settings.clients)
    }

    @Test func `of several files are put together`() throws {
        let main = "include = ['a.toml']\n[clients.\"*\"]\nconcurrent = 1\n"
        let merged = try settings(main, files: ["dir/a.toml": "[clients.shop]\nconcurrent = 2"])
        #expect(merged.clients.map(\.concurrentMax) == [1, 2])
    }

    @Test(arguments: [
        ("['tools']", "clients.a.tokens_per_day = 9999", true),
        ("['tools', 'stream_options']", "clients.a.tokens_per_day = 9999", false),
        ("['tools']", "clients.a.concurrent = 1", false),
    ])
    func `is warned of an upstream that is not asked for what is counted`(only: String, clients: String, isWarned: Bool) throws {
        let text = "\(clients)\n[upstreams.x]\nkind = 'compatible'\nurl = 'http://x'\nparameters.only = \(only)"
        let words = "leaves out stream_options, so that tokens_per_day goes by an estimate for answers that stream"
        let warnings = try SettingsCase(text: text).loaded().warnings
        #expect(warnings == (isWarned ? ["dir/sluice.toml:5: upstreams.x.parameters.only \(words)"] : []))
    }

    private static let table = ", as in [clients.acme] with a line concurrent = 20 below it"

    private static let mistakes = [
        Mistake("[clients.a]\ntokens_per_day = 0", "2: clients.a.tokens_per_day must be a whole number from 1 to 10000000000"),
        Mistake(
            "[clients.a]\nrequests_per_minute = '1'", "2: clients.a.requests_per_minute must be a whole number from 1 to 1000000"),
        Mistake("[clients.a]\nconcurrent = -1", "2: clients.a.concurrent must be a whole number from 1 to 1000000"),
        Mistake("[clients.a]\nmodels = 'x'", "2: clients.a.models must be an array of models' names, or of patterns of names"),
        Mistake("[clients.a]\nmodels = []", "2: clients.a.models must have 1 to 1000 names"),
        Mistake("[clients.a]\nmodels = ['[x']", "2: clients.a.models[0] has a '[' without a ']'; a '[' itself is written '[[]'"),
        Mistake("[clients.a]\ntokens_per_dya = 1", "2: unknown key 'clients.a.tokens_per_dya'; did you mean 'tokens_per_day'?"),
        Mistake("tokens_per_day = 1", "1: unknown key 'tokens_per_day'; it stands in [clients.NAME]"),
        Mistake("[[clients]]\nconcurrent = 1", "1: clients must be a table\(table)"),
        Mistake("clients.a = 1", "1: clients.a must be a table\(table)"),
        Mistake("[clients.'[a']", "1: clients.\"[a\" has a '[' without a ']'; a '[' itself is written '[[]'"),
        Mistake(
            "[clients.'ä']",
            "1: clients.\"ä\" must be the name of a client, or a pattern of names, of 1 to 128 ASCII characters"),
        Mistake(
            "[clients.'a*']\n[clients.'ab*']",
            "2: clients.\"ab*\" is never reached: clients.\"a*\" matches the same clients first"),
    ]

    @Test(arguments: mistakes) func `tell what is wrong with them`(mistake: Mistake) { mistake.check() }

    @Test(
        arguments: [
            ("", [:], nil), ("budgets_file = 'b'", [:], "dir/b"), ("budgets_file = '/b'", ["STATE_DIRECTORY": "/s"], "/b"),
            ("", ["STATE_DIRECTORY": "/s"], "/s/budgets"), ("", ["STATE_DIRECTORY": "/s:/t"], "/s/budgets"),
            ("", ["STATE_DIRECTORY": ""], nil),
        ] as [(String, [String: String], String?)])
    func `are kept in the file that is named, or in the service's folder`(
        text: String, environment: [String: String], path: String?
    ) throws {
        #expect(try settings(text, environment: environment).budgetsFile == path)
    }

    @Test(arguments: ["''", "'/var/lib/sluice/'", "'credential:x'", "5"]) func `are kept in no other place`(value: String) {
        #expect(SettingsCase(text: "budgets_file = \(value)").problems.count == 1)
    }

    @Test func `are not too many`() {
        let text = (0...1000).map { "[clients.c\($0)]\n" }.joined()
        #expect(
            SettingsCase(text: text).problems == ["dir/sluice.toml:1: clients names 1001 clients or patterns: 1000 are the most"])
    }
}
