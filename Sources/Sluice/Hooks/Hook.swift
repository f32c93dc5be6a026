// Whom a route asks before each turn, and how.

import Chat
import HTTPClient
import Settings

/// A hook as its route has it.
final class Hook: Sendable {
    let url: String
    /// What each question has in its head.
    private let fields: CommonFields
    /// For all of it, from the question to the answer's last byte.
    let timeout: Duration
    private let scope: HookScope
    let onFailure: HookSettings.Failure

    /// Nil where none is asked.
    init?(_ settings: HookSettings) {
        guard let url = settings.url else { return nil }
        self.url = url
        fields = CommonFields(
            [("Content-Type", "application/json"), ("Accept", "application/json")] + settings.headers.map { ($0.name, $0.value) })
        (timeout, scope, onFailure) = (settings.timeout, settings.scope, settings.onFailure)
    }

    /// What it is asked of a request.
    func request(for question: Question, _ options: ConnectionOptions) -> HTTPRequest {
        let caller = question.caller
        let headers = [(name: "X-Client-Request-Id", value: caller.clientRequestID)] + caller.traceHeaders
        var request = HTTPRequest(
            .post, url, common: fields, headers: headers, connectTimeout: timeout, totalTimeout: timeout, options: options)
        request.body = HTTPBody(
            followedBy: question.chat.hookQuestion(
                scope, request: caller.id.description, client: caller.client, call: question.call, route: question.route.label))
        request.memory = (question.memory.body, nil)
        // It may do more than to answer.
        request.isSentOnce = true
        return request
    }
}
