// What a target is asked.

import Chat

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

    init(
        chat: ChatRequest, caller: Caller, memory: RequestMemory, route: Route, call: String?, form: AnswerForm,
        cut: CutAnswer? = nil
    ) {
        (self.chat, self.caller, self.memory, self.route, self.call, self.form) = (chat, caller, memory, route, call, form)
        self.cut = cut
    }

    /// The same with what has been said. No third answer goes on with the second one.
    func goingOn(with cut: CutAnswer) -> Question {
        var (chat, form) = (chat, form)
        chat.said = cut.text
        form.keepsText = false
        return Question(chat: chat, caller: caller, memory: memory, route: route, call: call, form: form, cut: cut)
    }
}
