// A run of `sluice probe`: what is asked, in this order.

import Chat
import Clock
import EventLoop
import HTTPClient
import Settings
import Synchronization

/// What is to be looked at.
struct ProbePlan: Sendable {
    let target: ProbeTarget
    /// The model to ask; nil for `sluice-probe`, or where that is not there the first that is listed.
    let model: String?
    /// How long `sluice-probe` is to be silent.
    let silence: Duration
    let isForVapi: Bool
    /// For all of it.
    let limit: Duration
    /// A PEM file, in place of the system's authorities.
    let authoritiesFile: String?

    /// In the order of the report.
    var names: [ProbeCheck.Name] { ProbeCheck.Name.allCases.filter { isForVapi || !$0.isVapis } }
}

/// Asks a deployment, and makes a report of what comes. One run at a time.
actor Prober {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let plan: ProbePlan
    let onProgress: @Sendable (String) -> Void
    private var report: ProbeReport
    private var heads: [ResponseHead] = []
    /// Of an upstream to which one token was allowed.
    private var shortAnswers: [ProbeAnswer] = []
    private var strangers: [RequestChecks.Stranger] = []
    /// Whether the limit has come: what an answer says that was cut short by it is not to be believed.
    private(set) var isOver = false
    /// False where a question over HTTP/1.1 alone got no handshake.
    private var isHTTP1Spoken = true
    /// The model that is asked, and whether it is `sluice-probe`.
    private var model: (name: String, hasPace: Bool)?
    /// Why there is none.
    private var modelObstacle = ModelChoice.noModel
    /// Calls with the right token, since the deployment was reached, and the statuses of those that the web server has refused.
    private var calls: (count: Int, refused: [Int]) = (0, [])

    /// - Parameter onProgress: told what is being done.
    init(_ plan: ProbePlan, onProgress: @escaping @Sendable (String) -> Void) throws(SystemError) {
        loop = try EventLoop()
        let secrets = plan.target.secrets
        self.plan = plan
        self.onProgress = { onProgress(ProbeReport.visible($0, without: secrets)) }
        report = ProbeReport(url: plan.target.shown, secrets: secrets)
    }

    /// Looks at everything, on the loop's thread, which is the caller's.
    nonisolated func runToEnd() -> ProbeReport {
        let result = OneReport()
        Task(executorPreference: loop) {
            let report = await self.run()
            result.report.withLock { $0 = report }
            self.loop.stop()
        }
        loop.run()
        return result.report.withLock { $0 } ?? ProbeReport(url: plan.target.shown)
    }

    var target: ProbeTarget { plan.target }

    private func run() async -> ProbeReport {
        let client = ProbeClient(target, authoritiesFile: plan.authoritiesFile, limit: plan.limit, on: loop)
        defer { client.close() }
        let obstacle = await lookAtAll(client)
        tellRefusals()
        // What would have been found then is not told; that a token is wanted was known before.
        report.obstacle = isOver && obstacle != .noToken ? .limit : obstacle
        report.leaveOut(plan.names, limit: plan.limit)
        report.sort(by: plan.names)
        return report
    }

    /// - Returns: what keeps the run from going on; nil for nothing.
    private func lookAtAll(_ client: ProbeClient) async -> ProbeReport.Obstacle? {
        if let obstacle = await lookAtRequests(client) { return obstacle }
        await findModel(client)
        if let obstacle = await lookAtStrangers(client) { return obstacle }
        await lookAtStreams(client)
        await lookAtRest(client)
        if plan.isForVapi { await lookForVapi(client) }
        return nil
    }

    /// What was refused before the limit came counts too.
    private func tellRefusals() {
        if let check = RequestChecks.limits(calls.refused, of: calls.count) { report.checks.append(check) }
    }

    func ask(_ question: ProbeClient.Question, _ client: ProbeClient) async -> ProbeAnswer {
        let answer = await client.ask(question)
        if let head = answer.head { heads.append(head) }
        if question.credentials == .right, report.checks.contains(where: { $0.name == .reachable }) {
            calls.count += 1
            if answer.isRefusedByWebServer { calls.refused.append(answer.status) }
        }
        if question.isHTTP1, answer.hasNoHandshake { isHTTP1Spoken = false }
        isOver = client.isOver
        return answer
    }

    private func add(_ check: ProbeCheck) {
        if !isOver { report.checks.append(check) }
    }

    // MARK: At once

    /// - Returns: as `lookAtAll`.
    private func lookAtRequests(_ client: ProbeClient) async -> ProbeReport.Obstacle? {
        onProgress("reachable")
        let url = target.completions()
        var usual = await ask(.init(url: url, body: ProbeBodies.noChat), client)
        if usual.hasNobodyBehind, !isOver {
            // Not in the midst of a restart.
            await client.sleep(for: .seconds(1))
            let second = await ask(.init(url: url, body: ProbeBodies.noChat), client)
            if !isOver { usual = second }
        }
        report.answering = ProbeServer(usual.head)
        if let obstacle = await lookAtWay(usual, client) { return obstacle }
        if let obstacle = await lookAtToken(usual, client) { return obstacle }
        onProgress("paths")
        var variants: [(name: String, answer: ProbeAnswer)] = []
        for (name, url) in target.variants {
            variants.append((name, await ask(.init(url: url, body: ProbeBodies.noChat), client)))
        }
        add(RequestChecks.paths(usual, variants))
        if usual.status == 404 || usual.status == 405 || usual.isForeignSuccess { return .found }
        onProgress("errors")
        var provoked = [RequestChecks.Provoked(what: "a body that is no chat", answer: usual, statuses: [400, 422])]
        let noJSON = await ask(.init(url: url, body: ProbeBodies.noJSON), client)
        provoked.append(.init(what: "a body that is no JSON", answer: noJSON, statuses: [400, 422]))
        let read = await ask(.init(method: .get, url: url), client)
        provoked.append(.init(what: "GET", answer: read, statuses: [405, 404]))
        if let none = strangers.first?.answer, none.status == 401 {
            provoked.append(.init(what: "no token", answer: none, statuses: [401]))
        }
        onProgress("body")
        let large = await ask(.init(url: url, body: ProbeBodies.large), client)
        add(RequestChecks.body(large))
        add(RequestChecks.errors(provoked + RequestChecks.met(variants.map(\.answer), large: large)))
        return nil
    }

    /// Whether it leads to where requests are answered.
    ///
    /// - Returns: as `lookAtAll`.
    private func lookAtWay(_ usual: ProbeAnswer, _ client: ProbeClient) async -> ProbeReport.Obstacle? {
        if !isOver, let check = RequestChecks.redirect(usual, from: target) {
            add(check)
            return .found
        }
        if !isOver, !target.isSecure, RequestChecks.mayNeedTLS(usual) {
            let overTLS = await askOverTLS(client)
            if let check = RequestChecks.scheme(usual, overTLS: overTLS), !isOver {
                add(check)
                return .found
            }
        }
        guard !isOver else {
            report.checks.append(RequestChecks.reachable(usual, within: plan.limit))
            return .limit
        }
        add(
            RequestChecks.reachable(
                usual, over: client.firstConnection, isSecure: target.isSecure, isLocal: target.isLocal, now: secondsSince1970()))
        guard usual.head != nil, usual.failure == nil else {
            if case .tls = usual.failure { return .found }
            return .unreachable
        }
        return usual.hasNobodyBehind ? .found : nil
    }

    /// - Parameter usual: the answer to the token that was given, if one was.
    /// - Returns: as `lookAtAll`.
    private func lookAtToken(_ usual: ProbeAnswer, _ client: ProbeClient) async -> ProbeReport.Obstacle? {
        onProgress("token")
        // 401 speaks for itself; what 403 is about shows beside what strangers get.
        if usual.status == 401, tellRefusal(of: usual) { return .found }
        for credentials in [ProbeTarget.Credentials.none, .wrong] {
            let question = ProbeClient.Question(
                url: target.completions(credentials), credentials: credentials, body: ProbeBodies.noChat)
            strangers.append(.init(credentials: credentials, answer: await ask(question, client)))
        }
        if tellRefusal(of: usual) { return .found }
        if !strangers.contains(where: \.mayBeLetIn) { add(RequestChecks.token(strangers)) }
        return usual.status == 401 || usual.status == 403 ? .noToken : nil
    }

    /// Has those ask for a chat whom only that tells from a caller: some servers look at the token behind the body.
    ///
    /// - Returns: as `lookAtAll`.
    private func lookAtStrangers(_ client: ProbeClient) async -> ProbeReport.Obstacle? {
        guard strangers.contains(where: \.mayBeLetIn) else { return nil }
        onProgress("token, by a chat")
        let right = target.hasToken ? await ask(chat(tokens: 1), client) : nil
        if let right, right.statusOfRefusal == 401, tellRefusal(of: right) { return .found }
        for index in strangers.indices where strangers[index].mayBeLetIn {
            var question = chat(tokens: 1)
            question.credentials = strangers[index].credentials
            question.url = target.completions(question.credentials)
            strangers[index].chat = await ask(question, client)
        }
        if let right, !strangers.contains(where: \.isLetIn), tellRefusal(of: right) { return .found }
        add(RequestChecks.token(strangers))
        return !target.hasToken && strangers.first?.chat?.statusOfRefusal == 401 ? .noToken : nil
    }

    /// - Parameter right: the answer to the token that was given, if one was.
    /// - Returns: whether it is a refusal.
    private func tellRefusal(of right: ProbeAnswer) -> Bool {
        guard target.hasToken,
            let refusal = RequestChecks.refusal(of: right, beside: strangers, isInPath: target.hasTokenInPath)
        else { return false }
        add(refusal)
        return true
    }

    private func askOverTLS(_ client: ProbeClient) async -> ProbeAnswer? {
        guard let url = target.completionsOverTLS else { return nil }
        return await ask(.init(url: url, credentials: .none, body: ProbeBodies.noChat), client)
    }

    // MARK: The model

    private func findModel(_ client: ProbeClient) async {
        onProgress("model")
        let name = plan.model ?? Settings.probeModel
        if name.hasSameBytes(as: Settings.probeModel) {
            let body = ProbeBodies.chat(name, ProbeModel.message(), tokens: 1)
            let answer = await ask(.init(url: target.completions(), body: body), client)
            let upstream = answer.head?["x-sluice-upstream"]
            if answer.status == 200, upstream?.hasSameBytes(as: Settings.probeUpstream) == true {
                model = (name, true)
            } else if plan.model != nil {
                if answer.mayBeOtherwiseLater { modelObstacle = ModelChoice.refusal(name, answer) }
            } else {
                await chooseModel(client, unlessRefused: answer)
            }
        } else {
            model = (name, false)
            let short = await ask(chat(tokens: 1), client)
            shortAnswers.append(short)
            if short.hasNoSuchModel {
                model = nil
                modelObstacle = ModelChoice.unknown(name, short)
            }
        }
        report.model = model?.name
    }

    /// Chooses one that is listed, and answers.
    ///
    /// - Parameter own: what came of `sluice-probe`, which is there if it was refused and is listed.
    private func chooseModel(_ client: ProbeClient, unlessRefused own: ProbeAnswer) async {
        let list = await ask(.init(method: .get, url: target.models), client)
        guard list.status == 200, let names = ListedModels.names(in: list.body) else {
            if list.mayBeOtherwiseLater { modelObstacle = ModelChoice.refusal("the list of models", list) }
            return
        }
        if own.mayBeOtherwiseLater, names.contains(where: { $0.hasSameBytes(as: Settings.probeModel) }) {
            model = (Settings.probeModel, true)
            return
        }
        var choice = ModelChoice(names)
        while let name = choice.next(), !isOver {
            onProgress("model \(name.clipped)")
            let body = ProbeBodies.chat(name, "Say hello.", tokens: 1)
            let answer = await ask(.init(url: target.completions(), body: body, timeout: .seconds(60)), client)
            guard ModelChoice.isAnother(neededAfter: answer) else {
                model = (name, false)
                return
            }
        }
        modelObstacle = choice.words
    }

    func chat(_ message: String = "Count from one to forty, in words.", tokens: Int? = nil) -> ProbeClient.Question {
        let body = ProbeBodies.chat(model?.name ?? Settings.probeModel, message, tokens: tokens)
        return .init(url: target.completions(), body: body, timeout: .seconds(60))
    }

    // MARK: On the way

    private func lookAtStreams(_ client: ProbeClient) async {
        guard let model else {
            for name in [ProbeCheck.Name.stream, .compression, .firstToken, .heartbeat, .leaving] {
                add(.unknown(name, modelObstacle))
            }
            return
        }
        onProgress("stream")
        let stream = await stream(client)
        if client.firstConnection?.isHTTP2 ?? false {
            onProgress("stream, over HTTP/1.1")
            let old = await self.stream(client, isHTTP1: true)
            for check in StreamChecks.stream(overHTTP2: stream, overHTTP1: isHTTP1Spoken ? old : nil) { add(check) }
        } else {
            add(stream)
        }
        onProgress("compression")
        var question = chat(tokens: 4)
        question.acceptsCompression = true
        add(StreamChecks.compression(await ask(question, client)))
        await lookAtFirstToken(client, tokens: model.hasPace ? 1 : 16)
        guard model.hasPace else {
            add(.unknown(.heartbeat, "only sluice-probe is silent when it is asked to: probe = true"))
            add(.unknown(.leaving, "only an answer of sluice-probe lasts long enough: probe = true"))
            return
        }
        onProgress("heartbeat, \(plan.silence.shown) of silence")
        var silent = chat(ProbeModel.message(silence: plan.silence))
        (silent.timeout, silent.isLong) = (plan.silence + .seconds(30), true)
        let answer = await ask(silent, client)
        add(StreamChecks.heartbeat(answer, silence: plan.silence))
        if case .finding(.buffered) = stream.verdict {
            return add(.unknown(.leaving, "an answer that is held back cannot be left while it comes"))
        }
        let heartbeat = ProbeModel.heartbeat(told: answer.head)
        let leaving = await leave(client, heartbeat: heartbeat)
        add(LeavingChecks.leaving(leaving, heartbeat: heartbeat, answering: report.answering))
    }

    /// Where the limit comes meanwhile, what came before it is told still: it may be that which takes so long.
    private func lookAtFirstToken(_ client: ProbeClient, tokens: Int) async {
        var answers: [ProbeAnswer] = []
        for call in 1...10 where !isOver {
            onProgress("first token, call \(call) of 10")
            let answer = await ask(chat(tokens: tokens), client)
            if !isOver { answers.append(answer) }
        }
        guard !answers.isEmpty else { return }
        report.checks.append(StreamChecks.firstToken(answers))
        if plan.isForVapi { report.checks.append(StreamChecks.vapiTimeout(answers)) }
    }

    /// - Parameter isHTTP1: whether over HTTP/1.1 whatever the server offers.
    private func stream(_ client: ProbeClient, isHTTP1: Bool = false) async -> ProbeCheck {
        model?.hasPace ?? false
            ? await streamOfKnownPace(client, isHTTP1: isHTTP1) : await streamOfUpstream(client, isHTTP1: isHTTP1)
    }

    /// A lump may be the machine's; a buffer makes one of each answer.
    private func streamOfKnownPace(_ client: ProbeClient, isHTTP1: Bool) async -> ProbeCheck {
        var answers: [ProbeAnswer] = []
        while !StreamChecks.isEnough(answers), isHTTP1Spoken || !isHTTP1 {
            var question = chat(ProbeModel.message())
            question.isHTTP1 = isHTTP1
            answers.append(await ask(question, client))
        }
        return StreamChecks.stream(answers)
    }

    /// Asks no more than it takes: each call costs what the model does.
    private func streamOfUpstream(_ client: ProbeClient, isHTTP1: Bool) async -> ProbeCheck {
        var long: [ProbeAnswer] = []
        while true {
            if !isHTTP1 {
                // The first may have been asked already, to see whether the model is there.
                if shortAnswers.count == long.count { shortAnswers.append(await ask(chat(tokens: 1), client)) }
                if shortAnswers.last?.isLate ?? false { return StreamChecks.stream(short: shortAnswers, long: long) }
            }
            var question = chat(tokens: 100)
            question.isHTTP1 = isHTTP1
            let answer = await ask(question, client)
            long.append(answer)
            // Those are of the other version of HTTP: what is wrong with them was told there.
            let short = isHTTP1 ? shortAnswers.filter { $0.hasEnd && !$0.isLate } : shortAnswers
            let check = StreamChecks.stream(short: short, long: long)
            if check.verdict == .pass || long.count == 2 || answer.isLate { return check }
        }
    }

    // MARK: The rest

    private func lookAtRest(_ client: ProbeClient) async {
        onProgress("connection")
        var question = chat(tokens: 1)
        if model == nil { question.body = ProbeBodies.noChat }
        question.isHTTP1 = true
        let first = await ask(question, client)
        let count = client.connectionsCount
        let second = await ask(question, client)
        add(RequestChecks.connection(first, second, wasKept: client.connectionsCount == count))
        add(RequestChecks.versions(heads))
        add(RequestChecks.http2(client.firstConnection, isSecure: target.isSecure))
    }

    private func lookForVapi(_ client: ProbeClient) async {
        onProgress("Vapi")
        let paths = report.checks.first { $0.name == .paths }
        add(RequestChecks.vapiURL(target.shown, isSecure: target.isSecure, paths: paths))
        guard let model else {
            for name in [ProbeCheck.Name.vapiStream, .vapiTimeout] { add(.unknown(name, modelObstacle)) }
            return
        }
        var question = chat()
        question.body = ProbeBodies.vapi(model.name)
        add(StreamChecks.vapiStream(await ask(question, client)))
    }
}

/// What a run has come to.
private final class OneReport: Sendable {
    let report = Mutex<ProbeReport?>(nil)
}
