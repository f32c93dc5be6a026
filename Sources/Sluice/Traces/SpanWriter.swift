// Spans as OpenTelemetry's collectors read them.

import Chat
import Clock

/// Spans in OTLP's JSON, with commas between them.
struct EncodedSpans {
    let bytes: [UInt8]
    let count: Int
}

/// Writes the spans of one trace, member by member, as OTLP wants it of JSON ("JSON Protobuf Encoding"): identifiers in hexadecimal,
/// enumerations by their numbers, whole numbers of 64 bits as text.
struct SpanWriter {
    enum Kind: Int {
        case server = 2
        case client
    }

    private let trace: TraceID
    private let state: String?
    /// The wall clock's time at a moment, in nanoseconds since 1970.
    private let clock: (moment: Instant, time: Int64)
    private var bytes: [UInt8] = []
    private var count = 0
    private var hasAttributes = false

    init(_ trace: TraceID, _ state: String?, clock: (moment: Instant, time: Int64)) {
        (self.trace, self.state, self.clock) = (trace, state, clock)
    }

    var spans: EncodedSpans { EncodedSpans(bytes: bytes, count: count) }

    /// Begins a span, whose attributes follow.
    mutating func begin(
        _ name: String, _ kind: Kind, _ id: SpanID, _ parent: SpanID?, from start: Instant, to end: Instant
    ) {
        if count > 0 { bytes.append(UInt8(ascii: ",")) }
        count += 1
        bytes.append(#"{"traceId":""#)
        bytes.append(trace)
        bytes.append(#"","spanId":""#)
        bytes.append(id)
        if let parent {
            bytes.append(#"","parentSpanId":""#)
            bytes.append(parent)
        }
        bytes.append(#"","flags":1"#)
        if let state {
            bytes.append(#","traceState":"#)
            bytes.appendJSONString(state)
        }
        bytes.append(#","name":"#)
        bytes.appendJSONString(name)
        bytes.append(#","kind":\#(kind.rawValue),"startTimeUnixNano":""#)
        append(start)
        bytes.append(#"","endTimeUnixNano":""#)
        append(max(start, end))
        bytes.append(#"","attributes":["#)
        hasAttributes = false
    }

    private mutating func append(_ moment: Instant) {
        bytes.append(decimal: Int(max(0, clock.time + (moment - clock.moment).nanoseconds)))
    }

    private mutating func append(_ key: String, value: (inout [UInt8]) -> Void) {
        bytes.append(hasAttributes ? #",{"key":"# : #"{"key":"#)
        hasAttributes = true
        bytes.appendJSONString(key)
        bytes.append(#","value":"#)
        value(&bytes)
        bytes.append("}")
    }

    private static func append(text: String, to bytes: inout [UInt8]) {
        bytes.append(#"{"stringValue":"#)
        bytes.appendJSONString(text)
        bytes.append("}")
    }

    /// Nothing where there is no value, as of all others.
    mutating func add(_ key: String, _ value: String?) {
        if let value { append(key) { Self.append(text: value, to: &$0) } }
    }

    mutating func add(_ key: String, _ value: Int?) {
        if let value { append(key) { $0.append(#"{"intValue":"\#(value)"}"#) } }
    }

    mutating func add(_ key: String, _ value: Bool?) {
        if let value { append(key) { $0.append(#"{"boolValue":\#(value)}"#) } }
    }

    /// In seconds.
    mutating func add(_ key: String, _ value: Duration?) {
        if let value { append(key) { $0.append(#"{"doubleValue":\#(Double(value.nanoseconds) / 1e9)}"#) } }
    }

    mutating func add(_ key: String, _ values: [String]) {
        if values.isEmpty { return }
        append(key) { bytes in
            bytes.append(#"{"arrayValue":{"values":["#)
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(",") }
                Self.append(text: value, to: &bytes)
            }
            bytes.append("]}}")
        }
    }

    /// By the name of today, and by the one that older readers know.
    mutating func addProvider(_ name: String?) {
        add("gen_ai.provider.name", name)
        add("gen_ai.system", name)
    }

    /// Ends the span.
    ///
    /// - Parameter event: what has happened in between, and when.
    mutating func end(event: (name: String, moment: Instant)? = nil, hasFailed: Bool) {
        bytes.append("]")
        if let event {
            bytes.append(#","events":[{"timeUnixNano":""#)
            append(event.moment)
            bytes.append(#"","name":"#)
            bytes.appendJSONString(event.name)
            bytes.append("}]")
        }
        bytes.append(hasFailed ? #","status":{"code":2}}"# : #","status":{}}"#)
    }
}
