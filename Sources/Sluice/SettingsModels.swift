// The models of the settings file: `[[models]]`.

import Chat

extension SettingsReader {
    /// The file's models; nil when it has none.
    ///
    /// - Parameter upstreams: the names that targets may have.
    func models(_ upstreams: [String]) -> [ModelSettings]? {
        guard let node = node("models") else { return nil }
        guard case .array(let elements) = node.value, !elements.isEmpty else {
            problems.add(SettingsProblem(node, "must be tables: [[models]]"))
            return nil
        }
        let tables = elements.compactMap { table($0, keys: SettingsKeys.model) }
        reportUnreachable(tables)
        return tables.compactMap { $0.model(upstreams) }
    }

    /// The first match counts, so one behind `*`, or behind itself, never does.
    private func reportUnreachable(_ tables: [SettingsReader]) {
        var earlier: [String: SettingsReader] = [:]
        for table in tables {
            guard case .string(let match)? = table.node("match")?.value else { continue }
            if let first = earlier[match] ?? earlier["*"] {
                table.problem("is never reached: \(first.path) matches the same models first")
            } else {
                earlier[match] = table
            }
        }
    }

    private func model(_ upstreams: [String]) -> ModelSettings? {
        if node("match") == nil { problem("needs match: a model's name, or a pattern such as \"gpt-4*\" or \"*\"") }
        let match = value("match", text).map(ModelPattern.init)
        let targets = targets(upstreams)
        let edits = edits()
        guard let match, let targets else { return nil }
        return ModelSettings(match: match, targets: targets, edits: edits)
    }

    // MARK: Targets

    private func targets(_ upstreams: [String]) -> [TargetSettings]? {
        guard let node = node("targets") else {
            if upstreams.count == 1 { return [TargetSettings(upstream: upstreams[0])] }
            problem("needs targets: there are several upstreams, \(upstreams.joined(separator: ", "))")
            return nil
        }
        guard case .array(let elements) = node.value, let first = elements.first else {
            problems.add(SettingsProblem(node, "must be an array of an upstream's name, or of {upstream = …, model = …}"))
            return nil
        }
        if elements.count > 1 { problems.add(SettingsProblem(node, "can have one target so far, not \(elements.count)")) }
        return target(first, upstreams).map { [$0] }
    }

    private func target(_ node: SettingsNode, _ upstreams: [String]) -> TargetSettings? {
        if case .string = node.value { return upstream(node, upstreams).map { TargetSettings(upstream: $0) } }
        guard let table = table(node, keys: SettingsKeys.target) else { return nil }
        guard let name = table.node("upstream") else {
            table.problem("needs upstream")
            return nil
        }
        let model = table.value("model", table.text)
        return upstream(name, upstreams).map { TargetSettings(upstream: $0, model: model) }
    }

    private func upstream(_ node: SettingsNode, _ upstreams: [String]) -> String? {
        guard let name = checked(node, text) else { return nil }
        if upstreams.contains(name) { return name }
        let hint = nearest(to: name, among: upstreams).map { "did you mean '\($0)'?" }
        problems.add(
            SettingsProblem(node, "names no upstream; \(hint ?? "there are: \(upstreams.joined(separator: ", "))")"))
        return nil
    }

    // MARK: Edits

    private func edits() -> ParameterEdits {
        var edits = ParameterEdits()
        edits.renamed = table("rename", keys: nil)?.renames() ?? []
        take("drop", into: &edits.dropped, parameterNames)
        edits.set = table("set", keys: nil)?.parameterValues() ?? []
        edits.defaults = table("default", keys: nil)?.parameterValues() ?? []
        return edits
    }

    private func renames() -> [ParameterEdits.Rename] {
        var newNames: Set<String> = []
        return members.compactMap { member in
            checkParameter(member.key, member.node)
            guard let newName = checked(member.node, text) else { return nil }
            checkParameter(newName, member.node)
            if !newNames.insert(newName).inserted {
                problems.add(SettingsProblem(member.node, "gives the same new name as another one"))
            }
            return ParameterEdits.Rename(member.key, to: newName)
        }
    }

    private func parameterNames(_ node: SettingsNode) throws(SettingsProblem) -> Set<String> {
        let names = try texts(node)
        for name in names { checkParameter(name, node) }
        return Set(names)
    }

    private func parameterValues() -> [ParameterEdits.Value] {
        members.compactMap { member in
            checkParameter(member.key, member.node)
            return checked(member.node, json).map { ParameterEdits.Value(member.key, json: $0) }
        }
    }

    /// What the request is about has settings of its own, or none.
    private func checkParameter(_ name: String, _ node: SettingsNode) {
        let hint: String? =
            switch name {
            case "model": "use targets = [{upstream = …, model = …}]"
            case "messages": "they go through as they are"
            case "stream": "the caller decides whether to stream"
            case "stream_options": "use usage and obfuscation of the upstream"
            default: nil
            }
        if let hint { problems.add(SettingsProblem(node, "cannot change '\(name)': \(hint)")) }
    }

    /// A value as JSON.
    private func json(_ node: SettingsNode) throws(SettingsProblem) -> [UInt8] {
        var json: [UInt8] = []
        try append(node, to: &json)
        return json
    }

    /// Writes a value as JSON.
    private func append(_ node: SettingsNode, to json: inout [UInt8]) throws(SettingsProblem) {
        switch node.value {
        case .string(let text): json.appendJSONString(try expanded(text, of: node))
        case .boolean(let value): json.append("\(value)")
        case .integer(let value): json.append("\(value)")
        case .number(let value):
            guard value.isFinite else { throw SettingsProblem(node, "must be a finite number") }
            json.append("\(value)")
        case .date: throw SettingsProblem(node, "must be a string: JSON has no dates")
        case .array(let elements):
            json.append("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { json.append(",") }
                try append(element, to: &json)
            }
            json.append("]")
        case .table(let members):
            json.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { json.append(",") }
                json.appendJSONString(member.key)
                json.append(":")
                try append(member.node, to: &json)
            }
            json.append("}")
        }
    }
}
