// What `sluice status --json` prints.

import Foundation

/// Of one process, as it or its master tells it. Of one that does not answer, its master tells `process`, `place`, `state` and
/// `startSince` alone.
struct ToldStatus: Decodable, Sendable {
    struct Reload: Decodable, Sendable {
        let outcome: String
        let problems: [String]
        let remarks: [String]
    }
    struct Listen: Decodable, Sendable {
        let address: String
        let listenQueue: Int?
        let listenQueueLen: Int?
    }
    struct Upstream: Decodable, Equatable, Sendable {
        let name: String
        let open: Int
        let queued: Int
        let places: Int?
    }
    struct Target: Decodable, Sendable {
        let route: String
        let upstream: String
        let model: String?
        let asked: Int
        let failed: Int
        let cut: Int
        let restsFor: Double?
        let firstTokenP50: Double?
        let firstTokenP95: Double?
    }
    struct Client: Decodable, Equatable, Sendable {
        let name: String
        let requests: Int
    }
    struct Trouble: Decodable, Equatable, Sendable {
        let client: String?
        let upstream: String?
        let ending: String
    }
    let process: pid_t
    let place: Int?
    let state: String
    let version: String?
    let startTime: Date?
    let startSince: Double?
    let generation: Int?
    let lastReload: Reload?
    let workers: Int?
    let listenQueue: Int?
    let listen: [Listen]?
    let acceptedConn: Int?
    let refusedConn: Int?
    let active: Int?
    let maxActive: Int?
    let requests: Int?
    let answered: Int?
    let failed: Int?
    let callersLeft: Int?
    let memoryUsed: Int?
    let memoryLimit: Int?
    let upstreams: [Upstream]?
    let targets: [Target]?
    let clients: [Client]?
    let otherRequests: Int?
    let lastErrors: [Trouble]?

    init(json: String) throws { self = try statusDecoder.decode(ToldStatus.self, from: Data(json.utf8)) }
}

/// Of a master and its processes.
struct ToldMasterStatus: Decodable, Sendable {
    let version: String
    let process: pid_t
    let state: String
    let generation: Int
    let startSince: Double
    let processesWanted: Int
    let processesServing: Int
    let restarts: Int
    let active: Int
    let requests: Int
    let answered: Int
    let failed: Int
    let callersLeft: Int
    let upstreams: [ToldStatus.Upstream]
    let lastReload: ToldStatus.Reload?
    let listenQueue: Int?
    let listen: [ToldStatus.Listen]?
    let processes: [ToldStatus]
    let emptyPlaces: [EmptyPlace]

    struct EmptyPlace: Decodable, Sendable {
        let place: Int
        let againIn: Double
        let reason: String
    }

    init(json: String) throws { self = try statusDecoder.decode(ToldMasterStatus.self, from: Data(json.utf8)) }
}

private let statusDecoder: JSONDecoder = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.dateDecodingStrategy = .iso8601
    return decoder
}()
