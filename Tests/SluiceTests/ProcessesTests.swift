// What master and processes go by, as values.

import Clock
import EventLoop
import Glibc
import Testing

@testable import Sluice

@Suite struct `The back-off of a place for a process` {
    @Test func `is none for the first time, and longer each time that one dies soon`() {
        var backoff = RestartBackoff()
        let delays = (0..<12).map { _ in backoff.delay(afterLife: .seconds(9)) }
        #expect(delays[..<4] == [.zero, .milliseconds(100), .milliseconds(200), .milliseconds(400)])
        #expect(delays.last == .seconds(30))
        let later = (0..<100).map { _ in backoff.delay(afterLife: .zero) }
        #expect(later.allSatisfy { $0 == .seconds(30) })
    }

    @Test func `is none after one that lived for some time`() {
        var backoff = RestartBackoff()
        for _ in 0..<5 { _ = backoff.delay(afterLife: .zero) }
        let delays = [backoff.delay(afterLife: .seconds(10)), backoff.delay(afterLife: .zero)]
        #expect(delays == [.zero, .milliseconds(100)])
    }

    @Test func `is never none for one that could not be started`() {
        var backoff = RestartBackoff()
        let delays = (0..<3).map { _ in backoff.delayAfterFailure() }
        #expect(delays == [.milliseconds(100), .milliseconds(100), .milliseconds(200)])
    }
}

@Suite struct `The watchdog of a process` {
    @Test func `barks when so many ticks have passed`() {
        var watchdog = Watchdog(timeout: .seconds(3))
        let hangs = (0..<4).map { _ in watchdog.tick(after: .seconds(1), period: .seconds(1)) }
        #expect(hangs == [false, false, false, true])
    }

    @Test func `begins anew with each word`() {
        var watchdog = Watchdog(timeout: .seconds(3))
        for _ in 0..<10 {
            let hangs = (0..<3).map { _ in watchdog.tick(after: .seconds(1), period: .seconds(1)) }
            #expect(hangs == [false, false, false])
            watchdog.reset()
        }
    }

    @Test func `waits no shorter for a machine that stood still`() {
        var watchdog = Watchdog(timeout: .seconds(3))
        let hangs = (0..<3).map { _ in watchdog.tick(after: .seconds(3600), period: .seconds(1)) }
        #expect(hangs == [false, false, false])
    }
}

@Suite struct `The places for processes` {
    private func process(_ place: Int, slot: Int, pid: pid_t = 0) throws -> ServingProcess {
        let process = try ServingProcess(place: place, slot: slot, watchdog: Watchdog(timeout: .seconds(30)))
        process.pid = pid
        return process
    }

    @Test func `give each process a slot that no other one has, until too many end`() throws {
        var places = ProcessPlaces(count: 2)
        for slot in 0..<places.slotsCount {
            #expect(places.freeSlot == slot)
            let process = try process(slot % 2, slot: slot)
            places.put(process)
            places.retire(process)
        }
        #expect(places.freeSlot == nil)
        places.remove(places.leaving[3])
        #expect(places.freeSlot == 3)
    }

    @Test func `have another one for each that comes to its end, and count it`() throws {
        var places = ProcessPlaces(count: 2)
        let (first, second) = (try process(0, slot: 0, pid: 1), try process(1, slot: 1, pid: 2))
        let next = try process(0, slot: 2, pid: 3)
        places.put(first)
        places.put(second)
        #expect((places.present.count, places.restarts, places.allServe) == (2, 0, false))
        first.state = .serving
        second.state = .serving
        #expect(places.allServe)
        places.retire(first)
        places.retire(first)
        #expect((places.leaving.map(\.pid), places.present.map(\.pid), places.restarts) == ([1], [2], 1))
        #expect(!places.isInPlace(first))
        places.put(next)
        #expect((places.all.map(\.pid), places.serving.map(\.pid)) == ([3, 2, 1], [2]))
        // Its place is another's: its end leaves none empty.
        let isEmpty = [places.remove(first), places.remove(next)]
        #expect(isEmpty == [false, true])
        #expect((places[0] == nil, places.all.map(\.pid)) == (true, [2]))
    }

    @Test func `wait longer for one that keeps dying before it serves, however long it takes for that`() throws {
        var places = ProcessPlaces(count: 1)
        let delays = (0..<3).map { _ in places.delay(of: 0, afterLife: nil) }
        #expect(delays == [.milliseconds(100), .milliseconds(100), .milliseconds(200)])
        #expect(places.restarts == 3)
    }

