// Typed access to the tables of the settings file. What is wrong is collected, and reading goes on.

import EventLoop

/// All that was found wrong.
final class SettingsProblems {
    private var inFile: [SettingsProblem] = []
    private var elsewhere: [String] = []
    private let file: String

    init(file: String) { self.file = file }

    /// Adds a problem of the file.
    func add(_ problem: SettingsProblem) { inFile.append(problem) }

    /// Adds a problem of the command line or the environment, as a sentence.
    func add(_ problem: String) { elsewhere.append(problem) }

    /// The file's in its order, those without a line behind them, then the others.
    var sentences: [String] {
        let ordered = inFile.enumerated().sorted {
            ($0.element.line ?? .max, $0.offset) < ($1.element.line ?? .max, $1.offset)
        }
        return ordered.map { sentence($0.element) } + elsewhere
    }

    private func sentence(_ problem: SettingsProblem) -> String {
        let place = problem.line.map { "\(file):\($0)" } ?? file
        return "\(place): \(problem.text)"
    }
}

/// What values of the file may refer to.
struct SettingsSurroundings {
    /// Looks a variable up; an empty one counts as absent.
    var environment: (String) -> String?
    var readFile: FileReader
    /// Of the settings file, with which relative paths begin.
    var directory: String
}

/// One table of the settings file.
struct SettingsReader {
    let path: SettingsPath
    let line: Int?
    let members: [SettingsNode.Member]
    let surroundings: SettingsSurroundings
    let problems: SettingsProblems

    /// - Parameter keys: those that the table may have; others are problems. Nil allows any.
    init?(_ node: SettingsNode, keys: [String]?, _ surroundings: SettingsSurroundings, _ problems: SettingsProblems) {
        guard case .table(let members) = node.value else {
            problems.add(SettingsProblem(node, "must be a table"))
            return nil
        }
        (path, line, self.members) = (node.path, node.line, members)
        (self.surroundings, self.problems) = (surroundings, problems)
        guard let keys else { return }
        for member in members where !keys.contains(member.key) {
            let hint = KeyPlaces.hint(for: member.key, among: keys, isTop: node.path.depth == 0).map { "; \($0)" } ?? ""
            problems.add(SettingsProblem("unknown key '\(member.node.path)'\(hint)", line: member.node.line))
        }
    }

    func node(_ key: String) -> SettingsNode? { members.first { $0.key == key }?.node }

    /// Takes what the table says of the fields, in their order.
    ///
    /// - Returns: the keys whose values are wrong.
    @discardableResult
    func take<Root>(_ fields: [Field<Root>], into root: inout Root) -> Set<String> {
        var wrong: Set<String> = []
        for field in fields {
            if let node = node(field.key), !field.take(self, node, &root) { wrong.insert(field.key) }
        }
        return wrong
    }

    /// What a value means; nil when it is wrong, which is then a problem.
    func checked<Value>(_ node: SettingsNode, _ convert: (SettingsNode) throws(SettingsProblem) -> Value) -> Value? {
        do { return try convert(node) } catch {
            problems.add(error)
            return nil
        }
    }

    /// The same problem of each of some keys that the table has, in its order.
    func report(_ keys: [String], _ text: String) {
        for member in members where keys.contains(member.key) { problems.add(SettingsProblem(member.node, text)) }
    }

    /// A problem of the whole table.
    func problem(_ text: String) { problems.add(SettingsProblem("\(path) \(text)", line: line)) }

    func table(_ key: String, keys: [String]?) -> SettingsReader? {
        node(key).flatMap { table($0, keys: keys) }
    }

    func table(_ node: SettingsNode, keys: [String]?) -> SettingsReader? {
        SettingsReader(node, keys: keys, surroundings, problems)
    }
}

/// The name that a mistyped one was probably meant to be, if there is one.
func nearest(to name: String, among names: [String]) -> String? {
    let candidates = names.map { (name: $0, distance: editDistance(name, $0)) }
    guard let best = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, min(name.count, best.name.count) / 3) ? best.name : nil
}

/// How many characters must be inserted, removed or replaced to make one of the other (Levenshtein).
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right)
    var row = Array(0...right.count)
    for (index, character) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let replaced = diagonal + (right[column] == character ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
        }
    }
    return row[right.count]
}
