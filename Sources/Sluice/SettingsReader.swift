// Typed access to the tables of the settings file. What is wrong is collected, and reading goes on.

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
    var readFile: (String) throws -> [UInt8]
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
            let hint = nearest(to: member.key, among: keys).map { "; did you mean '\($0)'?" } ?? ""
            problems.add(SettingsProblem("unknown key '\(member.node.path)'\(hint)", line: member.node.line))
        }
    }

    func node(_ key: String) -> SettingsNode? { members.first { $0.key == key }?.node }

    /// What the value of a key means; nil when it is absent or wrong.
    func value<Value>(_ key: String, _ convert: (SettingsNode) throws(SettingsProblem) -> Value) -> Value? {
        node(key).flatMap { checked($0, convert) }
    }

    /// Sets `value` to what a key says, and leaves it alone when the key is absent or wrong.
    func take<Value>(
        _ key: String, into value: inout Value, _ convert: (SettingsNode) throws(SettingsProblem) -> Value
    ) {
        if let new = self.value(key, convert) { value = new }
    }

    /// What a value means; nil when it is wrong, which is then a problem.
    func checked<Value>(_ node: SettingsNode, _ convert: (SettingsNode) throws(SettingsProblem) -> Value) -> Value? {
        do { return try convert(node) } catch {
            problems.add(error)
            return nil
        }
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

// MARK: Values

extension SettingsReader {
    /// A string that is not empty, with its variables put in.
    func text(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let text = try expanded(try literal(node), of: node)
        guard !text.isEmpty else { throw SettingsProblem(node, "must not be empty") }
        return text
    }

    /// A string as it stands in the file.
    func literal(_ node: SettingsNode) throws(SettingsProblem) -> String {
        guard case .string(let text) = node.value else { throw SettingsProblem(node, "must be a string") }
        return text
    }

    /// Puts the environment's variables in for `${NAME}`; `$${` stands for `${`.
    func expanded(_ text: String, of node: SettingsNode) throws(SettingsProblem) -> String {
        var (result, rest) = ("", text[...])
        while let start = rest.firstIndex(of: "$") {
            result += rest[..<start]
            rest = rest[start...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else { throw SettingsProblem(node, "has a '${' without a '}'") }
                result += try variable(rest[..<end].dropFirst(2), of: node)
                rest = rest[end...].dropFirst()
            } else {
                result += "$"
                rest = rest.dropFirst()
            }
        }
        return result + rest
    }

    private func variable(_ name: Substring, of node: SettingsNode) throws(SettingsProblem) -> String {
        guard name.first?.isNumber == false, name.utf8.allSatisfy(\.isInVariableName) else {
            throw SettingsProblem(node, "has a '${' that is not followed by a variable's name; a '${' itself is written '$${'")
        }
        guard let value = surroundings.environment(String(name)), !value.isEmpty else {
            throw SettingsProblem(node, "takes the environment's \(name), which is not set")
        }
        return value
    }

    func boolean(_ node: SettingsNode) throws(SettingsProblem) -> Bool {
        guard case .boolean(let value) = node.value else { throw SettingsProblem(node, "must be true or false") }
        return value
    }

    /// Reads a whole number.
    func integer(in range: ClosedRange<Int>) -> (SettingsNode) throws(SettingsProblem) -> Int {
        { node throws(SettingsProblem) in
            guard case .integer(let value) = node.value, range.contains(value) else {
                throw SettingsProblem(node, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    /// Reads a duration.
    func duration(in range: ClosedRange<Duration>) -> (SettingsNode) throws(SettingsProblem) -> Duration {
        { node throws(SettingsProblem) in
            let value = try quantity(node, Duration.init(setting:), #"as in "800ms", "5s", "10m" or "1h""#)
            guard range.contains(value) else {
                throw SettingsProblem(node, "must be from \(range.lowerBound.setting) to \(range.upperBound.setting)")
            }
            return value
        }
    }

    /// Reads a number of bytes.
    func size(in range: ClosedRange<Int>) -> (SettingsNode) throws(SettingsProblem) -> Int {
        { node throws(SettingsProblem) in
            let value = try quantity(node, Size.bytes, #"as in "512B", "64KiB", "8MiB" or "1GiB""#)
            guard range.contains(value) else {
                throw SettingsProblem(
                    node, "must be from \(Size.setting(range.lowerBound)) to \(Size.setting(range.upperBound))")
            }
            return value
        }
    }

    private func quantity<Quantity>(
        _ node: SettingsNode, _ parse: (String) -> Quantity?, _ examples: String
    ) throws(SettingsProblem) -> Quantity {
        switch node.value {
        case .integer, .number: throw SettingsProblem(node, "needs a unit, \(examples)")
        default: break
        }
        guard let value = parse(try text(node)) else {
            throw SettingsProblem(node, "must be a whole number with a unit, \(examples)")
        }
        return value
    }

    /// One of the names of a closed choice.
    func choice<Choice: CaseIterable & RawRepresentable<String>>(_ node: SettingsNode) throws(SettingsProblem) -> Choice {
        guard let choice = Choice(rawValue: try text(node)) else {
            throw SettingsProblem(node, "must be \(alternatives(Choice.allCases.map(\.rawValue)))")
        }
        return choice
    }

    /// A list of strings, none empty.
    func texts(_ node: SettingsNode) throws(SettingsProblem) -> [String] {
        guard case .array(let elements) = node.value else { throw SettingsProblem(node, "must be an array of strings") }
        var texts: [String] = []
        for element in elements { texts.append(try text(element)) }
        return texts
    }

    /// A file's path; a relative one begins at the settings file's directory.
    func file(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let path = try text(node)
        return path.hasPrefix("/") ? path : "\(surroundings.directory)/\(path)"
    }

    /// The bytes of a file that a setting names.
    func contents(of file: String, for node: SettingsNode) throws(SettingsProblem) -> [UInt8] {
        do { return try surroundings.readFile(file) } catch {
            throw SettingsProblem(node, "names a file that cannot be read: \(error)")
        }
    }
}

/// `"a", "b" or "c"`
func alternatives(_ names: [String]) -> String {
    let quoted = names.map { "\"\($0)\"" }
    guard let last = quoted.last, quoted.count > 1 else { return quoted.joined() }
    return "\(quoted.dropLast().joined(separator: ", ")) or \(last)"
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

extension UInt8 {
    fileprivate var isInVariableName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
