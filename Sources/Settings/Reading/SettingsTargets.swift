// The targets of the settings file's models: `targets = […]`.

import Chat

extension SettingsReader {
    /// Where a model's requests go that says nothing about it: to the one upstream.
    func onlyTarget(_ upstreams: [String]) -> [TargetSettings] {
        if upstreams.count == 1 { return [TargetSettings(upstream: upstreams[0])] }
        problem("needs targets: there are several upstreams, \(shown(upstreams))")
        return []
    }

    /// The targets of a model; none when something is wrong with them.
    ///
    /// - Parameter upstreams: the names that they may have.
    func targets(_ node: SettingsNode, _ upstreams: [String]) -> [TargetSettings] {
        guard case .array(let elements) = node.value, !elements.isEmpty else {
            problems.add(SettingsProblem(node, "must be an array of upstreams' names, or of {upstream = …, model = …}"))
            return []
        }
        let targets = elements.compactMap { target($0, upstreams) }
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

    private func target(_ node: SettingsNode, _ upstreams: [String]) -> TargetSettings? {
        switch node.value {
        case .string:
            return checked(node) { node throws(SettingsProblem) in
                TargetSettings(upstream: try upstreamName(node, upstreams))
            }
        case .table:
            let fields = TargetSettings.fields(upstreams)
            return table(node, keys: fields.map(\.key))?.target(fields)
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

    private func shown(_ names: [String]) -> String { names.map(SettingsPath.shown).joined(separator: ", ") }

    func upstreamName(_ node: SettingsNode, _ upstreams: [String]) throws(SettingsProblem) -> String {
        let name = try text(node)
        if upstreams.contains(name) { return name }
        let hint = nearest(to: name, among: upstreams).map { "did you mean '\(SettingsPath.shown($0))'?" }
        let others = "there are: \(shown(upstreams))"
        throw SettingsProblem(node, "names no upstream; \(hint ?? others)", needsWhole: true)
    }
}
