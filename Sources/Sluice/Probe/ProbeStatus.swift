// What the status says of open requests, and whose it is.

import Chat
import Clock

/// The status of one process. Behind a web server there may be several, of other machines too: each has requests of its own, and
/// what one does not list another may have.
struct ProbeStatus: Sendable {
    private let process: Int
    private let startTime: String
    /// Between which moments of this machine's clock it began: processes of two containers often have the same number, and the
    /// same second.
    private let start: ClosedRange<Instant>
    private let requests: [String]
    /// Whether there are others: those that it left out, and those of workers who did not answer.
    private let hasOthers: Bool

    /// Its age is told to the millisecond.
    private static let rounding = Duration.milliseconds(2)

    /// - Parameters:
    ///   - body: the status as JSON, with its requests.
    ///   - asked: when it was asked for.
    ///   - received: when it was there.
    /// - Returns: nil for what is no status.
    init?(_ body: [UInt8], asked: Instant, received: Instant) {
        let document = body.span
        let status: JSONValue
        do throws(JSONError) { status = try JSONScanner.validate(document, depthMax: 32) } catch { return nil }
        guard let open = status.member("active_requests", in: document), open.kind == .array,
            let process = status.member("process", in: document)?.integer(in: document),
            let startTime = status.member("start_time", in: document)?.string(in: document),
            let since = status.member("start_since", in: document), since.kind == .number,
            let seconds = Double(String(decoding: body[since.range], as: UTF8.self)), 0..<1e9 ~= seconds
        else { return nil }
        (self.process, self.startTime) = (process, startTime)
        let age = Duration.seconds(seconds)
        start = asked + (.zero - age - Self.rounding)...received + (Self.rounding - age)
        requests = open.elements(in: document, countMax: 4000).compactMap {
            $0.member("id", in: document)?.string(in: document)
        }
        hasOthers = ["active_requests_left_out", "silent_workers"].contains {
            status.member($0, in: document)?.integer(in: document) ?? 0 > 0
        }
    }

    /// Whether a request is open; nil where that cannot be known.
    func isOpen(_ request: String) -> Bool? {
        if requests.contains(where: { $0.hasSameBytes(as: request) }) { return true }
        return hasOthers ? nil : false
    }

    /// Whether it is the same process's.
    func isOfSameProcess(as other: ProbeStatus) -> Bool {
        process == other.process && startTime.hasSameBytes(as: other.startTime) && start.overlaps(other.start)
    }
}
