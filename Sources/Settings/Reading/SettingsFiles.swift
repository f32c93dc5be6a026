// The files that the settings come from: one, and those that its `include` names.

import EventLoop
import Glibc

/// Reads the files of the settings, and puts what they say together.
struct SettingsFiles {
    /// A thousand upstreams take half of it. Its tree of values takes a hundred times as much.
    static let fileBytesMax = 1 << 20
    private static let bytesMax = 4 << 20
    private static let includedMax = 256

    private let main: SettingsFile
    private let input: SettingsInput
    private let problems: SettingsProblems
    private var bytesLeft = Self.bytesMax
    /// Whether no further file is read: each that is late takes its time, and each that is too much its memory.
    private var isFull = false
    /// The paths of those that were read, in that order.
    private(set) var included: [String] = []

    /// - Parameter main: the one that may include others.
    init(_ main: SettingsFile, _ input: SettingsInput, _ problems: SettingsProblems) {
        (self.main, self.input, self.problems) = (main, input, problems)
    }

    /// The table of all that the files say; nil when the main one is no TOML.
    ///
    /// - Parameter document: of the main one.
    mutating func reader(_ document: [UInt8]) -> SettingsReader? {
        guard let table = parsed(document, main) else { return nil }
        bytesLeft -= document.count
        var tables = [table]
        for file in namedFiles(table) where !isFull {
            if let table = includedTable(file) { tables.append(table) }
        }
        return SettingsReader(.merged(tables, problems), keys: Settings.keys, input, problems)
    }

    private func parsed(_ document: [UInt8], _ file: SettingsFile) -> SettingsNode? {
        do { return try SettingsNode(document: document, file: file) } catch {
            problems.add(unread: error)
            return nil
        }
    }

    // MARK: Their names

    /// A file, and the text that names it or the pattern that it matches.
    private typealias NamedFile = (path: String, node: SettingsNode)

    /// Those that `include` names, each once, in the order in which it names them.
    private func namedFiles(_ table: SettingsNode) -> [NamedFile] {
        guard let node = table.member("include"), let reader = SettingsReader(table, keys: nil, input, problems) else {
            return []
        }
        var files: [NamedFile] = []
        var paths: Set<String> = []
        for text in texts(node) {
            do throws(SettingsProblem) {
                let named = try self.paths(text, try reader.text(text))
                files += named.filter { paths.insert($0).inserted }.map { ($0, text) }
            } catch {
                problems.add(unread: error)
            }
        }
        guard files.count <= Self.includedMax else {
            problems.add(unread: SettingsProblem(node, "names \(files.count) files: \(Self.includedMax) are the most"))
            return []
        }
        return files
    }

    private func texts(_ node: SettingsNode) -> [SettingsNode] {
        switch node.value {
        case .string: return [node]
        case .array(let elements) where elements.count <= Self.includedMax: return elements
        case .array(let elements):
            problems.add(unread: SettingsProblem(node, "has \(elements.count) elements: \(Self.includedMax) are the most"))
            return []
        default:
            problems.add(unread: SettingsProblem(node, "must be a path or a pattern, or an array of them"))
            return []
        }
    }

    private func paths(_ node: SettingsNode, _ text: String) throws(SettingsProblem) -> [String] {
        guard text.utf8.contains(where: { "*?[".utf8.contains($0) }) else { return [main.resolved(text)] }
        do throws(SystemError) {
            let matches = try input.listFiles(main.resolved(pattern: text))
            return matches.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        } catch {
            let text = "names files that cannot be listed: \(SettingsPath.shown(file: text)): \(error.reason)"
            throw SettingsProblem(node, text)
        }
    }

    // MARK: What they say

    /// Nil when there is none, which is then a problem.
    private mutating func includedTable(_ named: NamedFile) -> SettingsNode? {
        guard named.path != main.path else {
            problems.add(SettingsProblem(named.node, "names this file itself"))
            return nil
        }
        guard let document = document(named) else { return nil }
        included.append(named.path)
        return parsed(document, SettingsFile(path: named.path, index: included.count)).map(withoutInclude)
    }

