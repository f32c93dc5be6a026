import Chat
import EventLoop
import FastCGI
import Glibc
import Testing

@testable import Settings
@testable import Sluice

/// What clients may use, in virtual time.
@Suite struct ClientCountsTests {
    private let noon = CountedTime(second: 20_000 * 86_400 + 12 * 3600)

    private func limits(tokens: Int? = nil, requests: Int? = nil, concurrent: Int? = nil) -> ClientSettings {
        var limits = ClientSettings(match: ModelPattern("*"))
        (limits.tokensPerDay, limits.requestsPerMinute, limits.concurrentMax) = (tokens, requests, concurrent)
        return limits
    }

    private func estimate(_ tokens: Int) -> TokenEstimate {
        TokenEstimate(promptBytes: 0, answerMax: tokens, choicesCount: 1)
    }

    /// What a request finds; it is over at once, and took what it had reserved or what is said.
    private func found(
        _ counts: ClientCounts, _ limits: ClientSettings, by client: String? = "a", tokens: Int = 0, took: Int? = nil,
        at time: CountedTime
    ) -> ClientRefusal? {
        switch counts.enter(ClientName(client), limits, estimate(tokens), at: time) {
        case .admitted(var reservation):
            reservation.settle(took ?? tokens)
            return nil
        case .refused(let refusal): return refusal
        }
    }

