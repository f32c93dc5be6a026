// What an upstream's events say, and which of them the caller gets.

import Chat
import Settings

/// Cuts a stream into stretches that can be forwarded as they are, and remembers what it has said about itself.
struct EventScanner {
    /// A range of the buffer, and why it ends.
    struct Stretch {
        enum Stop {
            /// More bytes are needed.
            case none
            /// `[DONE]`, which is part of the stretch.
            case done
            /// A frame follows that is left out.
            case skip
            /// A frame follows that goes out in other bytes.
            case replace([UInt8])
            /// What follows is an error, or none of what can be relayed. Indirect, so that all others are small to hand on.
            indirect case failure(ChatError)
        }
        let range: Range<Int>
        let stop: Stop
        /// Whether there was an event in it, or at its end. Comments are none.
        let hasEvent: Bool

        /// Whether all choices have come to their end by it.
        var isFinished = false
        /// How many bytes are kept by then.
        var keptCount = 0

        /// Whether it can be forwarded as it is, and more is to come.
        var isPlain: Bool { if case .none = stop { !isFinished } else { false } }
    }

    /// Indirect, so that a stream without has no room for it. Of a long event no more is kept than a caller may get.
    private enum Unknown {
        case nothing
        indirect case words(UpstreamError)
    }

    /// How many events there were that the caller gets.
    private(set) var eventsCount: UInt32 = 0
    /// The choices that have had a finish reason: each has one at its end.
    private var finished = ChoiceSet()
    /// Whether a choice had more to say behind its finish reason: servers that call tools themselves say so of each step, and
    /// some say it with each chunk.
    private(set) var hasGoneOn = false
    /// The last event, when it is neither a chunk nor an error of a known form: what it says, should nothing follow.
    private var unknown = Unknown.nothing
    /// Whether `[DONE]` has come behind an answer.
    private(set) var isDone = false
    /// Whether the stream has had text, a tool call, a refusal or sound.
    private var hasContent = false
    /// Whether the caller gets any of that: text that is a thought may be left out.
    private(set) var hasToken = false
    /// Whether it has had a tool call.
    private(set) var hasToolCalls = false
    /// Whether it has had what opens the gate: a token, or reasoning where the form counts that.
    private(set) var hasBegun = false
    /// What the answer cost, when the upstream has said it.
    private(set) var usage: TokenUsage?
    /// Who answers, when the upstream has said it by the first text. Azure's first chunk does not.
    private(set) var model: ServedModel?
    let form: AnswerForm
    /// Whether the role is left out: the caller's message has begun with another one's.
    var leavesOutRole: Bool
    /// Whether the form has edits at all: to ask them for each chunk costs more.
    private let isEdited: Bool
    /// What becomes of the text; nothing where the form leaves it as it is.
    private var speech: SpeechEdits
    private let isSpoken: Bool
    /// Whether it goes on with one that has broken off.
    private let isContinuation: Bool
    /// All of the text, where the form keeps it.
    private var said = SaidText()
    private var key: UpstreamKey
    let limits: Settings.Limits
    private var splitter: EventSplitter
    private var reader: ChatFrameReader

    /// - Parameter cut: what it goes on with; nil where it begins.
    init(_ form: AnswerForm, _ key: UpstreamKey, _ limits: Settings.Limits, behind cut: CutAnswer? = nil) {
        self.form = form
        isEdited = !form.edits.isEmpty
        speech = cut?.speech ?? SpeechEdits(form.speech, isSingle: form.choices == nil)
        isSpoken = !form.speech.isEmpty || cut != nil
        isContinuation = cut != nil
        leavesOutRole = isContinuation
        self.key = key
        self.limits = limits
        splitter = EventSplitter(eventBytesMax: limits.eventBytes)
        reader = ChatFrameReader(depthMax: limits.jsonDepth)
    }

    /// Whether the stream has had an event.
    var hasEvents: Bool { eventsCount > 0 }

