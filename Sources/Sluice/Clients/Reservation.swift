// What a request holds of its client's limits, and gives back exactly once.

import Chat

/// What has become of a request that asked for its share.
enum ClientDecision: ~Copyable {
    case admitted(Reservation)
    case refused(ClientRefusal)
}

/// Which limit a client has reached.
enum ClientRefusal: Error {
    /// The tokens of its day are taken, or too few are left for this request.
    case tokens
    /// It has asked as often as it may in a minute.
    case requests
    /// As many of its requests are being answered as may be.
    case concurrent
}

extension ClientRefusal {
    /// What its caller is told.
    ///
    /// - Parameters:
    ///   - needed: the tokens that the request may need.
    ///   - limit: of its client's tokens of a day; nil for none.
    ///   - left: of them.
    func error(needing needed: Int, of limit: Int?, with left: Int?, at time: CountedTime) -> ChatError {
        switch self {
        case .tokens:
            if let limit, needed > limit {
                .tokensBeyondDay(needed: needed, limit: limit)
            } else {
                .tokensSpent(needed: needed, left: left ?? 0, retryAfter: time.untilNextDay)
            }
        case .requests: .tooManyRequests(retryAfter: time.untilNextMinute)
        case .concurrent: .tooManyAtOnce
        }
    }
}

/// A request's share: its place among those of its client that are answered at once, which is given back by its end, and the tokens that
/// it may need. One that is dropped before it was settled has taken none.
struct Reservation: ~Copyable {
    private(set) var estimate: TokenEstimate
    private let counts: ClientCounts
    private let row: ClientCounts.Row
    /// In which its tokens are counted.
    private let day: Int
    /// Of its client's tokens; nil for none.
    let limit: Int?
    /// What is taken at present.
    private(set) var tokens: Int
    private var isSettled = false

    init(
        of tokens: Int, _ estimate: TokenEstimate, of row: ClientCounts.Row, in counts: ClientCounts, day: Int, limit: Int?
    ) {
        (self.tokens, self.estimate, self.row, self.counts, self.day, self.limit) = (tokens, estimate, row, counts, day, limit)
    }

    /// It took so many tokens. Said again, the last counts.
    mutating func settle(_ spent: Int) {
        counts.replace(tokens, by: spent, of: row, countedIn: day)
        (tokens, isSettled) = (spent, true)
    }

    /// It has so many bytes more to ask than was known. They are taken whatever there is left.
    mutating func add(promptBytes count: Int) {
        estimate = estimate.adding(promptBytes: count)
        guard limit != nil else { return }
        counts.replace(tokens, by: estimate.total, of: row, countedIn: day)
        tokens = estimate.total
    }

    /// It is asked once more, and may need so many tokens in all.
    ///
    /// - Returns: whether its client had as many left; else it has what it had.
    mutating func take(inAll needed: Int) -> Bool {
        guard let limit, needed > tokens else { return true }
        guard counts.take(more: needed - tokens, of: row, within: limit, countedIn: day) else { return false }
        tokens = needed
        return true
    }

    /// What is taken by its end.
    var spent: Int { isSettled ? tokens : 0 }

    /// The request is not to be answered, by what others have counted: it was none of the minute's.
    ///
    /// - Parameter isRefused: whether that is its client's doing.
    func withdraw(isRefused: Bool, at time: CountedTime) { counts.withdraw(row, isRefused: isRefused, at: time) }

    /// What its client has left of the last day on which anything was counted; nil when that has no limit.
    var tokensLeft: Int? { limit.map { max(0, $0 - counts.latestTokens(of: row)) } }

    deinit {
        if !isSettled { counts.replace(tokens, by: 0, of: row, countedIn: day) }
        counts.leave(row)
    }
}

/// A reservation on the heap: the stream of a client without limits has no room for one.
final class ClientShare {
    private var reservation: Reservation
    /// What the store is to be asked; nil for nothing.
    let request: StoreRequest?
    /// What the store has of it; nil before it was asked.
    private var stored: StoredShare?
    private var isWaived = false

    init(_ reservation: consuming Reservation, _ request: StoreRequest?) {
        self.reservation = reservation
        self.request = request
    }

    deinit {
        guard let stored, let request, reservation.limit != nil else { return }
        stored.store.settle(StoreDebt(reserved: stored.reserved, spent: reservation.spent), of: request.key)
    }

    /// What is left by what the store has said last, where it has said something, else by this machine's own counts.
    var tokensLeft: Int? {
        guard let limit = reservation.limit, let stored, let others = stored.others else { return reservation.tokensLeft }
        return max(0, limit - others - reservation.tokens)
    }

    /// The store has been asked, and is to be told what the request came to.
    ///
    /// - Parameter used: what it has counted of the day, with this request; nil where it has not answered.
    func hold(in store: BudgetStore, used: Int?) {
        let reserved = used == nil ? 0 : request?.tokens ?? 0
        stored = StoredShare(store: store, reserved: reserved, others: used.map { max(0, $0 - reserved) })
    }

    /// As `Reservation.withdraw`.
    func withdraw(isRefused: Bool, at time: CountedTime) { reservation.withdraw(isRefused: isRefused, at: time) }

    /// As `Reservation.add`.
    func add(promptBytes count: Int) { reservation.add(promptBytes: count) }

    /// Another answer is to go on with one that has broken off. It takes the request once more, with what was said, and may be as long.
    ///
    /// - Parameter promptBytes: of what was said.
    /// - Returns: whether its client has as much left, by this machine's counts and by what the store has said last.
    func takeMore(behind cut: RequestRecord.Answer, promptBytes: Int) -> Bool {
        let estimate = reservation.estimate
        let needed = estimate.spent(cut, mayHaveBegun: true) + estimate.adding(promptBytes: promptBytes).total
        if let limit = reservation.limit, let others = stored?.others, others + needed > limit { return false }
        return reservation.take(inAll: needed)
    }

    /// It took nothing, and that is the last word.
    func waive() {
        reservation.settle(0)
        isWaived = true
    }

    /// It took what is known of its answer.
    ///
    /// - Parameters:
    ///   - cut: what there was of an answer that this one goes on with, which took its own.
    ///   - mayHaveBegun: as in `TokenEstimate.spent`.
    func settle(_ answer: RequestRecord.Answer, behind cut: RequestRecord.Answer? = nil, mayHaveBegun: Bool) {
        if isWaived { return }
        let estimate = reservation.estimate
        let spent = estimate.spent(answer, mayHaveBegun: mayHaveBegun)
        reservation.settle(spent + (cut.map { estimate.spent($0, mayHaveBegun: true) } ?? 0))
    }
}

extension TokenEstimate {
    fileprivate func spent(_ answer: RequestRecord.Answer, mayHaveBegun: Bool) -> Int {
        spent(
            answer.usage, bytesCount: answer.bytesCount, eventsCount: answer.eventsCount, mayHaveBegun: mayHaveBegun)
    }
}

/// What a store has of a request.
private struct StoredShare {
    let store: BudgetStore
    let reserved: Int
    /// What it has counted of the day beside that; nil where it has not answered.
    let others: Int?
}
