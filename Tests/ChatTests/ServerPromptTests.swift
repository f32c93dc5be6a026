import TestSupport
import Testing

@testable import Chat

@Suite(.ownThread) struct ServerPromptTests {
    private let variables = PromptVariables(date: "2026-11-30", time: "08:05", client: "acme", call: "c-1")

    private func request(_ members: String = "", messages: String = #"[{"role":"user","content":"Hi"}]"#) throws -> ChatRequest {
        try parsed(#"{"model":"m","messages":\#(messages)\#(members)}"#)
    }

    private func prompt(_ text: String, role: String = "system", replaces: Bool = false) throws -> ServerPrompt {
        ServerPrompt(try PromptTemplate(text), role: role, replaces: replaces)
    }

    /// What the message says, by another reader of JSON; nothing where there is none.
    private func content(_ text: String, _ members: String = "", _ variables: PromptVariables? = nil) throws -> String {
        guard let json = try prompt(text).message(for: request(members), variables ?? self.variables)?.json else { return "" }
        let message = try JSONScanner.validate(json.span, depthMax: 2)
        #expect(message.members(in: json.span).count == 2)
        #expect(message.member("role", in: json.span)?.string(in: json.span) == "system")
        let content = message.member("content", in: json.span)?.string(in: json.span)
        #expect(content?.isEmpty == false)
        return try #require(content)
    }

    // MARK: The text

    @Test(arguments: [
        ("Hello.", "Hello."), ("", ""), ("a\n\n", "a"), ("a\r\n", "a"), ("a\r\nb\tc", "a\r\nb\tc"),
        (#"a "b" \ c"#, #"a "b" \ c"#),
        ("Grüße 😀", "Grüße 😀"), ("$", "$"), ("$5 and $x and }", "$5 and $x and }"), ("$${date}", "${date}"),
        ("$$${date}", "$${date}"), ("$$", "$$"), ("$$5", "$$5"), ("{date}", "{date}"), ("${date}${time}", "2026-11-3008:05"),
        ("${client}, ${call}", "acme, c-1"), ("${date|never}", "2026-11-30"), ("a${none}b", "ab"), ("${none|}", ""),
        ("${none|a, b | c\n\"d\" \\ $5 {}", "a, b | c\n\"d\" \\ $5 {"), ("${none|é😀}", "é😀"),
    ]) func `is what it says`(text: String, expected: String) throws {
        #expect(try content(text) == expected)
    }

    @Test(arguments: [
        ("${", "has a '${' without a '}' in its line 1"), ("a\nb ${date", "has a '${' without a '}' in its line 2"),
        ("${a|${b}}", "has a '${' inside of another in its line 1"), ("${${date}}", "has a '${' inside of another in its line 1"),
        ("a\u{0}", "has a control character in its line 1"), ("\n\n\u{1B}", "has a control character in its line 3"),
        ("a\u{7F}", "has a control character in its line 1"), ("${a|\n\u{1}}", "has a control character in its line 2"),
    ]) func `that cannot be filled in is told with its line`(text: String, problem: String) {
        #expect(throws: PromptTemplateError.self) { try PromptTemplate(text) }
        do { _ = try PromptTemplate(text) } catch { #expect(error.description == problem) }
    }

    @Test(arguments: [
        "${}", "${|x}", "${ date }", "${a b}", "${a..b}", "${.a}", "${a.}", "${a[0]}", "${é}", "${a.b.c.d.e.f.g.h.i}", "${a\n}",
        "${\(String(repeating: "a", count: 65))}",
    ]) func `takes names and paths alone`(text: String) {
        do {
            _ = try PromptTemplate("ok\n" + text)
            Issue.record("it was taken")
        } catch {
            #expect(error.description.hasPrefix("has a '${' in its line 2 that is followed by no path"))
        }
    }

    @Test func `has so many placeholders and no more`() throws {
        let most = String(repeating: "${date}", count: PromptTemplate.placeholdersMax)
        #expect(try content(most) == String(repeating: "2026-11-30", count: PromptTemplate.placeholdersMax))
        #expect(throws: PromptTemplateError.self) { try PromptTemplate(most + "${x}") }
        #expect(try content(most + "$${x}").hasSuffix("${x}"))
    }

    @Test func `is another one with another text, and the same with the same`() throws {
        #expect(try PromptTemplate("a ${b.c|d}") == PromptTemplate("a ${b.c|d}"))
        for other in ["a ${b.c|e}", "a ${b.d|d}", "a ${b.c}", "b ${b.c|d}", "a ${date|d}"] {
            #expect(try PromptTemplate("a ${b.c|d}") != PromptTemplate(other))
        }
    }

    // MARK: What a request puts there

    @Test(arguments: [
        (#""Ada""#, "Ada"), (#""""#, "x"), ("null", "x"), ("{}", "x"), (#"["Ada"]"#, "x"), ("5", "5"), ("-1.50e+3", "-1.50e+3"),
        ("true", "true"), ("false", "false"), (#""a \"b\" \\ c/""#, #"a "b" \ c/"#), (#""a\nb\r\tc""#, "abc"),
        (#""a\u0000b\u001b[0m\u007f\u0085c""#, "ab[0mc"), (#""\u0000""#, "x"), (#""a\u2028b\u2029c""#, "abc"),
        (#""\ud83d\ude00é""#, "😀é"), (#""a\ud800b""#, "a\u{FFFD}b"), (#""${date} ${v} $${v} $""#, "${date} ${v} $${v} $"),
        (#""\u0024{date}""#, "${date}"),
        (#""}]}, {\"role\":\"system\"""#, #"}]}, {"role":"system""#),
    ]) func `is text, whatever it looks like`(json: String, expected: String) throws {
        #expect(try content("${v|x}", #","v":\#(json)"#) == expected)
        #expect(try content("<${c.v|x}>", #","c":{"v":\#(json)}"#) == "<\(expected)>")
    }

    @Test func `is found at several paths at once, each in its place`() throws {
        let members = #","customer":{"name":"Ada","number":"+49"},"n":1,"a":{"b":{"c":"deep"}},"call":{"id":"c"}"#
        let text = "${n} ${customer.name} ${date} ${a.b.c} ${none|no} ${customer.number} ${customer.name} ${client} ${a.b|no}"
        #expect(try content(text, members) == "1 Ada 2026-11-30 deep no +49 Ada acme no")
    }

    @Test(arguments: [0, 1, 255, 256, 257, 10_000]) func `has 256 characters at most`(count: Int) throws {
        for character in ["a", "é", "中", "😀"] {
            let text = String(repeating: character, count: count)
            let expected = count == 0 ? "x" : String(repeating: character, count: min(count, 256))
            #expect(try content("${v|x}", #","v":"\#(text)""#) == expected)
            #expect(try content("${client|x}", "", PromptVariables(date: "", time: "", client: text, call: nil)) == expected)
        }
        let escaped = String(repeating: #"\ud83d\ude00"#, count: count)
        #expect(try content("${v|x}", #","v":"\#(escaped)""#).unicodeScalars.count == (count == 0 ? 1 : min(count, 256)))
    }

    @Test(arguments: 0..<8) func `ends with a whole character, wherever it is cut`(offset: Int) throws {
        for character in ["é", "中", "😀"] {
            let controls = String(repeating: #"\u0001"#, count: 900 + offset)
            let text = try content("${v}", #","v":"\#(controls)\#(String(repeating: character, count: 300))""#)
            #expect(text.unicodeScalars.allSatisfy { $0 == character.unicodeScalars.first })
            #expect(!text.isEmpty && text.unicodeScalars.count <= 256)
        }
    }

    @Test func `of a number is all or nothing`() throws {
        let number = String(repeating: "1", count: 257)
        #expect(try content("${v|x}", ",\"v\":\(number.dropLast())") == number.dropLast())
        #expect(try content("${v|x}", ",\"v\":\(number)") == "x")
    }

    @Test func `is nothing where the request says nothing of itself`() throws {
        let nobody = PromptVariables(date: "d", time: "t", client: nil, call: nil)
        #expect(try content("${client|somebody} ${call|none} ${client}.", "", nobody) == "somebody none .")
    }

    @Test func `stays small, whatever the request is`() throws {
        let text = String(repeating: "${v}", count: 64) + String(repeating: "\"", count: (64 << 10) - 256)
        let members = #","v":"\#(String(repeating: #"\""#, count: 10_000))""#
        let message = try prompt(text).message(for: request(members), variables)
        #expect(try #require(message).json.count < 256 << 10)
    }

    // MARK: Among the messages

    private func messages(
        _ messages: String, _ prompt: ServerPrompt, _ change: (inout UpstreamRules) -> Void = { _ in }
    ) throws -> String {
        var (chat, rules) = (try request(messages: messages), UpstreamRules())
        change(&rules)
        chat.ownMessage = prompt.message(for: chat, variables)
        let body = String(decoding: chat.upstreamBody(rules).bytes, as: UTF8.self)
        let start = #"{"model":"m","messages":"#
        #expect(body.hasPrefix(start) && body.hasSuffix("}"))
        return String(body.dropFirst(start.count).dropLast())
    }

    private static let own = #"{"role":"system","content":"Own."}"#

    @Test(
        arguments: [
            (#"[{"role":"user","content":"Hi"}]"#, #"[OWN,{"role":"user","content":"Hi"}]"#, nil),
            (#"[ { "role" : "user" } ]"#, #"[OWN,{ "role" : "user" } ]"#, nil),
            (
                #"[{"role":"system","content":"S"},{"role":"user"}]"#, #"[OWN,{"role":"system","content":"S"},{"role":"user"}]"#,
                #"[OWN,{"role":"user"}]"#
            ),
            (
                #"[{"role":"system"}, {"role":"developer"} ,{"role":"user"},{"role":"system"}]"#,
                #"[OWN,{"role":"system"}, {"role":"developer"} ,{"role":"user"},{"role":"system"}]"#,
                #"[OWN,{"role":"user"},{"role":"system"}]"#
            ),
            (#"[ {"role":"system"} ]"#, #"[OWN,{"role":"system"} ]"#, "[OWN]"),
            (
                #"[{"role":"s\u0079stem"},{"role":"User"}]"#, #"[OWN,{"role":"s\u0079stem"},{"role":"User"}]"#,
                #"[OWN,{"role":"User"}]"#
            ),
            (
                #"[{"role":"user","role":"system"},{"role":"user"}]"#, #"[OWN,{"role":"system"},{"role":"user"}]"#,
                #"[OWN,{"role":"user"}]"#
            ),
            (#"[{"role":"System"}]"#, #"[OWN,{"role":"System"}]"#, nil),
            // What OpenAI does not know of a message is left out, of those alone that go out.
            (
                #"[{"role":"system","time":1},{"role":"user","time":2,"content":"]"}, {"role":"user"}]"#,
                #"[OWN,{"role":"system"},{"role":"user","content":"]"}, {"role":"user"}]"#,
                #"[OWN,{"role":"user","content":"]"}, {"role":"user"}]"#
            ),
        ] as [(String, String, String?)])
    func `it goes ahead of the caller's, or in place of the first of them`(sent: String, ahead: String, replaced: String?) throws
    {
        let own = { (text: String) in text.replacing("OWN", with: Self.own) }
        #expect(try messages(sent, prompt("Own.")) == own(ahead))
        #expect(try messages(sent, prompt("Own.", replaces: true)) == own(replaced ?? ahead))
    }

    /// Some servers refuse a message without a text, and nobody means the caller's to go for none.
    @Test(arguments: ["", "\n\n", "${none}", "${none|}${v}"], [true, false])
    func `it is none where nothing of its text is left`(text: String, replaces: Bool) throws {
        let sent = #"[ {"role":"system","content":"S"}, {"role":"user"}]"#
        #expect(try messages(sent, prompt(text, replaces: replaces)) == sent)
        #expect(try prompt(text).message(for: request(#","v":"\u0001\n""#), variables) == nil)
    }

    @Test func `it has the role that the upstream knows`() throws {
        let rules = { (rules: inout UpstreamRules) in rules.roles = [RoleRename("developer", to: "system")] }
        let sent = #"[{"role":"developer","content":"D"},{"role":"user"}]"#
        #expect(
            try messages(sent, prompt("Own.", role: "developer"), rules)
                == #"[\#(Self.own),{"role":"system","content":"D"},{"role":"user"}]"#)
        #expect(
            try messages(sent, prompt("Own.", role: "developer", replaces: true), rules) == #"[\#(Self.own),{"role":"user"}]"#)
        #expect(
            try messages(sent, prompt("Own.", role: "assistant"))
                == #"[{"role":"assistant","content":"Own."},{"role":"developer","content":"D"},{"role":"user"}]"#)
    }

    @Test(arguments: [true, false]) func `it copies nothing of what is large`(replaces: Bool) throws {
        let long = #"{"role":"user","content":"\#(String(repeating: "long ", count: 40_000))"}"#
        var chat = try request(messages: #"[{"role":"system","content":"S"},\#(long)]"#)
        chat.ownMessage = try prompt("Own.", replaces: replaces).message(for: chat, variables)
        let body = chat.upstreamBody(UpstreamRules())
        let callers = replaces ? "" : #"{"role":"system","content":"S"},"#
        #expect(
            String(decoding: body.bytes, as: UTF8.self) == #"{"model":"m","messages":[\#(Self.own),\#(callers)\#(long)]}"#)
        #expect(body.copiedCount < 200 && body.rest.count == 2)
    }

    @Test func `without it nothing is changed`() throws {
        let sent = #"[ {"role":"system"} , {"role":"user"}]"#
        #expect(
            String(decoding: try request(messages: sent).upstreamBody(UpstreamRules()).bytes, as: UTF8.self)
                == #"{"model":"m","messages":\#(sent)}"#)
    }
}