    /// What has come and was not discarded; stretches are ranges of it.
    var buffer: [UInt8] { splitter.buffer }

    // Kept, and not asked for: an object that owns a scanner would copy it whole to ask.

    /// How many bytes are kept for all of that.
    private(set) var keptCount = 0
    /// Whether stretches of it can be discarded.
    private(set) var hasTaken = false

    /// Takes events of Sluice's own making, which may be as large as what they are made of.
    mutating func append(ownEvents bytes: consuming [UInt8]) {
        splitter.eventBytesMax = max(splitter.eventBytesMax, bytes.count)
        append(bytes)
    }

    mutating func append(_ bytes: consuming [UInt8]) {
        splitter.append(bytes)
        note()
    }

    /// The next stretch, which may end in `bytes`.
    mutating func next(appending bytes: consuming [UInt8]) -> Stretch {
        splitter.append(bytes)
        return next()
    }

    /// Forgets the events of all stretches, and gives the buffer up when it holds nothing else.
    mutating func discard() -> [UInt8] {
        defer { note() }
        return splitter.discardAndRelease()
    }

    private mutating func note() {
        let repeatable = isSpoken ? speech.keptCount : 0
        (keptCount, hasTaken) = (splitter.keptCount + said.count + repeatable, splitter.takenCount > 0)
    }

    /// The next stretch, which begins behind all that has been looked at.
    mutating func next() -> Stretch {
        var stretch = nextStretch()
        // It has been looked at.
        splitter.releaseData()
        note()
        stretch.keptCount = keptCount
        return stretch
    }

    private mutating func nextStretch() -> Stretch {
        let start = splitter.takenCount
        if isDone { return Stretch(range: start..<start, stop: .done, hasEvent: false) }
        var (end, hasEvent) = (start, false)
        do throws(EventError) {
            while let event = try splitter.next() {
                if event.hasData {
                    // A keep-alive of some gateways, on which clients break.
                    if case .blank = splitter.kind { return Stretch(range: start..<end, stop: .skip, hasEvent: hasEvent) }
                    hasEvent = true
                    if let stop = look(at: event) {
                        if case .done = stop { end = splitter.takenCount }
                        return Stretch(range: start..<end, stop: stop, hasEvent: true)
                    }
                    eventsCount &+= 1
                }
                end = splitter.takenCount
            }
            return Stretch(range: start..<splitter.takenCount, stop: .none, hasEvent: hasEvent, isFinished: isFinished)
        } catch {
            let error = ChatError.upstreamEventTooLarge(bytesMax: limits.eventBytes)
            return Stretch(range: start..<end, stop: .failure(error), hasEvent: hasEvent)
        }
    }

    /// Whether all choices that were asked for have come to their end.
    var isFinished: Bool { addsAnything && (form.choices.map(finished.isSuperset) ?? !finished.isEmpty) }

    /// What says nothing behind half a sentence does not end that, whatever its finish reason. One that has said what was said
    /// once more, and no more, has nothing to add.
    private var addsAnything: Bool { !isContinuation || hasToken || speech.hasRepeated }

    /// Whether there is anything that an upstream's `[DONE]` could be the end of.
    private var hasAnswer: Bool { hasContent || !finished.isEmpty }

    /// Whether a stream that ends here breaks off inside an event. One that lacks but the line ends of its `[DONE]` does not.
    var isInsideEvent: Bool { !isBetweenEvents && !wouldBeDone }

    /// Whether nothing of an event has come that has not come as a whole.
    var isBetweenEvents: Bool { splitter.partialCount == 0 }

    /// Has a `[DONE]` that lacks but its line ends looked at with them, when nothing more comes. Behind a finish reason it is not
    /// needed.
    ///
    /// - Returns: whether it is that.
    mutating func completeDone() -> Bool {
        guard !isFinished, wouldBeDone else { return false }
        append(Array("\n\n".utf8))
        return true
    }

