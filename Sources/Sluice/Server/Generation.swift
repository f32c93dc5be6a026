// What one reading of the settings makes of the server.

import Clock
import EventLoop
import HTTPClient
import Logging
import Settings

/// The settings, and all that is made of them and known by them, for all workers.
///
/// It never changes, though the states of upstreams on its board do. A request keeps the one that it began with to its end, so that
/// another can take its place for the requests to come.
final class Generation: Sendable {
    /// From 1.
    let number: Int
    let settings: Settings
    let routes: Routes
    /// How the routes' targets do.
    let board: Board
    /// How connections to the upstreams are made, in the settings' order.
    let connectionOptions: [ConnectionOptions]
    /// How connections to hooks are made; nil where there are none.
    let hookOptions: ConnectionOptions?
    /// How connections to calls' platforms are made; nil where none is asked.
    let platformOptions: ConnectionOptions?
    /// When it was made, in seconds since 1970: for those who ask for the models.
    let created = secondsSince1970()
    /// Which requests have a trace, and where it goes; nil where none has.
    let traces: Tracing?
    /// What clients may use; nil where there is no limit for any.
    let clients: ClientRules?
    /// How the store does in which several machines count together what clients use; nil where each counts for itself.
    let storeHealth: StoreHealth?
    /// Told of targets that rest; nil for nobody.
    private let metrics: Metrics?
    /// When nothing has it any more, no request neither.
    let end = OneTimeEvent()

    /// Reads the files that TLS needs, off the loops.
    ///
    /// - Parameters:
    ///   - settings: checked.
    ///   - number: of the first one; each one that follows another has the next.
    ///   - former: the generation that it is to follow, if there is one. What stays the same is shared with it.
    ///   - logger: told of targets that rest, of how the store does and of spans that are dropped; nil for nobody.
    ///   - metrics: told of targets that rest, and of spans; nil for those of the former one.
    /// - Throws: `HTTPError.tls` when such a file cannot be used, though it could when the settings were checked.
    init(
        _ settings: Settings, number: Int = 1, replacing former: Generation? = nil, _ logger: Logger? = nil,
        _ metrics: Metrics? = nil
    ) throws(HTTPError) {
        self.number = former.map { $0.number + 1 } ?? number
        let settings = settings.ofOneProcess.withProbe
        self.settings = settings
        routes = Routes(settings)
        let metrics = metrics ?? former?.metrics
        self.metrics = metrics
        board = Board(settings, routes, replacing: former?.board) { target, change in
            logger?.changed(target, change)
            if case .rests = change { metrics?.rests(target) }
        }
        clients = ClientRules(settings)
        storeHealth = settings.budgetStore.map { store in
            if let known = former?.storeHealth, known.isOf(store) { return known }
            return StoreHealth(of: store, logger)
        }
        connectionOptions = try settings.upstreams.map { upstream throws(HTTPError) in
            let options = ConnectionOptions(upstream, of: settings)
            if upstream.usesTLS { try options.loadTLS(authoritiesFile: settings.authoritiesFile) }
            guard let known = former?.connectionOptions(of: upstream), options.makeSameConnections(as: known) else {
                return options
            }
            return known
        }
        hookOptions = try Self.hookOptions(settings, replacing: former)
        platformOptions = try Self.platformOptions(settings, replacing: former)
        traces = try Tracing(settings, replacing: former?.traces, logger, metrics)
    }

    /// Those of the former generation while the same hooks are asked: elsewhere its connections would be of no use.
    private static func hookOptions(
        _ settings: Settings, replacing former: Generation?
    ) throws(HTTPError) -> ConnectionOptions? {
        let urls = settings.hookURLs
        guard !urls.isEmpty else { return nil }
        let options = ConnectionOptions(hooksOf: settings)
        if settings.hooksUseTLS { try options.loadTLS(authoritiesFile: settings.authoritiesFile) }
        guard let former, let known = former.hookOptions, former.settings.hookURLs == urls, options.makeSameConnections(as: known)
        else { return options }
        return known
    }

    private static func platformOptions(
        _ settings: Settings, replacing former: Generation?
    ) throws(HTTPError) -> ConnectionOptions? {
        guard settings.asksPlatforms else { return nil }
        let options = ConnectionOptions(hooksOf: settings)
        try options.loadTLS(authoritiesFile: settings.authoritiesFile)
        guard let known = former?.platformOptions, options.makeSameConnections(as: known) else { return options }
        return known
    }

    deinit { end.come() }

    /// Those of the upstream that has the same name and is at the same place: elsewhere its connections would be of no use.
    private func connectionOptions(of upstream: UpstreamSettings) -> ConnectionOptions? {
        settings.upstreams.firstIndex { $0.name == upstream.name && $0.url == upstream.url }.map { connectionOptions[$0] }
    }
}

/// A generation as one worker serves it, with the worker's own connections to the upstreams.
final class WorkerGeneration {
    /// What all workers have of it.
    let shared: Generation
    let upstreams: Upstreams
    /// Where several machines count together what clients use; nil where each counts for itself.
    let store: BudgetStore?

    /// - Parameter former: what this worker serves so far, if it does.
    /// - Throws: as `Upstreams`.
    init(_ shared: Generation, replacing former: WorkerGeneration? = nil, on loop: EventLoop, _ logger: Logger) throws {
        self.shared = shared
        upstreams = try Upstreams(shared, replacing: former?.upstreams, on: loop, logger)
        guard let settings = shared.settings.budgetStore, let health = shared.storeHealth else {
            store = nil
            return
        }
        let known = former?.store
        store = known?.isSamePlace(as: settings) == true ? known : BudgetStore(settings, health, on: loop, logger)
    }

    /// Requests come to it from now on. On its loop's thread.
    func takeEffect() {
        upstreams.takeEffect()
        guard let settings = shared.settings.budgetStore else { return }
        store?.takeEffect(settings, nameLifetime: shared.settings.nameLifetime)
    }
}
