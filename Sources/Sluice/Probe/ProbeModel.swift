// What the model `sluice-probe` says (`probe = true`), and how `sluice probe` asks for it and reads it again.

import Chat
import Clock
import HTTPClient

/// An answer of known pace, each event of which says itself when it was made: a lump that comes can so be told from one that was
/// sent.
enum ProbeModel {
    /// Events with text in a whole answer.
    static let eventsCount = 20
    /// Between two of them.
    static let pause = Duration.milliseconds(50)
    /// Behind those come the finish reason and `[DONE]`, each a pause later.
    static let eventsBehindTexts = 2
    /// Behind so many events with text there is the silence that was asked for.
    static let eventsBeforeSilence = 3
    /// The longest silence that can be asked for.
    static let silenceMax = Duration.seconds(60)
    /// How a message asks for one, in milliseconds.
    private static let silenceWord = Array("silence_ms=".utf8)

    /// The message that asks for such an answer.
    static func message(silence: Duration? = nil) -> String {
        let word = silence.map { " " + String(decoding: silenceWord, as: UTF8.self) + "\($0.nanoseconds / 1_000_000)" }
        return "Show your pace" + (word ?? "")
    }

    /// The silence that a message asks for; zero for none.
    static func silence(askedBy message: String) -> Duration {
        let bytes = Array(message.utf8)
        guard let range = bytes.firstRange(of: silenceWord) else { return .zero }
        let digits = bytes[range.upperBound...].prefix { $0 &- UInt8(ascii: "0") < 10 }
        return min(.milliseconds(min(Int(decimal: digits) ?? 0, 3_600_000)), silenceMax)
    }

    // MARK: Heartbeat

    /// The header of its answers that tells the deployment's `heartbeat`, in milliseconds; 0 for none.
    static let heartbeatHeader = "X-Sluice-Heartbeat-Ms"

    /// What an answer's head says of that; nil where it does not.
    static func heartbeat(told head: ResponseHead?) -> Duration? {
        guard let value = head?["x-sluice-heartbeat-ms"], let milliseconds = Int(decimal: value.utf8) else { return nil }
        return milliseconds < 0 ? nil : .milliseconds(min(milliseconds, 86_400_000))
    }

    // MARK: Stamps

    private static let mark = UInt8(ascii: "@")
    private static let digitsCount = 6

    /// The texts of the events, each with room for the moment at which it is made.
    static var texts: [String] { (1...eventsCount).map { "\($0)@000000 " } }

    /// Writes into an event when it was made, in milliseconds since the answer began. One without room for that stays.
    static func stamp(_ event: inout [UInt8], _ moment: Duration) {
        guard let place = event.lastIndex(of: mark), place + digitsCount < event.count else { return }
        var rest = min(max(0, moment.nanoseconds / 1_000_000), 999_999)
        for index in stride(from: place + digitsCount, to: place, by: -1) {
            event[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// When an event says that it was made; nil when it says nothing of that.
    static func stamp(in event: some BidirectionalCollection<UInt8>) -> Duration? {
        guard let place = event.lastIndex(of: mark) else { return nil }
        let digits = event[event.index(after: place)...].prefix(digitsCount)
        guard digits.count == digitsCount, let milliseconds = Int(decimal: digits), milliseconds >= 0 else { return nil }
        return .milliseconds(milliseconds)
    }
}
