// The rows of the series that most requests count in: their labels are the same each time, and are looked up once.

import Chat
import Synchronization

/// The row of a series, once somebody has looked it up: it has that for good, in the one table that the process counts in.
struct RememberedRow: ~Copyable, Sendable {
    /// One more than the row's number; 0 while it is not known.
    private let number = Atomic<Int>(0)

    /// - Parameter find: looks it up, and always finds the same. One of a metric as a whole is looked up each time.
    func row(_ find: () -> MetricTable.Row) -> MetricTable.Row {
        let known = number.load(ordering: .relaxed)
        if known > 0 { return MetricTable.Row(index: known - 1) }
        let row = find()
        if !row.isCommon { number.store(row.index + 1, ordering: .relaxed) }
        return row
    }
}

/// A target's rows: as many as there are here, whatever its upstream says.
final class TargetRows: Sendable {
    /// Of the attempts that won.
    let won = RememberedRow()
    /// Of the answers, as long as they are the same model's.
    private let last = Mutex<AnswerRows?>(nil)

    /// - Parameters:
    ///   - model: who has answered, by the upstream's word.
    ///   - served: what labels call it, looked up where the answer before was another one's.
    func answers(of model: ServedModel?, _ served: () -> String) -> AnswerRows {
        // Names of models are ASCII: their characters are their bytes.
        if let rows = last.withLock({ $0 }), rows.model == model { return rows }
        // Outside of the lock, which all workers share: where models take turns, this comes each time.
        let rows = AnswerRows(model, served())
        last.withLock { $0 = rows }
        return rows
    }
}

/// The rows of a target's answers by one model that have not failed.
final class AnswerRows: Sendable {
    fileprivate let model: ServedModel?
    /// As labels call it.
    let served: String
    let duration = RememberedRow()
    let firstChunk = RememberedRow()
    let chunks = RememberedRow()
    let promptTokens = RememberedRow()
    let completionTokens = RememberedRow()

    fileprivate init(_ model: ServedModel?, _ served: String) { (self.model, self.served) = (model, served) }
}
