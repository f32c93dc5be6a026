// What a target is asked.

import Chat
import Choosing
import Clock
import Settings

/// A chat request that has been checked, with all that it takes to ask a target of its route. A class, since it has to wait where an open
/// stream has no room for it.
final class Question {
    let chat: ChatRequest
    let caller: Caller
    /// What the request's body takes, and where there is more.
    let memory: RequestMemory
    let route: Route
    /// The voice platform's id of the call, when it has one that is fit for a log.
    let call: String?
    /// What the caller gets of the answer.
    let form: AnswerForm
    /// What the caller has had of an answer that broke off, which is to be gone on with; nil for one that begins.
    let cut: CutAnswer?
    /// How much of the time for all of the answer was over by then.
    let elapsed: Duration
    /// What finds the call's target, where targets share out calls; nil where they do not.
    let affinityKey: AffinityKey?

    init(
        chat: consuming ChatRequest, caller: consuming Caller, memory: consuming RequestMemory, route: Route,
        call: consuming String?, form: consuming AnswerForm, cut: consuming CutAnswer? = nil, elapsed: Duration = .zero,
        affinityKey: AffinityKey? = nil
    ) {
        if let affinityKey {
            self.affinityKey = affinityKey
        } else {
            self.affinityKey = route.affinity == .call ? AffinityKey(call: copy call, client: caller.client, copy chat) : nil
        }
        self.chat = chat
        self.caller = caller
        self.memory = memory
        self.route = route
        self.call = call
        self.form = form
        self.cut = cut
        self.elapsed = elapsed
    }

    /// The same with what has been said. No third answer goes on with the second one.
    ///
    /// - Parameter elapsed: since the request came.
    func goingOn(with cut: CutAnswer, after elapsed: Duration) -> Question {
        var (chat, form) = (chat, form)
        chat.said = cut.text
        form.keepsText = false
        return Question(
            chat: chat, caller: caller, memory: memory, route: route, call: call, form: form, cut: cut, elapsed: elapsed,
            affinityKey: affinityKey)
    }

    /// The same with a hook's messages among the caller's. Its target is found by the caller's own.
    ///
    /// - Throws: `ChatError.memoryFull` when there is no memory for another body beside the caller's.
    init(_ question: Question, adding messages: HookMessages, depthMax: Int) throws(ChatError) {
        memory = try question.memory.ofLargerBody(question.chat.body.count + messages.bytesCount)
        chat = try question.chat.adding(messages, depthMax: depthMax)
        (caller, route, call, form) = (question.caller, question.route, question.call, question.form)
        (cut, elapsed, affinityKey) = (nil, .zero, question.affinityKey)
    }

    /// A whole answer with a text of Sluice's own, for a caller who does not stream.
    func completion(saying text: String) -> [UInt8] {
        OwnChunks(
            id: caller.id.description, model: chat.model, systemFingerprint: caller.sessionID, created: secondsSince1970()
        ).completion(saying: text)
    }
}
