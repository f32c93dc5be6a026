// What one reading of the settings makes of the server.

import EventLoop
import Logging
import Settings

/// The settings, and all that is made of them and known by them, for all workers.
///
/// It never changes, though the states of upstreams on its board do. A request keeps the one that it began with to its end, so that
/// another can take its place for the requests to come.
final class Generation: Sendable {
    let settings: Settings
    let routes: Routes
    /// How the routes' targets do.
    let board: Board
    /// What is answered to those who ask for the models.
    let models: [UInt8]

    /// - Parameters:
    ///   - settings: checked.
    ///   - logger: told of targets that rest; nil for nobody.
    init(_ settings: Settings, _ logger: Logger? = nil) {
        self.settings = settings
        routes = Routes(settings)
        board = Board(settings, routes) { logger?.changed($0, $1) }
        models = settings.modelList
    }
}

/// A generation as one worker serves it, with the worker's own connections to the upstreams.
final class WorkerGeneration {
    let settings: Settings
    let routes: Routes
    let board: Board
    let models: [UInt8]
    let upstreams: Upstreams

    /// - Throws: `HTTPError` when a file of authorities cannot be used.
    init(_ common: Generation, on loop: EventLoop, _ logger: Logger) throws {
        (settings, routes, board, models) = (common.settings, common.routes, common.board, common.models)
        upstreams = try Upstreams(common.settings, on: loop, logger)
    }
}
