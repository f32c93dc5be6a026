// What can be asked of a Sluice that runs, and how it answers.

import EventLoop

/// What can be asked for.
enum ControlCommand: Equatable {
    /// Reads the settings again, and answers with what came of it.
    case reload
    /// The same, with `ControlAnswer.over` behind the answer, when the last request that began before it is over.
    case reloadAndWait
    /// How it does.
    case status(StatusForm)
    /// What all processes count together.
    case metrics
    /// What clients have used.
    case clients(isJSON: Bool)
    /// Opens the log's file again.
    case reopenLog
    /// Ends as by a signal: answers at once, and with `ControlAnswer.over` behind the answer when all requests are over. The connection
    /// ends with the process.
    case stop
    /// The same as by a second signal, which waits for no request.
    case stopAtOnce

    /// - Parameter line: that asks for it.
    /// - Returns: nil for what is none.
    init?(line: String) {
        // Strings are the same by more than their bytes.
        guard line.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        switch line {
        case Self.reload.line: self = .reload
        case Self.reloadAndWait.line: self = .reloadAndWait
        case Self.reopenLog.line: self = .reopenLog
        case Self.metrics.line: self = .metrics
        case Self.stop.line: self = .stop
        case Self.stopAtOnce.line: self = .stopAtOnce
        case Self.clients(isJSON: false).line: self = .clients(isJSON: false)
        case Self.clients(isJSON: true).line: self = .clients(isJSON: true)
        default:
            guard let form = StatusForm(command: line) else { return nil }
            self = .status(form)
        }
    }

    /// The line that asks for it.
    var line: String {
        switch self {
        case .reload: "reload"
        case .reloadAndWait: "reload wait"
        case .status(let form): form.command
        case .reopenLog: "reopen"
        case .metrics: "metrics"
        case .clients(let isJSON): isJSON ? "clients json" : "clients"
        case .stop: "stop"
        case .stopAtOnce: "stop now"
        }
    }
}

extension Log {
    /// What comes of having its file opened again.
    func reopeningAnswer() async -> ControlAnswer { await fileFailure().map(ControlAnswer.logIsNotOpened) ?? ControlAnswer(.ok) }
}

/// What a command is answered with.
struct ControlAnswer: Sendable, Equatable {
    /// The first line's first word.
    enum Verdict: String {
        case ok
        /// It was tried, and the lines say why it has come to nothing.
        case failed
        /// It was not tried.
        case refused
    }

    let verdict: Verdict
    let lines: [String]
    /// Whether what was to be waited for is over.
    let isOver: Bool

    /// What tells that, behind an answer.
    static let over = Array("over\n".utf8)
    /// To whoever wants something of one that ends.
    static let isEnding = ControlAnswer(.refused, ["it is about to end"])
    /// To whoever makes room for others.
    static let tooMany = ControlAnswer(.refused, ["it is asked by too many at once"])
    /// To whoever wants a log file opened again that there is not.
    static let logIsNoFile = ControlAnswer(.ok, ["the log goes to no file (log.to): there is nothing to open again"])

    /// More than a first line has.
    private static let firstLineBytesMax = 64

    /// To whoever wants one opened again that cannot be.
    static func logIsNotOpened(_ failure: SystemError) -> ControlAnswer {
        ControlAnswer(.failed, ["the log file cannot be opened again, and the old one is written to: \(failure)"])
    }

    init(_ verdict: Verdict, _ lines: [String] = [], isOver: Bool = false) {
        (self.verdict, self.lines, self.isOver) = (verdict, lines, isOver)
    }

    /// - Parameter bytes: all that has come.
    /// - Returns: nil for what is no whole answer, as when the process has ended before it.
    init?(bytes: [UInt8]) {
        guard let end = bytes.prefix(Self.firstLineBytesMax).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = bytes[..<end].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 2, let verdict = Verdict(rawValue: words[0]), let count = Int(words[1]), count >= 0
        else { return nil }
        let (text, behind) = (bytes[(end + 1)...].prefix(count), bytes[(end + 1)...].dropFirst(count))
        let isOver = behind.elementsEqual(Self.over)
        // The end of what was waited for may be missing, or cut.
        guard text.count == count, isOver || Self.over.starts(with: behind) else { return nil }
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.removeLast().isEmpty || count == 0 else { return nil }
        self.init(verdict, lines.map { String(decoding: $0, as: UTF8.self) }, isOver: isOver)
    }

    /// A line with the verdict and how many bytes follow, and these: a line each. What was cut off is no answer.
    var bytes: [UInt8] {
        let count = lines.reduce(0) { $0 + $1.utf8.count + 1 }
        var bytes = Array("\(verdict.rawValue) \(count)\n".utf8)
        bytes.reserveCapacity(bytes.count + count)
        for line in lines {
            bytes += line.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }
}
