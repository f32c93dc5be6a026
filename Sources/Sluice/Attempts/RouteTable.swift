// Which of the models of one name a request goes to.

import Chat
import Settings

/// What requests see of the models: those of the route that the web server names, or those without a name.
final class RouteTable: Sendable {
    private struct Entry: Sendable {
        let route: Route
        let clients: [ModelPattern]
        /// What the values at paths have to fit, by the paths' numbers.
        let values: [(path: Int, pattern: ModelPattern)]

        /// Whether it is for a client of that name. One that is too long is none, as for budgets.
        func isFor(_ client: String?) -> Bool {
            if clients.isEmpty { return true }
            guard let client, client.utf8.count <= ClientSettings.nameBytesMax else { return false }
            return clients.allSatisfy { $0.matches(client) }
        }

        func fits(_ texts: [String?]) -> Bool {
            values.allSatisfy { value in texts[value.path].map(value.pattern.matches) ?? false }
        }
    }

    /// In the settings' order.
    private let entries: [Entry]
    private let paths: RequestPaths
    private let defaultModel: String?
    /// The models that can be named, each once, with the entries that they may go to.
    private let names: [(name: String, entries: [Int])]

    /// - Parameters:
    ///   - routes: of one name.
    ///   - defaultModel: for requests that name none.
    init(_ routes: [Route], defaultModel: String?) {
        var numbers: [RequestPath: Int] = [:]
        var paths: [RequestPath] = []
        entries = routes.map { route in
            let conditions = route.scope.conditions
            let values = conditions.compactMap { condition in
                condition.path.map { path in
                    if numbers[path] == nil { (numbers[path], paths) = (paths.count, paths + [path]) }
                    return (path: numbers[path] ?? 0, pattern: condition.pattern)
                }
            }
            return Entry(route: route, clients: conditions.filter { $0.path == nil }.map(\.pattern), values: values)
        }
        self.paths = RequestPaths(paths)
        self.defaultModel = defaultModel
        names = Self.names(entries, defaultModel)
    }

    /// Patterns are no names: the upstreams know what those match. The default is one as far as there is somewhere to go with it.
    private static func names(_ entries: [Entry], _ defaultModel: String?) -> [(name: String, entries: [Int])] {
        var places: [String: [Int]] = [:]  // by characters: the settings' own
        var names: [String] = []
        for (index, entry) in entries.enumerated() where entry.route.scope.match.isExact {
            let name = entry.route.scope.match.description
            if places[name] == nil { names.append(name) }
            places[name, default: []].append(index)
        }
        if let defaultModel, places[defaultModel] == nil { names.append(defaultModel) }
        let patterns = entries.indices.filter { !entries[$0].route.scope.match.isExact }
        return names.compactMap { name in
            let own = places[name] ?? []
            // Where one is for every client there is no need to know of others.
            if let common = own.first(where: { entries[$0].clients.isEmpty }) { return (name, [common]) }
            let all = own + patterns.filter { entries[$0].route.scope.match.matches(name) }
            return all.isEmpty ? nil : (name, all)
        }
    }

    /// The first entry whose model and conditions all fit. Nothing is looked for in the request while there are no conditions to ask.
    ///
    /// - Parameters:
    ///   - client: the web server's name of the caller.
    ///   - rule: what the settings say of that client.
    /// - Throws: `ChatError.modelNotFound`, or `.invalidParameter` when only some models have a route and none was named.
    func route(for chat: ChatRequest, of client: String?, _ rule: ClientSettings? = nil) throws(ChatError) -> Route {
        let model = chat.model ?? defaultModel
        var texts: [String?]?
        var hasFound = false
        for entry in entries where entry.route.scope.match.matches(model ?? "") {
            hasFound = true
            guard entry.isFor(client) else { continue }
            if entry.values.isEmpty { return entry.route }
            let found = texts ?? paths.texts(in: chat)
            if entry.fits(found) { return entry.route }
            texts = found
        }
        guard model != nil || hasFound else { throw .invalidParameter("model", .missing) }
        throw notFound(for: client, rule)
    }

    /// What is said to a client that asks for a model which is not there for it.
    func notFound(for client: String?, _ rule: ClientSettings?) -> ChatError {
        // Of more it is said that they are more.
        .modelNotFound(known: modelNames(for: client, rule, countMax: 11))
    }

    /// The entries with patterns that a client's requests may come to, in their order.
    func patterns(for client: String?) -> [Route] {
        entries.filter { !$0.route.scope.match.isExact && $0.isFor(client) }.map(\.route)
    }

    /// The models that a client can name. Whether the body fits is not asked: there is none, or another one may.
    ///
    /// - Parameter countMax: of the first that are wanted.
    func modelNames(for client: String?, _ rule: ClientSettings?, countMax: Int = .max) -> [String] {
        let visible = names.lazy.filter { name, entries in
            (rule?.allows(name) ?? true) && entries.contains { self.entries[$0].isFor(client) }
        }
        return visible.prefix(countMax).map(\.name)
    }
}
