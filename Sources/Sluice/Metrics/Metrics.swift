// What happens, and the metrics that count it.

import Chat
import Choosing
import Clock
import Synchronization

/// What a process counts of requests, upstreams and itself: as an event ends and never inside of one, by a few words of a table that all
/// processes have in common. No word of a caller's is a label, and no key.
final class Metrics: Sendable {
    let table: MetricTable
    /// The own one among the processes.
    let slot: Int
    /// As labels name it: its place among the processes, from 1.
    let process: String
    /// How many lost lines of the log have been counted.
    private let lostLines = Mutex(0)
    /// The own values that were told last: those of which nothing is told any more are nothing.
    private let told = Mutex<Set<MetricTable.Row>>([])

    /// Of requests that went well.
    private let wentWell = RememberedRow()

    /// A model that is none of the settings' own.
    static let other = "other"

    /// - Parameters:
    ///   - slot: the own one among the processes.
    ///   - place: from 0.
    init(_ table: MetricTable, slot: Int = 0, place: Int = 0) {
        (self.table, self.slot) = (table, slot)
        process = "\(place + 1)"
        table.set(1, of: table.row(.info, MetricLabels(sluiceVersion)))
    }

    private func count(_ metric: Metric, _ labels: MetricLabels, _ count: Int = 1) {
        table.add(count, to: table.row(metric, labels))
    }

    private func count(_ metric: Metric, _ count: Int = 1) { table.add(count, to: table.commonRow(of: metric)) }

    private func note(_ duration: Duration, in row: MetricTable.Row) {
        note(UInt64(max(0, duration.nanoseconds)), .seconds, in: row)
    }

    private func note(_ value: UInt64, _ buckets: MetricBuckets, in row: MetricTable.Row) {
        table.add(1, toBucket: buckets.index(of: value), sum: Int(clamping: value), to: row)
    }

    /// A client's name, as long as there are few of them.
    private func known(_ client: String?) -> String {
        guard let client else { return "" }
        return table.row(.knownClients, MetricLabels(client)) == table.commonRow(of: .knownClients)
            ? MetricLabels.beyondName : client
    }

    /// Who has answered, by the upstream's word. That may be its caller's where the caller names the model: then it has to be one of the
    /// settings. Where they name it, it is one of a few: no upstream takes the series of another.
    private func served(_ model: ServedModel?, by target: Target) -> String {
        guard let name = model?.name else { return "" }
        guard target.namesModel else { return target.isSettingsModel(name) ? name : Self.other }
        let names = table.row(.knownModels, MetricLabels(target.provider, target.requestedModel))
        return table.holds(name, in: names) ? name : Self.other
    }

    /// Where the answers of a model count that have not failed.
    private func rows(of model: ServedModel?, by target: Target) -> AnswerRows {
        target.metricRows.answers(of: model) { served(model, by: target) }
    }

    /// - Parameter last: the label behind those of all operations.
    private func row(_ metric: Metric, of target: Target, _ served: String, _ last: String = "") -> MetricTable.Row {
        table.row(metric, MetricLabels(target.provider, target.requestedModel, served, last))
    }

    // MARK: The process

    func processStarted() { count(.processStarts) }
    func connectionAccepted() { count(.connectionsAccepted) }
    func connectionRefused() { count(.connectionsRefused) }

    /// - Parameter total: how many lines were lost since the start.
    func linesLost(total: Int) {
        let further = lostLines.withLock { counted in
            defer { counted = max(counted, total) }
            return max(0, total - counted)
        }
        if further > 0 { count(.logLinesDropped, further) }
    }

    /// What has become of spans.
    enum SpanOutcome: String { case sent, dropped }

    func spans(_ spans: Int, _ outcome: SpanOutcome) { count(.traceSpans, MetricLabels(outcome.rawValue), spans) }

    // MARK: Attempts

    /// What was tried until the first token is known: what has come of it, and how long that took which was not the answer.
    func note(_ tried: [RequestRecord.Try]) {
        for attempt in tried {
            let target = attempt.target
            noteReason(attempt)
            // Of the one that has won there is more to come.
            if attempt.kind == .won {
                table.add(1, to: target.metricRows.won.row { row(of: target, RequestRecord.Try.Kind.won.rawValue) })
                continue
            }
            let outcome = MetricLabels.text(ofOutcome: attempt.outcome)
            table.add(1, to: row(of: target, outcome))
            if attempt.wasAsked { note(attempt.duration, in: row(.operationDuration, of: target, "", outcome)) }
        }
    }

    /// Of attempts.
    private func row(of target: Target, _ outcome: String) -> MetricTable.Row {
        table.row(.attempts, MetricLabels(target.route, target.upstreamName, target.ownModel ?? "", outcome))
    }

