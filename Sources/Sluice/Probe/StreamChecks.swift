// What streams say of what stands between Sluice and its callers. Nothing is asked here.

import Chat
import Clock
import HTTPClient

/// The verdicts on how an answer came, as it was on its way.
enum StreamChecks {
    // MARK: Pace

    /// The pace of an answer of `sluice-probe`.
    static func pace(of answer: ProbeAnswer) -> Pace {
        Pace(
            answer.events.compactMap { event in
                ProbeModel.stamp(in: event.text).map {
                    Pace.Event(arrived: event.read.moment, blind: event.read.blind, made: $0)
                }
            }, end: answer.events.first(where: \.isDone)?.read.moment)
    }

    /// Whether more answers of `sluice-probe` to the same question would tell no more than these, or take too long: two that come
    /// one by one are enough, since of two web servers behind one name another may answer each time, and one more where a part of
    /// another came in a lump.
    static func isEnough(_ answers: [ProbeAnswer]) -> Bool {
        if answers.count >= 6 || answers.contains(where: \.isLate) { return true }
        let paces = answers.map(pace)
        let (whole, held) = (paces.count(where: \.isWhole), paces.count { $0.verdict == .held })
        let flowing = paces.count { $0.verdict == .oneByOne }
        if flowing == 0 { return held >= 3 }
        if PaceHabit(of: paces)?.isCertain == true { return true }
        if whole > 0 { return whole >= Pace.wholeMin }
        let clean = paces.count { $0.verdict == .oneByOne && !$0.isSuspicious }
        return clean >= (paces.contains(where: \.isSuspicious) ? 3 : 2)
    }

    /// - Parameter answers: of `sluice-probe`, to the same question.
    static func stream(_ answers: [ProbeAnswer]) -> ProbeCheck {
        if let broken = broken(answers) { return broken }
        let paces = answers.map(pace)
        guard let pace = Pace.best(of: paces) else { return .unknown(.stream, "no answer has come") }
        let made = "made \(ProbeModel.pause.shown) apart"
        let (whole, isAlways) = (paces.count(where: \.isWhole), !paces.contains { $0.verdict == .oneByOne })
        if pace.verdict != .held, let habit = PaceHabit(of: paces) { return partlyHeld(answers, habit, of: pace.count) }
        switch pace.verdict {
        case .oneByOne where whole > 0:
            return .unknown(
                .stream,
                "\(whole) of \(paces.count) answers came in one lump, and others event by event: a machine that stood still, or one "
                    + "of several web servers behind this name")
        case .oneByOne: return .pass(.stream, "\(pace.count) events, \(made), came one by one")
        case .unclear: return .unknown(.stream, "this machine or the server is too busy to tell the moments of events apart")
        case .held:
            let lumps = pace.lumps == 1 ? "in one lump" : "in \(pace.lumps) lumps"
            let some = isAlways ? "" : "in \(whole) of \(paces.count) answers, and not in others: "
            let held = zip(answers, paces).first { $0.1.verdict == .held }?.0
            return .finding(
                .stream, .buffered,
                "\(some)\(pace.count) events, \(made), came \(lumps), up to \(pace.longestHold.shown) late: "
                    + suspects(held?.head))
        }
    }

    /// - Parameter count: of an answer's events.
    private static func partlyHeld(_ answers: [ProbeAnswer], _ habit: PaceHabit, of count: Int) -> ProbeCheck {
        let isAlways = habit.places.count == answers.count
        let some = isAlways ? "" : "in \(habit.places.count) of \(answers.count) answers, and not in others: "
        let made = "\(count) events, made \(ProbeModel.pause.shown) apart"
        let words =
            switch habit.kind {
            case .lump(let events):
                "of \(made), \(name(events, of: count)) came in one lump, up to \(habit.hold.shown) late"
            case .lag:
                "\(made), came \(habit.hold.shown) late, each by itself, and the answer's end did not: they wait for others"
            }
        guard habit.isCertain else {
            return .unknown(
                .stream, "\(some)\(words): a machine that stood still, or one of several web servers behind this name")
        }
        return .finding(.stream, .buffered, "\(some)\(words): " + suspects(answers[habit.places[0]].head))
    }

    private static func name(_ events: ClosedRange<Int>, of count: Int) -> String {
        if events.lowerBound == 1 { return "the first \(events.count)" }
        return events.upperBound == count ? "the last \(events.count)" : "numbers \(events.lowerBound) to \(events.upperBound)"
    }

