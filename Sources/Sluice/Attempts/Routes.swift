// Which upstreams may answer a request, and how the request is changed on the way.

import Chat
import Choosing
import HTTPClient
import Settings

/// The models of the settings, in their order.
struct Routes: Sendable {
    private let routes: [Route]
    /// By the bytes of their names.
    private let named: [[UInt8]: RouteTable]
    /// For requests that name none.
    private let unnamed: RouteTable?

    /// - Parameter settings: checked, so that each target's upstream is there.
    init(_ settings: Settings) {
        var targetsCount = 0
        let modelNames = settings.modelNames
        routes = zip(settings.models.indices, Self.labels(settings.models)).map { index, label in
            Route(settings, model: index, label, modelNames, &targetsCount)
        }
        let tables = Dictionary(grouping: routes) { $0.scope.name.map { Array($0.utf8) } ?? [] }
            .mapValues { RouteTable($0, defaultModel: settings.defaultModel) }
        (named, unnamed) = (tables.filter { !$0.key.isEmpty }, tables[[]])
    }

    /// What each is called where it is told of: as its scope. Several that would be called the same, since they differ in their conditions
    /// alone, are numbered in their order, which is the one that they are looked at in. Conditions may hold a phone number.
    private static func labels(_ models: [ModelSettings]) -> [String] {
        let names = models.map(\.scope.description)
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)  // by characters: the settings' own
        var places: [String: Int] = [:]  // by characters: the settings' own
        return names.map { name in
            guard counts[name, default: 0] > 1 else { return name }
            places[name, default: 0] += 1
            return "\(name)#\(places[name, default: 0])"
        }
    }

    /// All targets, by their numbers.
    var targets: [Target] { routes.flatMap(\.targets) }

    /// The table of a route. There is no way from one to another, and none from a name that is not there to those without a name: nobody
    /// gets to another's upstream because something is missing.
    ///
    /// - Parameter name: the web server's; nil and empty for none.
    func table(for name: String?) -> RouteTable? {
        guard let name, !name.isEmpty else { return unnamed }
        return name.utf8.count <= ModelSettings.nameBytesMax ? named[Array(name.utf8)] : nil
    }
}

/// Where requests for some models go.
final class Route: Sendable {
    let scope: ModelSettings.Scope
    /// What logs and the status call it.
    let label: String
    /// The model's index in the settings.
    let index: Int
    /// The targets, at least one, in the settings' order.
    let targets: [Target]
    let hedgeAfter: HedgeDelay?
    /// What its targets with weights share out.
    let affinity: ModelSettings.Affinity
    /// What is left out of its answers' texts.
    let speech: SpeechParts
    /// Whether reasoning counts as a first token.
    let countsReasoning: Bool
    /// What is said while there is no token.
    let filler: FillerSettings?
    /// Whether another answer goes on with one that has broken off.
    let continuesCuts: Bool
    /// What goes out ahead of the caller's messages; nil for nothing.
    let prompt: ServerPrompt?
    /// What is asked before each turn; nil for nothing.
    let hook: Hook?
    /// What is said behind an answer that has broken off; nil for an error.
    let cutSentence: String?
    /// What a selection goes by, whatever the moment.
    let plan: SelectionPlan
    let streamedTargets: [SelectionTarget]
    let wholeTargets: [SelectionTarget]

    fileprivate init(
        _ settings: Settings, model index: Int, _ label: String, _ modelNames: Set<[UInt8]>, _ targetsCount: inout Int
    ) {
        let model = settings.models[index]
        (scope, self.label) = (model.scope, label)
        self.index = index
        targets = model.targets.enumerated().compactMap { place, target in
            defer { targetsCount += 1 }
            let twinsCount = model.targets[..<place].count { $0.upstream == target.upstream && $0.model == target.model }
            return Target(settings, model, label, target, modelNames, number: targetsCount, twinsCount: twinsCount)
        }
        hedgeAfter = model.hedgeAfter
        affinity = model.affinity
        let isSpoken = !model.givesJSON
        speech = isSpoken ? model.speech ?? settings.speech : []
        countsReasoning = model.countsReasoning ?? settings.countsReasoning
        filler = isSpoken ? model.filler ?? settings.filler : nil
        prompt = (model.prepend ?? settings.prepend).flatMap(ServerPrompt.init)
        hook = settings.hook(of: model).flatMap(Hook.init)
        let onCut = isSpoken ? model.onCut ?? settings.onCut : .error
        continuesCuts = onCut == .goOn
        cutSentence = onCut == .error ? nil : model.spokenCut ?? settings.spokenCut
        plan = SelectionPlan(model)
        streamedTargets = targets.map { SelectionTarget($0, hedgeAfter: model.hedgeAfter) }
        wholeTargets = targets.map { SelectionTarget(whole: $0) }
    }
}

extension ServerPrompt {
    /// Nil where nothing is to be said.
    fileprivate init?(_ settings: PrependSettings) {
        guard let template = settings.template else { return nil }
        self.init(template, role: settings.role.rawValue, replaces: settings.replaces)
    }
}

