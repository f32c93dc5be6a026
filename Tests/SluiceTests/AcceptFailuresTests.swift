import Clock
import Testing

@testable import Sluice

@Suite struct AcceptFailuresTests {
    private let start = Instant.current

    private func moment(_ seconds: Double) -> Instant { start + .milliseconds(Int(seconds * 1000)) }

    @Test func `the first is told at once, and those of the minute after it together`() {
        var failures = AcceptFailures()
        #expect(failures.happened(at: moment(0)) == 1)
        for tenth in 1..<600 { #expect(failures.happened(at: moment(Double(tenth) / 10)) == nil) }
        #expect(failures.untold(at: moment(59.9)) == nil)
        #expect(failures.untold(at: moment(60)) == 599)
        #expect(failures.happened(at: moment(61)) == nil)
        #expect(failures.untold(at: moment(120)) == 1)
    }

    @Test func `after a minute without one the next is told at once`() {
        var failures = AcceptFailures()
        #expect(failures.happened(at: moment(0)) == 1)
        #expect(failures.untold(at: moment(60)) == nil)
        #expect(failures.happened(at: moment(60.1)) == 1)
        #expect(failures.happened(at: moment(60.2)) == nil)
    }

    @Test func `workers that count together tell it once a minute`() {
        var failures = AcceptFailures()
        let told = (0..<40).map { failures.happened(at: moment(Double($0) * 5)) }
        #expect(told.compactMap(\.self) == [1, 12, 12, 12])
    }
}