    @Test func `tell which are empty and why, as long as they are`() throws {
        var places = ProcessPlaces(count: 2)
        places.put(try process(1, slot: 0, pid: 5))
        places.wait(.init(place: 0, reason: "one", end: Instant(nanoseconds: 1)))
        places.wait(.init(place: 0, reason: "two", end: Instant(nanoseconds: 2)))
        #expect(places.vacancies.map(\.place) == [0])
        #expect(places.vacancies.map(\.reason) == ["two"])
        places.put(try process(0, slot: 1, pid: 6))
        #expect(places.vacancies.isEmpty)
    }

    @Test func `wait longer each for itself`() throws {
        var places = ProcessPlaces(count: 2)
        let delays = [0, 0, 1].map { places.delay(of: $0, afterLife: .zero) }
        #expect(delays == [.zero, .milliseconds(100), .zero])
        #expect(places.delayAfterFailure(of: 1) == .milliseconds(100))
        #expect(places.restarts == 3)
    }

    @Test func `know of an end that was heard of ahead of the pid, and forget those of strangers`() throws {
        var places = ProcessPlaces(count: 1)
        let process = try process(0, slot: 0)
        places.put(process)
        #expect(places.ended(7, .killed(signal: SIGKILL)) == nil)
        #expect(places.ended(8, .exited(status: 0)) == nil)
        process.pid = 7
        #expect(places.takeEnd(of: process) == .killed(signal: SIGKILL))
        #expect(places.takeEnd(of: process) == nil)
        places.forgetUnknownEnds()
        process.pid = 8
        #expect(places.takeEnd(of: process) == nil)
        #expect(places.ended(8, .exited(status: 0)) === process)
    }

    @Test func `wait no longer for what has not come to be`() throws {
        var places = ProcessPlaces(count: 2)
        let (first, second) = (try process(0, slot: 0), try process(1, slot: 1, pid: 5))
        places.put(first)
        places.put(second)
        places.removeUnstarted()
        #expect(places.all.map(\.pid) == [5])
    }
}

@Suite struct `What a process has to tell its master` {
    @Test func `is said until it is taken, in its order, but for what comes again by itself`() {
        var (reports, taken, isHeard) = (OwedReports(), [ProcessReport](), false)
        func say(_ report: ProcessReport) {
            reports.report(report) {
                if isHeard { taken.append($0) }
                return isHeard
            }
        }
        say(.ready)
        say(.alive(ProcessLoad(streams: 1)))
        say(.stopping)
        #expect(taken == [])
        isHeard = true
        say(.alive(ProcessLoad(streams: 2)))
        say(.alive(ProcessLoad(streams: 3)))
        #expect(taken == [.ready, .stopping, .alive(ProcessLoad(streams: 2)), .alive(ProcessLoad(streams: 3))])
    }
}

@Suite struct `What master and process say` {
    @Test func `is understood by the other one`() {
        func start(_ sockets: [ProcessStart.Socket]) -> MasterMessage {
            .begin(ProcessStart(place: 3, slot: 7, generation: 5, period: .milliseconds(250), sockets: sockets))
        }
        let odd = ProcessStart.Socket(isOwn: false, name: "unix:/a b\n own \u{1}/end at once ")
        let messages: [MasterMessage] = [
            start([.init(isOwn: true, name: "unix:/s"), odd]), start([odd]), start([]), .end, .endAtOnce,
            .ask(.reload), .ask(.take), .ask(.wait), .ask(.clients(isJSON: false)), .ask(.clients(isJSON: true)),
        ]
        for message in messages + StatusForm.all.map({ .ask(.status($0)) }) {
            #expect(MasterMessage(text: message.text) == message)
        }
        for report: ProcessReport in [.ready, .stopping, .alive(ProcessLoad(streams: 12, resting: 1, upstreams: 3))] {
            #expect(ProcessReport(text: report.text) == report)
        }
        for text in [
            "", "alive", "alive a b c", "begin 1 -1 1 1", "begin 1 1 1 1 1", "begin 1 1 1", "alive 1 2", "ask", "ask me",
            "begin 1", "reload",
        ] {
            #expect(MasterMessage(text: text) == nil)
            #expect(ProcessReport(text: text) == nil)
        }
    }

    @Test func `can be added up, whatever a process says of its load`() {
        #expect(
            ProcessReport(text: "alive \(Int.max) \(Int.min) -1")
                == .alive(ProcessLoad(streams: 1_000_000, resting: 0, upstreams: 0)))
        #expect(ProcessReport(text: "alive 9223372036854775808 0 0") == nil)
    }

    @Test(arguments: [
        (["sluice", "serve"], ["sluice", "serve", "--process", "3"]),
        (["sluice", "serve", "--listen", "fd:0", "--"], ["sluice", "serve", "--process", "3", "--listen", "fd:0", "--"]),
    ]) func `is heard by a process whatever its command line ends with`(line: [String], expected: [String]) {
        #expect(ServingProcess.arguments(ofPlace: 2, of: line) == expected)
    }
}
