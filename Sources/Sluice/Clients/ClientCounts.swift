// What clients have used, for all workers and all processes.

import EventLoop
import Glibc
import Settings

/// A row of counts for each client that was seen today, in memory that all processes share. Each count is one word, which changes in one
/// step: nobody waits for anybody, and a process that is killed leaves nothing locked.
///
/// A client is found by its name's hash, which is the same for all processes and nobody's to guess. It has its place in one of some
/// buckets; there the place of one that has used nothing today, and has nothing open, is free for another. Those beyond what there is room
/// for have one row in common, with the limits of each of them: whoever makes up names comes to no more than that.
final class ClientCounts: Sendable {
    /// Where a client's counts are.
    struct Row: Hashable, Sendable { fileprivate let index: Int }

    private let words: SharedWords
    /// How many processes may count.
    private let slotsCount: Int
    /// The own one.
    private let slot: Int
    private let nameHash: NameHash

    // MARK: Where what is

    private static let (bucketsCount, bucketRows) = (256, 32)
    /// How many clients there is room for.
    static let rowsMax = bucketsCount * bucketRows
    /// Of all for whom there is none.
    private static let commonRow = rowsMax
    private static let nameWords = ClientSettings.nameBytesMax / 8

    /// Ahead of all: the key of the hashes; whether there is what a file has kept; how often something has changed; which process keeps
    /// them in the file, and which is about to restore them, by one more than its slot; and whether one of them has ever kept them.
    private static let headWords = 8
    private static let (restoredWord, changesWord, keeperWord, restorerWord, wereKeptWord) = (2, 3, 4, 5, 6)
    /// Of a row: the counts, what of each was restored, the length of the name and its bytes; and behind them, for each process, how many
    /// requests are open.
    private static let (tokensWord, requestsWord, refusedWord, restoredWords, lengthWord, nameWord) = (0, 1, 2, 3, 6, 7)
    private static let openWord = nameWord + nameWords

    private static func wordsCount(_ slotsCount: Int) -> Int {
        headWords + rowsMax + (rowsMax + 1) * (openWord + slotsCount)
    }

    /// Whose row it is: 0 for nobody, the process by one more than its slot while that makes it somebody's, else the hash of the name.
    private func owner(_ row: Int) -> Int { Self.headWords + row }
    private static let (nobody, becomingMax) = (UInt64(0), UInt64(UInt16.max))
    private var becoming: UInt64 { UInt64(slot + 1) }
    private static func isBecoming(_ owner: UInt64) -> Bool { owner != nobody && owner <= becomingMax }

    private func word(_ word: Int, of row: Int) -> Int {
        Self.headWords + Self.rowsMax + row * (Self.openWord + slotsCount) + word
    }

    // MARK: Beginnings

    /// Those of this process alone.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    convenience init() throws(SystemError) { self.init(new: try SharedWords(count: Self.wordsCount(1)), 1) }

    /// Those of several processes, to be passed on.
    ///
    /// - Parameter slotsCount: how many processes there may be at once.
    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    convenience init(slotsCount: Int) throws(SystemError) {
        self.init(new: try SharedWords(passedOn: Self.wordsCount(slotsCount)), slotsCount)
    }

    private init(new words: SharedWords, _ slotsCount: Int) {
        (self.words, self.slotsCount, slot) = (words, slotsCount, 0)
        for index in 0..<2 { words[index] = .random(in: 0 ... .max) }
        nameHash = NameHash(key: (words[0], words[1]))
    }

    /// Those that another process has made.
    ///
    /// - Parameter slot: the own one among the processes.
    /// - Throws: `SystemError` when the process is out of memory, or they are none.
    init(_ descriptor: consuming Descriptor, slot: Int, slotsCount: Int) throws(SystemError) {
        words = try SharedWords(descriptor)
        guard words.count >= Self.wordsCount(slotsCount), (0..<slotsCount).contains(slot) else {
            throw SystemError("the counts of clients", code: EINVAL)
        }
        (self.slot, self.slotsCount) = (slot, slotsCount)
        nameHash = NameHash(key: (words[0], words[1]))
    }

    /// To pass them on.
    var number: Int32 { words.number }

    /// A process has ended: what it was answering is over, and what it was about to make somebody's is nobody's.
    func clear(slot: Int) {
        for row in 0...Self.rowsMax where row == Self.commonRow || words[owner(row)] != Self.nobody {
            words[word(Self.openWord + slot, of: row)] = 0
            if row != Self.commonRow { _ = words.exchange(UInt64(slot + 1), for: Self.nobody, at: owner(row)) }
        }
        stopKeeping(slot)
        _ = words.exchange(UInt64(slot + 1), for: 0, at: Self.restorerWord)
    }