    /// Whether line ends would make a `[DONE]` of what has come last. Never inlined: the frame of whoever asks, which may live as
    /// long as the stream, would have room for the copy.
    @inline(never)
    private var wouldBeDone: Bool {
        // It is asked for each part of an event that comes: to read a long one again each time would take the square of its
        // length.
        guard (1...Self.doneBytesMax).contains(splitter.partialCount) else { return false }
        var completed = self
        completed.append(Array("\n\n".utf8))
        _ = completed.next()
        return completed.isDone
    }

    /// What another stream needs to go on with this one, which has to have said text and nothing else, and not that it is over.
    /// All of that is the caller's by then, and no thought is open.
    var cutAnswer: CutAnswer? {
        guard hasToken, finished.isEmpty, !hasGoneOn, !isDone, !speech.isThinking, let text = said.string else { return nil }
        return CutAnswer(text: text, speech: speech.goingOn(behind: text))
    }

    static let doneEvent = [UInt8]("data: [DONE]\n\n".utf8)
    /// The most bytes that a `[DONE]` takes with fields and comments beside it.
    private static let doneBytesMax = 512

    /// What is wrong with a stream that is over without `[DONE]`; nil when all choices have come to their end.
    ///
    /// What stands at its end without a blank line behind it was never an event, but may be the words of an error.
    func failureAtEnd() -> ChatError? {
        if isDone { return nil }
        var completed = self
        completed.append(Array("\n\n".utf8))
        if case .failure(let error) = completed.next().stop, error != .upstreamFailed(.garbage) {
            return error
        }
        if isFinished, !isInsideEvent { return nil }
        if let error = completed.unknownError { return error }
        return hasEvents && (addsAnything || finished.isEmpty) ? .upstreamCutOff : .upstreamFailed(.noAnswer)
    }

    /// What the last event says, when it is of no known kind.
    private var unknownError: ChatError? {
        if case .words(let error) = unknown { .upstreamReported(error, key: key) } else { nil }
    }

    private mutating func look(at event: Event) -> Stretch.Stop? {
        let data = splitter.data(of: event)
        guard case .plain = splitter.kind else { return look(at: event, ofKind: splitter.kind, data) }
        switch reader.read(data.span) {
        case .chunk(let chunk):
            let stop = look(at: chunk, data)
            return leavesOutRole && chunk.hasRole ? withoutRole(stop, data) : stop
        case .done: return end()
        // A frame without choices breaks clients that expect them in every one.
        case .other:
            note(unknown: data)
            return .skip
        case .error(let error): return .failure(.upstreamReported(error, key: key))
        case .garbage where data.allSatisfy { $0 <= UInt8(ascii: " ") }: return .skip
        case .garbage: return .failure(.upstreamFailed(.garbage))
        }
    }

    /// Of several the first with words counts.
    private mutating func note(unknown data: ArraySlice<UInt8>) {
        guard let error = UpstreamError(unknown: data.span) else { return }
        if case .words(let known) = unknown, known.message != nil { return }
        unknown = .words(error)
    }

    /// An event that is called an error, or is JSON without a field.
    private mutating func look(at event: Event, ofKind kind: Event.Kind, _ data: ArraySlice<UInt8>) -> Stretch.Stop {
        let frame = ChatFrame(data.span, depthMax: limits.jsonDepth)
        if case .done = frame {
            // What calls itself an error is one behind half an answer.
            if kind == .error, hasAnswer, !isFinished {
                let nothing = data.prefix(0)
                let error = UpstreamError(
                    data: nothing.span, ofEvent: buffer[event.bytes].span, depthMax: limits.jsonDepth)
                return .failure(.upstreamReported(error, key: key))
            }
            // In no field or in one called `error` it would be no event for the caller.
            let stop = end()
            if case .done = stop { return .replace(Self.doneEvent) }
            return stop
        }
        if kind == .bare, case .garbage = frame { return .failure(.upstreamFailed(.garbage)) }
        if kind == .bare, case .chunk = frame { return .failure(.upstreamFailed(.garbage)) }
        let error = UpstreamError(data: data.span, ofEvent: buffer[event.bytes].span, depthMax: limits.jsonDepth)
        return .failure(.upstreamReported(error, key: key))
    }

