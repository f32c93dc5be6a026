// What a run counts and measures, and the line that it prints.

import Clock
import EventLoop

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
    /// From when the request was due to the first event.
    var firstToken = Histogram()
    /// From the upstream's time in the first event to its arrival.
    var firstEvent = Histogram()
    /// The same for every later event.
    var laterEvents = Histogram()
    /// From one event's arrival to the next one's of the same stream.
    var between = Histogram()
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

    private var histograms: [(name: String, Histogram)] {
        [("first_token", firstToken), ("first_event", firstEvent), ("later_event", laterEvents), ("between", between)]
    }

    /// A line for each kind of duration, ahead of that with the figures.
    var histogramLines: String { histograms.map { $1.line($0) + "\n" }.joined() }

    var line: String {
        let milliseconds = seconds.nanoseconds / 1_000_000
        var fields = [
            "complete=\(complete)", "lost=\(lost)", "wrong=\(wrong)", "cut=\(cut)", "bad_status=\(badStatus)", "left=\(left)",
            "unfinished=\(unfinished)", "events=\(events)", "heartbeats=\(heartbeats)", "open_at_once=\(openAtOnce)",
            "milliseconds=\(milliseconds)",
        ]
        for (name, histogram) in histograms { fields += histogram.fields(name) }
        if let firstFault { fields.append("fault=\(String(firstFault.map { $0 == " " ? "-" : $0 }))") }
        return fields.joined(separator: " ")
    }
}
