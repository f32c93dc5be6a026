// The models of the settings file: `[[models]]`.

import Chat
import Choosing

extension SettingsReader {
    /// The file's models; nil when it has none.
    ///
    /// - Parameters:
    ///   - upstreams: the names that targets may have.
    ///   - attempts: for models that say nothing else.
    func models(_ upstreams: UpstreamNames, _ attempts: AttemptSettings) -> [ModelSettings]? {
        guard let node = node("models") else { return nil }
        guard case .array(let elements) = node.value, !elements.isEmpty else {
            problems.add(SettingsProblem(node, "must be tables: [[models]]"))
            return nil
        }
        let fields = ModelSettings.fields(upstreams)
        let keys = fields.map(\.key)
        let tables = elements.compactMap { table($0, keys: keys) }
        reportUnreachable(tables)
        let models = tables.map { $0.model(fields, upstreams, attempts) }
        reportPrompts(Array(zip(tables, models)))
        var paths: Set<RequestPath> = []
        for (table, model) in zip(tables, models) where paths.count <= ModelCondition.pathsMax {
            paths.formUnion(model.conditions.compactMap(\.path))
            guard paths.count > ModelCondition.pathsMax else { continue }
            table.problem(
                "has a path too many: the conditions of all [[models]] may have \(ModelCondition.pathsMax) different ones")
        }
        return models
    }

    /// The first match counts, so one behind another that matches all that it matches never does: of the same name, and with no conditions
    /// or the same ones.
    private func reportUnreachable(_ tables: [SettingsReader]) {
        var earlier: [[String]: EarlierModels] = [:]
        var pairsLeft = EarlierPatterns.pairsMax
        for table in tables {
            guard case .string(let match)? = table.node("match")?.value, match.utf8.count <= ModelPattern.bytesMax,
                let (name, conditions) = table.scope
            else { continue }
            var first = earlier[[name]]?.first(covering: match, &pairsLeft)
            if !conditions.isEmpty { first = first ?? earlier[[name] + conditions]?.first(covering: match, &pairsLeft) }
            if let first {
                let place = first.place.file == table.place.file ? "" : " of \(first.place)"
                table.problem("is never reached: \(first.path)\(place) matches the same models first")
            } else {
                earlier[[name] + conditions, default: EarlierModels()].append(match, table)
            }
        }
    }

    /// The name of a model's table and its conditions, as they are written; nil where these are none.
    private var scope: (name: String, conditions: [String])? {
        var name = ""
        if let node = node("name") {
            guard case .string(let text) = node.value else { return nil }
            name = text
        }
        guard let when = node("when") else { return (name, []) }
        let conditions = when.conditionTexts()
        return conditions.isEmpty ? nil : (name, conditions.sorted())
    }

    /// A model's name, or a pattern of names.
    func pattern(_ node: SettingsNode) throws(SettingsProblem) -> ModelPattern {
        let pattern = ModelPattern(try text(node))
        guard pattern.description.utf8.count <= ModelPattern.bytesMax else {
            throw SettingsProblem(node, "may have \(ModelPattern.bytesMax) bytes")
        }
        guard !pattern.hasOpenBracket else {
            throw SettingsProblem(node, "has a '[' without a ']'; a '[' itself is written '[[]'")
        }
        warn(of: pattern.doubt, node)
        return pattern
    }

    private func model(
        _ fields: [Field<ModelSettings>], _ upstreams: UpstreamNames, _ attempts: AttemptSettings
    ) -> ModelSettings {
        if node("match") == nil { problem("needs match: a model's name, or a pattern such as \"gpt-4*\" or \"*\"") }
        var model = ModelSettings(match: ModelPattern("*"), targets: [], attempts: attempts)
        if node("targets") == nil { model.targets = onlyTarget(upstreams) }
        take(fields, into: &model)
        // With one target there is nowhere else to go.
        if model.targets.count == 1 {
            report(["hedge_after", "fallback_on"], "has no meaning with one target: there is no other to ask")
        }
        if model.affinity != .none, model.targets.count(where: { $0.weight != nil }) < 2 {
            report(["affinity"], "has no meaning without two targets that have a weight: only those share anything out")
        }
        if model.givesJSON {
            report(["speech", "filler", "on_cut"], "has no meaning where response_format is set: whoever reads JSON is no voice")
        }
        return model
    }