    /// `[DONE]`, which is believed only behind an answer, and not behind words of which nobody knows what they are.
    private mutating func end() -> Stretch.Stop {
        if !isFinished, let unknownError { return .failure(unknownError) }
        let rest = isSpoken ? events(of: speech.finish()) : []
        guard hasAnswer, addsAnything || !rest.isEmpty else { return .failure(.upstreamFailed(.noAnswer)) }
        eventsCount &+= 1
        isDone = true
        return rest.isEmpty ? .done : .replace(rest + Self.doneEvent)
    }

    private mutating func look(at chunk: ChatChunk, _ data: ArraySlice<UInt8>) -> Stretch.Stop? {
        if !finished.isEmpty, chunk.saysAnything { takeBack(chunk) }
        if !chunk.finished.isEmpty {
            finished.formUnion(chunk.finished)
            form.span?.noteFinishReasons(in: data.span, hiding: key)
        }
        if case .words = unknown, chunk.saysAnything || !chunk.finished.isEmpty { unknown = .nothing }
        if form.keepsText { said.take(chunk, content: reader.content, in: data) }
        if model == nil, !hasToken {
            model = reader.servedModel.flatMap { ServedModel($0, in: data.span, hiding: key) }
            form.span?.noteID(in: data.span, hiding: key)
        }
        let spoken = isSpoken ? speech.edited(data.span, chunk, content: reader.content) : nil
        if !hasToken { lookForToken(in: chunk) }
        hasToolCalls = hasToolCalls || chunk.hasToolCalls
        if chunk.hasUsage {
            usage = TokenUsage(data.span) ?? usage
            if chunk.isUsageOnly, !form.showsUsage { return .skip }
        }
        if let spoken { return .replace(events(of: spoken)) }
        guard isEdited || chunk.lacksChoices, form.edits.changes(chunk) else { return nil }
        eventsCount &+= 1
        return .replace([UInt8](eventWithData: form.edits.edited(data.span, lacksChoices: chunk.lacksChoices)))
    }

    /// What goes on of a chunk with a role, for a message that has one already.
    private mutating func withoutRole(_ stop: Stretch.Stop?, _ data: ArraySlice<UInt8>) -> Stretch.Stop? {
        switch stop {
        case .replace(let bytes): return .replace(RepeatedRole.removed(from: bytes[...]))
        case nil:
            eventsCount &+= 1
            return .replace(RepeatedRole.removed(from: [UInt8](eventWithData: Array(data))[...]))
        case .some(.none), .done, .skip, .failure: return stop
        }
    }

    private mutating func lookForToken(in chunk: ChatChunk) {
        let hasMore = chunk.hasToolCalls || chunk.hasRefusal || chunk.hasAudio
        hasContent = hasContent || hasMore || chunk.hasContent
        hasToken = hasMore || chunk.hasContent && !isSpoken || speech.hasSpoken
        hasBegun = hasBegun || hasToken || form.countsReasoning && chunk.saysAnything
    }

    /// The events of chunks that go out in other bytes than the upstream's.
    private mutating func events(of chunks: [[UInt8]]) -> [UInt8] {
        var events: [UInt8] = []
        for chunk in chunks {
            events += [UInt8](eventWithData: form.edits.isEmpty ? chunk : form.edits.edited(chunk.span))
            eventsCount &+= 1
        }
        return events
    }

    /// What goes on has not come to its end. Of one choice the number says nothing.
    private mutating func takeBack(_ chunk: ChatChunk) {
        let goingOn = form.choices == nil ? finished : chunk.spoken
        guard !finished.isDisjoint(with: goingOn) else { return }
        finished.subtract(goingOn)
        hasGoneOn = true
    }
}
