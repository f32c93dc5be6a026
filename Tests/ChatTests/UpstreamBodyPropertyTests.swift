import Chat
import TestSupport
import Testing

@Suite(.ownThread) struct UpstreamBodyPropertyTests {
    /// What holds for every request under every rule: the body is one object, no name is there twice, what the settings did not
    /// write is the caller's bytes, and nothing is there that neither OpenAI nor the settings know.
    @Test(arguments: 0..<20) func `whatever the request and the rules are, the body is sound`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<250 {
            let source = random.request()
            let rules = random.rules()
            let request = try parsed(source)
            let body = request.upstreamBody(rules).bytes
            let comment = Comment(rawValue: "\(source)\n\(rules)\n\(String(decoding: body, as: UTF8.self))")

            let object = try JSONScanner.validate(body.span, depthMax: 64)
            let members = object.members(in: body.span).map { member in
                (name: JSONText.decode(member.name, in: body.span), text: body.text(member.value.range), value: member.value)
            }
            #expect(object.kind == .object && Set(members.map(\.name)).count == members.count, comment)
            #expect(members.contains { $0.name == "messages" }, comment)
            for member in members {
                #expect(rules.mayWrite(member.name, member.text) || source.contains(member.text), comment)
                #expect(rules.passesAll || rules.knows(member.name), comment)
                #expect(!["api_base", "base_url", "api_key"].contains(member.name), comment)
            }
            let messages = try #require(members.first { $0.name == "messages" }, comment)
            if rules.passesAll || !source.contains("\"time\"") {
                #expect(source.contains("\"messages\":\(messages.text)"), comment)
            } else {
                #expect(!messages.text.contains("\"time\""), comment)
            }
        }
    }
}

extension UpstreamRules {
    /// Whether the value may be one that is not the caller's.
    fileprivate func mayWrite(_ name: String, _ text: String) -> Bool {
        switch name {
        case "messages", "stream_options": true
        case "stream": text == "true"
        case "model" where text == "\"rule\"" || text == "\"default\"": true
        default: edits.contains { ($0.defaults + $0.set).contains { $0.json == bytes(text) } }
        }
    }

    fileprivate func knows(_ name: String) -> Bool {
        let written = edits.flatMap { $0.renamed.map(\.newName) + ($0.defaults + $0.set).map(\.name) }
        return SeededGenerator.openAIs.contains(name) || addedParameters.contains(name) || written.contains(name)
    }
}

extension [UInt8] {
    fileprivate func text(_ range: Range<Int>) -> String { String(decoding: self[range], as: UTF8.self) }
}

extension SeededGenerator {
    fileprivate static let openAIs = [
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "tools", "functions",
        "temperature",
        "user", "tool_choice", "metadata", "store", "seed", "n",
    ]
    private static let others = [
        "user_id", "call", "customer", "top_k", "api_base", "api_key", "base_url", "a", "b", "x\\u0079", "",
    ]
    private static let values = ["null", "1.50", "\"t\\u00e9xt\"", "[ ]", "[1 ,2]", "{ }", "{\"a\":\"b\"}", "true", "\"\""]

    fileprivate mutating func request() -> String {
        var members = (0..<Int.random(in: 0...10, using: &self)).map { _ in member() }
        let messages = (0..<Int.random(in: 1...4, using: &self)).map { _ in message() }
        let space = pick(["", " ", "\n"])
        let index = Int.random(in: 0...members.count, using: &self)
        members.insert("\"messages\":[\(space)\(messages.joined(separator: ",\(space)"))\(space)]", at: index)
        return "{\(members.joined(separator: ","))}"
    }

    private mutating func member() -> String {
        let name = pick(Self.openAIs.filter { $0 != "messages" } + Self.others + Self.others)
        return "\"\(name)\":\(pick(values(of: name)))"
    }

    /// Those that are no error.
    private func values(of name: String) -> [String] {
        switch name {
        case "model": ["null", "\"\"", "\"mine\""]
        case "stream": ["null", "true", "true", "false"]
        case "max_tokens", "max_completion_tokens", "n": ["null", "250"]
        case "tools", "functions": ["null", "[ ]", "[{}]"]
        case "stream_options": ["null", "{}", "{\"include_usage\" : false}", "{\"include_usage\":null,\"x\":1}", "{ \"x\":[1]}"]
        default: Self.values
        }
    }

    private mutating func message() -> String {
        let members = [
            "\"content\" : \"H\\/i\"", "\"name\":\"n\"", "\"content\":null", "\"time\":{\"begin\":1}", "\"audio\":{ }",
        ]
        var chosen = members.filter { _ in Bool.random(using: &self) && Bool.random(using: &self) }
        // Of duplicates the last one counts, and the message is written anew.
        if chosen.contains(members[0]) { chosen.removeAll { $0 == members[2] } }
        chosen.insert("\"role\":\"user\"", at: Int.random(in: 0...chosen.count, using: &self))
        return "{\(chosen.joined(separator: pick([",", " , "])))}"
    }

    fileprivate mutating func rules() -> UpstreamRules {
        var rules = UpstreamRules()
        rules.model = pick([nil, nil, "rule"])
        rules.defaultModel = pick([nil, "default"])
        rules.addedParameters = Set(names(upTo: 2))
        rules.passesAll = Int.random(in: 0..<4, using: &self) == 0
        rules.asksForUsage = Bool.random(using: &self)
        rules.obfuscation = pick([nil, true, false])
        rules.edits = (0..<Int.random(in: 0...2, using: &self)).map { _ in edits() }
        return rules
    }

    private mutating func edits() -> ParameterEdits {
        ChatTests.edits(
            rename: names(upTo: 3).map { ($0, name()) }, drop: Set(names(upTo: 2)),
            default: names(upTo: 2).map { ($0, pick(Self.values)) },
            set: names(upTo: 2).map { ($0, pick(Self.values)) })
    }

    private mutating func names(upTo count: Int) -> [String] {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in name() }
    }

    private mutating func name() -> String { pick(Self.openAIs + Self.others.filter { !$0.contains("\\") }) }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &self)]
    }
}