    /// - Parameters:
    ///   - short: answers of an upstream to which one token was allowed.
    ///   - long: those to which many were.
    static func stream(short: [ProbeAnswer], long: [ProbeAnswer]) -> ProbeCheck {
        if let broken = broken(long) ?? broken(short.filter { $0.isLate || $0.status == 200 && !$0.hasEnd }) { return broken }
        guard let pace = unknownPace(short: short, long: long) else {
            return .unknown(.stream, "the model gave no text: \((long.last ?? short.last)?.words ?? "no answer")")
        }
        switch pace.verdict {
        case .oneByOne: return .pass(.stream, "\(pace.count) events came in \(pace.lumps) moments")
        case .unclear:
            return .unknown(
                .stream,
                "\(pace.count) events came in \(pace.lumps) moments, which may be the upstream's own pace: probe = true would "
                    + "tell")
        case .held:
            return .finding(
                .stream, .buffered,
                "\(pace.count) events came in \(pace.lumps) moments, the first text after \(pace.long.shown), where a short "
                    + "answer has it after \(pace.short.shown): " + suspects(long.last?.head))
        }
    }

    /// The verdict on both versions, of which a web server may hold back one alone. What is worse comes first, and HTTP/2 where
    /// neither is.
    ///
    /// - Parameter old: nil where HTTP/1.1 is not spoken.
    /// - Returns: one check, or one for each version where something else is wrong with each.
    static func stream(overHTTP2 new: ProbeCheck, overHTTP1 old: ProbeCheck?) -> [ProbeCheck] {
        guard let old else { return [new.told("over HTTP/2, and HTTP/1.1 is not spoken: \(new.evidence)")] }
        if new.verdict == old.verdict {
            if new.evidence.hasSameBytes(as: old.evidence) { return [new.told("\(new.evidence), over HTTP/2 and HTTP/1.1")] }
            if new.verdict.severity == .finding { return [new.told("over HTTP/2 and HTTP/1.1: \(new.evidence)")] }
        }
        let (newWords, oldWords) = ("over HTTP/2: \(new.evidence)", "over HTTP/1.1: \(old.evidence)")
        if new.verdict.severity == .finding, old.verdict.severity == .finding { return [new.told(newWords), old.told(oldWords)] }
        return old.verdict.severity > new.verdict.severity
            ? [old.told("\(oldWords); \(newWords)")] : [new.told("\(newWords); \(oldWords)")]
    }

    private static func unknownPace(short: [ProbeAnswer], long: [ProbeAnswer]) -> UnknownPace? {
        guard let first = short.compactMap(firstText).min() else { return nil }
        let paces = long.compactMap { answer -> UnknownPace? in
            let reads = answer.events.filter(\.hasContent).map(\.read)
            guard let text = reads.first else { return nil }
            let lumps = 1 + zip(reads, reads.dropFirst()).count { $0.end < $1.end }
            return UnknownPace(short: first, long: text.moment, count: reads.count, lumps: lumps)
        }
        // A buffer holds all of them back.
        return paces.first { $0.verdict == .oneByOne } ?? paces.min { $0.long < $1.long }
    }

    /// When the model's first text came; nil without any.
    static func firstText(of answer: ProbeAnswer) -> Duration? {
        answer.spokenError == nil ? answer.events.first(where: \.hasContent)?.read.moment : nil
    }

    /// Streams that are none, or do not come to their end: one of them is enough, while one that was refused says nothing where
    /// another came.
    private static func broken(_ answers: [ProbeAnswer]) -> ProbeCheck? {
        let checks = answers.map(broken)
        let found = checks.compactMap(\.self).filter { $0.verdict.severity == .finding }
        if let last = found.last {
            return found.count == answers.count ? last : last.told("\(found.count) of \(answers.count) answers: \(last.evidence)")
        }
        return checks.contains { $0 == nil } ? nil : checks.last ?? nil
    }

    private static func broken(_ answer: ProbeAnswer) -> ProbeCheck? {
        if answer.hasNoSuchModel { return .finding(.stream, .broken, answer.failureWords ?? answer.words) }
        if answer.spokenError != nil { return .unknown(.stream, answer.failureWords ?? answer.words) }
        guard answer.status == 200 else {
            let words = "\(answer.words) for a stream\(answer.remedyForTimeout)"
            // One who does not speak the version that was asked for.
            if case .tls = answer.failure { return .unknown(.stream, words) }
            return answer.status == 429 || answer.status >= 500 ? .unknown(.stream, words) : .finding(.stream, .broken, words)
        }
        guard answer.isEventStream else {
            let type = answer.head?["content-type"]?.clipped ?? "nothing"
            return .finding(.stream, .broken, "the answer to a stream's request is no event stream: Content-Type says \(type)")
        }
        if answer.isTooLarge { return .unknown(.stream, "the answer is larger than what is looked at") }
        if case .timedOut(_, let time) = answer.failure {
            let behind = answer.events.contains(where: \.isDone) ? ", though [DONE] came" : ""
            return .finding(.stream, .broken, "an answer did not end within \(time.shown)\(behind)\(answer.remedyForTimeout)")
        }
        guard !answer.hasEnd else { return nil }
        let reason = answer.failure.map { ": \($0)" } ?? ""
        return .finding(.stream, .broken, "the stream ended without [DONE]\(reason)\(answer.remedyForTimeout)")
    }

