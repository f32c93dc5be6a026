import TestSupport
import Testing

/// The rows of the matrix, a group of them behind one site each.
@Suite struct `A front server` {
    @Test(arguments: WebServer.fronts)
    func `hands on what callers and Sluice say`(server: WebServer) async throws {
        try await FrontGroup.serving.run(behind: server)
    }

    @Test(arguments: WebServer.fronts)
    func `keeps from Sluice what is not meant for it`(server: WebServer) async throws {
        try await FrontGroup.refusing.run(behind: server)
    }

    @Test(arguments: WebServer.fronts)
    func `lets Sluice know that a caller has left`(server: WebServer) async throws {
        try await FrontGroup.leaving.run(behind: server)
    }

    @Test(arguments: WebServer.fronts)
    func `bears reloads, ends and restarts`(server: WebServer) async throws {
        try await FrontGroup.operating.run(behind: server)
    }

    @Test(arguments: WebServer.fronts)
    func `holds a thousand streams`(server: WebServer) async throws {
        try await FrontGroup.thousand.run(behind: server)
    }
}
