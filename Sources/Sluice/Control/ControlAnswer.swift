// What can be asked of a Sluice that runs, and how it answers.

/// What can be asked for.
enum ControlCommand: Equatable {
    /// Reads the settings again, and answers with what came of it.
    case reload
    /// The same, and has `ControlAnswer.over` as its last line, when the last request that began before it is over.
    case reloadAndWait
    /// How it does.
    case status(StatusForm)
    /// Ends as by a signal: answers at once, and the connection stays open for as long as the process is there.
    case stop

    /// - Parameter line: that asks for it.
    /// - Returns: nil for what is none.
    init?(line: String) {
        switch line {
        case Self.reload.line: self = .reload
        case Self.reloadAndWait.line: self = .reloadAndWait
        case Self.stop.line: self = .stop
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
        case .stop: "stop"
        }
    }
}

/// What a command is answered with.
struct ControlAnswer: Sendable, Equatable {
    /// The first line.
    enum Verdict: String {
        case ok
        /// It was tried, and the lines say why it has come to nothing.
        case failed
        /// It was not tried.
        case refused
    }

    let verdict: Verdict
    /// Without line breaks.
    let lines: [String]

    /// The last line of what was waited for.
    static let over = "over"

    init(_ verdict: Verdict, _ lines: [String] = []) { (self.verdict, self.lines) = (verdict, lines) }

    /// - Returns: nil for what is no whole answer, as when the process has ended before it.
    init?(text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).compactMap { String($0) }
        guard let first = lines.first, let verdict = Verdict(rawValue: first), lines.last?.isEmpty == true else { return nil }
        self.init(verdict, lines.dropFirst().dropLast().map(\.self))
    }

    var text: String { ([verdict.rawValue] + lines).map { "\($0)\n" }.joined() }
}
