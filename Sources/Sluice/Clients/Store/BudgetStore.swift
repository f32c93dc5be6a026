// Redis, in which several machines count together what clients use: one connection of a worker to it.

import Clock
import EventLoop
import HTTPClient
import Logging
import Settings

/// Asks the store for each request's share before an upstream is asked, and tells it afterwards what that came to, which nobody waits for.
///
/// It is connected to when there is something to ask, and kept. When it is away, or late, nobody waits for it: questions fail at once,
/// and it is tried again and again, ever more rarely, until it answers. On its loop's thread alone.
final class BudgetStore {
    let settings: BudgetStoreSettings
    private let nameLifetime: Duration
    private let loop: EventLoop
    private let logger: Logger

    /// How long a question waits for its answer.
    static let patience = Duration.milliseconds(250)
    /// Until it is connected to, and has let this worker in.
    private static let greetingTime = Duration.seconds(2)
    /// How long a late answer is waited for, by nobody but this, before the connection is given up.
    private static let lateTime = Duration.seconds(60)
    /// Between two times that it is tried, at first and at most.
    private static let (firstPause, longestPause) = (Duration.milliseconds(500), Duration.seconds(5))
    /// As many questions may be open, and so many debts on their way.
    private static let (questionsMax, debtsMax) = (1024, 64)

    private enum State { case idle, connecting, ready, resting }
    private var state = State.idle
    private var connection: PlainConnection?
    private var replies = StoreReplies()
    /// What answers are to come for, in their order.
    private var asked: [Asked] = []
    /// Questions of before there is a connection.
    private var waiting: [StoreQuestion] = []
    private var debts = StoreDebts()
    private var debtsUnderWay = 0
    /// Of whoever waits for all of them to be answered.
    private var settled: Wakeup?
    /// Whether nobody is to wait for it at present.
    private var isAway = false
    /// Whether something has failed since it answered last.
    private var hasFailed = false
    private var pause = BudgetStore.firstPause
    /// For what is next: an end of the patience with the connection, or another try.
    private var timer: Timer?

    fileprivate enum Asked {
        /// - Parameter isPassword: whether it is what the password was sent with.
        case greeting(isPassword: Bool)
        case question(StoreQuestion)
        case debt(StoreKey, StoreDebt)
    }

    init(_ settings: BudgetStoreSettings, nameLifetime: Duration, on loop: EventLoop, _ logger: Logger) {
        (self.settings, self.nameLifetime, self.loop, self.logger) = (settings, nameLifetime, loop, logger)
    }

    deinit {
        timer?.cancel()
        connection?.close()
        if !debts.isEmpty { logger.budgetStoreIsNotTold(debts.count) }
    }

    // MARK: Questions and debts

    /// Takes a request's share, or says that it may not have it, within the patience.
    func reserve(_ request: StoreRequest) async -> StoreAnswer {
        guard !isAway, asked.count + waiting.count < Self.questionsMax else { return .failed }
        let question = StoreQuestion(request, on: loop)
        ask(question)
        let deadline = loop.now + Self.patience
        while question.answer == nil, loop.now < deadline { await question.wakeup.wait(until: deadline) }
        if let answer = question.answer { return answer }
        question.isAbandoned = true
        isLate()
        return .failed
    }

    /// Counts what a request came to in the place of what was reserved for it.
    func settle(_ debt: StoreDebt, of key: StoreKey) {
        guard debt.reserved != debt.spent else { return }
        owe(debt, of: key)
        switch state {
        case .idle: connect()
        case .ready: sendDebts()
        case .connecting, .resting: break
        }
    }

