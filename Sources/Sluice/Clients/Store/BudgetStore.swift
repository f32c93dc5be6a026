// Redis, in which several machines count together what clients use: one connection of a worker to it.

import Clock
import EventLoop
import HTTPClient
import Logging
import Settings

/// Asks the store for each request's share before an upstream is asked, and tells it afterwards what that came to, which nobody waits for.
///
/// It is connected to as soon as its settings are in force, and kept so: the log and the status tell how it does before anybody asks. When
/// it is away, or late, nobody waits for it: questions fail at once, and it is tried again and again, ever more rarely, until it answers.
/// On its loop's thread alone.
final class BudgetStore {
    private var settings: BudgetStoreSettings
    private var nameLifetime = Duration.zero
    private let health: StoreHealth
    private let loop: EventLoop
    private let logger: Logger

    /// How long a question waits for its answer.
    static let patience = Duration.milliseconds(250)
    /// Until it is connected to, and has let this worker in.
    private static let greetingTime = Duration.seconds(2)
    /// How long any answer is waited for, by nobody but this, before the connection is given up.
    private static let lateTime = Duration.seconds(5)
    /// Between two times that it is tried, at first and at most.
    private static let (firstPause, longestPause) = (Duration.milliseconds(500), Duration.seconds(5))
    /// As many questions may be open, and so many debts on their way.
    private static let (questionsMax, debtsMax) = (1024, 64)

    private enum State {
        /// There is nothing to do: before it is in force, and when others are asked and it owes nothing.
        case idle
        case connecting
        case ready
        /// All that was asked is to be answered, and then it is connected to by other settings.
        case leaving
        /// Until it is tried again.
        case resting
    }
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
    /// Whether others are asked from now on.
    private var isRetired = false
    private var pause = BudgetStore.firstPause
    /// For what is next: an end of the patience with the connection, or another try.
    private var timer: Timer?

    fileprivate enum Asked {
        /// What the password was sent with.
        case login
        case selection
        /// Whether it counts for this worker.
        case trial
        case question(StoreQuestion)
        case debt(StoreKey, StoreDebt)
        /// A request of a minute that is none of it.
        case withdrawal
    }

    init(_ settings: BudgetStoreSettings, _ health: StoreHealth, on loop: EventLoop, _ logger: Logger) {
        (self.settings, self.health, self.loop, self.logger) = (settings, health, loop, logger)
    }

    deinit {
        timer?.cancel()
        connection?.close()
        if owesCount > 0 { logger.budgetStoreIsNotTold(owesCount) }
    }

    // MARK: Settings

    func isSamePlace(as other: BudgetStoreSettings) -> Bool { settings.isSamePlace(as: other) }

    /// From now on it goes by these settings, of the same place. What it owes is told by them, and what was asked is answered.
    func takeEffect(_ settings: BudgetStoreSettings, nameLifetime: Duration) {
        let isChanged = settings != self.settings
        (self.settings, self.nameLifetime) = (settings, nameLifetime)
        if isChanged { pause = Self.firstPause }
        switch state {
        case .idle: connect()
        case .connecting where isChanged, .resting where isChanged: connectAnew()
        case .ready where isChanged:
            state = .leaving
            leaveIfAnswered()
        case .connecting, .ready, .leaving, .resting: break
        }
    }

    /// From now on others are asked. What it owes, and what open requests will come to, it is told as long as it answers.
    func retire() {
        isRetired = true
        if state == .resting { giveUp() }
        closeIfTold()
    }

    /// Whether there is anything that it has not been told.
    var owes: Bool { owesCount > 0 }

    private var owesCount: Int { debts.count + debtsUnderWay }

    // MARK: Questions and debts

    /// Takes a request's share, or says that it may not have it, within the patience.
    func reserve(_ request: StoreRequest) async -> StoreAnswer {
        guard !isAway, asked.count + waiting.count < Self.questionsMax else { return .failed }
        let question = StoreQuestion(request, on: loop)
        ask(question)
        let deadline = Instant.current + Self.patience
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
        if state == .ready { sendDebts() } else { connectUnlessAway() }
    }

    /// Tells it all that it has not been told, at an end. What takes longer, or waits for a store that is away, is left out.
    func settleAll(until deadline: Instant) async {
        let settled = Wakeup(on: loop)
        self.settled = settled
        if owes { connectUnlessAway() }
        while owes, !isAway, loop.now < deadline { await settled.wait(until: deadline) }
        self.settled = nil
        giveUp()
    }

