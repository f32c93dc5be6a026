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

    init(chat: ChatRequest, caller: Caller, memory: RequestMemory, route: Route, call: String?, form: AnswerForm) {
        (self.chat, self.caller, self.memory, self.route, self.call, self.form) = (chat, caller, memory, route, call, form)
    }
}