/// One upstream, as a place where a route's requests go.
final class Target: Sendable {
    /// The requests that its route is for.
    let scope: ModelSettings.Scope
    /// Its route's label.
    let route: String
    /// The target's place among all targets.
    let number: Int
    /// The upstream's index in the settings.
    let upstream: Int
    let upstreamName: String
    /// The settings', unless the model or the target has its own.
    let timeouts: Settings.Timeouts
    let weight: Int?
    /// What calls find it by.
    let affinityKey: AffinityKey
    /// How long an attempt waits in the upstream's queue.
    let queueWait: Duration
    /// The model that the upstream is asked for whatever the caller names, if there is one.
    let ownModel: String?
    /// Whose API it is, in the words of OpenTelemetry where it has one: for metrics.
    let provider: String
    /// The model that is asked for, as far as the settings name one: for metrics.
    let requestedModel: String
    /// Where its answers count: for metrics.
    let metricRows = TargetRows()
    /// Where the upstream is: for traces. Nil for a demo.
    let server: (address: String, port: UInt16?)?
    /// Whether they do, so that no caller has the upstream answer by a name that it has made up.
    let namesModel: Bool
    /// The bytes of each name of a model that the settings have.
    private let modelNames: Set<[UInt8]>
    private let rules: TargetRules
    /// Its rules with shipped edits ahead of them, in the order of those; empty where it never takes any.
    private let shippedRules: [TargetRules]
    /// Which shipped edits are for its own model; nil for none, or where it has none of its own.
    private let ownShippedPattern: ShippedPattern?

    /// - Parameters:
    ///   - modelNames: the bytes of each name of a model that the settings have.
    ///   - twinsCount: how many targets before it in the route ask the same upstream for the same model.
    fileprivate init?(
        _ settings: Settings, _ model: ModelSettings, _ route: String, _ target: TargetSettings, _ modelNames: Set<[UInt8]>,
        number: Int, twinsCount: Int
    ) {
        guard let index = settings.upstreams.firstIndex(where: { $0.name == target.upstream }) else { return nil }
        let upstream = settings.upstreams[index]
        (scope, self.route) = (model.scope, route)
        self.number = number
        self.upstream = index
        upstreamName = upstream.name
        timeouts = settings.timeouts.overridden(by: model.timeouts).overridden(by: target.timeouts)
        weight = target.weight
        queueWait = upstream.queueWait
        ownModel = target.model
        provider = upstream.provider
        let match = model.scope.match
        namesModel = target.model != nil || match.isExact
        requestedModel = target.model ?? (match.isExact ? match.description : Metrics.other)
        self.modelNames = modelNames
        server = upstream.kind == .demo ? nil : HTTPRequest.server(of: upstream.urlPrefix)
        affinityKey = AffinityKey(upstream: upstream.name, model: target.model, twinsCount: twinsCount)
        var rules = UpstreamRules()
        rules.model = target.model
        rules.defaultModel = settings.defaultModel
        rules.addedParameters = upstream.addedParameters
        rules.passesAll = upstream.passesAllParameters
        rules.onlyParameters = upstream.onlyParameters
        rules.roles = upstream.roles
        rules.messages = upstream.kind == .compatible ? .allButAddedByHume : .known
        rules.asksForUsage = upstream.asksForUsage
        rules.obfuscation = upstream.obfuscation
        rules.continuation = upstream.continuation
        var edits = ParameterEdits()
        edits.set = target.set
        rules.edits = [model.edits, edits].filter { $0 != ParameterEdits() }
        self.rules = TargetRules(rules)
        ownShippedPattern = target.model.flatMap(ShippedPattern.of)
        let takesShipped = upstream.kind == .openai || upstream.kind == .azure
        let mayTakeShipped = takesShipped && (target.model == nil || ownShippedPattern != nil)
        shippedRules = mayTakeShipped ? ShippedEdits.allCases.map { TargetRules(rules, behind: $0) } : []
    }

    /// Whether a name is one that the settings have for a model.
    func isSettingsModel(_ name: String) -> Bool { modelNames.contains(Array(name.utf8)) }

    /// The model that the upstream is asked for.
    func model(for callersModel: String?) -> String? { ownModel ?? callersModel ?? rules.upstream.defaultModel }

    /// The rules for a request: those of the settings after the shipped ones for the model.
    func rules(for chat: ChatRequest) -> TargetRules {
        guard !shippedRules.isEmpty, let pattern = shippedPattern(for: chat.model) else { return rules }
        let isReasoning = rules.upstream.wantsReasoning(callers: chat.wantsReasoning)
        return shippedRules[pattern.edits(isReasoning: isReasoning).rawValue]
    }

    private func shippedPattern(for callersModel: String?) -> ShippedPattern? {
        ownModel == nil ? model(for: callersModel).flatMap(ShippedPattern.of) : ownShippedPattern
    }
}

/// Rules that many requests to a target have in common: whoever asks by them copies none of them.
final class TargetRules: Sendable {
    let upstream: UpstreamRules

    /// - Parameter shipped: what is changed ahead of what the rules change.
    fileprivate init(_ rules: UpstreamRules, behind shipped: ShippedEdits? = nil) {
        var rules = rules
        if let shipped { rules.edits.insert(shipped.edits, at: 0) }
        upstream = rules
    }
}

extension Settings {
    /// The bytes of each name of a model: what callers can name, what targets are asked for, and the default.
    fileprivate var modelNames: Set<[UInt8]> {
        let matches = models.map(\.scope.match).filter(\.isExact).map(\.description)
        let names = matches + models.flatMap { $0.targets.compactMap(\.model) } + [defaultModel].compactMap(\.self)
        return Set(names.map { Array($0.utf8) })
    }
}

extension UpstreamSettings {
    fileprivate var provider: String {
        switch kind {
        case .openai: url.hasSameBytes(as: Settings.defaultBaseURL) ? "openai" : name
        case .azure: "azure.ai.openai"
        case .compatible, .demo: name
        }
    }
}