    private func stopKeeping(_ slot: Int) { _ = words.exchange(UInt64(slot + 1), for: 0, at: Self.keeperWord) }

    // MARK: Requests

    /// Takes what a request may need, of each limit or of none.
    func enter(
        _ client: ClientName, _ limits: ClientSettings, _ estimate: TokenEstimate, at time: CountedTime
    ) -> ClientDecision {
        let row = enter(client, at: time)
        do throws(ClientRefusal) {
            // Without a limit there is nothing that others could take meanwhile.
            let tokens = limits.tokensPerDay == nil ? 0 : estimate.total
            let day = try take(tokens, of: row, limits, at: time)
            return .admitted(Reservation(of: tokens, estimate, of: row, in: self, day: day, limit: limits.tokensPerDay))
        } catch {
            update(Self.refusedWord, of: row) { $0.adding(1, within: nil, in: time.day) }
            leave(row)
            return .refused(error)
        }
    }

    /// - Returns: the day that the tokens are counted in: the next one already where another's clock is ahead.
    private func take(_ tokens: Int, of row: Row, _ limits: ClientSettings, at time: CountedTime) throws(ClientRefusal) -> Int {
        if let limit = limits.concurrentMax, openCount(row.index) > limit { throw .concurrent }
        guard let asked = update(Self.requestsWord, of: row, { $0.adding(1, within: limits.requestsPerMinute, in: time.minute) })
        else { throw .requests }
        guard let taken = update(Self.tokensWord, of: row, { $0.adding(tokens, within: limits.tokensPerDay, in: time.day) })
        else {
            update(Self.requestsWord, of: row) { $0.replacing(1, by: 0, countedIn: asked.span) }
            throw .tokens
        }
        return taken.span
    }

    /// A request that was admitted is not to be answered.
    ///
    /// - Parameter isRefused: whether it counts as refused.
    func withdraw(_ row: Row, isRefused: Bool, at time: CountedTime) {
        update(Self.requestsWord, of: row) { $0.replacing(1, by: 0, countedIn: time.minute) }
        if isRefused { update(Self.refusedWord, of: row) { $0.adding(1, within: nil, in: time.day) } }
    }

    /// Puts other tokens in the place of those that were counted in a day.
    func replace(_ former: Int, by next: Int, of row: Row, countedIn day: Int) {
        if former != next { update(Self.tokensWord, of: row) { $0.replacing(former, by: next, countedIn: day) } }
    }

    /// Takes so many more for a request that has taken some of a day.
    ///
    /// - Returns: whether its client had as many left; else nothing is taken.
    func take(more tokens: Int, of row: Row, within limit: Int, countedIn day: Int) -> Bool {
        // What is over is over: there is nothing to take of another day.
        guard count(Self.tokensWord, of: row.index).span == day else { return true }
        return update(Self.tokensWord, of: row) { $0.adding(tokens, within: limit, in: day) } != nil
    }

    /// What is taken of the tokens of the last day on which anything was counted.
    func latestTokens(of row: Row) -> Int { count(Self.tokensWord, of: row.index).count }

    /// What a client has left of its tokens of a day; nil when there is no limit.
    func tokensLeft(of client: ClientName, _ limits: ClientSettings, at time: CountedTime) -> Int? {
        guard let limit = limits.tokensPerDay else { return nil }
        let row = row(of: hash(of: client)) ?? Self.commonRow
        return max(0, limit - count(Self.tokensWord, of: row).count(in: time.day))
    }

    /// A request is over.
    func leave(_ row: Row) { words.add(-1, to: word(Self.openWord + slot, of: row.index)) }

    /// - Returns: what there is then; nil when there is no room.
    @discardableResult
    private func update(_ place: Int, of row: Row, _ change: (SpanCount) -> SpanCount?) -> SpanCount? {
        let index = word(place, of: row.index)
        while true {
            let former = words[index]
            guard let next = change(SpanCount(word: former)) else { return nil }
            if words.exchange(former, for: next.word, at: index) {
                words.add(1, to: Self.changesWord)
                return next
            }
        }
    }

    private func count(_ place: Int, of row: Int) -> SpanCount { SpanCount(word: words[word(place, of: row)]) }