    @Test func `a day's tokens are those of prompts and answers, and come anew at midnight`() throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 100))
        #expect(found(counts, limits, tokens: 60, took: 30, at: noon) == nil)
        #expect(found(counts, limits, tokens: 70, took: 69, at: noon) == nil)
        #expect(found(counts, limits, tokens: 2, at: noon) == .tokens)
        #expect(counts.tokensLeft(of: ClientName("a"), limits, at: noon) == 1)
        let nextDay = CountedTime(second: noon.second + 12 * 3600)
        #expect(counts.tokensLeft(of: ClientName("a"), limits, at: nextDay) == 100)
        #expect(found(counts, limits, tokens: 100, at: nextDay) == nil)
    }

    @Test(arguments: [(100, true), (101, false)]) func `a refusal says whether the next day has room`(needed: Int, hasRoom: Bool)
    {
        let error = ClientRefusal.tokens.error(needing: needed, of: 100, with: 7, at: noon)
        #expect(
            error
                == (hasRoom
                    ? .tokensSpent(needed: needed, left: 7, retryAfter: .seconds(12 * 3600))
                    : .tokensBeyondDay(needed: needed, limit: 100)))
    }

    @Test func `a minute's requests come anew with the minute of the clock, and one that is refused is none of them`() throws {
        let counts = try ClientCounts()
        for _ in 0..<2 { #expect(found(counts, limits(tokens: 5, requests: 2), tokens: 9, at: noon) == .tokens) }
        for _ in 0..<2 { #expect(found(counts, limits(requests: 2), at: noon) == nil) }
        #expect(found(counts, limits(requests: 2), at: CountedTime(second: noon.second + 59)) == .requests)
        #expect(found(counts, limits(requests: 2), at: CountedTime(second: noon.second + 60)) == nil)
    }

    @Test func `a place among those that are answered at once is given back by the end of the request`() throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 10, concurrent: 1))
        do {
            let open = counts.enter(ClientName("a"), limits, estimate(9), at: noon)
            #expect(found(counts, limits, at: noon) == .concurrent)
            #expect(counts.tokensLeft(of: ClientName("a"), limits, at: noon) == 1)
            _ = consume open
        }
        // It was never settled, and so has taken nothing.
        #expect(counts.tokensLeft(of: ClientName("a"), limits, at: noon) == 10)
        for _ in 0..<3 { #expect(found(counts, limits, at: noon) == nil) }
    }

    @Test(arguments: [100, nil]) func `what a hook puts in is taken too, and given back where it is not needed`(limit: Int?)
        throws
    {
        let (counts, limits) = (try ClientCounts(), limits(tokens: limit, concurrent: 1))
        guard case .admitted(var reservation) = counts.enter(ClientName("a"), limits, estimate(60), at: noon) else {
            Issue.record("it has its share")
            return
        }
        // Four bytes are a token, and more than there is left is taken all the same.
        for left in [10, 0] {
            reservation.add(promptBytes: 120)
            #expect(reservation.tokensLeft == (limit == nil ? nil : left))
        }
        #expect(reservation.estimate.spent(nil, bytesCount: 0, eventsCount: 0, mayHaveBegun: true) == 60)
        reservation.settle(0)
        #expect(reservation.tokensLeft == limit)
    }

    /// What it needs in all for another answer, whether that is there beside what others have taken, and what is left then.
    @Test(arguments: [(60, true, 20), (80, true, 0), (81, false, 20), (10, true, 20)])
    func `more is taken for one that is asked once more, or nothing`(needed: Int, isThere: Bool, left: Int) throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 100))
        guard case .admitted(var reservation) = counts.enter(ClientName("a"), limits, estimate(60), at: noon) else {
            Issue.record("it has its share")
            return
        }
        #expect(found(counts, limits, tokens: 20, at: noon) == nil)
        #expect(reservation.take(inAll: needed) == isThere)
        #expect(reservation.tokensLeft == left)
        reservation.settle(50)
        #expect(reservation.tokensLeft == 30)
    }

    /// What it took, or nil for one that ends without a word.
    @Test(arguments: [0, 30, 90, nil]) func `what began yesterday takes nothing of today, and gives it nothing`(took: Int?) throws
    {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 100))
        let midnight = CountedTime(second: noon.second + 12 * 3600)
        guard case .admitted(var reservation) = counts.enter(ClientName("a"), limits, estimate(80), at: noon) else {
            Issue.record("it has its share")
            return
        }
        #expect(found(counts, limits, tokens: 60, at: midnight) == nil)
        if let took { reservation.settle(took) }
        // Whoever asks has what is left today.
        #expect(reservation.tokensLeft == 40)
        _ = consume reservation
        #expect(counts.tokensLeft(of: ClientName("a"), limits, at: midnight) == 40)
    }

    @Test func `one without a limit reserves nothing, whatever it asks for`() throws {
        let (counts, limits) = (try ClientCounts(), limits())
        #expect(found(counts, limits, tokens: 5000, at: noon) == nil)
        let open = (0..<2).map { _ in counts.enter(ClientName("a"), limits, estimate(.max), at: noon).isAdmittedAndOver() }
        #expect(open == [true, true])
        #expect(counts.used(at: noon).map(\.tokens) == [5000])
    }

    /// A clock behind another's counts in the day that the other has begun.
    @Test func `what was reserved in a day that another clock had begun is settled there`() throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 100))
        let midnight = CountedTime(second: noon.second + 12 * 3600)
        #expect(found(counts, limits, tokens: 10, at: midnight) == nil)
        #expect(found(counts, limits, tokens: 80, took: 20, at: CountedTime(second: midnight.second - 1)) == nil)
        #expect(counts.tokensLeft(of: ClientName("a"), limits, at: midnight) == 70)
    }

    @Test func `whoever brings a client's first requests at once finds it in one place`() async throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 2))
        for round in 0..<2000 {
            let taken = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask { found(counts, limits, by: "client \(round)", tokens: 1, at: noon) == nil ? 1 : 0 }
                }
                return await group.reduce(0, +)
            }
            #expect(taken == 2)
        }
        let names = counts.used(at: noon).compactMap { $0.client?.bytes }
        #expect(names.count == 2000 && Set(names).count == 2000)
    }

    @Test(
        arguments: [
            (["a", "b"], false), (["a", "a "], false), (["", "a"], false), ([nil, ""], true),
            // Of names that are none, nobody knows whose they are.
            ([String(repeating: "x", count: 129), String(repeating: "y", count: 400)], true),
            ([String(repeating: "x", count: 128), String(repeating: "x", count: 127)], false),
        ] as [([String?], Bool)])
    func `clients do not touch one another`(names: [String?], areOne: Bool) throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 10))
        #expect(found(counts, limits, by: names[0], tokens: 10, at: noon) == nil)
        #expect(found(counts, limits, by: names[1], tokens: 10, at: noon) == (areOne ? .tokens : nil))
    }

    @Test func `clients beyond those that there is room for have one count in common`() throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 10))
        for number in 0..<(4 * ClientCounts.rowsMax) { _ = found(counts, limits, by: "client \(number)", tokens: 10, at: noon) }
        // Of those that are new now some find a place, and all others have nothing left.
        #expect(found(counts, limits, by: "another", tokens: 10, at: noon) == .tokens)
        #expect(found(counts, limits, by: "one more", tokens: 10, at: noon) == .tokens)
        // On the next day there is room again.
        let nextDay = CountedTime(second: noon.second + 24 * 3600)
        #expect(found(counts, limits, by: "another", tokens: 10, at: nextDay) == nil)
        #expect(found(counts, limits, by: "one more", tokens: 10, at: nextDay) == nil)
    }

    @Test func `threads that take at once take no more than there is`() async throws {
        let (counts, limits) = (try ClientCounts(), limits(tokens: 1000))
        let taken = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<400).count { _ in found(counts, limits, tokens: 1, at: noon) == nil }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(taken == 1000)
    }

    @Test func `several processes count together, and one that has ended answers nothing any more`() throws {
        let (master, limits) = (try ClientCounts(slotsCount: 4), limits(tokens: 100, concurrent: 2))
        let processes = try (0..<2).map { slot in
            let number = fcntl(master.number, F_DUPFD_CLOEXEC, 0)
            return try ClientCounts(Descriptor(owning: number), slot: slot, slotsCount: 4)
        }
        #expect(found(processes[0], limits, tokens: 60, at: noon) == nil)
        #expect(found(processes[1], limits, tokens: 60, at: noon) == .tokens)
        let first = processes[0].enter(ClientName("a"), limits, estimate(1), at: noon)
        let second = processes[1].enter(ClientName("a"), limits, estimate(1), at: noon)
        #expect(found(processes[1], limits, at: noon) == .concurrent)
        master.clear(slot: 0)
        #expect(found(processes[1], limits, at: noon) == nil)
        _ = consume second
        _ = consume first
    }

    @Test func `a process that is killed while it makes a place somebody's leaves it to others`() throws {
        let (master, limits) = (try ClientCounts(slotsCount: 4), limits(tokens: 100))
        let number = try SystemError.check("dup", dup(master.number))
        let words = try SharedWords(Descriptor(owning: number))
        // Each place, behind what stands ahead of all, is the first process's, which does not come to an end with it.
        for row in 0..<ClientCounts.rowsMax { words[8 + row] = 1 }
        #expect(found(master, limits, by: "a", tokens: 60, at: noon) == nil)
        #expect(found(master, limits, by: "b", tokens: 60, at: noon) == .tokens)
        master.clear(slot: 0)
        for client in ["a", "b"] { #expect(found(master, limits, by: client, tokens: 60, at: noon) == nil) }
        #expect(master.used(at: noon).compactMap { $0.client?.text } == ["a", "b"])
    }

    @Test func `names are told apart by SipHash`() {
        // The authors' own vectors: the key is 00 01 … 0F, and the name 00 01 … of each length.
        let hash = NameHash(key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
        #expect(hash([]) == 0x726F_DB47_DD0E_0E31)
        #expect(hash([0]) == 0x74F8_39C5_93DC_67FD)
        #expect(hash(Array(0..<15)) == 0xA129_CA61_49BE_45E5)
    }
}

@Suite struct ClientRulesTests {
    private func rules(_ names: String...) -> ClientRules? {
        var settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: [], models: [])
        settings.clients = names.map { ClientSettings(match: ModelPattern($0)) }
        return ClientRules(settings)
    }

    @Test(
        arguments: [
            ("shop", "shop"), ("shop-1", "shop-*"), ("shop-12", "shop-*"), ("kiosk", "k?osk"), ("other", "*"), (nil, "*"),
            ("", "*"),
            (String(repeating: "shop-", count: 40), "*"),
        ] as [(String?, String)])
    func `a client's own name counts before patterns, and what is for all after them`(client: String?, match: String) {
        #expect(rules("*", "shop-*", "k?osk", "shop")?[ClientName(client)]?.match.description == match)
    }

    @Test func `a client that no table fits has no limits`() {
        #expect(rules("shop", "kiosk-*")?[ClientName("other")] == nil)
        #expect(rules("shop", "kiosk-*")?[ClientName(nil)] == nil)
        #expect(rules() == nil)
    }
}

extension ClientDecision {
    /// Whether it was, of one that is over at once.
    fileprivate consuming func isAdmittedAndOver() -> Bool {
        if case .admitted = self { true } else { false }
    }
}
