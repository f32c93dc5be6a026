import Chat
import TestSupport
import Testing

@testable import Settings

/// `prepend`: the server's own message.
@Suite(.ownThread) struct PrependSettingsTests {
    private let models = "\n[[models]]\nmatch = \"a\"\n[[models]]\nmatch = \"*\"\n"

    @Test func `stands for all, or for one in place of that`() throws {
        let settings = try settings(
            "prepend = {text = \"For ${client}.\"}\(models)prepend = {role = \"developer\", text = \"\", replace = true}")
        let common = try #require(settings.prepend)
        #expect(try common.template == PromptTemplate("For ${client}.") && common.role == .system && !common.replaces)
        #expect(settings.models.map { $0.prepend?.role } == [nil, .developer])
        #expect(settings.models[1].prepend?.template == nil && settings.models[1].prepend?.replaces == true)
    }

    @Test func `is read from a file beside the settings, without a mark at its front`() throws {
        let text = "prepend.file = \"prompts/acme.txt\"\nprepend.role = \"user\""
        let settings = try settings(text, files: ["dir/prompts/acme.txt": "\u{FEFF}Line\n${x|y}\n"])
        let expected = try PromptTemplate("Line\n${x|y}\n")
        #expect(settings.prepend?.template == expected)
        #expect(settings.prepend?.file == "dir/prompts/acme.txt")
    }

    @Test func `of an included file it begins at that one's directory`() throws {
        let settings = try settings(
            "include = \"more/a.toml\"", files: ["dir/more/a.toml": "prepend.file = \"p\"", "dir/more/p": "Hello."])
        #expect(settings.prepend?.file == "dir/more/p")
    }

    @Test func `is told by its length alone`() throws {
        let files = ["dir/p.txt": "secret of a file"]
        let text = "prepend = {text = \"a secret ${x|secret}\"}\(models)prepend = {file = \"p.txt\", replace = true}"
        let original = try settings(text, files: files)
        #expect(!original.text.contains("secret"))
        #expect(
            original.text.contains("\nprepend = {role = \"system\", text = \"***\", replace = false}  # 20 bytes\n"),
            "\(original.text)")
        #expect(
            original.text.contains("\nprepend = {role = \"system\", file = \"dir/p.txt\", replace = true}  # 16 bytes\n"),
            "\(original.text)")
        let again = try settings(original.text, files: ["dir/dir/p.txt": "x"])
        #expect(again.models.map { $0.prepend?.replaces } == [nil, true])
    }

    @Test(arguments: ["text = 'at most'", "file = 'p'"]) func `has 64 KiB at most`(member: String) throws {
        for count in [64 << 10, 64 << 10 + 1] {
            let prompt = String(repeating: "p", count: count)
            let text = "prepend = {\(member.replacing("at most", with: prompt))}"
            let problems = SettingsCase(text: text, files: ["dir/p": prompt]).problems
            let subject = member.contains("file") ? "prepend.file names a file that" : "prepend.text"
            #expect(
                problems == (count > 64 << 10 ? ["dir/sluice.toml:1: \(subject) has 65537 bytes; it may have 64KiB"] : []))
        }
    }

    @Test func `of all models together has 16 MiB at most`() {
        let model = "[[models]]\nmatch = 'm'\nprepend.file = 'p'\n"
        let text = (0..<257).map { model.replacing("'m'", with: "'m\($0)'") }.joined()
        let problems = SettingsCase(text: text, files: ["dir/p": String(repeating: "p", count: 64 << 10)]).problems
        #expect(
            problems == [
                "dir/sluice.toml:769: models[256] has a prepend too many: the texts of all [[models]] may have 16MiB"
            ])
    }

    @Test(arguments: [
        Mistake("prepend = 'Hello.'", #"1: prepend must be a table, as in prepend = {text = "Be brief."}"#),
        Mistake("prepend = {}", "1: prepend needs text or file: what is to be said"),
        Mistake("prepend = {role = 'system'}", "1: prepend needs text or file: what is to be said"),
        Mistake("\nprepend = {text = 'secret', file = 'good'}", "2: prepend.text and file cannot both be set"),
        Mistake(
            "prepend = {role = 'secret', text = 'x'}", #"1: prepend.role must be "system", "developer", "user" or "assistant""#),
        Mistake("prepend = {text = 5}", "1: prepend.text must be a string"),
        Mistake("prepend = {text = 'x', replace = 'yes'}", "1: prepend.replace must be true or false"),
        Mistake("prepend = {txt = 'x', text = 'y'}", "1: unknown key 'prepend.txt'; did you mean 'text'?"),
        Mistake("prepend = {text = 'a secret ${x'}", "1: prepend.text has a '${' without a '}' in its line 1"),
        Mistake(
            "[[models]]\nmatch = '*'\nprepend.text = '''\nsecret\n${a secret}'''",
            "3: models[0].prepend.text has a '${' in its line 2 that is followed by no path such as customer.name, and by none of date, "
                + "time, client and call; a '${' itself is written '$${'"),
        Mistake("prepend = {text = '${a|${b}}'}", "1: prepend.text has a '${' inside of another in its line 1"),
        Mistake("prepend = {text = \"a\\u0007\"}", "1: prepend.text has a control character in its line 1"),
        Mistake(
            "prepend = {text = '\(String(repeating: "${a}", count: 65))'}", "1: prepend.text has more than 64 placeholders"),
        Mistake("prepend.file = 'none'", "1: prepend.file names a file that cannot be read: No such file or directory"),
        Mistake("prepend.file = ''", "1: prepend.file must not be empty"),
        Mistake("prepend.file = 'credential:p'", "1: prepend.file must be the path of a file, and no credential"),
        Mistake("system_prompt = 'x'", "1: unknown key 'system_prompt'; did you mean 'prepend'?"),
    ]) func `that is wrong is told with its line, and without its text`(_ mistake: Mistake) {
        mistake.check()
    }

    @Test(arguments: [
        ("", "is empty"), ("a\n${", "has a '${' without a '}' in its line 2"), ("\u{1}", "has a control character in its line 1"),
    ])
    func `of a file that is wrong is told with the line of the setting and of the file`(text: String, problem: String) {
        let problems = SettingsCase(text: "\nprepend.file = 'p'", files: ["dir/p": text]).problems
        #expect(problems == ["dir/sluice.toml:2: prepend.file names a file that \(problem)"])
    }

    @Test(
        arguments: [
            ("${customer.name}", nil), ("${tenant}", nil),
            ("${customer.Name}", "has a placeholder that probably finds nothing: "),
            ("${body.user}", "has a placeholder that probably finds nothing: "),
            ("${HOME}", "has a placeholder with a variable's name: "),
        ] as [(String, String?)]) func `warns of what probably finds nothing`(text: String, warning: String?) throws
    {
        let loaded = try SettingsCase(text: "prepend.text = '\(text)'", environment: ["HOME": "/secret"]).loaded()
        #expect(loaded.warnings.count == (warning == nil ? 0 : 1))
        if let warning { #expect(loaded.warnings[0].hasPrefix("dir/sluice.toml:1: prepend.text \(warning)")) }
    }
}
