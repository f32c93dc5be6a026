import Chat
import Clock
import EventLoop
import FastCGI
import Foundation
import TestSupport
import Testing

@testable import Choosing
@testable import Settings
@testable import Sluice

/// What a request's trace tells of it, in OTLP's JSON.
@Suite struct `A trace` {
    private let route: Route
    private let start = Instant.current
    private let began = nanosecondsSince1970()

    init() throws {
        let upstreams = [
            UpstreamSettings(name: "first", url: "https://first.example:8443/v1", key: .secret("sk-planted")),
            UpstreamSettings(name: "second", url: "unix:/run/vllm.sock"), UpstreamSettings(name: "demo", kind: .demo),
        ]
        let targets = [
            TargetSettings(upstream: "first", model: "own"), TargetSettings(upstream: "second"), TargetSettings(upstream: "demo"),
        ]
        let model = ModelSettings(match: ModelPattern("*"), targets: targets)
        route = try Routes(Settings(listen: [.inherited(0)], workers: 1, upstreams: upstreams, models: [model])).route(for: "m")
    }

    private func chat(_ model: String) throws -> ChatRequest {
        let body = #"{"model":\#(quoted(model)),"stream":true,"messages":[{"role":"user","content":"planted"}]}"#
        return try ChatRequest(body: [UInt8](body.utf8), depthMax: 64)
    }

    private func at(_ milliseconds: Int64) -> Instant { start + .milliseconds(milliseconds) }

    private func spans(_ encoded: EncodedSpans) throws -> [ReadSpan] {
        let json = Array("[".utf8) + encoded.bytes + Array("]".utf8)
        let spans = try JSONDecoder().decode([ReadSpan].self, from: Data(json))
        #expect(spans.count == encoded.count)
        return spans
    }

    private func record(_ ending: Ending, status: Int? = 200) -> RequestRecord {
        var record = RequestRecord(RequestID(callers: "turn-1"), at: start)
        (record.ending, record.status) = (ending, status)
        (record.client, record.call, record.route) = ("north \"1\"", "call-7", "*")
        return record
    }