    /// Tells it all that it has not been told, at an end. What takes longer than the limit, or waits for a store that is away, is left out.
    func settleAll(within limit: Duration) async {
        let (deadline, settled) = (loop.now + limit, Wakeup(on: loop))
        self.settled = settled
        if state == .idle, !debts.isEmpty { connect() }
        while !debts.isEmpty || debtsUnderWay > 0, !isAway, loop.now < deadline { await settled.wait(until: deadline) }
        self.settled = nil
        let count = exchange(&debts, with: StoreDebts()).count + debtsUnderWay
        if count > 0 { logger.budgetStoreIsNotTold(count) }
    }

    private func owe(_ debt: StoreDebt, of key: StoreKey) {
        if !debts.add(debt, of: key) { logger.budgetStoreIsNotTold(1) }
    }

    private func ask(_ question: StoreQuestion) {
        if state == .ready { return send(question) }
        waiting.append(question)
        if state == .idle { connect() }
    }

    private func send(_ question: StoreQuestion) {
        asked.append(.question(question))
        connection?.send(question.request.command)
    }

    private func sendDebts() {
        // What was of the day before yesterday means nothing any more.
        let oldest = CountedTime.now.day - 1
        // One that has failed is asked with a single debt whether it counts again.
        let countMax = hasFailed ? 1 : Self.debtsMax
        while state == .ready, debtsUnderWay < countMax, let (key, debt) = debts.popLast() {
            guard key.day >= oldest else { continue }
            debtsUnderWay += 1
            asked.append(.debt(key, debt))
            connection?.send(debt.command(key))
        }
    }

    // MARK: The connection

    private func connect() {
        state = .connecting
        replies = StoreReplies()
        setTimer(after: Self.greetingTime)
        let connection = PlainConnection(to: settings.place, nameLifetime: nameLifetime, on: loop) { [unowned self] event in
            switch event {
            case .connected: greet()
            case .bytes(let bytes): received(bytes)
            case .ended(let error): ended(error)
            }
        }
        self.connection = connection
        connection.start()
    }

    /// It is there when it answers.
    private func greet() {
        if let password = settings.password.text {
            greet(StoreCommand.authentication(settings.user, password), isPassword: true)
        }
        if settings.database != 0 { greet(StoreCommand.selection(database: settings.database)) }
        greet(StoreCommand.ping)
    }

    private func greet(_ command: [UInt8], isPassword: Bool = false) {
        asked.append(.greeting(isPassword: isPassword))
        connection?.send(command)
    }

    private func becameReady() {
        timer?.cancel()
        (state, isAway) = (.ready, false)
        for question in exchange(&waiting, with: []) where !question.isAbandoned { send(question) }
        sendDebts()
    }

    private func ended(_ error: HTTPError) {
        // A server may close connections that nobody uses.
        guard state == .ready, asked.isEmpty else { return fail("\(error)") }
        (state, connection) = (.idle, nil)
    }

    /// Somebody has waited for as long as one waits.
    private func isLate() {
        isAway = true
        hasFailed = true
        logger.budgetStoreFailed("no answer within \(Self.patience.setting)")
        if state == .ready, timer?.isSet != true { setTimer(after: Self.lateTime) }
    }

    /// All that was late has come by now.
    private func isNoLongerLate() {
        guard state == .ready, isAway, !asked.contains(where: \.isAbandoned) else { return }
        timer?.cancel()
        isAway = false
    }

    private func setTimer(after duration: Duration) {
        let timer = timer ?? Timer(on: loop) { [unowned self] in timePassed() }
        self.timer = timer
        timer.set(at: loop.now + duration)
    }

    private func timePassed() {
        switch state {
        case .idle: break
        case .connecting: fail("no connection within \(Self.greetingTime.setting)")
        case .ready: fail("no answer within \(Self.lateTime.setting)")
        case .resting: connect()
        }
    }

