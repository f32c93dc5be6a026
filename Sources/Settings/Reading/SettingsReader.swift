// Typed access to the tables of the settings. What is wrong is collected, and reading goes on.

import EventLoop

/// What was found wrong.
final class SettingsProblems {
    /// Problems of one sort: the first of them, and how many there are.
    private struct Found {
        /// With how many of all sorts were found before each.
        private(set) var first: [(order: Int, problem: SettingsProblem)] = []
        private(set) var count = 0

        mutating func add(_ problem: SettingsProblem, order: Int) {
            if count < SettingsError.problemsMax { first.append((order, problem)) }
            count += 1
        }
    }

    private var certain = Found()
    /// Those that are none if something is missing.
    private var needingWhole = Found()
    private var warned = Found()
    private var withoutPlace: (first: [String], count: Int) = ([], 0)
    private var warnedWithoutPlace: [String] = []
    private var place = SettingsError.Place.settings
    /// Whether something that belongs to the settings could not be read. Nothing is missed then that may stand there.
    private var isIncomplete = false
    /// How many values are taken to be right, since they cannot be known here.
    private(set) var assumedValuesCount = 0
    /// For those that are told of.
    var suggestions = NameSuggestions()

    /// Whether one more would be told of. Of what is wrong beyond that nothing but the number is kept.
    var hasRoom: Bool { certain.count + needingWhole.count < SettingsError.problemsMax }

    /// Adds a problem of a file.
    func add(_ problem: SettingsProblem) {
        guard !problem.isAssumption else {
            // Another value may stand there than what is taken for it.
            (isIncomplete, assumedValuesCount) = (true, assumedValuesCount + 1)
            return
        }
        let order = certain.count + needingWhole.count + warned.count
        if problem.isWarning {
            if !problem.needsWhole || !isIncomplete { warned.add(problem, order: order) }
        } else if problem.needsWhole {
            needingWhole.add(problem, order: order)
        } else {
            certain.add(problem, order: order)
        }
    }

    /// Adds one for which a file could not be read.
    func add(unread problem: SettingsProblem) {
        isIncomplete = true
        add(problem)
    }

    /// Adds a problem of the command line, the environment or the settings file as a whole, as a sentence.
    func add(_ problem: String, at place: SettingsError.Place = .settings) {
        if withoutPlace.count < SettingsError.problemsMax { withoutPlace.first.append(problem) }
        withoutPlace.count += 1
        self.place = min(self.place, place)
    }

    /// Adds one of the command line or the environment with which the settings can be used all the same.
    func add(warning: String) { warnedWithoutPlace.append(warning) }

    /// What is wrong; nil when nothing is, though there may be warnings.
    var error: SettingsError? { hasErrors ? told : nil }

    /// Where nothing is wrong.
    var warnings: [String] { hasErrors ? [] : told.lines + warnedWithoutPlace }

    private var hasErrors: Bool { withoutPlace.count + certain.count + (isIncomplete ? 0 : needingWhole.count) > 0 }

    /// Those of the files, each in its order, those without a line behind them, then the others. Warnings are told as far as
    /// there is room beside the errors.
    private var told: SettingsError {
        let errors = isIncomplete ? [certain] : [certain, needingWhole]
        let errorsCount = errors.reduce(withoutPlace.count) { $0 + $1.count }
        let room = max(0, SettingsError.problemsMax - errorsCount)
        let ordered = (errors.flatMap(\.first) + warned.first.prefix(room)).sorted {
            let (left, right) = ($0.problem.place, $1.problem.place)
            return (left.file.index, left.line ?? .max, $0.order) < (right.file.index, right.line ?? .max, $1.order)
        }
        // Where nothing is wrong whoever tells of them says what they are.
        let warning = hasErrors ? "warning: " : ""
        let sentences =
            ordered.map { "\($0.problem.isWarning ? warning : "")\($0.problem.place): \($0.problem.text)" } + withoutPlace.first
        let first = Array(sentences.prefix(SettingsError.problemsMax))
        return SettingsError(problems: first, moreCount: errorsCount + warned.count - first.count, place: place)
    }
}

/// What values of the settings may refer to.
struct SettingsInput {
    /// Looks a variable up; an empty one counts as absent.
    var environment: (String) -> String?
    var readFile: FileReader
    var listFiles: FileLister
    /// Nil where nobody is to look.
    var readFileMode: FileModeReader?
    /// Whether credentials are taken to be there where they are another process's.
    var assumesCredentials = false
    /// Whether a value is taken to be right that has a variable in it which is not set.
    var assumesVariables = false
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
            problems.add(
                SettingsProblem(node, "must be a table\(KeyPlaces.hint(forNoTable: node.path.text).map { ", \($0)" } ?? "")"))
            return nil
        }
        (path, place, self.members) = (node.path, node.place, members)
        (self.input, self.problems) = (input, problems)
        guard let keys else { return }
        for member in members where !keys.contains(member.key) {
            let hint = problems.hasRoom ? hint(for: member.key, among: keys).map { "; \($0)" } ?? "" : ""
            problems.add(SettingsProblem("unknown key '\(member.node.path)'\(hint)", at: member.node.place))
        }
    }

    private func hint(for key: String, among keys: [String]) -> String? {
        KeyPlaces.hint(for: key, among: keys, isTop: path.depth == 0, &problems.suggestions)
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
