import Chat
import TestSupport
import Testing

@Suite(.ownThread) struct ChunkEditsTests {
    private static func edits(fingerprint: String? = nil, speaksRefusal: Bool = false) -> ChunkEdits {
        var edits = ChunkEdits()
        edits.systemFingerprint = fingerprint
        edits.speaksRefusal = speaksRefusal
        return edits
    }

    private func edited(_ text: String, _ edits: ChunkEdits) -> String {
        String(decoding: edits.edited(bytes(text).span), as: UTF8.self)
    }

    @Test(arguments: [
        (#"{"choices":[]}"#, #"{"choices":[],"system_fingerprint":"s"}"#),
        (#"{"system_fingerprint":null,"choices":[]}"#, #"{"system_fingerprint":"s","choices":[]}"#),
        (#"{"system_fingerprint" : "fp_1" ,"choices":[]}"#, #"{"system_fingerprint" : "s" ,"choices":[]}"#),
        (#"{"choices":[],"system\u005ffingerprint":"fp"}"#, #"{"choices":[],"system\u005ffingerprint":"s"}"#),
        (#"{"system_fingerprint":{"a":[1]},"choices":[]}"#, #"{"system_fingerprint":"s","choices":[]}"#),
        (
            #"{"system_fingerprint":"a","system_fingerprint":"b","choices":[]}"#,
            #"{"system_fingerprint":"a","system_fingerprint":"s","choices":[]}"#
        ),
        (" {\n  \"choices\": [ ]\n}\n", " {\n  \"choices\": [ ],\"system_fingerprint\":\"s\"\n}\n"),
        (
            #"{"choices":[{"system_fingerprint":"x","delta":{"system_fingerprint":"y"}}]}"#,
            #"{"choices":[{"system_fingerprint":"x","delta":{"system_fingerprint":"y"}}],"system_fingerprint":"s"}"#
        ), ("{}", #"{"system_fingerprint":"s"}"#), ("{ }", #"{"system_fingerprint":"s" }"#),
    ])
    func `the fingerprint is replaced where it is, else added at the end`(_ chunk: String, result: String) {
        #expect(edited(chunk, Self.edits(fingerprint: "s")) == result)
    }

    @Test(arguments: ["", "a\"b\\c", "é\n\u{1}", "8f0a-1"]) func `any text can be the fingerprint`(_ text: String) throws {
        let chunk = Self.edits(fingerprint: text).edited(bytes(#"{"choices":[]}"#).span)
        let root = try JSONScanner.validate(chunk.span, depthMax: 4)
        #expect(root.member("system_fingerprint", in: chunk.span)?.string(in: chunk.span) == text)
    }

    @Test(arguments: [
        (#"{"refusal":"No"}"#, #"{"refusal":"No","content":"No"}"#),
        (#"{"content":null,"refusal":"N\u006f\n"}"#, #"{"content":"N\u006f\n","refusal":"N\u006f\n"}"#),
        (#"{"refusal":"No", "content" : ""}"#, #"{"refusal":"No", "content" : "No"}"#),
        (#"{"c\u006fntent":null,"r\u0065fusal":"No"}"#, #"{"c\u006fntent":"No","r\u0065fusal":"No"}"#),
        (
            #"{"content":"a","content":null,"refusal":null,"refusal":"No"}"#,
            #"{"content":"a","content":"No","refusal":null,"refusal":"No"}"#
        ), (#"{"role":"assistant","refusal":"é" }"#, #"{"role":"assistant","refusal":"é","content":"é" }"#),
    ])
    func `a refusal is spoken where there is no content`(_ delta: String, result: String) {
        for name in ["delta", "message"] {
            let chunk = #"{"choices":[{"index":0,"\#(name)":\#(delta),"finish_reason":null}],"usage":null}"#
            #expect(
                edited(chunk, Self.edits(speaksRefusal: true))
                    == #"{"choices":[{"index":0,"\#(name)":\#(result),"finish_reason":null}],"usage":null}"#)
        }
    }

    @Test(arguments: [
        #"{"choices":[{"delta":{"content":"a","refusal":"No"}}]}"#, #"{"choices":[{"delta":{"content":null,"refusal":null}}]}"#,
        #"{"choices":[{"delta":{"content":null,"refusal":""}}]}"#, #"{"choices":[{"delta":{"content":null}}]}"#,
        #"{"choices":[{"delta":{"content":[{"type":"text"}],"refusal":"No"}}]}"#,
        #"{"choices":[{"delta":{"refusal":["No"]}}]}"#, #"{"choices":[{"delta":{"refusal":"No","refusal":null}}]}"#,
        #"{"choices":[{"refusal":"No"}],"refusal":"No"}"#, #"{"choices":[{"delta":null},{"delta":[]},7,null]}"#,
        #"{"choices":[{"delta":{"tool_calls":[{"refusal":"No","content":null}]}}]}"#,
        #"{"choices":[]}"#, #"{"choices":{"delta":{"refusal":"No"}}}"#, "{}", " { \"choices\" : [ ] } ",
    ])
    func `a chunk without a refusal to speak stays as it is`(_ chunk: String) {
        #expect(edited(chunk, Self.edits(speaksRefusal: true)) == chunk)
        #expect(edited(chunk, ChunkEdits()) == chunk)
    }

    @Test func `of more choices than anybody asks for the others are left as they are`() {
        let choices = Array(repeating: #"{"message":{"refusal":"no"}}"#, count: 1000).joined(separator: ",")
        let result = edited("{\"choices\":[\(choices)]}", Self.edits(speaksRefusal: true))
        #expect(result.ranges(of: #""content":"no""#).count == 128)
    }

    @Test func `each choice is looked at for itself, and both changes are made at once`() {
        let chunk =
            #"{"choices":[{"delta":{"content":"a"}},{"delta":{"refusal":"No"}},{"message":{"content":"","refusal":"Nein"}}],"id":"c"}"#
        #expect(
            edited(chunk, Self.edits(fingerprint: "s", speaksRefusal: true))
                == #"{"choices":[{"delta":{"content":"a"}},{"delta":{"refusal":"No","content":"No"}},"#
                + #"{"message":{"content":"Nein","refusal":"Nein"}}],"id":"c","system_fingerprint":"s"}"#)
    }

    @Test func `only chunks that are to be changed are said to be`() throws {
        let (plain, refusal) = (#"{"choices":[{"delta":{"content":"a"}}]}"#, #"{"choices":[{"delta":{"refusal":"a"}}]}"#)
        for (text, edits, changes) in [
            (plain, ChunkEdits(), false), (refusal, ChunkEdits(), false), (plain, Self.edits(speaksRefusal: true), false),
            (refusal, Self.edits(speaksRefusal: true), true), (plain, Self.edits(fingerprint: "s"), true),
        ] {
            guard case .chunk(let chunk) = ChatFrame(bytes(text).span, depthMax: 64) else {
                throw JSONError(offset: 0, reason: .tooDeep)
            }
            #expect(edits.changes(chunk) == changes)
            #expect((edited(text, edits) != text) == changes)
        }
        #expect(ChunkEdits().isEmpty)
        #expect(!Self.edits(speaksRefusal: true).isEmpty && !Self.edits(fingerprint: "").isEmpty)
    }

    // MARK: Any chunk

    @Test(arguments: [("s", false), (nil, true), ("a\"\n", true)] as [(String?, Bool)])
    func `in any chunk nothing else changes, and a second time nothing at all`(_ fingerprint: String?, speaksRefusal: Bool) throws
    {
        let edits = Self.edits(fingerprint: fingerprint, speaksRefusal: speaksRefusal)
        var random = RandomChunk(seed: 4_711)
        var changed = 0
        for _ in 0..<2_000 {
            let chunk = bytes(random.chunk())
            let result = edits.edited(chunk.span)
            _ = try JSONScanner.validate(result.span, depthMax: 64)
            #expect(edits.edited(result.span) == result)
            let kept = try untouched(chunk, by: edits)
            #expect(try untouched(result, by: edits) == kept, "\(String(decoding: chunk, as: UTF8.self))")
            let before = try names(chunk)
            #expect(try names(result).allSatisfy { $0.value <= max(1, before[$0.key] ?? 0) }, "a new duplicate")
            if result != chunk { changed += 1 }
        }
        #expect(changed > 200)
    }

    /// The bytes of all members but those that the edits may change: a path and a value each.
    private func untouched(_ json: [UInt8], by edits: ChunkEdits) throws -> [String] {
        var kept: [String] = []
        for member in try JSONScanner.validate(json.span, depthMax: 64).members(in: json.span) {
            let name = JSONText.decode(member.name, in: json.span)
            if name == "system_fingerprint", edits.systemFingerprint != nil { continue }
            guard name == "choices", edits.speaksRefusal else {
                kept.append(name + text(json, member.value.range))
                continue
            }
            for (position, choice) in member.value.elements(in: json.span).enumerated() {
                kept += choice.members(in: json.span).flatMap { part in
                    untouchedByVoice(part, in: json).map { "\(position).\($0)" }
                }
            }
        }
        return kept
    }

    /// The same for one member of a choice whose refusal is spoken.
    private func untouchedByVoice(_ part: JSONMember, in json: [UInt8]) -> [String] {
        let name = JSONText.decode(part.name, in: json.span)
        guard ["delta", "message"].contains(name), part.value.kind == .object else {
            return [name + text(json, part.value.range)]
        }
        let members = part.value.members(in: json.span).filter { !JSONText.isEqual($0.name, to: "content", in: json.span) }
        return members.map { "\(name).\(text(json, $0.name)):\(text(json, $0.value.range))" }
    }

    private func text(_ json: [UInt8], _ range: Range<Int>) -> String { String(decoding: json[range], as: UTF8.self) }

    /// How often each name stands at the top level or in a delta.
    private func names(_ json: [UInt8]) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        let root = try JSONScanner.validate(json.span, depthMax: 64)
        for member in root.members(in: json.span) { counts[JSONText.decode(member.name, in: json.span), default: 0] += 1 }
        for (position, choice) in (root.member("choices", in: json.span)?.elements(in: json.span) ?? []).enumerated() {
            for name in ["delta", "message"] {
                for member in choice.member(name, in: json.span)?.members(in: json.span) ?? [] {
                    counts["\(position).\(name).\(JSONText.decode(member.name, in: json.span))", default: 0] += 1
                }
            }
        }
        return counts
    }
}

/// Chunks and completions of every shape, with white space, escapes, unknown members and now and then a duplicate.
struct RandomChunk {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func chunk() -> String {
        var members = [(#""choices""#, array((0..<Int.random(in: 0...3, using: &random)).map { _ in choice() }))]
        if oneIn(2) {
            members.append((pick([#""system_fingerprint""#, #""system\u005ffingerprint""#]), pick(["null", #""fp""#])))
        }
        members += others([#""id""#, #""created""#, #""model""#, #""x_\u0061""#, #""usage""#])
        return object(members)
    }

    /// A completion that is whole.
    mutating func completion() -> String {
        let choices = (0..<Int.random(in: 1...3, using: &random)).map { choice(message: $0) }
        return object(
            [(#""choices""#, array(choices))]
                + others([#""id""#, #""object""#, #""created""#, #""model""#, #""service_tier""#, #""x""#]))
    }

    private mutating func choice(message position: Int) -> String {
        object(
            [
                (#""index""#, "\(position)"), (#""message""#, delta()),
                (#""finish_reason""#, pick([#""stop""#, #""tool_\u0063alls""#])),
            ]
                + others([#""logprobs""#]))
    }

    private mutating func choice() -> String {
        if oneIn(20) { return value() }
        return object(
            [(pick([#""delta""#, #""d\u0065lta""#, #""message""#]), oneIn(10) ? value() : delta())]
                + others([#""index""#, #""logprobs""#, #""finish_reason""#]))
    }

    private mutating func delta() -> String {
        var members: [(String, String)] = []
        for name in [#""content""#, #""refusal""#] where oneIn(2) {
            members.append((name, pick(["null", #""""#, #""a\u00e9\"b""#, #""é""#])))
            if oneIn(8) { members.append((name, pick(["null", #""c""#]))) }
        }
        members += others([#""role""#, #""function_call""#, #""audio""#, #""annotations""#])
        if oneIn(3) { members.append((#""tool_calls""#, array([object(others([#""id""#, #""function""#]))]))) }
        return object(members)
    }

    private mutating func others(_ names: [String]) -> [(String, String)] {
        var members: [(String, String)] = []
        for name in names where oneIn(2) { members.append((name, value())) }
        return members
    }

    private mutating func value() -> String {
        pick([
            "null", "1.50", "-0", "true", #""x""#, #""\n\ud83d\ude00""#, "[ 1,{\"content\":null}]", #"{"refusal":"x"}"#, "{ }",
            "[]",
        ])
    }

    private mutating func object(_ members: [(String, String)]) -> String {
        var members = members
        members.shuffle(using: &random)
        return "{" + members.map { space() + $0 + space() + ":" + space() + $1 + space() }.joined(separator: ",") + "}"
    }

    private mutating func array(_ elements: [String]) -> String {
        "[" + elements.map { space() + $0 + space() }.joined(separator: ",") + "]"
    }

    private mutating func space() -> String { pick(["", "", "", " ", "\n", "\r\n\t"]) }
    private mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }
    private mutating func pick(_ texts: [String]) -> String { texts[Int.random(in: texts.indices, using: &random)] }
}
