// The forms in which the status is told.

import FastCGI

/// In which form the status is told.
struct StatusForm: Hashable, Sendable {
    var isJSON = false
    /// With each request that is being answered.
    var isFull = false

    /// All that there are.
    static let all = [false, true].flatMap { isFull in [false, true].map { StatusForm(isJSON: $0, isFull: isFull) } }

    init(isJSON: Bool = false, isFull: Bool = false) { (self.isJSON, self.isFull) = (isJSON, isFull) }

    /// By a URL's query: `json`, `full`, or both. Whatever else is in it is nobody's.
    init(query: String?) {
        guard let query = query.map(Query.init) else { return }
        (isJSON, isFull) = (query["json"] != nil, query["full"] != nil)
    }

    /// - Returns: nil for what is no `command`.
    init?(command: String) {
        guard let form = Self.all.first(where: { $0.command.utf8.elementsEqual(command.utf8) }) else { return nil }
        self = form
    }

    /// By which it is asked for: `status`, `status full json`.
    var command: String { "status" + (isFull ? " full" : "") + (isJSON ? " json" : "") }

    var contentType: String { isJSON ? "application/json" : "text/plain; charset=utf-8" }
}
