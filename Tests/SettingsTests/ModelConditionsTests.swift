import Testing

@testable import Settings

/// Where a call goes besides by its model: `name` and `when` of `[[models]]`.
@Suite struct ModelConditionsTests {
    private static let noPath =
        #"must be client, or a path such as "call.assistantId": 1 to 8 names with dots between them, each of 1 to 64 letters, "#
        + #"digits, "_" and "-""#
    private static let noPattern = #"must be a pattern in quotes, as in "acme*"; numbers, true and false too: "5""#

    private static let conditions = [
        ("'x'", "must be a table"), ("{}", "has no condition in it: leave it out"),
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
        ("{a = '${EMPTY}'}", ".a takes the environment's EMPTY, which is not set or is empty"),
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
