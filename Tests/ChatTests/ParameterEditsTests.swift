import Chat
import Testing

/// Changes of parameters, their values as JSON.
func edits(
    rename: [(String, String)] = [], drop: Set<String> = [], default defaults: [(String, String)] = [],
    set: [(String, String)] = []
) -> ParameterEdits {
    var edits = ParameterEdits()
    edits.renamed = rename.map { .init($0, to: $1) }
    edits.dropped = drop
    edits.defaults = defaults.map { .init($0, json: bytes($1)) }
    edits.set = set.map { .init($0, json: bytes($1)) }
    return edits
}

@Suite struct ParameterEditsTests {
    private let messages = #""messages":[{"role":"user","content":"Hi"}]"#

    private func edited(_ members: String, _ edits: ParameterEdits...) throws -> String {
        let body = try upstream("{\(messages)\(members.isEmpty ? "" : ",")\(members)}") { $0.edits = edits }
        return String(body.dropFirst(messages.count + 1).drop { $0 == "," }.dropLast())
    }

    @Test(arguments: [
        (#""max_tokens":250,"n":1"#, #""max_completion_tokens":250,"n":1"#),
        (#""max_tokens":250,"max_completion_tokens":9"#, #""max_completion_tokens":9"#),
        (#""max_completion_tokens":9,"max_tokens":250"#, #""max_completion_tokens":9"#),
        (#""max_completion_tokens":null,"max_tokens":250"#, #""max_completion_tokens":250"#),
        (#""max_tokens":250,"max_completion_tokens":null"#, #""max_completion_tokens":250"#),
        (#""max_tokens":null"#, #""max_completion_tokens":null"#), (#""n":1"#, #""n":1"#), ("", ""),
    ])
    func `a parameter is renamed, unless the new name is taken`(_ members: String, expected: String) throws {
        #expect(try edited(members, edits(rename: [("max_tokens", "max_completion_tokens")])) == expected)
    }

    @Test(arguments: [
        // Not on the list of OpenAI's: known by its rename, and under the new name alone.
        (#""user_id2":"u""#, [("user_id2", "user")], #""user":"u""#), (#""user_id2":"u""#, [], ""),
        (#""user":"me","user_id2":"u""#, [("user_id2", "user")], #""user":"me""#),
        (#""customer":{"number":"1"}"#, [("customer", "safety_identifier")], #""safety_identifier":{"number":"1"}"#),
        (#""metadata":{"n":1}"#, [("metadata", "extra")], #""extra":{"n":1}"#),
        (#""user_id":"u""#, [("user_id", "safety_identifier")], #""safety_identifier":"u""#),
        (#""user_id":"u""#, [("user", "safety_identifier")], #""safety_identifier":"u""#),
        // A new name of the caller's own that would not go out is not in the way.
        (#""top_k":1,"x":2"#, [("x", "top_k")], #""top_k":2"#),
        // One after another.
        (#""a":1"#, [("a", "b"), ("b", "top_p")], #""top_p":1"#), (#""a":1,"b":2"#, [("a", "b"), ("b", "top_p")], #""top_p":2"#),
        (#""a":1,"b":2"#, [("b", "top_p"), ("a", "b")], #""b":1,"top_p":2"#),
        (#""a":1,"b":2"#, [("a", "top_p"), ("b", "top_p")], #""top_p":1"#),
        // Without effect.
        (#""a":1"#, [("a", "a")], ""), (#""n":1"#, [("n", "n")], #""n":1"#), (#""n":1"#, [("n", "model")], #""n":1"#),
        (#""a":1"#, [("a", "messages")], ""), (#""a":{}"#, [("a", "stream_options")], ""),
        (#""n":1"#, [("messages", "n")], #""n":1"#),
        (#""api_base":"x""#, [("api_base", "user")], ""), (#""a":"x""#, [("a", "api_base")], ""),
    ])
    func `a renamed parameter goes through under its new name alone`(
        _ members: String, renames: [(String, String)], expected: String
    ) throws {
        #expect(try edited(members, edits(rename: renames)) == expected)
        #expect(try edited(members, edits(rename: renames), edits()) == expected)
    }

    @Test(arguments: [
        (edits(drop: ["temperature", "seed"]), #""n":1,"temperature":0.50"#, #""n":1"#),
        (edits(default: [("seed", "7")]), #""n":1"#, #""n":1,"seed":7"#),
        (edits(default: [("seed", "7")]), #""seed":null,"n":1"#, #""seed":7,"n":1"#),
        (edits(default: [("seed", "7")]), #""seed":0"#, #""seed":0"#),
        (edits(default: [("top_k", "[1, 2]")]), #""top_k":3"#, #""top_k":[1, 2]"#),
        (edits(set: [("seed", "7")]), #""seed":0,"n":1"#, #""seed":7,"n":1"#),
        (edits(set: [("seed", "7"), ("seed", "8")]), "", #""seed":8"#),
        (edits(default: [("a", "1"), ("a", "2")]), "", #""a":1"#),
        (edits(set: [("q\"uote", "null")]), "", #""q\"uote":null"#),
        // In this order: renamed, dropped, given a default, set.
        (
            edits(rename: [("max_tokens", "x")], drop: ["x"], default: [("x", "1"), ("y", "1")], set: [("y", "2")]),
            #""max_tokens":250"#, #""x":1,"y":2"#
        ),
        (edits(drop: ["tools"], default: [("tools", "[{}]")]), #""tools":[]"#, #""tools":[{}]"#),
    ])
    func `parameters are dropped, given a default and set`(_ edits: ParameterEdits, members: String, expected: String) throws {
        #expect(try edited(members, edits) == expected)
    }

    @Test func `edits are made one after another`() throws {
        let vendor = edits(rename: [("max_tokens", "max_completion_tokens")], default: [("reasoning_effort", "\"low\"")])
        let model = edits(rename: [("max_completion_tokens", "max_output_tokens")], drop: ["reasoning_effort"], set: [("n", "1")])
        #expect(try edited(#""max_tokens":250"#, vendor, model) == #""max_output_tokens":250,"n":1"#)
        #expect(try edited(#""max_tokens":250"#, model, vendor) == #""max_completion_tokens":250,"n":1,"reasoning_effort":"low""#)
    }

    @Test(arguments: ["messages", "model", "stream", "stream_options", "api_base", "base_url", "api_key"])
    func `what Sluice itself writes is not touched`(_ name: String) throws {
        let all = edits(rename: [(name, "x"), ("n", name)], drop: [name], default: [(name, "0")], set: [(name, "0")])
        let text = #"{"model":"m","stream":true,\#(messages),"n":1,"stream_options":{"x":1}}"#
        #expect(try upstream(text) { $0.edits = [all] } == text)
        #expect(try edited(#""n":1"#, all) == #""n":1"#)
    }

    /// What Vapi always sends, made fit for a reasoning model.
    @Test func `a request of Vapi's is made to fit a reasoning model`() throws {
        let body = try upstream(referenceRequest.replacingTemperature) {
            $0.model = "gpt-5-mini"
            $0.asksForUsage = true
            $0.obfuscation = false
            $0.edits = [edits(rename: [("max_tokens", "max_completion_tokens")], drop: ["temperature"])]
        }
        #expect(
            body == #"{"model":"gpt-5-mini","messages":[{"role":"user","content":"Tell me a joke"}],"max_completion_tokens":250,"#
                + #""stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}"#)
    }
}

extension String {
    /// The reference request with Vapi's two defaults.
    fileprivate var replacingTemperature: String {
        let parts = split(separator: #""temperature":0.7"#, omittingEmptySubsequences: false)
        return parts.joined(separator: #""temperature":0.5,"max_tokens":250"#)
    }
}