    private func owe(_ debt: StoreDebt, of key: StoreKey) {
        if !debts.add(debt, of: key) { logger.budgetStoreIsNotTold(1) }
    }

    private func ask(_ question: StoreQuestion) {
        if state == .ready { return send(question) }
        waiting.append(question)
        connectUnlessAway()
    }

    private func send(_ question: StoreQuestion) { send(question.request.command, .question(question)) }

    private func send(_ command: [UInt8], _ asked: Asked) {
        self.asked.append(asked)
        connection?.send(command)
        if state == .ready, timer?.isSet != true { setTimer(after: Self.lateTime) }
    }

    private func sendDebts() {
        // What was of the day before yesterday means nothing any more.
        let oldest = CountedTime.now.day - 1
        while state == .ready, debtsUnderWay < Self.debtsMax, let (key, debt) = debts.popLast() {
            guard key.day >= oldest else { continue }
            debtsUnderWay += 1
            send(debt.command(key), .debt(key, debt))
        }
    }

    // MARK: The connection

    /// One that rests though it has not failed was closed as nobody used it.
    private func connectUnlessAway() {
        if state == .idle || state == .resting && !isAway { connect() }
    }

    private func connectAnew() {
        connection?.close()
        asked = []
        connect()
    }

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

    private func greet() {
        if let password = settings.password.text {
            send(StoreCommand.authentication(settings.user, password), .login)
        }
        if settings.database != 0 { send(StoreCommand.selection(database: settings.database), .selection) }
        send(StoreCommand.trial, .trial)
    }

    private func becameReady() {
        timer?.cancel()
        (state, isAway) = (.ready, false)
        works()
        for question in exchange(&waiting, with: []) where !question.isAbandoned { send(question) }
        sendDebts()
    }

    private func leaveIfAnswered() {
        if state == .leaving, asked.isEmpty { connectAnew() }
    }

    /// Others are asked, and it is connected to again when an open request has come to something.
    private func closeIfTold() {
        if isRetired, state == .ready, asked.isEmpty { giveUp() }
    }

    private func ended(_ error: HTTPError) {
        // A server may close connections that nobody uses: then it is there for another one.
        guard state == .ready, asked.isEmpty else {
            if case .cutOff = error { return fail("it has closed the connection") }
            return fail("\(error)")
        }
        connection = nil
        rest()
    }

    /// Until it is tried again, unless there is nothing to try it for.
    private func rest() {
        guard !isRetired else { return state = .idle }
        state = .resting
        // As all machines may do the same now, each at a time of its own.
        setTimer(after: pause * Double.random(in: 0.75...1.25))
    }

    /// Somebody has waited for as long as one waits.
    private func isLate() {
        isAway = true
        failed("no answer within \(Self.patience.setting)")
    }

    /// All that was late has come by now.
    private func isNoLongerLate() {
        guard state == .ready || state == .leaving, isAway, !asked.contains(where: \.isAbandoned) else { return }
        isAway = false
        works()
    }

    private func setTimer(after duration: Duration) {
        let timer = timer ?? Timer(on: loop) { [unowned self] in timePassed() }
        self.timer = timer
        timer.set(at: .current + duration)
    }

    private func timePassed() {
        switch state {
        case .idle: break
        case .connecting: fail("no connection within \(Self.greetingTime.setting)")
        case .ready, .leaving: fail("no answer within \(Self.lateTime.setting)")
        case .resting: connect()
        }
    }

    /// - Parameters:
    ///   - reason: a phrase for the log.
    ///   - isRefusal: whether it has answered that it counts nothing at present: then neither does it what it was sent behind that.
    private func fail(_ reason: String, isRefusal: Bool = false) {
        failed(reason)
        connection?.close()
        (connection, isAway) = (nil, true)
        debtsUnderWay = 0
        for question in exchange(&waiting, with: []) { question.answered(.failed) }
        var lostCount = 0
        for asked in exchange(&asked, with: []) {
            switch asked {
            case .login, .selection, .trial, .withdrawal: break
            case .question(let question): question.answered(.failed)
            // It may have counted that: what was used is told again, what was given back is not.
            case .debt(let key, let debt) where isRefusal || debt.spent > debt.reserved: owe(debt, of: key)
            case .debt: lostCount += 1
            }
        }
        if lostCount > 0 { logger.budgetStoreIsNotTold(lostCount) }
        if isRetired { giveUp() } else { rest() }
        pause = min(pause * 2, Self.longestPause)
        settled?.wake()
    }