    /// - Parameters:
    ///   - reason: a phrase for the log.
    ///   - isRefusal: whether it has answered that it counts nothing at present: then neither does it what it was sent behind that.
    private func fail(_ reason: String, isRefusal: Bool = false) {
        logger.budgetStoreFailed(reason)
        connection?.close()
        (connection, state, isAway, hasFailed) = (nil, .resting, true, true)
        debtsUnderWay = 0
        // As all machines may do the same now, each at a time of its own.
        setTimer(after: pause * Double.random(in: 0.75...1.25))
        pause = min(pause * 2, Self.longestPause)
        for question in exchange(&waiting, with: []) { question.answered(.failed) }
        var lostCount = 0
        for asked in exchange(&asked, with: []) {
            switch asked {
            case .greeting: break
            case .question(let question): question.answered(.failed)
            // It may have counted that: what was used is told again, what was given back is not.
            case .debt(let key, let debt) where isRefusal || debt.spent > debt.reserved: owe(debt, of: key)
            case .debt: lostCount += 1
            }
        }
        if lostCount > 0 { logger.budgetStoreIsNotTold(lostCount) }
        settled?.wake()
    }

    // MARK: Answers

    private func received(_ bytes: [UInt8]) {
        var rest = bytes[...]
        do throws(StoreNonsense) {
            while connection != nil, let reply = try replies.next(in: &rest) {
                guard !asked.isEmpty else { throw StoreNonsense() }
                try take(reply, for: asked.removeFirst())
            }
        } catch {
            fail("it answers what is no answer of Redis")
        }
    }

    private func take(_ reply: StoreReply, for asked: Asked) throws(StoreNonsense) {
        switch (asked, reply) {
        case (.greeting, .done): if self.asked.isEmpty { becameReady() }
        // Whoever was sent a password may repeat it.
        case (.greeting, .error(let error)): fail(settings.password.text == nil ? error.words : error.kind)
        case (.question(let question), .number(let number)):
            guard let answer = question.request.answer(number) else { throw StoreNonsense() }
            take(answer, for: question)
        case (.question(let question), .error(let error)):
            question.answered(.failed)
            take(error)
        case (.debt, .number):
            debtsUnderWay -= 1
            answered()
            sendDebts()
            settled?.wake()
        case (.debt(let key, let debt), .error(let error)):
            debtsUnderWay -= 1
            settled?.wake()
            if error.isAboutQuestion { logger.budgetStoreIsNotTold(1) } else { owe(debt, of: key) }
            take(error)
        case (.greeting, .number), (.question, .done), (.debt, .done): throw StoreNonsense()
        }
    }

    private func take(_ answer: StoreAnswer, for question: StoreQuestion) {
        answered()
        guard question.isAbandoned else { return question.answered(answer) }
        // Whoever asked has gone on without it.
        if case .taken = answer {
            owe(StoreDebt(reserved: question.request.tokens, spent: 0), of: question.request.key)
            sendDebts()
        }
        isNoLongerLate()
    }

    /// Where it is not about what was asked for, whoever is there may not be the right one any more, as behind a name.
    private func take(_ error: StoreError) {
        guard error.isAboutQuestion else { return fail(error.words, isRefusal: true) }
        hasFailed = true
        logger.budgetStoreFailed(error.words)
        isNoLongerLate()
        sendDebts()
    }

    private func answered() {
        guard hasFailed, !asked.contains(where: \.isAbandoned) else { return }
        (hasFailed, pause) = (false, Self.firstPause)
        logger.budgetStoreIsBack()
    }
}

extension BudgetStore.Asked {
    fileprivate var isAbandoned: Bool { if case .question(let question) = self { question.isAbandoned } else { false } }
}

/// A request that waits to hear whether it may have its share.
final class StoreQuestion {
    let request: StoreRequest
    let wakeup: Wakeup
    private(set) var answer: StoreAnswer?
    /// Whether nobody waits any more.
    var isAbandoned = false

    init(_ request: StoreRequest, on loop: EventLoop) {
        self.request = request
        wakeup = Wakeup(on: loop)
    }

    func answered(_ answer: StoreAnswer) {
        self.answer = answer
        wakeup.wake()
    }
}
