// `--name value` pairs.

struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The options of the command line; each is taken once, and none may be left over.
struct Options {
    private var values: [String: String] = [:]
    private var stray: String?

    init(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let name = rest.popFirst() {
            guard name.hasPrefix("--"), let value = rest.popFirst() else {
                stray = name
                return
            }
            values[String(name.dropFirst(2))] = value
        }
    }

    mutating func text(_ name: String) throws(UsageError) -> String {
        guard let value = values.removeValue(forKey: name) else { throw UsageError("--\(name) is missing") }
        return value
    }

    mutating func text(_ name: String, default fallback: String) -> String {
        values.removeValue(forKey: name) ?? fallback
    }

    /// A whole number, not negative.
    mutating func number(_ name: String, default fallback: Int) throws(UsageError) -> Int {
        guard let text = values.removeValue(forKey: name) else { return fallback }
        guard let number = Int(text), number >= 0 else { throw UsageError("--\(name) takes a number, not '\(text)'") }
        return number
    }

    func finish() throws(UsageError) {
        if let unknown = stray ?? values.keys.min().map({ "--\($0)" }) { throw UsageError("'\(unknown)' is not understood") }
    }
}
