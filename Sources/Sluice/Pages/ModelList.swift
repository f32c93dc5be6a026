// The answer to `GET …/models`: what callers can name.

import Chat
import Choosing
import Settings

extension Settings {
    /// OpenAI's list object.
    ///
    /// - Parameter created: in seconds since 1970.
    static func modelList(of names: [String], created: Int) -> [UInt8] {
        var list: [UInt8] = []
        list.append(#"{"object":"list","data":["#)
        for (index, name) in names.enumerated() {
            if index > 0 { list.append(",") }
            list.append(#"{"id":"#)
            list.appendJSONString(name)
            list.append(#","object":"model","created":\#(created),"owned_by":"sluice"}"#)
        }
        list.append("]}")
        return list
    }
}

/// The models that a client can name, each once: those of the settings, and behind them those that upstreams tell.
struct ModelNames {
    /// Of more the first are told.
    private static let countMax = 5000
    /// How many names may be held against patterns: a page is put together while others wait.
    private static let stepsMax = 100_000

    private(set) var names: [String]
    private let rule: ClientSettings?
    /// By their bytes.
    private var known: Set<[UInt8]>
    private var stepsLeft = stepsMax
    /// Of the entries that have been looked at, which are the ones that count for what they match.
    private var earlier: [ModelPattern] = []

    /// - Parameters:
    ///   - names: those of the settings that the client can name.
    ///   - rule: what the settings say of the client.
    init(_ names: [String], for rule: ClientSettings?) {
        (self.names, self.rule) = (names, rule)
        known = Set(names.map { Array($0.utf8) })
    }

    /// Adds what upstreams tell of the models that an entry with a pattern is for. Of its targets the first speaks that tells anything: a
    /// model that it does not know is not to be had, unless its 404 leads to the next one. A target with a model of its own is asked for
    /// that, whatever others it has.
    ///
    /// - Parameter listed: by the upstreams' indices.
    mutating func add(_ listed: [Int: [String]], by route: Route) {
        // One that looks into the body may leave a request to a later one.
        defer { if route.scope.conditions.allSatisfy({ $0.path == nil }) { earlier.append(route.scope.match) } }
        for target in route.listedTargets {
            guard let names = listed[target.upstream], !names.isEmpty else { continue }
            add(names, by: route.scope.match)
            if !route.plan.fallbackOn.contains(404) { return }
        }
    }

    private mutating func add(_ listed: [String], by pattern: ModelPattern) {
        let steps = 1 + earlier.count + (rule?.models?.count ?? 0)
        for name in listed {
            stepsLeft -= steps
            guard stepsLeft >= 0, names.count < Self.countMax else { return }
            guard pattern.matches(name), !earlier.contains(where: { $0.matches(name) }), rule?.allows(name) ?? true,
                known.insert(Array(name.utf8)).inserted
            else { continue }
            names.append(name)
        }
    }
}

extension Route {
    /// Those that are asked for the model that the caller names.
    var listedTargets: [Target] { targets.filter { $0.ownModel == nil } }
}
