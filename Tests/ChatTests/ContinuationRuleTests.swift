import TestSupport
import Testing

@testable import Chat

/// What goes to an upstream that is to go on with an answer.
@Suite(.ownThread) struct ContinuationRuleTests {
    private func body(
        _ text: String, said: String? = #""Hel\"lo""#, _ change: (inout UpstreamRules) -> Void = { _ in }
    ) throws -> UpstreamBody {
        var (request, rules) = (try parsed(text), UpstreamRules())
        change(&rules)
        request.said = said.map(bytes)
        return request.upstreamBody(rules)
    }

    private func upstream(
        _ text: String, said: String? = #""Hel\"lo""#, _ change: (inout UpstreamRules) -> Void = { _ in }
    ) throws -> String {
        String(decoding: try body(text, said: said, change).bytes, as: UTF8.self)
    }

    private let request = #"{"messages":[ {"role":"user","content":"Hi"} ],"seed":1}"#

    @Test func `the text is the assistant's last message, and the user asks for the rest of it`() throws {
        let prompt = ContinuationRule.standardPrompt
        #expect(
            try upstream(request)
                == #"{"messages":[ {"role":"user","content":"Hi"} ,{"role":"assistant","content":"Hel\"lo"},"#
                + #"{"role":"user","content":"\#(prompt)"}],"seed":1}"#)
        #expect(try upstream(request, said: nil) == request)
    }

    @Test func `a server that goes on by itself has its own way`() throws {
        let start = #"{"messages":[ {"role":"user","content":"Hi"} ,{"role":"assistant","content":"Hel\"lo""#
        let ways: [(change: (inout ContinuationRule) -> Void, end: String)] = [
            ({ $0.prompt = "" }, #"}],"seed":1}"#),
            ({ $0.prompt = "Go \"on\"." }, #"},{"role":"user","content":"Go \"on\"."}],"seed":1}"#),
            ({ $0.message = [ParameterEdits.Value("prefix", json: bytes("true"))] }, #","prefix":true}],"seed":1}"#),
            (
                { rule in
                    rule.set = [("seed", "2"), ("go_on", "true")].map { ParameterEdits.Value($0.0, json: bytes($0.1)) }
                },
                #"}],"seed":2,"go_on":true}"#
            ),
        ]
        for (change, end) in ways {
            let continued = try upstream(request) { change(&$0.continuation) }
            #expect(continued == start + end)
            let plain = try upstream(request, said: nil) { change(&$0.continuation) }
            #expect(plain == request)
        }
    }

    @Test func `it goes to a server of few parameters and of other roles too`() throws {
        let text = try upstream(request) { rules in
            rules.roles = [RoleRename("assistant", to: "model")]
            rules.onlyParameters = ["top_p"]
            rules.continuation.set = [ParameterEdits.Value("go_on", json: bytes("1"))]
        }
        #expect(
            text
                == #"{"messages":[ {"role":"user","content":"Hi"} ,{"role":"model","content":"Hel\"lo"}],"go_on":1}"#)
    }

    @Test func `a long conversation stays where it is`() throws {
        let long = String(repeating: "long ", count: 40_000)
        let messages = #"[{"role":"user","content":"\#(long)"}"#
        let body = try body(#"{"messages":\#(messages)],"seed":1}"#) { $0.continuation.prompt = "" }
        #expect(
            String(decoding: body.bytes, as: UTF8.self)
                == #"{"messages":\#(messages),{"role":"assistant","content":"Hel\"lo"}],"seed":1}"#)
        #expect(body.copiedCount < 200)
        #expect(body.rest.count == 2)
    }
}