    /// Whoever is to speak has something to say.
    func checkCuts(_ settings: Settings) {
        let needs = #"is "speak", which needs spoken_cut, the sentence"#
        let mute = settings.models.indices.filter { index in
            let model = settings.models[index]
            return (model.onCut ?? settings.onCut) == .speak && (model.spokenCut ?? settings.spokenCut) == nil
        }
        if mute.contains(where: { settings.models[$0].onCut == nil }) { report(["on_cut"], needs) }
        if let node = node("spoken_cut"), !settings.models.contains(where: { ($0.onCut ?? settings.onCut) != .error }) {
            problems.add(SettingsProblem(node, #"is never said: no on_cut is "speak" or "continue""#, needsWhole: true).asWarning)
        }
        guard case .array(let tables)? = node("models")?.value, tables.count == settings.models.count else { return }
        for index in mute {
            if let node = tables[index].member("on_cut") { problems.add(SettingsProblem(node, needs, needsWhole: true)) }
        }
    }

    /// A time, or a percentile of times.
    func hedgeDelay(_ node: SettingsNode) throws(SettingsProblem) -> HedgeDelay {
        var text = ""
        if case .string = node.value { text = try self.text(node) }
        guard text.hasPrefix("p") || text.hasSuffix("%") else { return .after(try duration(node, in: .positive)) }
        guard let percent = Int(text.dropFirst()), (1...99).contains(percent), text == "p\(percent)" else {
            throw SettingsProblem(node, "must be a percentile from \"p1\" to \"p99\", or a duration")
        }
        return .percentile(percent)
    }

    func statuses(_ node: SettingsNode, in range: ClosedRange<Int>) throws(SettingsProblem) -> [Int] {
        guard case .array(let elements) = node.value else {
            throw SettingsProblem(node, "must be an array of statuses, as in [404, 422]")
        }
        var statuses: [Int] = []
        for element in elements { statuses.append(try integer(element, in: range)) }
        return statuses
    }

    // MARK: Edits

    func renames() -> [ParameterEdits.Rename] {
        var newNames: Set<String> = []
        return members.compactMap { member in
            checkParameter(member.key, member.node)
            guard let newName = checked(member.node, text) else { return nil }
            checkGiven(newName, member.node)
            if !newNames.insert(newName).inserted {
                problems.add(SettingsProblem(member.node, "gives the same new name as another one"))
            }
            return ParameterEdits.Rename(member.key, to: newName)
        }
    }

    func parameterNames(_ node: SettingsNode) throws(SettingsProblem) -> Set<String> {
        let names = try texts(node)
        for name in names { checkParameter(name, node) }
        return Set(names)
    }

    func parameterValues() -> [ParameterEdits.Value] {
        members.compactMap { member in
            checkGiven(member.key, member.node)
            if case .string("${call}") = member.node.value { return ParameterEdits.Value(callOf: member.key) }
            return checked(member.node, json).map { ParameterEdits.Value(member.key, json: $0) }
        }
    }

    /// A parameter that goes out with another value than the caller's.
    private func checkGiven(_ name: String, _ node: SettingsNode) {
        checkParameter(name, node)
        guard name == "n" else { return }
        // An answer is whole when all choices have come to their end that the caller asked for.
        problems.add(SettingsProblem(node, "cannot change 'n': the caller waits for as many answers as it asked for"))
    }

    /// Members of a message beside its role and its content.
    func messageMembers() -> [ParameterEdits.Value] {
        members.compactMap { member in
            if ["role", "content"].contains(member.key) {
                problems.add(SettingsProblem(member.node, "cannot be set: the message is the assistant's, with the text so far"))
            }
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
            default: UpstreamRules.withheldNames.contains(name) ? "it never goes out" : nil
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

extension SettingsNode {
    /// What a `when` has, each with its path.
    fileprivate func conditionTexts(under prefix: String = "") -> [String] {
        ownMembers.flatMap { member -> [String] in
            let key = prefix + member.key
            switch member.node.value {
            case .table: return member.node.conditionTexts(under: "\(key).")
            case .string(let text): return ["\(key)=\(text)"]
            default: return [key]
            }
        }
    }
}

/// The models that stand before others of the same name and with the same conditions.
private struct EarlierModels {
    private var named: [String: SettingsReader] = [:]
    private var patterns = EarlierPatterns()

    mutating func append(_ match: String, _ table: SettingsReader) {
        named[match] = table
        let pattern = ModelPattern(match)
        if !match.hasVariable, !pattern.isExact { patterns.append(pattern, table) }
    }

    /// The table that matches all that one with this match does.
    ///
    /// - Parameter pairsLeft: how much is still compared, for all of them together.
    mutating func first(covering match: String, _ pairsLeft: inout Int) -> SettingsReader? {
        if let first = named[match] ?? named["*"] { return first }
        guard !match.hasVariable else { return nil }
        patterns.pairsLeft = pairsLeft
        defer { pairsLeft = patterns.pairsLeft }
        return patterns.first(covering: ModelPattern(match))
    }
}

extension String {
    /// What a variable holds is not looked at.
    fileprivate var hasVariable: Bool { contains("${") }
}

/// The patterns that stand before others.
struct EarlierPatterns {
    fileprivate static let pairsMax = 1 << 23

    private var patterns: [(pattern: ModelPattern, table: SettingsReader)] = []
    /// How many pairs of beginnings, or of bytes behind them, are still compared: those of a thousand models, and more.
    fileprivate var pairsLeft = pairsMax

    mutating func append(_ pattern: ModelPattern, _ table: SettingsReader) { patterns.append((pattern, table)) }

    /// The table whose pattern matches all that another one does; nil when there is none, or the comparing has taken long enough.
    mutating func first(covering other: ModelPattern) -> SettingsReader? {
        for (pattern, table) in patterns {
            let mayCover = pattern.mayCover(other)
            pairsLeft -= mayCover ? pattern.description.utf8.count * other.description.utf8.count : 1
            guard pairsLeft >= 0 else { return nil }
            if mayCover, pattern.covers(other) { return table }
        }
        return nil
    }
}
