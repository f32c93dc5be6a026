// What a target is asked.

import Chat

/// A chat request that has been checked, with all that it takes to ask a target of its route.
struct Question {
    let chat: ChatRequest
    let caller: Caller
    /// What the request's body takes, and where there is more.
    let memory: RequestMemory
    let route: Route
    /// The voice platform's id of the call, when it has one that is fit for a log.
    let call: String?
    /// What the caller gets of the answer.
    let form: AnswerForm
}
