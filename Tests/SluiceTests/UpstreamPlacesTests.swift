import Choosing
import EventLoop
import Testing

@testable import Settings
@testable import Sluice

/// The places of one upstream, and who waits for one.
@Suite struct UpstreamPlacesTests {
    private let wakeup: Wakeup

    init() throws { wakeup = Wakeup(on: try EventLoop()) }

    private func upstream(concurrentMax: Int?, queueMax: Int = 10) -> UpstreamSettings {
        UpstreamSettings(name: "a", url: "http://a", concurrentMax: concurrentMax, queueMax: queueMax)
    }

    private func enter(_ places: UpstreamPlaces) -> ConcurrencyLimit.Entry { places.enter(mayWait: true, waking: wakeup) }

    private func queued(_ places: UpstreamPlaces) throws -> ConcurrencyLimit.Ticket {
        let entry = enter(places)
        guard case .queued(let ticket) = entry else { throw CancellationError() }
        return ticket
    }

    @Test func `a place that is given back is the first one's who waits, and is taken once`() throws {
        let places = UpstreamPlaces(upstream(concurrentMax: 1))
        #expect(enter(places) == .entered)
        let (first, second) = try (queued(places), queued(places))
        #expect(!places.take(first))
        places.leave()
        #expect(!places.take(second) && places.take(first) && !places.take(first))
    }

    @Test func `one that has gone passes on what it was given, and leaves the queue otherwise`() throws {
        let places = UpstreamPlaces(upstream(concurrentMax: 1))
        #expect(enter(places) == .entered)
        let tickets = try (0..<3).map { _ in try queued(places) }
        places.withdraw(tickets[1])
        places.leave()
        places.withdraw(tickets[0])
        #expect(!places.take(tickets[0]) && !places.take(tickets[1]) && places.take(tickets[2]))
        places.leave()
        #expect(enter(places) == .entered)
    }

    @Test func `more places go to those who wait`() throws {
        let places = UpstreamPlaces(upstream(concurrentMax: 1))
        #expect(enter(places) == .entered)
        let tickets = try (0..<3).map { _ in try queued(places) }
        places.apply(upstream(concurrentMax: 3))
        #expect(tickets.map { places.take($0) } == [true, true, false])
        places.apply(upstream(concurrentMax: nil))
        #expect(places.take(tickets[2]) && enter(places) == .entered)
    }

    @Test func `a selection sees how many it has to do with, and whether there is room`() {
        let places = UpstreamPlaces(upstream(concurrentMax: 2))
        var target = SelectionTarget()
        for (count, hasRoom) in [(1, true), (2, false)] {
            #expect(enter(places) == .entered)
            places.addState(to: &target)
            #expect(target.outstandingCount == count && target.hasRoom == hasRoom)
        }
    }

    @Test func `an upstream is the same server as long as its name and its URL are`() {
        let identity = UpstreamPlaces(upstream(concurrentMax: 1)).identity
        var other = upstream(concurrentMax: nil, queueMax: 0)
        other.key = .secret("k")
        #expect(UpstreamPlaces(other).identity == identity)
        other.url = "http://b"
        #expect(UpstreamPlaces(other).identity != identity)
        #expect(UpstreamPlaces(UpstreamSettings(name: "b", url: "http://a")).identity != identity)
    }
}
