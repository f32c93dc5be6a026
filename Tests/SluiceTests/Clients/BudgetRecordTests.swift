import Testing

@testable import Settings
@testable import Sluice

/// What clients have used, as bytes in a file.
@Suite struct BudgetRecordTests {
    private func record(_ client: String?, tokens: Int) -> BudgetRecord {
        BudgetRecord(
            client: client.map { ClientName($0) }, tokens: SpanCount(tokens, in: 20_000), requests: SpanCount(3, in: 28_800_000),
            refused: SpanCount(SpanCount.countMax, in: 20_000))
    }

    /// By their names, since a file has no order.
    private func tokens(_ bytes: [UInt8]) -> [String: Int]? {
        BudgetRecords(file: bytes).map { read in
            Dictionary(uniqueKeysWithValues: read.records.map { ($0.client?.text ?? "(others)", $0.tokens.count) })
        }
    }

    @Test(arguments: [nil, "", "a", "shop kiosk~", String(repeating: "x", count: 128)])
    func `are the same behind them`(client: String?) {
        let record = record(client, tokens: 123_456_789)
        #expect(record.bytes.count == BudgetRecord.bytesCount)
        #expect(BudgetRecord(bytes: record.bytes[...]) == record)
    }

    @Test func `are those of the last record of each client`() {
        let file = BudgetRecords.file(of: [
            record("a", tokens: 1), record("b", tokens: 2), record("a", tokens: 5), record(nil, tokens: 7),
        ])
        #expect(tokens(file) == ["a": 5, "b": 2, "(others)": 7])
        #expect(BudgetRecords(file: file)?.unreadBytes == 0)
    }

    @Test func `of a file that is cut anywhere are those that are whole`() {
        let file = BudgetRecords.file(of: [record("a", tokens: 1), record("b", tokens: 2)])
        for count in 0..<file.count {
            let read = BudgetRecords(file: Array(file.prefix(count)))
            let whole = max(0, count / BudgetRecord.bytesCount - 1)
            #expect(read?.records.count == whole)
            #expect(read?.unreadBytes == (count < BudgetRecord.bytesCount ? count : count % BudgetRecord.bytesCount))
        }
    }

    @Test func `of a file with a wrong byte anywhere are those that are whole`() {
        let file = BudgetRecords.file(of: [record("a", tokens: 1), record("b", tokens: 2), record("c", tokens: 3)])
        for index in file.indices.dropFirst(BudgetRecord.bytesCount) {
            var damaged = file
            damaged[index] ^= 1 << (index % 8)
            let read = BudgetRecords(file: damaged)
            #expect(read?.records.count == 2)
            #expect(read?.unreadBytes == BudgetRecord.bytesCount)
        }
    }

    @Test(arguments: ["x", "sluice budgets 2\n", "SQLite format 3\0", String(repeating: "\0", count: 1000)])
    func `are none in a file of something else`(text: String) {
        #expect(BudgetRecords(file: Array(text.utf8)) == nil)
    }

    @Test func `have no bytes that a name cannot have`() {
        for length in 0...UInt8.max {
            var bytes = record("a", tokens: 1).bytes
            bytes[4] = length
            // A right checksum does not make it a record.
            #expect(BudgetRecord(bytes: bytes[...]) == (length == 1 ? record("a", tokens: 1) : nil))
        }
    }
}

@Suite struct BudgetRestoreTests {
    private let noon = CountedTime(second: 20_000 * 86_400 + 12 * 3600)
    private let limits: ClientSettings = {
        var limits = ClientSettings(match: ModelPattern("*")); limits.tokensPerDay = 100; return limits
    }()

    @Test func `what another has written since takes the place of what was known, less than that too`() throws {
        let counts = try ClientCounts()
        func record(_ client: String, _ tokens: Int, day: Int? = nil) -> BudgetRecord {
            let none = SpanCount(0, in: 0)
            return BudgetRecord(
                client: ClientName(client), tokens: SpanCount(tokens, in: day ?? noon.day), requests: none, refused: none)
        }
        let known = [record("more", 10), record("less", 90), record("same", 5), record("anew", 70, day: noon.day - 1)]
        counts.restore(known, at: noon)
        if case .admitted(var own) = counts.enter(
            ClientName("less"), limits, TokenEstimate(promptBytes: 0, answerMax: 4, choicesCount: 1), at: noon)
        {
            own.settle(3)
        }
        let next = [record("more", 30), record("less", 20), record("same", 5), record("anew", 8), record("new", 1)]
        counts.restore(next, at: noon)
        counts.restore(next, at: noon)
        let used = Dictionary(uniqueKeysWithValues: counts.used(at: noon).map { ($0.client?.text ?? "", $0.tokens) })
        #expect(used == ["more": 30, "less": 23, "same": 5, "anew": 8, "new": 1])
    }

    @Test func `what was used today counts again, what was used before does not`() throws {
        let counts = try ClientCounts()
        func record(_ client: String?, day: Int, minute: Int) -> BudgetRecord {
            BudgetRecord(
                client: client.map { ClientName($0) }, tokens: SpanCount(60, in: day), requests: SpanCount(3, in: minute),
                refused: SpanCount(2, in: day))
        }
        counts.restore(
            [
                record("today", day: noon.day, minute: noon.minute), record("earlier", day: noon.day, minute: noon.minute - 1),
                record("yesterday", day: noon.day - 1, minute: noon.minute - 1440),
                record(nil, day: noon.day, minute: noon.minute),
            ], at: noon)
        let used = counts.used(at: noon)
        #expect(used.map { $0.client?.text } == ["earlier", "today", nil])
        #expect(used.map(\.tokens) == [60, 60, 60])
        #expect(used.map(\.requests) == [0, 3, 3])
        #expect(used.map(\.refused) == [2, 2, 2])
        #expect(used.map(\.open) == [0, 0, 0])
        #expect(counts.tokensLeft(of: ClientName("today"), limits, at: noon) == 40)
    }
}