    private mutating func document(_ named: NamedFile) -> [UInt8]? {
        do throws(SystemError) {
            let document = try input.readFile(named.path)
            guard document.count <= Self.fileBytesMax else { throw SystemError(named.path, code: EFBIG) }
            bytesLeft -= document.count
            if bytesLeft >= 0 { return document }
            isFull = true
            let text = "names more than \(Size.setting(Self.bytesMax)) of settings, with \(SettingsPath.shown(file: named.path))"
            problems.add(unread: SettingsProblem(named.node, text))
        } catch {
            if error.code == ETIME { isFull = true }
            problems.add(
                unread: SettingsProblem(named.node, "names \(SettingsPath.shown(file: named.path)), \(Self.text(error))"))
        }
        return nil
    }

    private static func text(_ error: SystemError) -> String {
        switch error.code {
        case EFBIG: "which has more than \(Size.setting(fileBytesMax))"
        case EISDIR: #"a directory: a pattern names what is in it, as "conf.d/*.toml" does"#
        case ETIME: "which has not come in time: a slow disk, or a pipe that nobody writes to the end"
        default: "which cannot be read: \(error.reason)"
        }
    }

    /// An included file includes no others.
    private func withoutInclude(_ table: SettingsNode) -> SettingsNode {
        guard case .table(let members) = table.value, let include = table.member("include") else { return table }
        problems.add(SettingsProblem(include, "has no meaning in an included file: \(main.path) must name all"))
        return SettingsNode(value: .table(members.filter { $0.key != "include" }), path: table.path, place: table.place)
    }
}

extension SettingsNode {
    /// What several files say at one path, put together: tables key by key, and the lists of models one behind the other.
    ///
    /// - Parameter nodes: at least one, in the order of their files.
    fileprivate static func merged(_ nodes: [SettingsNode], _ problems: SettingsProblems) -> SettingsNode {
        let first = nodes[0]
        guard nodes.count > 1 else { return first }
        let tables = nodes.compactMap(\.members)
        if tables.count == nodes.count {
            return SettingsNode(value: .table(merged(tables, problems)), path: first.path, place: first.place)
        }
        let models = nodes.compactMap(\.models)
        if models.count == nodes.count {
            return SettingsNode(value: .array(ordered(models.flatMap(\.self))), path: first.path, place: first.place)
        }
        for node in nodes.dropFirst() {
            problems.add(SettingsProblem(node, "is set twice: \(first.place) sets it too"))
        }
        return first
    }

    private static func merged(_ tables: [[Member]], _ problems: SettingsProblems) -> [Member] {
        var keys: [String] = []
        var nodes: [String: [SettingsNode]] = [:]
        for member in tables.joined() {
            if nodes[member.key] == nil { keys.append(member.key) }
            nodes[member.key, default: []].append(member.node)
        }
        return keys.map { Member(key: $0, node: merged(nodes[$0] ?? [], problems)) }
    }

    /// The first model that matches counts, and `include` stands above them: those of the file that includes others come last.
    private static func ordered(_ models: [SettingsNode]) -> [SettingsNode] {
        models.filter { $0.place.file.index > 0 } + models.filter { $0.place.file.index == 0 }
    }

    private var members: [Member]? { if case .table(let members) = value { members } else { nil } }

    private var models: [SettingsNode]? {
        if case .array(let elements) = value, path == SettingsPath().appending("models") { elements } else { nil }
    }
}

extension Settings {
    /// Read ahead of all others, by `SettingsFiles`. What is shown needs no further files.
    static var includeField: Field<Settings> {
        Field(
            "include", .other("a path or a pattern, or an array of them"),
            """
            Further files of the settings. A relative path begins at the directory of this file; "*", "?" and "[…]" make it a \
            pattern, which takes the files that match in the order of their names, or none. What stands in them counts as if it \
            stood here: tables are put together key by key, and a key that two files set is an error. Their [[models]] come before \
            those of this file, so that a match of "*" here stays the last. Hidden files and backups, as "x.toml~", do not match \
            "*.toml". An included file includes no others. At most 256 files, of 1 MiB each and 4 MiB together.
            """,
            default: .words("none"), examples: [#""conf.d/*.toml""#],
            read: { _, _, _ throws(SettingsProblem) in }, write: { _ in nil })
    }
}
