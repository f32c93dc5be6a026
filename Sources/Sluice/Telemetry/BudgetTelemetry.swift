// What is logged of the file in which budgets are kept, and of the store in which several machines count them.

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

    func budgetsAreForgotten(_ file: String) {
        error(
            "another Sluice keeps what its clients have used in the same file (budgets_file): what those of this one have used is forgotten",
            metadata: ["file": "\(file)"], source: LogEntry.changeSource)
    }

    /// Each time: `StoreHealth` says when. What is counted would come behind the word that all is well again.
    ///
    /// - Parameters:
    ///   - store: its address.
    ///   - reason: a phrase; nothing secret.
    func budgetStoreFailed(_ store: String, _ reason: String) {
        error(
            "what clients use cannot be counted for all machines together (budget_store)",
            metadata: ["store": "\(store)", "reason": "\(reason)"], source: LogEntry.changeSource)
    }

    func budgetStoreWorks(_ store: String) {
        notice("what clients use is counted for all machines together (budget_store)", metadata: ["store": "\(store)"])
    }

    func budgetStoreIsBack(_ store: String) {
        notice("what clients use is counted for all machines together again (budget_store)", metadata: ["store": "\(store)"])
    }

    /// - Parameter reason: as above.
    func budgetStoreRefusesClient(_ client: String, _ reason: String) {
        error(
            "what a client uses cannot be counted for all machines together (budget_store)",
            metadata: ["client": "\(client)", "reason": "\(reason)"])
    }

    /// - Parameter count: of how many clients' days.
    func budgetStoreIsNotTold(_ count: Int) {
        warning(
            "what clients have used is left out of what all machines count together (budget_store)",
            metadata: ["clients": "\(count)"])
    }
}
