import Testing

@testable import Choosing

@Suite struct ConcurrencyLimitTests {
    /// - Returns: the ticket of one that has to wait.
    private func queued(_ limit: inout ConcurrencyLimit) throws -> ConcurrencyLimit.Ticket {
        guard case .queued(let ticket) = limit.enter() else {
            Issue.record("nothing to wait for")
            throw CancellationError()
        }
        return ticket
    }

    @Test func `so many enter, the next wait, and then it is full`() throws {
        var limit = ConcurrencyLimit(2, queueMax: 1)
        #expect(limit.enter() == .entered && limit.hasRoom && limit.enter() == .entered && !limit.hasRoom)
        _ = try queued(&limit)
        #expect(limit.enter() == .full && limit.runningCount == 2)
    }

    @Test func `those who wait enter in the order of their coming`() throws {
        var limit = ConcurrencyLimit(1)
        _ = limit.enter()
        let tickets = try [queued(&limit), queued(&limit), queued(&limit)]
        #expect(limit.leave() == tickets[0] && limit.leave() == tickets[1] && limit.leave() == tickets[2])
        #expect(limit.runningCount == 1)
        #expect(limit.leave() == nil && limit.runningCount == 0 && limit.enter() == .entered)
    }

    @Test func `who waited too long is not let in`() throws {
        var limit = ConcurrencyLimit(1)
        _ = limit.enter()
        let (first, second) = try (queued(&limit), queued(&limit))
        let isWithdrawn = limit.withdraw(first)
        #expect(isWithdrawn && limit.leave() == second)
    }

    @Test func `who was let in at that moment has a place to give back`() throws {
        var limit = ConcurrencyLimit(1)
        _ = limit.enter()
        let ticket = try queued(&limit)
        #expect(limit.leave() == ticket)
        #expect(!limit.withdraw(ticket) && limit.runningCount == 1)
        #expect(limit.leave() == nil && limit.runningCount == 0)
    }

    @Test func `who may not wait is turned away at once`() {
        var limit = ConcurrencyLimit(1)
        #expect(limit.enter(mayWait: false) == .entered && limit.enter(mayWait: false) == .full)
    }

    @Test func `without a limit all enter, and are counted`() {
        var limit = ConcurrencyLimit()
        for _ in 0..<1000 { #expect(limit.enter() == .entered) }
        #expect(limit.runningCount == 1000 && limit.hasRoom)
    }

    @Test func `more places go to those who wait, in the order of their coming`() throws {
        var limit = ConcurrencyLimit(1)
        _ = limit.enter()
        let tickets = try [queued(&limit), queued(&limit), queued(&limit)]
        #expect(limit.change(to: 3, queueMax: 100) == Array(tickets.prefix(2)) && limit.runningCount == 3)
        #expect(limit.change(to: nil, queueMax: 100) == [tickets[2]] && limit.hasRoom)
    }

    @Test func `fewer places take none away, and nobody enters until enough are given back`() throws {
        var limit = ConcurrencyLimit(3)
        for _ in 0..<3 { _ = limit.enter() }
        let ticket = try queued(&limit)
        #expect(limit.change(to: 1, queueMax: 100) == [] && limit.runningCount == 3 && !limit.hasRoom)
        #expect(limit.leave() == nil && limit.leave() == nil)
        #expect(limit.leave() == ticket && limit.runningCount == 1)
    }

    @Test func `a shorter queue sends nobody away who waits, and a longer one lets more wait`() throws {
        var limit = ConcurrencyLimit(1, queueMax: 2)
        _ = limit.enter()
        let tickets = try [queued(&limit), queued(&limit)]
        #expect(limit.change(to: 1, queueMax: 1) == [] && limit.enter() == .full)
        #expect(limit.leave() == tickets[0] && limit.enter() == .full)
        #expect(limit.change(to: 1, queueMax: 2) == [])
        _ = try queued(&limit)
        #expect(limit.leave() == tickets[1])
    }
}
