// The targets of the settings file's models: `targets = […]`.

import Chat

extension SettingsReader {
    /// Where a model's requests go that says nothing about it: to the one upstream.
    func onlyTarget(_ upstreams: UpstreamNames) -> [TargetSettings] {
        if let only = upstreams.only { return [TargetSettings(upstream: only)] }
        problem("needs targets: there are several upstreams, \(upstreams)")
        return []
    }

    /// The targets of a model; none when something is wrong with them.
    ///
    /// - Parameters:
    ///   - upstreams: the names that they may have.
    ///   - fields: those of a table.
    func targets(
        _ node: SettingsNode, _ upstreams: UpstreamNames, _ fields: [Field<TargetSettings>]
    ) -> [TargetSettings] {
        guard case .array(let elements) = node.value, !elements.isEmpty else {
            problems.add(SettingsProblem(node, "must be an array of upstreams' names, or of {upstream = …, model = …}"))
            return []
        }
        let targets = elements.compactMap { target($0, upstreams, fields) }
        // What is wrong itself does not tell what else has no meaning.
        guard targets.count == elements.count else { return [] }
        reportLoneWeights(elements, targets)
        return targets
    }

    /// Neighbours that have a weight share what comes; one alone has nobody to share with.
    private func reportLoneWeights(_ elements: [SettingsNode], _ targets: [TargetSettings]) {
        let weights = elements.map { $0.member("weight") }
        for run in weights.indices.split(whereSeparator: { weights[$0] == nil }) where run.count == 1 {
            guard let index = run.first, let weight = weights[index], targets[index].weight != nil else { continue }
            problems.add(SettingsProblem(weight, "has no meaning alone: give its neighbour one"))
        }
    }

    private func target(
        _ node: SettingsNode, _ upstreams: UpstreamNames, _ fields: [Field<TargetSettings>]
    ) -> TargetSettings? {
        switch node.value {
        case .string:
            return checked(node) { node throws(SettingsProblem) in
                TargetSettings(upstream: try upstreamName(node, upstreams))
            }
        case .table: return table(node, keys: fields.map(\.key))?.target(fields)
        default:
            problems.add(SettingsProblem(node, "must be an upstream's name, or {upstream = …, model = …}"))
            return nil
        }
    }

    private func target(_ fields: [Field<TargetSettings>]) -> TargetSettings? {
        if node("upstream") == nil { problem("needs upstream") }
        var target = TargetSettings(upstream: "")
        let wrong = take(fields, into: &target)
        return node("upstream") == nil || wrong.contains("upstream") ? nil : target
    }

    func upstreamName(_ node: SettingsNode, _ upstreams: UpstreamNames) throws(SettingsProblem) -> String {
        let name = try text(node)
        if upstreams.contains(name) { return name }
        let nearest = problems.hasRoom ? problems.suggestions.nearest(to: name, among: upstreams.all) : nil
        let hint = nearest.map { "did you mean '\(SettingsPath.shown($0))'?" } ?? upstreams.hint
        throw SettingsProblem(node, "names no upstream; \(hint)", needsWhole: true)
    }
}

/// The names that targets may have.
struct UpstreamNames: CustomStringConvertible {
    /// How long each may be.
    static let bytesMax = 64
    /// As many stand in a message.
    private static let shownMax = 10

    /// In the file's order.
    let all: [String]
    private let set: Set<String>
    /// Whether somebody has named them, and not the demo answers because nobody has.
    private let areNamed: Bool

    init(_ all: [String], areNamed: Bool = true) { (self.all, set, self.areNamed) = (all, Set(all), areNamed) }

    /// The one where there are no others.
    var only: String? { all.count == 1 ? all[0] : nil }

    func contains(_ name: String) -> Bool { name.utf8.count <= Self.bytesMax && set.contains(name) }

    /// Those that a wrong name may be changed to.
    var hint: String { areNamed ? "there are: \(self)" : "there is none yet: add [upstreams.NAME]" }

    /// As messages have them.
    var description: String {
        let first = all.prefix(Self.shownMax).map { SettingsPath.shown($0) }.joined(separator: ", ")
        return all.count > Self.shownMax ? "\(first) and \(all.count - Self.shownMax) more" : first
    }
}
