// What a collector says to spans that it has taken.

import Chat

/// `ExportTraceServiceResponse`: which of the spans it has not taken after all (OTLP 1.10, "Partial Success").
struct CollectorAnswer {
    /// How many that is; of what is no such answer none.
    private(set) var rejectedCount = 0
    private var message: [UInt8] = []

    /// - Parameter body: of any kind, perhaps its beginning alone.
    init(_ body: [UInt8]) {
        let root: JSONValue
        do throws(JSONError) { root = try JSONScanner.validate(body.span, depthMax: Self.depthMax) } catch { return }
        guard let success = root.member("partialSuccess", in: body.span) else { return }
        rejectedCount = max(0, success.member("rejectedSpans", in: body.span).flatMap { Self.count($0, in: body) } ?? 0)
        message = success.member("errorMessage", in: body.span).map { Array(body[$0.range]) } ?? []
    }

    private static let depthMax = 8

    /// The JSON of protobuf has a number of 64 bits as text, and takes it as a number too. Of one that is too large it is the most that
    /// there is: none of the batch has been taken then.
    private static func count(_ value: JSONValue, in body: [UInt8]) -> Int? {
        switch value.kind {
        case .string:
            let digits = body[value.range].dropFirst().dropLast()
            return Int(decimal: digits) ?? (!digits.isEmpty && digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) ? .max : nil)
        case .number: return value.count(in: body.span)
        default: return nil
        }
    }

    /// Why, in the collector's words, fit for the log; nil where it gives no reason.
    func words(without secrets: [[UInt8]]) -> String? {
        UpstreamError(body: message.span, depthMax: 1)?.masking(secrets).message
    }
}
