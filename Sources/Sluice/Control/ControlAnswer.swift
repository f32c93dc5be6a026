// What can be asked of a Sluice that runs, and how it answers.

/// What can be asked for, as the line that asks.
enum ControlCommand: String, CaseIterable {
    /// Reads the settings again, and answers with what came of it.
    case reload
    /// The same, and has `ControlAnswer.over` as its last line, when the last request that began before it is over.
    case reloadAndWait = "reload wait"
    /// How it does, for people.
    case status
    /// The same for machines, in one line.
    case statusJSON = "status json"
    /// Both with each request that is being answered.
    case statusFull = "status full"
    case statusFullJSON = "status full json"
    /// Ends as by a signal: answers at once, and the connection stays open for as long as the process is there.
    case stop
}

extension ControlCommand {
    /// What asks for the status in this form.
    static func status(_ form: StatusForm) -> ControlCommand {
        switch (form.isFull, form.isJSON) {
        case (false, false): .status
        case (false, true): .statusJSON
        case (true, false): .statusFull
        case (true, true): .statusFullJSON
        }
    }

    /// In which form the status is asked for; nil when something else is.
    var statusForm: StatusForm? {
        switch self {
        case .status: StatusForm()
        case .statusJSON: StatusForm(isJSON: true)
        case .statusFull: StatusForm(isFull: true)
        case .statusFullJSON: StatusForm(isJSON: true, isFull: true)
        case .reload, .reloadAndWait, .stop: nil
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
