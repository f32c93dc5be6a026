// What a session counts, against what there is, and that in the end nothing is left.

import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

extension Session {
    /// What its pools count, against what there is.
    func expectConsistent(at location: SourceLocation = #_sourceLocation) {
        let pools = Array(pools.values)
        let idle = pools.flatMap { $0.idle + $0.shared.filter { $0.idleSince != nil } }
        #expect(idle.count == context.idle.count, sourceLocation: location)
        #expect(context.idle.count <= configuration.idleConnectionsMax, sourceLocation: location)
        #expect(idle.allSatisfy { one in context.idle.contains { $0 === one } }, sourceLocation: location)
        for pool in pools {
            let places = transfers.filter { $0.pool === pool }.map(\.place)
            #expect(pool.busyCount == places.count { if case .http1 = $0 { true } else { false } }, sourceLocation: location)
            let waiting = places.count { if case .waiting = $0 { true } else { false } }
            #expect(pool.waiting.count == waiting - pool.connecting.count { $0.trial != nil }, sourceLocation: location)
            #expect(pool.waiting.isEmpty || pool.hasSomethingToWaitFor, sourceLocation: location)
        }
    }

    /// Neither transfers nor connections nor anything that waits for them.
    func expectNothingLeft(idle: Int = 0, at location: SourceLocation = #_sourceLocation) {
        expectConsistent(at: location)
        #expect(transfers.isEmpty, sourceLocation: location)
        #expect(context.idle.count == idle, sourceLocation: location)
        for pool in pools.values {
            #expect((pool.connecting.count, pool.waiting.count, pool.busyCount) == (0, 0, 0), sourceLocation: location)
        }
        // An idle connection has a watch and no timer.
        #expect(loop.watches.count { $0 != nil } == idle, sourceLocation: location)
    }
}

extension Session.Configuration {
    /// A busy machine may stand still for longer than a session waits before it makes another connection: tests count connections.
    static var patient: Session.Configuration {
        var configuration = Session.Configuration()
        configuration.patience = .seconds(3_600)
        configuration.silenceMax = .seconds(3_600)
        return configuration
    }
}

extension Session {
    /// Tests of what a session does when it has waited for too long say after how long.
    convenience init(on loop: EventLoop) { self.init(on: loop, .patient) }
}

extension Pool {
    var hasSomethingToWaitFor: Bool { !connecting.isEmpty || !shared.isEmpty }
}
