// What is logged of the file in which budgets are kept.

import EventLoop
import Logging

extension Logger {
    /// Once a minute at most.
    func budgetsNotWritten(_ file: String, _ failure: SystemError) {
        error(
            "what clients have used cannot be written (budgets_file): until it can be a restart forgets it",
            metadata: ["file": "\(file)", "reason": "\(failure.reason)"], source: LogEntry.changeSource)
    }

    func budgetsFileIsForeign(_ file: String) {
        error(
            "the file for what clients have used is something else's, and is left alone (budgets_file): a restart forgets what they use",
            metadata: ["file": "\(file)"], source: LogEntry.changeSource)
    }

    func budgetsFileIsDamaged(_ file: String, unreadBytes: Int) {
        warning(
            "a part of what clients have used cannot be read, and is left out (budgets_file)",
            metadata: ["file": "\(file)", "bytes": "\(unreadBytes)"], source: LogEntry.changeSource)
    }

    func budgetsFileIsTaken(_ file: String) {
        warning(
            "another Sluice keeps what its clients have used in the same file (budgets_file): until it ends this one has that in memory",
            metadata: ["file": "\(file)"], source: LogEntry.changeSource)
    }
}