    private func noteReason(_ attempt: RequestRecord.Try) {
        switch attempt.reason {
        case .first: break
        case .retry: count(.retries, MetricLabels(attempt.upstream, "retry"))
        case .fallback: count(.retries, MetricLabels(attempt.upstream, "fallback"))
        case .hedge: count(.hedges, MetricLabels(attempt.kind.rawValue))
        }
    }

    /// A request has left an upstream's queue.
    func queued(_ time: Duration, for target: Target) {
        note(time, in: table.row(.queueWait, MetricLabels(target.upstreamName)))
    }

    /// A target has gone to rest.
    func rests(_ target: Target) {
        count(.rests, MetricLabels(target.route, target.upstreamName, target.ownModel ?? ""))
    }

    /// The events of a stream are over.
    func note(_ times: ChunkTimes, of target: Target?, _ model: ServedModel?) {
        guard let target, times.hasAny else { return }
        let rows = rows(of: model, by: target)
        let chunks = rows.chunks.row { row(.timePerOutputChunk, of: target, rows.served) }
        times.forEachBucket { bucket, count in
            table.add(count, toBucket: bucket, sum: bucket == 0 ? Int(times.sum.nanoseconds) : 0, to: chunks)
        }
    }

    // MARK: Requests

    /// A request is over.
    ///
    /// - Parameter namesClients: whether each client has series of its own.
    func note(_ record: RequestRecord, at end: Instant, namesClients: Bool) {
        let ending = record.wentWell ? wentWell.row { row(ofEnding: Ending.answered.word) } : row(ofEnding: record.words.ending)
        table.add(1, to: ending)
        if record.ending.isDeparture { count(.callersLeft, MetricLabels(record.lastPhase.rawValue)) }
        if record.fillers.streamed > 0 { count(.fillers, MetricLabels("stream"), record.fillers.streamed) }
        if let posts = record.fillers.posts {
            if posts.said > 0 { count(.fillers, MetricLabels("control"), posts.said) }
            if posts.failed > 0 { count(.fillersFailed, posts.failed) }
        }
        if namesClients { noteClient(record) }
        if let added = record.added { note(added, in: table.commonRow(of: .firstTokenAdded)) }
        let isDone = if case .answered = record.ending { true } else { false }
        noteAnswer(record, isDone ? "" : MetricLabels.text(ofOutcome: record.ending.word), at: end)
    }

    /// Of requests.
    private func row(ofEnding word: String) -> MetricTable.Row {
        table.row(.requests, MetricLabels(MetricLabels.text(ofOutcome: word)))
    }

    /// An answer has broken off, and another one is asked for that goes on with it.
    func note(_ record: RequestRecord, brokenOffBy error: ChatError, at end: Instant) {
        noteAnswer(record, MetricLabels.text(ofOutcome: RequestRecord.outcome(of: error)), at: end)
    }

    /// What the attempt has come to that won.
    private func noteAnswer(_ record: RequestRecord, _ failure: String, at end: Instant) {
        guard let target = record.target, let asked = record.asked else { return }
        let rows = rows(of: record.answer.model, by: target)
        if failure.isEmpty {
            note(end - asked, in: rows.duration.row { row(.operationDuration, of: target, rows.served) })
        } else {
            note(end - asked, in: row(.operationDuration, of: target, rows.served, failure))
        }
        if record.answer.eventsCount > 0, let firstToken = record.answer.firstToken {
            note(firstToken - asked, in: rows.firstChunk.row { row(.timeToFirstChunk, of: target, rows.served) })
        }
        guard let usage = record.answer.usage else { return }
        let prompt = rows.promptTokens.row { row(.tokenUsage, of: target, rows.served, "input") }
        note(UInt64(max(0, usage.promptTokens)), .tokens, in: prompt)
        let completion = rows.completionTokens.row { row(.tokenUsage, of: target, rows.served, "output") }
        note(UInt64(max(0, usage.completionTokens)), .tokens, in: completion)
    }

    private func noteClient(_ record: RequestRecord) {
        let client = known(record.client)
        count(.clientRequests, MetricLabels(client))
        guard let usage = record.wholeAnswer.usage else { return }
        for (count, type) in [(usage.promptTokens, "input"), (usage.completionTokens, "output")] {
            self.count(.clientTokens, MetricLabels(client, type), count)
        }
    }

    // MARK: What is so now

    /// Says how this process does, until it says something else.
    func tell(_ values: [(metric: Metric, labels: MetricLabels, value: Int)]) {
        // Of what is beyond a metric's bound the sum.
        var sums: [MetricTable.Row: Int] = [:]
        for (metric, labels, value) in values { sums[table.row(metric, labels), default: 0] += value }
        for (row, value) in sums { table.set(value, of: row, by: slot) }
        let rows = Set(sums.keys)
        let gone = told.withLock { told in
            defer { told.formUnion(rows) }
            return told.subtracting(rows)
        }
        for row in gone { table.set(0, of: row, by: slot) }
    }
}
