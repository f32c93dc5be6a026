import Clock
import FastCGI
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// What callers say by `traceparent` and `tracestate`, and what goes on.
@Suite struct `A traceparent` {
    private static let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    private static let (zeros, spanZeros) = (String(repeating: "0", count: 32), String(repeating: "0", count: 16))

    /// Values, and whether they say sampled; nil for those that are none.
    private static let values: [(value: String, isSampled: Bool?)] = [
        ("00-\(trace)-\(span)-01", true), ("00-\(trace)-\(span)-00", false), ("00-\(trace)-\(span)-03", true),
        ("00-\(trace)-\(span)-02", false), ("00-\(trace)-\(span)-ff", true), ("00-\(trace)-\(span)-fe", false),
        // Versions to come may have more behind it.
        ("cc-\(trace)-\(span)-01", true), ("cc-\(trace)-\(span)-01-what-the-future-is-like", true),
        ("01-\(trace)-\(span)-00-", false), ("cc-\(trace)-\(span)-01.what", nil), ("cc-\(trace)-\(span)-012", nil),
        ("00-\(trace)-\(span)-01-", nil), ("00-\(trace)-\(span)-01-what", nil), ("00-\(trace)-\(span)-01 ", nil),
        ("00-\(trace)-\(span)-01,00-\(trace)-\(span)-01", nil), ("ff-\(trace)-\(span)-01", nil),
        ("00-\(zeros)-\(span)-01", nil), ("00-\(trace)-\(spanZeros)-01", nil),
        ("00-\(zeros.dropLast())1-\(span)-01", true), ("00-1\(zeros.dropLast())-\(span)-01", true),
        ("00-\(trace.uppercased())-\(span)-01", nil), ("00-\(trace)-\(span.uppercased())-01", nil),
        ("0C-\(trace)-\(span)-01", nil), ("00-\(trace)-\(span)-0A", nil), ("00-\(trace)-\(span)-0g", nil),
        ("0g-\(trace)-\(span)-01", nil), ("00-\(trace.dropLast())-\(span)-01", nil), ("00-\(trace)-\(span)-1", nil),
        ("00-\(trace)0-\(span)-01", nil), ("00_\(trace)-\(span)-01", nil), ("00-\(trace)_\(span)-01", nil),
        ("00-\(trace)-\(span)_01", nil), ("00-\(trace.dropLast(2))é-\(span)-01", nil), (" 00-\(trace)-\(span)-01", nil),
        ("00-+bf92f3577b34da6a3ce929d0e0e4736-\(span)-01", nil), ("", nil), ("-", nil), ("00", nil),
        (String(repeating: "-", count: 55), nil), (String(repeating: "0", count: 100_000), nil),
    ]

    @Test(arguments: values)
    func `is read as W3C has it, and otherwise there is none`(value: String, isSampled: Bool?) {
        let parent = TraceParent(value)
        #expect(parent?.isSampled == isSampled)
        guard let parent, value.contains(Self.trace) else { return }
        #expect(parent.trace == TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736))
        #expect(parent.span == SpanID(bits: 0x00f0_67aa_0ba9_02b7))
    }

    private func tracing(_ sample: String) throws -> Tracing {
        var settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: [], models: [])
        var traces = TraceSettings()
        (traces.endpoint, traces.sample) = ("http://127.0.0.1:1/v1/traces", try #require(SampledShare(setting: sample)))
        settings.traces = traces
        return try #require(try Tracing(settings, replacing: nil, nil, nil))
    }

    private static let start = Instant(nanoseconds: 1)

    @Test(arguments: ["0%", "100%"])
    func `of the caller's decides whether there is a trace`(sample: String) throws {
        let tracing = try tracing(sample)
        func begins(_ parent: String?) -> Bool { tracing.begin(traceparent: parent, start: Self.start) { nil } != nil }
        #expect(begins("00-\(Self.trace)-\(Self.span)-01"))
        #expect(!begins("00-\(Self.trace)-\(Self.span)-00"))
        // Who says nothing that can be read has decided nothing.
        #expect(begins(nil) == (sample == "100%"))
        #expect(begins("00-\(Self.trace)-\(Self.span)-0x") == (sample == "100%"))
    }

    @Test func `goes on with the same trace, a span of its own, and the state as it came`() throws {
        let begun = try tracing("0%").begin(traceparent: "cc-\(Self.trace)-\(Self.span)-03-x", start: Self.start) { "a=1,b=2" }
        let trace = try #require(begun)
        let headers = trace.headers()
        #expect(headers.map(\.name) == ["traceparent", "tracestate"])
        let parent = try #require(TraceParent(headers[0].value))
        #expect(headers[0].value.hasPrefix("00-\(Self.trace)-") && headers[0].value.hasSuffix("-01"))
        #expect(parent.trace == trace.id && parent.span == trace.span && parent.isSampled)
        #expect(headers[1].value == "a=1,b=2")
    }

    @Test(arguments: ["", "a=\u{7F}", "ä=1", String(repeating: "a", count: 513)])
    func `goes on without a state that is no header's, or too long`(state: String) throws {
        let begun = try tracing("0%").begin(traceparent: "00-\(Self.trace)-\(Self.span)-01", start: Self.start) { state }
        #expect(try #require(begun).headers().map(\.name) == ["traceparent"])
    }

    @Test func `is another one for each request that begins a trace`() throws {
        let tracing = try tracing("100%")
        let traces = try (0..<100).map { _ in try #require(tracing.begin(traceparent: nil, start: Self.start) { "a=1" }) }
        // Without a caller's trace its state is nobody's.
        #expect(traces.allSatisfy { $0.headers().count == 1 })
        #expect(Set(traces.map { $0.headers()[0].value }).count == 100)
        #expect(Set(traces.map(\.id.high)).count == 100 && Set(traces.map(\.span.bits)).count == 100)
    }
}
