import Chat
import Testing

@testable import Sluice

/// What is counted in a day or a minute, in virtual time.
@Suite struct SpanCountTests {
    struct Row: Sendable {
        let (former, formerSpan): (Int, Int)
        let (amount, limit, span): (Int, Int?, Int)
        /// Nil for a refusal.
        let count: Int?

        init(_ former: Int, in formerSpan: Int, adding amount: Int, within limit: Int?, in span: Int, gives count: Int?) {
            (self.former, self.formerSpan) = (former, formerSpan)
            (self.amount, self.limit, self.span, self.count) = (amount, limit, span, count)
        }
    }

    @Test(arguments: [
        Row(0, in: 0, adding: 1, within: 1, in: 7, gives: 1),
        Row(1, in: 7, adding: 1, within: 1, in: 7, gives: nil),
        Row(1, in: 7, adding: 1, within: nil, in: 7, gives: 2),
        Row(5, in: 7, adding: 5, within: 10, in: 7, gives: 10),
        Row(5, in: 7, adding: 6, within: 10, in: 7, gives: nil),
        // A limit that was lowered meanwhile.
        Row(50, in: 7, adding: 0, within: 10, in: 7, gives: nil),
        // A span later all begins anew; a span earlier, by a clock that is behind another, it does not.
        Row(10, in: 7, adding: 5, within: 10, in: 8, gives: 5),
        Row(10, in: 8, adding: 1, within: 10, in: 7, gives: nil),
        Row(4, in: 8, adding: 1, within: 10, in: 7, gives: 5),
        // The clock was set back by more than that.
        Row(10, in: 9, adding: 1, within: 10, in: 7, gives: 1),
        // Neither less than nothing nor more than there is room for.
        Row(3, in: 7, adding: -9, within: 10, in: 7, gives: 3),
        Row(SpanCount.countMax, in: 7, adding: .max, within: nil, in: 7, gives: SpanCount.countMax),
        Row(1, in: 7, adding: .max, within: 10, in: 7, gives: nil),
    ])
    func `adds what there is room for`(row: Row) {
        let next = SpanCount(row.former, in: row.formerSpan).adding(row.amount, within: row.limit, in: row.span)
        #expect(next?.count(in: row.span) == row.count)
    }

    @Test func `counts on in the span that a clock ahead of this one has begun`() {
        #expect(SpanCount(4, in: 8).adding(1, within: nil, in: 7) == SpanCount(5, in: 8))
    }

    @Test(arguments: [
        // Of 100 the 40 that were reserved become 15, or 70, or none.
        (7, 40, 15, 75), (7, 40, 70, 130), (7, 40, 0, 60),
        // What was reserved the day before is over with it, and what was the day after is not there any more.
        (6, 40, 15, 100), (5, 40, 15, 100), (8, 40, 15, 100),
        // Nobody gives back more than there is.
        (7, 400, 0, 0), (7, -5, 0, 100), (7, 0, -5, 100), (7, 0, .max, SpanCount.countMax),
    ])
    func `puts what was used in the place of what was reserved`(span: Int, former: Int, next: Int, count: Int) {
        #expect(SpanCount(100, in: 7).replacing(former, by: next, countedIn: span) == SpanCount(count, in: 7))
    }

    @Test(arguments: [(0, 0), (1, 20_786), (SpanCount.countMax, 29_931_840)])
    func `is the same behind its word`(count: Int, span: Int) {
        let whole = SpanCount(count, in: span)
        #expect(SpanCount(word: whole.word) == whole)
        #expect((whole.count, whole.span) == (count, span))
    }

    @Test(arguments: [
        (0, 0, 0, 60, 86_400), (59, 0, 0, 1, 86_341), (60, 1, 0, 60, 86_340), (86_399, 1439, 0, 1, 1),
        (86_400, 1440, 1, 60, 86_400),
    ])
    func `begins at the whole minute and at midnight UTC`(second: Int, minute: Int, day: Int, toMinute: Int, toDay: Int) {
        let time = CountedTime(second: second)
        #expect((time.minute, time.day) == (minute, day))
        #expect(time.untilNextMinute == .seconds(toMinute))
        #expect(time.untilNextDay == .seconds(toDay))
    }
}

@Suite struct TokenEstimateTests {
    @Test(
        arguments: [
            (0, nil, 1, 1024), (1, nil, 1, 1025), (4, 10, 1, 11), (5, 10, 1, 12), (400, 10, 3, 130), (400, nil, 2, 2148),
            (400, 0, 1, 100),
            (400, -7, 1, 100), (400, 10, -3, 110), (400, .max, 1, SpanCount.countMax), (400, .max, .max, SpanCount.countMax),
        ] as [(Int, Int?, Int, Int)])
    func `of a request is a token for each four bytes, and what its answers may have`(
        bytes: Int, answerMax: Int?, choices: Int, total: Int
    ) {
        #expect(TokenEstimate(promptBytes: bytes, answerMax: answerMax, choicesCount: choices).total == total)
    }

    struct Row: Sendable {
        let usage: String?
        let (bytes, events, mayHaveBegun): (Int, Int, Bool)
        let spent: Int

        init(_ usage: String? = nil, bytes: Int = 0, events: Int = 0, mayHaveBegun: Bool = false, spent: Int) {
            (self.usage, self.bytes, self.events, self.mayHaveBegun, self.spent) = (usage, bytes, events, mayHaveBegun, spent)
        }
    }

    @Test(arguments: [
        Row(#"{"usage":{"prompt_tokens":7,"completion_tokens":5}}"#, bytes: 9000, events: 9, spent: 12),
        Row(#"{"usage":{"prompt_tokens":0,"completion_tokens":0}}"#, bytes: 9000, spent: 0),
        Row("{\"usage\":{\"prompt_tokens\":\(Int.max),\"completion_tokens\":5}}", spent: SpanCount.countMax + 5),
        // Nothing has come, and nothing can have been done; or a prompt may have been read.
        Row(spent: 0), Row(mayHaveBegun: true, spent: 100),
        // One object; events, of which each has what a token's has, or more in it.
        Row(bytes: 400, spent: 200), Row(bytes: 512, events: 2, spent: 102), Row(bytes: 100, events: 2, spent: 102),
        Row(bytes: 912, events: 2, spent: 202),
    ])
    func `of what a request took is what the upstream says, or goes by the bytes`(row: Row) {
        let usage = row.usage.flatMap { TokenUsage(Array($0.utf8).span) }
        #expect((usage == nil) == (row.usage == nil))
        let estimate = TokenEstimate(promptBytes: 400, answerMax: 50, choicesCount: 1)
        let spent = estimate.spent(usage, bytesCount: row.bytes, eventsCount: row.events, mayHaveBegun: row.mayHaveBegun)
        #expect(spent == row.spent)
    }
}
