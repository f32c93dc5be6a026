// What a run counts and measures, and the line that it prints.

import Clock
import EventLoop

/// Durations, for percentiles.
struct Samples {
    private var nanoseconds: [Int64] = []

    mutating func add(_ duration: Duration) { nanoseconds.append(duration.nanoseconds) }

    /// `NAME_p50_us=… NAME_p99_us=… NAME_max_us=…`, or nothing when nothing was measured.
    func fields(_ name: String) -> [String] {
        let sorted = nanoseconds.sorted()
        guard let last = sorted.last else { return [] }
        func percentile(_ share: Double) -> Int64 { sorted[Int(Double(sorted.count - 1) * share)] }
        return [
            "\(name)_p50_us=\(percentile(0.5) / 1000)", "\(name)_p99_us=\(percentile(0.99) / 1000)",
            "\(name)_max_us=\(last / 1000)",
        ]
    }
}

/// How one stream ended.
enum Outcome {
    case complete
    /// No connection, or it ended before the stream did.
    case cut
    case badStatus(Int)
    case wrong(String)

    var isComplete: Bool {
        if case .complete = self { return true }
        return false
    }
}

struct Tally {
    var complete = 0
    var cut = 0
    var badStatus = 0
    var wrong = 0
    var left = 0
    var unfinished = 0
    var events = 0
    var heartbeats = 0
    var openAtOnce = 0
    var seconds = Duration.zero
    /// From the request's sending to the first event.
    var firstToken = Samples()
    /// From the upstream's time in the first event to its arrival.
    var firstEvent = Samples()
    /// The same for every later event.
    var laterEvents = Samples()
    /// What was wrong, the first time.
    private var firstFault: String?

    /// Streams that came to an end of their own.
    var ended: Int { complete + cut + badStatus + wrong }
    var lost: Int { cut + badStatus + unfinished }
    var isFlawless: Bool { lost == 0 && wrong == 0 }

    mutating func count(_ outcome: Outcome) {
        switch outcome {
        case .complete: complete += 1
        case .cut: cut += 1
        case .badStatus(let code):
            badStatus += 1
            firstFault = firstFault ?? "status-\(code)"
        case .wrong(let reason):
            wrong += 1
            firstFault = firstFault ?? reason
        }
    }

    var line: String {
        let milliseconds = seconds.nanoseconds / 1_000_000
        var fields = [
            "complete=\(complete)", "lost=\(lost)", "wrong=\(wrong)", "cut=\(cut)", "bad_status=\(badStatus)", "left=\(left)",
            "unfinished=\(unfinished)", "events=\(events)", "heartbeats=\(heartbeats)", "open_at_once=\(openAtOnce)",
            "milliseconds=\(milliseconds)",
        ]
        fields += firstToken.fields("first_token") + firstEvent.fields("first_event") + laterEvents.fields("later_event")
        if let firstFault { fields.append("fault=\(String(firstFault.map { $0 == " " ? "-" : $0 }))") }
        return fields.joined(separator: " ")
    }
}
