// Typed access to the tables of the settings. What is wrong is collected, and reading goes on.

import EventLoop

/// All that was found wrong.
final class SettingsProblems {
    private var inFiles: [SettingsProblem] = []
    private var withoutPlace: [String] = []
    private var place = SettingsError.Place.settings
    /// Whether something that belongs to the settings could not be read. Nothing is missed then that may stand there.
    private var isIncomplete = false

    /// Adds a problem of a file.
    func add(_ problem: SettingsProblem) { inFiles.append(problem) }

    /// Adds one for which a file could not be read.
    func add(unread problem: SettingsProblem) {
        isIncomplete = true
        add(problem)
    }

    /// Adds a problem of the command line, the environment or the settings file as a whole, as a sentence.
    func add(_ problem: String, at place: SettingsError.Place = .settings) {
        withoutPlace.append(problem)
        self.place = min(self.place, place)
    }

    /// All of them; nil when nothing is wrong, though there may be warnings.
    var error: SettingsError? { hasErrors ? SettingsError(problems: sentences, place: place) : nil }

    /// Where nothing is wrong.
    var warnings: [String] { hasErrors ? [] : sentences }

    private var hasErrors: Bool { !withoutPlace.isEmpty || inFiles.contains { !$0.isWarning } }

    /// Those of the files, each in its order, those without a line behind them, then the others.
    private var sentences: [String] {
        let certain = inFiles.filter { !(isIncomplete && $0.needsWhole) }
        let ordered = certain.enumerated().sorted {
            let (left, right) = ($0.element.place, $1.element.place)
            return (left.file.index, left.line ?? .max, $0.offset) < (right.file.index, right.line ?? .max, $1.offset)
        }
        return ordered.map { "\($0.element.place): \($0.element.text)" } + withoutPlace
    }
}

/// What values of the settings may refer to.
struct SettingsInput {
    /// Looks a variable up; an empty one counts as absent.
    var environment: (String) -> String?
    var readFile: FileReader
    var listFiles: FileLister
    /// Whether credentials are taken to be there where they are another process's.
    var assumesCredentials = false
}

/// One table of the settings.
struct SettingsReader {
    let path: SettingsPath
    let place: SettingsPlace
    let members: [SettingsNode.Member]
    let input: SettingsInput
    let problems: SettingsProblems

    /// - Parameter keys: those that the table may have; others are problems. Nil allows any.
    init?(_ node: SettingsNode, keys: [String]?, _ input: SettingsInput, _ problems: SettingsProblems) {
        guard case .table(let members) = node.value else {
            problems.add(SettingsProblem(node, "must be a table"))
            return nil
        }
        (path, place, self.members) = (node.path, node.place, members)
        (self.input, self.problems) = (input, problems)
        guard let keys else { return }
        for member in members where !keys.contains(member.key) {
            let hint = KeyPlaces.hint(for: member.key, among: keys, isTop: node.path.depth == 0).map { "; \($0)" } ?? ""
            problems.add(SettingsProblem("unknown key '\(member.node.path)'\(hint)", at: member.node.place))
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

    /// The same problem of each of some keys that the table has beside others, in its order.
    func report(_ keys: [String], _ text: String) {
        for member in members where keys.contains(member.key) {
            problems.add(SettingsProblem(member.node, text, needsWhole: true))
        }
    }

    /// A problem of the whole table.
    func problem(_ text: String) {
        var problem = SettingsProblem("\(path) \(text)", at: place)
        problem.needsWhole = true
        problems.add(problem)
    }

    func table(_ key: String, keys: [String]?) -> SettingsReader? {
        node(key).flatMap { table($0, keys: keys) }
    }

    func table(_ node: SettingsNode, keys: [String]?) -> SettingsReader? {
        SettingsReader(node, keys: keys, input, problems)
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
