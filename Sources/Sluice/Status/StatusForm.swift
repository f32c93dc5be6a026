// The forms in which the status is told.

import FastCGI

/// In which form the status is told.
struct StatusForm: Hashable, Sendable {
    var isJSON = false
    /// With each request that is being answered.
    var isFull = false
    /// How many characters a row of a table in the text has at most, as far as cutting names goes.
    var width = usualWidth

    /// What a terminal has room for that somebody has made a little wider.
    static let usualWidth = 100
    /// Those for terminals. They are few, since each form is made by itself.
    private static let widths = Array(stride(from: 40, through: 300, by: 10))

    /// All that there are.
    static let all = [false, true].flatMap { isFull in
        [StatusForm(isJSON: true, isFull: isFull)] + widths.map { StatusForm(isFull: isFull, width: $0) }
    }

    init(isJSON: Bool = false, isFull: Bool = false, width: Int = usualWidth) {
        (self.isJSON, self.isFull, self.width) = (isJSON, isFull, width)
    }

    /// As text, for a terminal of so many columns; the narrowest one where it has fewer.
    init(isFull: Bool, forColumns columns: Int) {
        self.init(isFull: isFull, width: Self.widths.last { $0 <= columns } ?? Self.widths[0])
    }

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

    /// By which it is asked for: `status`, `status full json`, `status width 80`.
    var command: String {
        "status" + (isFull ? " full" : "") + (isJSON ? " json" : "") + (width == Self.usualWidth ? "" : " width \(width)")
    }

    var contentType: String { isJSON ? "application/json" : "text/plain; charset=utf-8" }
}
