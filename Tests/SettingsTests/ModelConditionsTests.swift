import Testing

@testable import Settings

/// Where a call goes besides by its model: `name` and `when` of `[[models]]`.
@Suite struct ModelConditionsTests {
    private static let noPath =
        #"must be client, or a path such as "call.assistantId": 1 to 8 names with dots between them, each of 1 to 64 letters, "#
        + #"digits, "_" and "-""#
    private static let noPattern = #"must be a pattern in quotes, as in "acme*"; numbers, true and false too: "5""#

    private static let conditions = [
        ("'x'", #"must be a table, as in when = {client = "acme*"}"#), ("{}", "has no condition in it: leave it out"),
        ("{call = {}}", ".call has no condition in it: leave it out"),
        ("{'call.' = 'x'}", ".\"call.\" \(noPath)"), ("{'' = 'x'}", ".\"\" \(noPath)"), ("{'a b' = 'x'}", ".\"a b\" \(noPath)"),
        ("{'a[0]' = 'x'}", ".\"a[0]\" \(noPath)"), ("{'a.b.c.d.e.f.g.h.i' = 'x'}", ".\"a.b.c.d.e.f.g.h.i\" \(noPath)"),
        ("{a.b.c.d.e.f.g.h.i = 'x'}", ".a.b.c.d.e.f.g.h.i \(noPath)"), ("{'a b'.c = 'x'}", ".\"a b\" \(noPath)"),
        ("{model = 'x'}", ".model cannot be a condition: match is for the model"),
        ("{messages.role = 'x'}", ".messages.role cannot be a condition: messages are an array, which fits no pattern"),
        ("{'messages' = 'x'}", ".messages cannot be a condition: messages are an array, which fits no pattern"),
        ("{client = 1}", ".client \(noPattern)"), ("{a = true}", ".a \(noPattern)"), ("{a = 5}", ".a \(noPattern)"),
        ("{a = ['x']}", ".a \(noPattern)"), ("{a = ''}", ".a must not be empty"),
        ("{a = '[x'}", ".a has a '[' without a ']'; a '[' itself is written '[[]'"),
        ("{a = '\(String(repeating: "a", count: 257))'}", ".a may have 256 bytes"),
        ("{'a.b' = 'x', a = {b = 'y'}}", ".a.b stands twice"),
        ("{a = '${EMPTY}'}", ".a takes the environment's EMPTY, which is not set or is empty\(serviceHint)"),
        ("{\((1...17).map { "a\($0) = 'x'" }.joined(separator: ", "))}", " may have 16 conditions"),
    ].map { when, problem in
        let problem = problem.hasPrefix(".") || problem.hasPrefix(" ") ? problem : " \(problem)"
        return Mistake("[[models]]\nmatch = '*'\nwhen = \(when)", "3: models[0].when\(problem)")
    }

    private static let names = ["''", "1", "'a b'", "'a*'", "'é'", "'\(String(repeating: "a", count: 129))'"].map { name in
        let problem =
            switch name {
            case "''": "must not be empty"
            case "1": "must be a string"
            default: "must have 1 to 128 letters, digits and . _ - @ + : alone"
            }
        return Mistake("[[models]]\nmatch = '*'\nname = \(name)", "3: models[0].name \(problem)")
    }

    private static let manyPaths = Mistake(
        (0..<5).map { table in
            "[[models]]\nmatch = '\(table)'\nwhen = {\((0..<13).map { "a\(table).b\($0) = 'x'" }.joined(separator: ", "))}\n"
        }.joined(), "13: models[4] has a path too many: the conditions of all [[models]] may have 64 different ones")

    @Test(arguments: conditions + names + [manyPaths])
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    private static let unreached = "6: models[1] is never reached: models[0] matches the same models first"

    @Test(arguments: [
        ("match = '*'", "match = 'x'\nwhen = {a = 'x'}"), ("match = 'x'", "match = 'x'\nwhen = {client = 'x'}"),
        ("match = 'x-*'", "match = 'x-1'\nwhen = {client = 'x'}"),
        ("match = '*'\nname = 'a'", "match = 'x'\nname = 'a'"),
        ("match = '*'\nname = 'a'", "match = '*'\nname = 'a'\nwhen = {b = 'c'}"),
        ("match = '*'\nwhen = {a = 'x', b = 'y'}", "match = 'm'\nwhen = {b = 'y', a = 'x'}"),
        ("match = '*'\nwhen = {a.b = 'x'}", "match = 'm'\nwhen = {'a.b' = 'x'}"),
    ])
    func `a model behind another that takes all of its requests is told`(first: String, second: String) {
        let lines = first.split(separator: "\n").count
        let text = "[[models]]\n\(first)\n" + String(repeating: "\n", count: 4 - lines) + "[[models]]\n\(second)"
        #expect(SettingsCase(text: text).problems == ["dir/sluice.toml:\(Self.unreached)"])
    }

    @Test(arguments: [
        ("match = '*'\nname = 'a'", "match = 'x'"), ("match = '*'", "match = 'x'\nname = 'a'"),
        ("match = '*'\nname = 'a'", "match = '*'\nname = 'b'"), ("match = '*'\nname = 'a'", "match = '*'\nname = 'A'"),
        ("match = '*'\nwhen = {a = 'x'}", "match = '*'"), ("match = '*'\nwhen = {a = 'x'}", "match = '*'\nwhen = {a = 'y'}"),
        ("match = '*'\nwhen = {a = 'x'}", "match = '*'\nwhen = {a = 'x', b = 'y'}"),
        ("match = 'x'\nwhen = {a = 'x'}", "match = 'y'\nwhen = {a = 'x'}"),
        ("match = '*'\nname = '${A}'", "match = '*'\nname = 'b'"),
        ("match = '*'\nwhen = {a = '${A}'}", "match = '*'\nwhen = {a = 'b'}"),
    ])
    func `a model behind another that leaves it something is reached`(first: String, second: String) {
        let text = "[[models]]\n\(first)\n[[models]]\n\(second)"
        #expect(SettingsCase(text: text, environment: ["A": "a"]).problems.isEmpty)
    }

    private static let isInBody = "is a path into the request's body"
    private static let client = "\(isInBody); did you mean 'client', the web server's name of the caller?"
    private static let route = #"\#(isInBody); did you mean name = "…" beside match, for the route that the web server names?"#
    private static let head =
        "\(isInBody): of headers the web server can make client, or the route's name"

    @Test(arguments: [
        ("SLUICE_CLIENT", client), ("clients", client), ("client.name", client), ("Client", client), ("route", route),
        ("SLUICE_ROUTE", route), ("headers.x-foo", head), ("HTTP_X_FOO", head), ("http_x_foo", head),
        ("Authorization", head), ("host", head), ("user-agent", head), ("X-Request-Id", head), ("x-tenant", head),
        ("x-tenant.id", head), ("reasoning-effort", "\(isInBody), compared byte by byte; did you mean 'reasoning_effort'?"),
        ("call.assistantid", "\(isInBody), compared byte by byte; did you mean 'call.assistantId'?"),
        ("call.assistant_id", "\(isInBody), compared byte by byte; did you mean 'call.assistantId'?"),
        ("phonenumber.number", "\(isInBody), compared byte by byte; did you mean 'phoneNumber.number'?"),
        ("Metadata.tenant.id", "\(isInBody), compared byte by byte; did you mean 'metadata.tenant.id'?"),
        ("body.call.id", "\(isInBody), which is not named in it; did you mean 'call.id'?"),
    ])
    func `a condition that is probably meant otherwise is a warning`(key: String, words: String) throws {
        let quoted = key.contains(".") ? "\"\(key)\"" : key
        let settings = SettingsCase(text: "[[models]]\nmatch = '*'\nwhen = {\(quoted) = 'x'}\n[[models]]\nmatch = '*'")
        #expect(try settings.loaded().warnings == ["dir/sluice.toml:3: models[0].when.\(quoted) \(words)"])
    }

    @Test(arguments: [
        "client", "call.assistantId", "call.id", "call.type", "customer.number", "metadata.tenant", "metadata.Tenant", "user",
        "user_id", "userId", "stream", "phoneNumber.number", "phoneNumber.x", "elevenlabs_extra_body.conversation_id",
        "metadata.x-tenant", "metadata.host", "tenant", "site", "body", "httpd",
    ]) func `any other condition is none`(key: String) throws {
        let settings = SettingsCase(text: "[[models]]\nmatch = '*'\nwhen = {'\(key)' = 'x'}\n[[models]]\nmatch = '*'")
        #expect(try settings.loaded().warnings == [])
    }

    private static func noExpression(_ sign: String) -> String {
        #"has "\#(sign)" in it, which stands for itself: * ? and [1-9] alone are special, there are no regular expressions"#
    }
    private static func several(_ sign: String) -> String {
        #"has "\#(sign)" in it, which stands for itself: each of several patterns has a place of its own"#
    }

    @Test(arguments: [
        (#"^\+49.*$"#, noExpression("^")), ("^gpt.*$", noExpression("^")), ("~^gpt-", noExpression("~")),
        ("gpt-4o$", noExpression("$")), (".*-mini", noExpression(".*")), ("gpt-.+", noExpression(".+")),
        ("[a-z]+", noExpression("]+")), ("(?i)gpt*", noExpression("(?")), ("north|south", several("|")),
        ("gpt-{4o,5}*", several("{")), (#"a\*"#, #"has "\" in it, which stands for itself: a "*" itself is written "[*]""#),
        (
            "!north",
            #"begins with "!", which stands for itself: an entry for what it is to leave out can stand before it"#
        ),
    ])
    func `a pattern that is probably meant otherwise is a warning, wherever it stands`(pattern: String, words: String) throws {
        let text = """
            [clients.'\(pattern)']
            models = ['\(pattern)']
            [[models]]
            match = '\(pattern)'
            [[models]]
            match = 'm'
            when = {a = '\(pattern)'}
            """
        let warnings = try SettingsCase(text: text).loaded().warnings
        let key = #"clients."\#(pattern)""#
        #expect(
            warnings == [
                "dir/sluice.toml:1: \(key) \(words)", "dir/sluice.toml:2: \(key).models[0] \(words)",
                "dir/sluice.toml:4: models[0].match \(words)", "dir/sluice.toml:7: models[1].when.a \(words)",
            ])
    }

    @Test(arguments: [
        "gpt-4.*", "anthropic.*", "+49*", "o[1-9]*", "[!a]*", "[^a]*", "$", "a$b", "openai/gpt-5*", "*", "*.*", "a{b}", "a,b",
        "(a)",
        "a^b", "a~b", "a!",
    ]) func `any other pattern is none`(pattern: String) throws {
        #expect(try SettingsCase(text: "[[models]]\nmatch = '\(pattern)'").loaded().warnings == [])
    }

    @Test func `what is shown of it gives the same again`() throws {
        let original = try settings(
            #"""
            [[models]]
            name = "shop:1"
            match = "gpt-*"
            when = {client = "acme*", call.assistantId = "7[!0]?", "metadata.x-y" = "$${A}\"", "customer.number" = "+49*"}
            [[models]]
            match = "*"
            """#)
        let conditions = original.models[0].conditions
        #expect(conditions.map(\.key) == ["client", "call.assistantId", "metadata.x-y", "customer.number"])
        #expect(conditions.map(\.pattern.description) == ["acme*", "7[!0]?", "${A}\"", "+49*"])
        #expect((original.models[0].name, original.models[1].name) == ("shop:1", nil))
        #expect("\(original.models[0].scope)" == "shop:1:gpt-*")
        #expect(try settings(original.text) == original)
    }

    @Test func `a NUL ends no text that is compared`() {
        #expect(!ModelPattern("gpt-?").matches("gpt-4\0x"))
        #expect(!ModelPattern("*-[45]").matches("gpt-4\0x"))
        #expect(ModelPattern("gpt-*").matches("gpt-4\0x"))
        #expect(!ModelPattern("gpt-4?*").matches("gpt-4"))
        #expect(!ModelPattern("gpt-4*").matches("gpt-"))
        #expect(!ModelPattern("gpt-4").matches("gpt-4\0"))
        #expect(ModelPattern("*").matches("gpt-4\0"))
        #expect(ModelPattern("gpt-?").matches("gpt-4"))
    }
}