    /// Who may hold events back, by what the head of an answer says of those that it came through.
    static func suspects(_ head: ResponseHead?) -> String {
        guard let head else { return "somebody on the way" }
        if let coding = head["content-encoding"] { return "compression (Content-Encoding: \(coding.clipped))" }
        if let network = head.network { return "a CDN (\(network)), or response buffering behind it" }
        if let via = head["via"] { return "response buffering, by a proxy that names itself (Via: \(via.clipped)) or behind it" }
        if head.version == .http10 { return "a proxy that speaks HTTP/1.0, which knows no chunks" }
        let server = head["server"].map { " by \($0.clipped), or in front of it or behind it" } ?? ""
        if let length = head["content-length"] {
            return "response buffering\(server): the whole answer was collected (Content-Length: \(length.clipped))"
        }
        return "response buffering\(server)"
    }

    // MARK: Compression

    /// - Parameter answer: a stream, where compression was allowed.
    static func compression(_ answer: ProbeAnswer) -> ProbeCheck {
        guard let head = answer.head, answer.status == 200, answer.spokenError == nil else {
            return .unknown(.compression, answer.failureWords ?? answer.words)
        }
        guard answer.isEventStream else { return .unknown(.compression, "\(answer.words), and no event stream") }
        if let coding = head["content-encoding"], !coding.isEqualIgnoringCase(to: "identity") {
            return .finding(
                .compression, .compressed,
                "Content-Encoding: \(coding.clipped), where a caller takes it: compression may collect events")
        }
        return .pass(.compression, "streams are not compressed, where a caller would take gzip, deflate or br")
    }

    // MARK: First token

    /// LiveKit's older versions wait for no longer, and a voice says nothing meanwhile.
    private static let patience = Duration.seconds(5)

    static func firstToken(_ answers: [ProbeAnswer]) -> ProbeCheck {
        let failed = answers.filter { $0.failureWords != nil }
        // What one caller may ask within a time says nothing of the others, nor does a name that nobody has.
        let areMany = failed.count { !$0.isOverLimit && !$0.hasNoSuchModel } > 1
        let times = answers.compactMap(firstText).sorted()
        guard !times.isEmpty else {
            if areMany { return .finding(.firstToken, .failedCalls, told(failed, of: answers.count)) }
            let last = answers.last
            let words = last?.failureWords ?? last?.words ?? "no answer"
            return .unknown(.firstToken, "no text has come: \(words)\(last?.remedyForTimeout ?? "")")
        }
        let (p50, p95) = (percentile(50, of: times), percentile(95, of: times))
        let few = times.count < answers.count ? "\(times.count) of \(answers.count)" : "\(answers.count)"
        let words = "p50 \(p50.shown), p95 \(p95.shown), of \(few) \(answers.count == 1 ? "call" : "calls")"
        guard failed.isEmpty else {
            let all = "\(told(failed, of: answers.count)); \(words)"
            if areMany { return .finding(.firstToken, .failedCalls, all) }
            return p95 > patience ? .finding(.firstToken, .slow, all) : .unknown(.firstToken, all)
        }
        return p95 > patience ? .finding(.firstToken, .slow, words) : .pass(.firstToken, words)
    }

    /// How many calls failed, and by what.
    private static func told(_ failed: [ProbeAnswer], of count: Int) -> String {
        var reasons: [(words: String, count: Int)] = []
        for words in failed.compactMap(\.failureWords) {
            if let index = reasons.firstIndex(where: { $0.words.hasSameBytes(as: words) }) {
                reasons[index].count += 1
            } else {
                reasons.append((words, 1))
            }
        }
        let told = reasons.map { $0.count == 1 ? $0.words : "\($0.words) (\($0.count) times)" }.joined(separator: ", ")
        let remedy = failed.map(\.remedyForTimeout).first { !$0.isEmpty } ?? ""
        return "\(failed.count) of \(count) \(count == 1 ? "call" : "calls") failed: \(told)\(remedy)"
    }