    /// A process may have been killed in between, or write what it likes.
    private func openCount(_ row: Int) -> Int {
        (0..<slotsCount).reduce(0) { $0 + Int(min(words[word(Self.openWord + $1, of: row)], 1_000_000)) }
    }

    // MARK: What a file keeps

    /// Whether there is what was kept, for all processes.
    var areRestored: Bool { words[Self.restoredWord] != 0 }

    /// Whether one of the processes that have these in common keeps them in the file.
    var areKept: Bool { words[Self.keeperWord] != 0 }

    /// Whether one of them has ever kept them: then all that is in the file is counted.
    var wereKept: Bool { words[Self.wereKeptWord] != 0 }

    /// This process keeps them from now on.
    func keep() {
        words[Self.keeperWord] = UInt64(slot + 1)
        words[Self.wereKeptWord] = 1
    }

    /// Its file is not there any more, or is another's.
    func keepNoMore() { stopKeeping(slot) }

    /// There is nothing to restore.
    func restoreNothing() { words[Self.restoredWord] = 1 }

    /// Adds what was counted elsewhere, as far as it counts still and was not restored before: while another Sluice has the file there may
    /// come more to it, or less, where what was reserved has been settled.
    ///
    /// - Returns: false when another process is at it.
    @discardableResult func restore(_ kept: [BudgetRecord], at time: CountedTime) -> Bool {
        guard words.exchange(0, for: UInt64(slot + 1), at: Self.restorerWord) else { return false }
        for record in kept { restore(record, at: time) }
        words[Self.restoredWord] = 1
        _ = words.exchange(UInt64(slot + 1), for: 0, at: Self.restorerWord)
        return true
    }

    private func restore(_ record: BudgetRecord, at time: CountedTime) {
        guard record.isCurrent(at: time) || record.client.map({ self.row(of: hash(of: $0)) != nil }) != false else { return }
        let row = record.client.map { enter($0, at: time) } ?? enterCommonRow()
        restore(record.tokens, to: Self.tokensWord, of: row, in: time.day)
        restore(record.requests, to: Self.requestsWord, of: row, in: time.minute)
        restore(record.refused, to: Self.refusedWord, of: row, in: time.day)
        leave(row)
    }

    private func restore(_ count: SpanCount, to place: Int, of row: Row, in span: Int) {
        let known = SpanCount(word: words[word(Self.restoredWords + place, of: row.index)])
        update(place, of: row) { former in
            let added = former.adding(count.count(in: span), within: nil, in: span)
            return known.span == count.span ? added?.replacing(known.count, by: 0, countedIn: count.span) : added
        }
        words[word(Self.restoredWords + place, of: row.index)] = count.word
    }

    /// Another number than the last time when something has changed.
    var changes: UInt64 { words[Self.changesWord] }

    // MARK: What they have come to

    /// What there is of a client.
    struct Record {
        let row: Row
        /// Nil for all those together that there is no room for.
        let client: ClientName?
        /// Of a day.
        let tokens: SpanCount
        /// Of a minute.
        let requests: SpanCount
        /// Of a day.
        let refused: SpanCount
    }

    /// Of each client, in any order.
    var records: [Record] {
        (0...Self.rowsMax).compactMap { row in
            if row == Self.commonRow { return record(of: row, nil) }
            let owner = words[owner(row)]
            guard owner != Self.nobody, !Self.isBecoming(owner) else { return nil }
            let record = record(of: row, name(of: row))
            // It may have become another's meanwhile.
            return words[self.owner(row)] == owner ? record : nil
        }
    }

    private func record(of row: Int, _ client: ClientName?) -> Record {
        Record(
            row: Row(index: row), client: client, tokens: count(Self.tokensWord, of: row),
            requests: count(Self.requestsWord, of: row), refused: count(Self.refusedWord, of: row))
    }

    private func name(of row: Int) -> ClientName {
        let length = Int(min(words[word(Self.lengthWord, of: row)], UInt64(ClientSettings.nameBytesMax)))
        let bytes = (0..<length).map { index in
            UInt8(truncatingIfNeeded: words[word(Self.nameWord + index / 8, of: row)] >> UInt64(8 * (index & 7)))
        }
        return ClientName(String(decoding: bytes, as: UTF8.self))
    }

    /// What a client has used by now.
    struct Used {
        /// Nil for all those together that there is no room for.
        let client: ClientName?
        /// Of the day.
        let tokens: Int
        /// Of the minute.
        let requests: Int
        let open: Int
        /// Of the day.
        let refused: Int
    }

