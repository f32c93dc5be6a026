// Whether a stream is what was ordered.

import Clock

/// The stream differs from what was ordered.
struct WrongByte: Error {
    let event: Int
    let position: Int
    let byte: UInt8
}

/// Follows one stream.
protocol StreamChecker {
    var heartbeats: Int { get }
    /// Whether all events and the closing `[DONE]` have arrived.
    var isComplete: Bool { get }
    /// The next complete event of `bytes`, which it takes: its number and the upstream's time of sending.
    mutating func nextEvent(of bytes: inout ArraySlice<UInt8>) throws(WrongByte) -> (number: Int, sentAt: Instant)?
}

/// How much of a stream must arrive as it was sent.
enum StreamCheck: String, CaseIterable {
    /// Every byte.
    case bytes
    /// What the events say, each once and in order, and `[DONE]`: for gateways that write every event anew.
    case contents

    init(_ name: String) throws(UsageError) {
        guard let check = Self(rawValue: name) else {
            throw UsageError("no check is called '\(name)', but \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self = check
    }

    func checker(of request: StreamRequest) -> any StreamChecker {
        switch self {
        case .bytes: ByteChecker(request)
        case .contents: ContentChecker(request)
        }
    }
}