    /// - Parameter times: in order, at least one.
    static func percentile(_ percent: Int, of times: [Duration]) -> Duration {
        times[min(times.count - 1, max(0, (times.count * percent + 99) / 100 - 1))]
    }

    // MARK: Silence

    /// - Parameters:
    ///   - answer: of `sluice-probe`, with a silence in it.
    ///   - silence: how long that was.
    static func heartbeat(_ answer: ProbeAnswer, silence: Duration) -> ProbeCheck {
        let events = answer.events
        guard answer.status == 200, answer.spokenError == nil, events.contains(where: \.hasContent) else {
            return .unknown(.heartbeat, answer.failureWords ?? answer.words)
        }
        guard events.contains(where: \.isDone) else {
            let last = events.last { $0.hasContent || $0.kind == .comment }
            let waited = answer.duration - (last?.read.moment ?? .zero)
            let reason = answer.failure.map { ": \($0)" } ?? ""
            return .finding(.heartbeat, .cutInSilence, "the stream was cut off after \(waited.shown) of silence\(reason)")
        }
        let texts = events.indices.filter { events[$0].hasContent }
        guard texts.count >= ProbeModel.eventsBeforeSilence else {
            return .unknown(.heartbeat, "the answer ended ahead of its silence")
        }
        let place = texts[ProbeModel.eventsBeforeSilence - 1]
        let (before, rest) = (events[place].read, events[(place + 1)...])
        let behind = rest.first { $0.hasContent || $0.isDone }?.read
        let comments = rest.prefix { !$0.hasContent && !$0.isDone }.filter { $0.kind == .comment }.map(\.read)
        return heartbeat(comments, from: before, to: behind, silence: silence, heartbeat: ProbeModel.heartbeat(told: answer.head))
    }

    /// - Parameters:
    ///   - comments: those in the silence.
    ///   - before: the text ahead of it.
    ///   - behind: the text behind it, or the end.
    ///   - heartbeat: as `noComment`.
    private static func heartbeat(
        _ comments: [ProbeAnswer.Read], from before: ProbeAnswer.Read, to behind: ProbeAnswer.Read?, silence: Duration,
        heartbeat: Duration?
    ) -> ProbeCheck {
        let due = heartbeat ?? .zero
        // What comes so soon is none of Sluice's own, which counts from the text on: that may have come sooner than it was read.
        let soonest = (due > .zero ? due / 2 : soonestMax) - before.blind
        let isSeen = { (comment: ProbeAnswer.Read) in comment.end > before.end && comment.moment - before.moment >= soonest }
        guard let first = comments.first(where: isSeen) else {
            if comments.contains(where: { $0.end == before.end }) {
                return .unknown(.heartbeat, "a comment came with the text ahead of it: nobody knows when it was sent")
            }
            return noComment(in: silence, heartbeat: heartbeat, early: comments.first.map { $0.moment - before.moment })
        }
        let isAlone = behind.map { $0.moment - first.moment > togetherMax } ?? true
        let waited = Waited(time: first.moment - before.moment, blind: first.blind, isAlone: isAlone)
        return comment(after: waited, in: silence, heartbeat: heartbeat)
    }

    /// Where nobody knows when a heartbeat is due.
    private static let soonestMax = Duration.milliseconds(500)

    /// How the first comment came.
    private struct Waited {
        /// Since the text before it.
        let time: Duration
        /// It may have come that much sooner.
        let blind: Duration
        /// Whether the next text came later.
        let isAlone: Bool
    }

    /// What comes so shortly after a comment came with it.
    private static let togetherMax = Duration.milliseconds(50)
    /// A heartbeat that ought to come that much ahead of the next text does not come with it by chance.
    private static let aheadMin = Duration.seconds(1)

    /// - Parameter heartbeat: as `noComment`.
    private static func comment(after waited: Waited, in silence: Duration, heartbeat: Duration?) -> ProbeCheck {
        let words = "a comment came after \(waited.time.shown) of silence"
        let withText = waited.isAlone ? words : "\(words), with the text that ended it"
        guard let due = heartbeat, due > .zero else {
            return waited.isAlone ? .pass(.heartbeat, words) : .unknown(.heartbeat, "\(withText): when it was due is not known")
        }
        let told = "\(withText), where the heartbeat is due after \(due.shown)"
        let soonest = waited.time - waited.blind
        let isHeld = waited.isAlone ? soonest > due + max(.seconds(3), due / 2) : silence >= due + aheadMin && soonest > due
        if isHeld { return .finding(.heartbeat, .buffered, "\(told): somebody on the way holds comments back") }
        if waited.isAlone { return .pass(.heartbeat, words) }
        if silence >= due + aheadMin { return .unknown(.heartbeat, "\(told): this machine was too busy to tell them apart") }
        let enough = due + .seconds(2)
        return .unknown(.heartbeat, enough > ProbeModel.silenceMax ? told : "\(told): --silence \(enough.components.seconds)")
    }