    /// What it has not been told by now is left out, and nobody is to wait for anything any more.
    private func giveUp() {
        timer?.cancel()
        connection?.close()
        (connection, state, asked) = (nil, .idle, [])
        let count = owesCount
        (debts, debtsUnderWay) = (StoreDebts(), 0)
        if count > 0 { logger.budgetStoreIsNotTold(count) }
    }

    // MARK: How it does

    private func failed(_ reason: String) {
        let isFirst = !exchange(&hasFailed, with: true)
        if !isRetired { health.failed(reason, isFirst: isFirst) }
    }

    private func works() {
        let hadFailed = exchange(&hasFailed, with: false)
        if !isRetired { health.works(hadFailed: hadFailed) }
    }

    // MARK: Answers

    private func received(_ bytes: [UInt8]) {
        var rest = bytes[...]
        do throws(StoreNonsense) {
            while connection != nil, let reply = try replies.next(in: &rest) {
                guard let first = asked.first, first.isAnswered(by: reply) else { throw StoreNonsense() }
                asked.removeFirst()
                take(reply, for: first)
            }
        } catch {
            fail("it answers what is no answer of Redis")
        }
        if state == .ready || state == .leaving {
            if asked.isEmpty { timer?.cancel() } else { setTimer(after: Self.lateTime) }
        }
        leaveIfAnswered()
        closeIfTold()
    }

    /// - Parameter reply: one that may answer it.
    private func take(_ reply: StoreReply, for asked: Asked) {
        switch (asked, reply) {
        case (.login, .error(let error)): fail(error.wordsOfLogin)
        case (.selection, .error(let error)), (.trial, .error(let error)): fail(words(of: error))
        case (.trial, _): becameReady()
        case (.question(let question), .number(let number)):
            pause = Self.firstPause
            take(question.request.answer(number) ?? .failed, for: question)
        case (.question(let question), .error(let error)):
            question.answered(.failed)
            take(error, about: question.request.client.bytes)
        case (.debt, .number):
            debtsUnderWay -= 1
            pause = Self.firstPause
            sendDebts()
            settled?.wake()
        case (.debt(let key, let debt), .error(let error)):
            debtsUnderWay -= 1
            settled?.wake()
            if error.isAboutQuestion { logger.budgetStoreIsNotTold(1) } else { owe(debt, of: key) }
            take(error, about: key.client)
        // Its minute is over soon.
        case (.withdrawal, .error(let error)): if !error.isAboutQuestion { fail(words(of: error), isRefusal: true) }
        case (.login, _), (.selection, _), (.withdrawal, _), (.question, .done), (.debt, .done): break
        }
    }

    private func take(_ answer: StoreAnswer, for question: StoreQuestion) {
        guard question.isAbandoned else { return question.answered(answer) }
        // Whoever asked has gone on without it.
        if case .taken = answer { giveBack(question.request) }
        isNoLongerLate()
    }

    private func giveBack(_ request: StoreRequest) {
        if let command = request.withdrawalCommand { send(command, .withdrawal) }
        guard request.tokens > 0 else { return }
        owe(StoreDebt(reserved: request.tokens, spent: 0), of: request.key)
        sendDebts()
    }

    /// Where it is not about what was asked for, whoever is there may not be the right one any more, as behind a name.
    ///
    /// - Parameter client: whose key it was.
    private func take(_ error: StoreError, about client: [UInt8]) {
        guard error.isAboutQuestion else { return fail(words(of: error), isRefusal: true) }
        logger.budgetStoreRefusesClient(String(decoding: client, as: UTF8.self), words(of: error))
        isNoLongerLate()
        sendDebts()
    }

    private func words(of error: StoreError) -> String { error.words(hiding: settings.user, settings.password.text) }
}

extension BudgetStore.Asked {
    fileprivate var isAbandoned: Bool { if case .question(let question) = self { question.isAbandoned } else { false } }

    /// Whether that may be an answer to it.
    fileprivate func isAnswered(by reply: StoreReply) -> Bool {
        switch (self, reply) {
        case (_, .error), (.login, .done), (.selection, .done): true
        case (.trial, .number), (.debt, .number), (.withdrawal, .number): true
        case (.question(let question), .number(let number)): question.request.answer(number) != nil
        case (.login, .number), (.selection, .number): false
        case (.trial, .done), (.question, .done), (.debt, .done), (.withdrawal, .done): false
        }
    }
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