    /// Of each client that has used anything, by their names.
    func used(at time: CountedTime) -> [Used] {
        let used = records.map { record in
            Used(
                client: record.client, tokens: record.tokens.count(in: time.day),
                requests: record.requests.count(in: time.minute),
                open: openCount(record.row.index), refused: record.refused.count(in: time.day))
        }
        return used.filter { $0.tokens + $0.requests + $0.open + $0.refused > 0 }.sorted { left, right in
            guard let left = left.client, let right = right.client else { return left.client != nil && right.client == nil }
            return left.bytes.lexicographicallyPrecedes(right.bytes)
        }
    }

    // MARK: Rows

    /// One more request of the client is open.
    private func enter(_ client: ClientName, at time: CountedTime) -> Row {
        let hash = hash(of: client)
        // The row may become another's before it is known to be in use.
        for _ in 0..<4 {
            guard let row = row(of: hash) ?? newRow(of: client, hash, at: time) else { break }
            words.add(1, to: word(Self.openWord + slot, of: row))
            if words[owner(row)] == hash { return Row(index: row) }
            leave(Row(index: row))
        }
        return enterCommonRow()
    }

    private func enterCommonRow() -> Row {
        words.add(1, to: word(Self.openWord + slot, of: Self.commonRow))
        return Row(index: Self.commonRow)
    }

    private func hash(of client: ClientName) -> UInt64 { max(nameHash(client.bytes), Self.becomingMax + 1) }

    private func rows(_ hash: UInt64) -> Range<Int> {
        let first = Int(hash % UInt64(Self.bucketsCount)) * Self.bucketRows
        return first..<(first + Self.bucketRows)
    }

    private func row(of hash: UInt64) -> Int? { rows(hash).first { words[owner($0)] == hash } }

    /// The first row that is free; nil when there is none.
    private func newRow(of client: ClientName, _ hash: UInt64, at time: CountedTime) -> Int? {
        for row in rows(hash) {
            var former = words[owner(row)]
            // Whoever it becomes may be the same client.
            if Self.isBecoming(former) { former = awaitOwner(row) }
            if former == hash { return row }
            guard former == Self.nobody || !Self.isBecoming(former) && isIdle(row, at: time) else { continue }
            guard words.exchange(former, for: becoming, at: owner(row)) else {
                // So may be whoever was quicker.
                if awaitOwner(row) == hash { return row }
                continue
            }
            // Somebody may have come in before all saw that it is to be another's.
            guard openCount(row) == 0 else {
                words[owner(row)] = former
                continue
            }
            write(client, to: row)
            words[owner(row)] = hash
            guard let other = rows(hash).first(where: { $0 != row && words[owner($0)] == hash }) else { return row }
            // Of two who have found rows for one client at the same time, one sees the other's at least, and does without its own.
            return giveBack(row, of: hash) ? other : row
        }
        return nil
    }

    /// - Returns: false where somebody is in it already.
    private func giveBack(_ row: Int, of hash: UInt64) -> Bool {
        guard words.exchange(hash, for: becoming, at: owner(row)) else { return true }
        let isEmpty = openCount(row) == 0
        words[owner(row)] = isEmpty ? Self.nobody : hash
        return isEmpty
    }

    /// A few words are being written. One who was killed meanwhile, or waits for his core, is not waited for.
    private func awaitOwner(_ row: Int) -> UInt64 {
        for _ in 0..<1000 where Self.isBecoming(words[owner(row)]) {}
        return words[owner(row)]
    }

    private func isIdle(_ row: Int, at time: CountedTime) -> Bool {
        openCount(row) == 0 && count(Self.tokensWord, of: row).count(in: time.day) == 0
            && count(Self.requestsWord, of: row).count(in: time.minute) == 0
            && count(Self.refusedWord, of: row).count(in: time.day) == 0
    }

    private func write(_ client: ClientName, to row: Int) {
        for place in [Self.tokensWord, Self.requestsWord, Self.refusedWord] {
            words[word(place, of: row)] = 0
            words[word(Self.restoredWords + place, of: row)] = 0
        }
        words[word(Self.lengthWord, of: row)] = UInt64(client.bytes.count)
        for start in stride(from: 0, to: client.bytes.count, by: 8) {
            let bytes = client.bytes[start...].prefix(8)
            words[word(Self.nameWord + start / 8, of: row)] = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
