// The targets of the settings file's models: `targets = […]`.

import Chat

extension SettingsReader {
    /// The targets of a model; none when something is wrong with them.
    ///
    /// - Parameter upstreams: the names that they may have.
    func targets(_ upstreams: [String]) -> [TargetSettings] {
        guard let node = node("targets") else {
            if upstreams.count == 1 { return [TargetSettings(upstream: upstreams[0])] }
            problem("needs targets: there are several upstreams, \(upstreams.joined(separator: ", "))")
            return []
        }
        guard case .array(let elements) = node.value, !elements.isEmpty else {
            problems.add(SettingsProblem(node, "must be an array of upstreams' names, or of {upstream = …, model = …}"))
            return []
        }
        let targets = elements.compactMap { target($0, upstreams) }
        return targets.count == elements.count ? targets : []
    }

    private func target(_ node: SettingsNode, _ upstreams: [String]) -> TargetSettings? {
        if case .string = node.value { return upstream(node, upstreams).map { TargetSettings(upstream: $0) } }
        guard case .table = node.value else {
            problems.add(SettingsProblem(node, "must be an upstream's name, or {upstream = …, model = …}"))
            return nil
        }
        return table(node, keys: SettingsKeys.target)?.target(upstreams)
    }

    private func target(_ upstreams: [String]) -> TargetSettings? {
        let upstream = node("upstream").flatMap { self.upstream($0, upstreams) }
        if node("upstream") == nil { problem("needs upstream") }
        var target = TargetSettings(upstream: upstream ?? "")
        take("model", into: &target.model, text)
        take("weight", into: &target.weight, integer(in: 1...1000))
        target.set = table("set", keys: nil)?.parameterValues() ?? []
        target.timeouts.take(self)
        return upstream == nil ? nil : target
    }

    private func upstream(_ node: SettingsNode, _ upstreams: [String]) -> String? {
        guard let name = checked(node, text) else { return nil }
        if upstreams.contains(name) { return name }
        let hint = nearest(to: name, among: upstreams).map { "did you mean '\($0)'?" }
        problems.add(
            SettingsProblem(node, "names no upstream; \(hint ?? "there are: \(upstreams.joined(separator: ", "))")"))
        return nil
    }
}