    @Test func `has a span for the request, and one below it for each attempt`() throws {
        let parent = try #require(TraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
        let trace = RequestTrace(start: start, in: parent, state: "vendor=\"1\"")
        trace.note(try chat("gpt-4o"), defaultModel: nil)
        let failed = try #require(trace.attempt(at: route.targets[0], .first, for: "gpt-4o", at: at(1)))
        failed.finish("failed.500", hasFailed: true, status: 500, at: at(20))
        failed.finish("later", hasFailed: false, at: at(99))
        let won = try #require(trace.attempt(at: route.targets[1], .fallback, for: "gpt-4o", at: at(21)))
        won.noteID(in: Array(#"{"id":"chatcmpl-1"}"#.utf8).span, hiding: UpstreamKey())
        won.noteFinishReasons(in: Array(#"{"choices":[{"index":1,"finish_reason":"length"}]}"#.utf8).span, hiding: UpstreamKey())
        won.noteFinishReasons(in: Array(#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#.utf8).span, hiding: UpstreamKey())
        won.win(200)
        let stream = try AnswerScript(Chunks.stream(["Hello"]), on: EventLoop())
        _ = stream.play()
        var record = record(.answered)
        record.answer = RequestRecord.Answer(stream.stream, bytesCount: 10)
        let end = stream.loop.now + .seconds(1)
        let spans = try spans(trace.spans(of: record, at: end))
        #expect(spans.count == 3)
        let server = spans[0]
        #expect(spans.allSatisfy { $0.traceId == "4bf92f3577b34da6a3ce929d0e0e4736" && $0.traceState == "vendor=\"1\"" })
        #expect(server.parentSpanId == "00f067aa0ba902b7" && server.name == "chat gpt-4o" && server.kind == 2)
        #expect(server.status.code == nil)
        #expect(abs(try server.startTime - began) < 60_000_000_000)
        #expect(try server.endTime - server.startTime == (end - start).nanoseconds)
        let expected: [String: String] = [
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "second", "gen_ai.system": "second",
            "gen_ai.request.model": "gpt-4o", "gen_ai.request.stream": "true", "gen_ai.conversation.id": "call-7",
            "gen_ai.response.id": "chatcmpl-1", "gen_ai.response.model": "stub-1",
            "gen_ai.response.finish_reasons": "stop,length", "http.response.status_code": "200",
            "sluice.request_id": "turn-1", "sluice.client": "north \"1\"", "sluice.route": "*", "sluice.ending": "done",
        ]
        var attributes = server.texts
        let time = try #require(attributes.removeValue(forKey: "gen_ai.response.time_to_first_chunk").flatMap(Double.init))
        let firstToken = try #require(stream.stream.firstToken)
        #expect(abs(time - Double((firstToken - start).nanoseconds) / 1e9) < 1e-9)
        #expect(attributes == expected)
        #expect(server.events?.map(\.name) == ["gen_ai.first_token"])

        #expect(spans[1...].allSatisfy { $0.parentSpanId == server.spanId && $0.kind == 3 && $0.events == nil })
        #expect(Set(spans.map(\.spanId)).count == 3 && spans.allSatisfy { $0.spanId.count == 16 })
        #expect(spans[1].name == "attempt first" && spans[1].status.code == 2)
        #expect(try spans[1].startTime - server.startTime == 1_000_000)
        #expect(try spans[1].endTime - server.startTime == 20_000_000)
        #expect(
            spans[1].texts == [
                "gen_ai.provider.name": "first", "gen_ai.system": "first", "gen_ai.request.model": "own",
                "server.address": "first.example", "server.port": "8443", "http.request.method": "POST",
                "http.response.status_code": "500", "error.type": "failed.500", "sluice.upstream": "first",
                "sluice.attempt.reason": "first", "sluice.attempt.outcome": "failed.500",
            ])
        #expect(spans[2].name == "attempt second" && spans[2].status.code == nil)
        #expect(
            spans[2].texts == [
                "gen_ai.provider.name": "second", "gen_ai.system": "second", "gen_ai.request.model": "gpt-4o",
                "server.address": "/run/vllm.sock", "http.request.method": "POST", "http.response.status_code": "200",
                "sluice.upstream": "second", "sluice.attempt.reason": "fallback", "sluice.attempt.outcome": "won",
            ])
        #expect(try spans[2].endTime == server.endTime)
    }

    /// How requests end, and what their spans and those of an attempt that had won say of it.
    private static let endings: [(ending: Ending, status: Int?, error: String?, isServers: Bool, outcome: String)] = [
        (.answered, 200, nil, false, "won"), (.callerLeft(), nil, nil, false, "cancelled"),
        (.failed(.upstreamCutOff), 200, "cut", true, "cut"),
        (.failed(.upstreamTimedOut(.idle, after: .seconds(1))), 200, "timeout.idle", true, "timeout.idle"),
        (.failed(.upstreamRefused(status: 400, nil)), 400, "refused.400", false, "refused.400"),
        (.callerLeft(besides: .upstreamCutOff), 200, "cut", true, "cancelled"),
    ]

    @Test(arguments: endings)
    func `says how the request ended`(
        ending: Ending, status: Int?, error: String?, isServers: Bool, outcome: String
    ) throws {
        let trace = RequestTrace(start: start)
        let attempt = try #require(trace.attempt(at: route.targets[2], .first, for: nil, at: start))
        attempt.win(nil)
        let spans = try spans(trace.spans(of: record(ending, status: status), at: at(5)))
        #expect(spans[0].texts["error.type"] == error && spans[0].status.code == (isServers ? 2 : nil))
        #expect(spans[0].texts["http.response.status_code"] == status.map(String.init))
        #expect(spans[0].texts["sluice.ending"] == ending.word && spans[0].parentSpanId == nil && spans[0].name == "chat")
        #expect(spans[1].texts["sluice.attempt.outcome"] == outcome)
        // The demo is nowhere.
        #expect(spans[1].texts["server.address"] == nil && spans[1].texts["http.request.method"] == nil)
        #expect(spans[1].texts["gen_ai.request.model"] == nil)
    }

    @Test(arguments: [
        "my secret model", "é", "+14155550123", "14155550123", "a\"b", "a\nb", String(repeating: "m", count: 129),
    ])
    func `has no model that is no plain name`(model: String) throws {
        let trace = RequestTrace(start: start)
        trace.note(try chat(model), defaultModel: nil)
        _ = trace.attempt(at: route.targets[1], .first, for: model, at: start)
        let spans = try spans(trace.spans(of: record(.answered), at: at(5)))
        #expect(spans[0].name == "chat" && spans.allSatisfy { $0.texts["gen_ai.request.model"] == nil })
    }

    @Test func `has the default's model for a request that names none`() throws {
        let trace = RequestTrace(start: start)
        let body = #"{"messages":[{"role":"user","content":"planted"}]}"#
        trace.note(try ChatRequest(body: [UInt8](body.utf8), depthMax: 64), defaultModel: "gpt-4o-mini")
        let span = try spans(trace.spans(of: record(.answered), at: at(5)))[0]
        #expect(span.name == "chat gpt-4o-mini" && span.texts["gen_ai.request.stream"] == "false")
    }

    @Test(arguments: [
        (#"{"id":"a b"}"#, nil), (#"{"id":7}"#, nil), (#"{"id":""}"#, nil), (#"{"id":"14155550123"}"#, nil),
        (#"{"id":"gen-1732960800-AbC"}"#, "gen-1732960800-AbC"), (#"{"model":"m"}"#, nil), ("[]", nil),
    ])
    func `has an answer's id that is a plain name`(json: String, id: String?) throws {
        let attempt = try #require(RequestTrace(start: start).attempt(at: route.targets[0], .first, for: nil, at: start))
        attempt.noteID(in: Array(json.utf8).span, hiding: UpstreamKey())
        attempt.noteID(in: Array(#"{"id":"later"}"#.utf8).span, hiding: UpstreamKey())
        #expect(attempt.responseID == id ?? "later")
    }

    @Test(arguments: [
        ([#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"length"}]}"#], ["stop", "length"]),
        (
            [#"{"choices":[{"finish_reason":"stop","index":0}]}"#, #"{"choices":[{"finish_reason":"length","index":0}]}"#],
            ["length"]
        ),
        ([#"{"choices":[{"finish_reason":"null"},{"finish_reason":""},{"finish_reason":null},{"finish_reason":1}]}"#], []),
        ([#"{"choices":[{"finish_reason":"it said: a secret"}]}"#], []),
        ([#"{"choices":[{"finish_reason":"stop","index":16}]}"#, #"{"choices":[{"finish_reason":"stop","index":-1}]}"#], []),
        ([#"{"choices":{}}"#, "{}", "[]", #"{"choices":[1,[]]}"#], []),
        (
            Array(repeating: #"{"choices":[{"finish_reason":"stop"}]}"#, count: 32) + [#"{"choices":[{"finish_reason":"x"}]}"#],
            ["stop"]
        ),
    ])
    func `has the finish reasons of choices, as far as there are few`(chunks: [String], reasons: [String]) throws {
        let attempt = try #require(RequestTrace(start: start).attempt(at: route.targets[0], .first, for: nil, at: start))
        for chunk in chunks { attempt.noteFinishReasons(in: Array(chunk.utf8).span, hiding: UpstreamKey()) }
        #expect(attempt.finishReasons == reasons)
    }

    @Test func `takes the answer's id and finish reasons from its events`() throws {
        let trace = RequestTrace(start: start)
        var form = AnswerForm.stream
        form.span = try #require(trace.attempt(at: route.targets[0], .first, for: nil, at: start))
        let script = try AnswerScript(Chunks.stream(["Hello", "you"]), as: form)
        _ = script.play()
        #expect(form.span?.responseID == "chatcmpl-stub" && form.span?.finishReasons == ["stop"])
    }

    @Test(arguments: [true, false])
    func `has nothing of an answer with a secret of the upstream's in it`(isStreaming: Bool) throws {
        var form = AnswerForm(isStreaming: isStreaming, showsUsage: true)
        form.span = try #require(RequestTrace(start: start).attempt(at: route.targets[0], .first, for: nil, at: start))
        let pieces = isStreaming ? Chunks.stream(["Hello"]) : [Chunks.completion("Hello")]
        let script = try AnswerScript(
            pieces.map { $0.replacing("\"stub-1\"", with: "\"a/my-secret\"").replacing("\"stop\"", with: "\"my-secret\"") },
            as: form, secrets: ["my-secret", "chatcmpl-stub"])
        if isStreaming {
            // The caller gets it as it came.
            let (sent, failure) = script.play()
            #expect(sent.contains("a/my-secret") && failure == nil)
            #expect(script.stream.model == nil)
        } else if case .completion(let completion)? = try script.stream.open() {
            #expect(completion.model == nil)
        } else {
            Issue.record("no completion")
        }
        #expect(form.span?.responseID == nil && form.span?.finishReasons == [])
    }

    @Test func `has a bounded number of attempts`() throws {
        let trace = RequestTrace(start: start)
        for number in 0..<100 {
            #expect((trace.attempt(at: route.targets[0], .retry, for: "m", at: start) != nil) == (number < 32))
        }
        let encoded = trace.spans(of: record(.answered), at: at(5))
        #expect(try spans(encoded).count == 33)
        #expect(encoded.bytes.count < 64 << 10)
    }
}

/// A span, as a collector reads it.
private struct ReadSpan: Decodable {
    struct Value: Decodable {
        struct Values: Decodable { let values: [Value] }
        let stringValue, intValue: String?
        let doubleValue: Double?
        let boolValue: Bool?
        let arrayValue: Values?

        var text: String {
            stringValue ?? intValue ?? doubleValue.map { "\($0)" } ?? boolValue.map { "\($0)" }
                ?? (arrayValue?.values ?? []).map(\.text).joined(separator: ",")
        }
    }
    struct Attribute: Decodable {
        let key: String
        let value: Value
    }
    struct Event: Decodable { let timeUnixNano, name: String }
    struct Status: Decodable { let code: Int? }

    let traceId, spanId, name, startTimeUnixNano, endTimeUnixNano: String
    let parentSpanId, traceState: String?
    let kind: Int
    let attributes: [Attribute]
    let events: [Event]?
    let status: Status

    var startTime: Int64 { get throws { try #require(Int64(startTimeUnixNano)) } }
    var endTime: Int64 { get throws { try #require(Int64(endTimeUnixNano)) } }

    /// Each key stands once.
    var texts: [String: String] { Dictionary(uniqueKeysWithValues: attributes.map { ($0.key, $0.value.text) }) }
}