    /// Where the settings say nothing of it.
    private static let usualHeartbeat = Duration.seconds(10)

    /// - Parameters:
    ///   - heartbeat: what the deployment says that its own is; nil where it does not.
    ///   - early: when a comment came that was none; nil without any.
    private static func noComment(in silence: Duration, heartbeat: Duration?, early: Duration?) -> ProbeCheck {
        let other = early.map { ", but for a comment after \($0.shown)" } ?? ""
        let words = "nothing came in \(silence.shown) of silence\(other)"
        let due = heartbeat ?? usualHeartbeat
        guard due > .zero else { return .finding(.heartbeat, .noHeartbeat, "\(words): heartbeat is off") }
        // One that is due at the silence's end, or just ahead of it, may be late.
        guard silence >= due + .milliseconds(500) else {
            let known = "\(words), and the heartbeat \(heartbeat == nil ? "may be" : "is") due after \(due.shown)"
            let enough = due + .seconds(2)
            return .unknown(
                .heartbeat, enough > ProbeModel.silenceMax ? known : "\(known): --silence \(enough.components.seconds)")
        }
        guard heartbeat != nil else { return .finding(.heartbeat, .noHeartbeat, words) }
        return .finding(
            .heartbeat, .noHeartbeat,
            "\(words), where the heartbeat is due after \(due.shown): somebody on the way keeps comments to himself")
    }

    // MARK: Vapi

    /// - Parameter answer: to a request as Vapi makes it.
    static func vapiStream(_ answer: ProbeAnswer) -> ProbeCheck {
        let request = "for a request with call and customer in its body"
        if answer.mayBeOtherwiseLater || answer.spokenError != nil || answer.hasNoSuchModel {
            return .unknown(.vapiStream, "\(answer.failureWords ?? answer.words) \(request)\(answer.remedyForTimeout)")
        }
        guard answer.status == 200 else { return .finding(.vapiStream, .vapiStream, "\(answer.words) \(request)") }
        guard answer.isEventStream else { return .finding(.vapiStream, .vapiStream, "it is not answered with an event stream") }
        let data = answer.events.filter { $0.kind == .data }
        guard data.last?.isDone == true else { return .finding(.vapiStream, .vapiStream, "the stream does not end with [DONE]") }
        guard data.dropLast().allSatisfy(\.hasChoices) else {
            return .finding(.vapiStream, .vapiStream, "an event has no array of choices, without which Vapi ends the call")
        }
        return .pass(
            .vapiStream, "a request with call and customer is streamed: \(data.count - 1) events with choices, and [DONE]")
    }

    /// Vapi's own default.
    private static let vapiTimeout = Duration.seconds(20)

    static func vapiTimeout(_ answers: [ProbeAnswer]) -> ProbeCheck {
        let times = answers.compactMap(firstText).sorted()
        guard !times.isEmpty else { return .unknown(.vapiTimeout, "no text has come") }
        let failed = answers.filter { $0.failureWords != nil }
        guard failed.count <= 1 else { return .unknown(.vapiTimeout, told(failed, of: answers.count)) }
        let p95 = percentile(95, of: times)
        let words = "the first token's p95 is \(p95.shown); Vapi waits for \(vapiTimeout.shown), or for its timeoutSeconds"
        return p95 > vapiTimeout ? .finding(.vapiTimeout, .vapiTimeout, words) : .pass(.vapiTimeout, words)
    }
}

extension ResponseHead {
    /// The network that it came through, by the fields that such networks add; nil for none that is known.
    fileprivate var network: String? {
        let known = [
            ("cf-ray", "Cloudflare, CF-RAY"), ("x-amz-cf-id", "CloudFront, X-Amz-Cf-Id"), ("x-served-by", "Fastly, X-Served-By"),
            ("x-akamai-request-id", "Akamai, X-Akamai-Request-ID"), ("x-azure-ref", "Azure Front Door, X-Azure-Ref"),
            ("x-vercel-id", "Vercel, X-Vercel-Id"), ("cdn-requestid", "bunny.net, CDN-RequestId"),
        ]
        return known.first { self[$0.0] != nil }?.1
    }
}

extension ProbeCheck {
    /// The same in other words.
    fileprivate func told(_ evidence: String) -> ProbeCheck { ProbeCheck(name: name, verdict: verdict, evidence: evidence) }
}
