import Clock
import Testing

@testable import Choosing

@Suite struct RetryAfterTests {
    /// Sunday, 6 November 1994, 08:49:07 GMT: half a minute before the dates of RFC 9110.
    private let unixTime = Duration.seconds(784_111_747)

    @Test(arguments: [
        ("0", 0), ("2", 2000), ("1.5", 1500), ("0.05", 50), (" 7\t", 7000), ("1000000000", 1_000_000_000_000), ("007", 7000),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30_000), ("Sunday, 06-Nov-94 08:49:37 GMT", 30_000),
        ("Sun Nov  6 08:49:37 1994", 30_000),
        ("Mon, 07 Nov 1994 08:49:07 GMT", 86_400_000), ("Sun, 06 Nov 1994 08:49:00 GMT", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Mon Nov 14 08:49:07 1994", 691_200_000), ("Thu, 29 Feb 1996 00:00:00 GMT", 41_440_253_000),
        ("Fri, 01 Mar 1996 00:00:00 GMT", 41_526_653_000), ("Wednesday, 31-Dec-70 00:00:00 GMT", 0),
        ("Saturday, 01-Jan-00 00:00:00 GMT", 162_573_053_000),
    ])
    func `seconds and the three forms of a date are understood`(_ header: String, milliseconds: Int64) {
        #expect(RetryAfter.duration(header, unixTime: unixTime) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", " ", "-1", "+1", "1e3", "1,5", ".5", "1.", "1.2.3", "0x10", "soon", "1 s", "٣", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT", "Wed, 29 Feb 1995 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ago", "Sun, 06 Nov +994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "1994-11-06T08:49:37Z",
        "Son, 06 Nov 1994 08:49:37 GMT",
    ])
    func `anything else is nothing`(_ header: String) {
        #expect(RetryAfter.duration(header, unixTime: unixTime) == nil)
    }

    @Test(arguments: ["9999999999", "9223372036.9", "9223372036854775807", "1" + String(repeating: "0", count: 300)])
    func `what is absurd is as long as it gets`(_ header: String) {
        let longest = Duration.nanoseconds(Int64.max)
        #expect(RetryAfter.duration(header, unixTime: unixTime) == longest)
        #expect(RetryAfter.duration(nil, milliseconds: "9999" + header, unixTime: unixTime) == longest)
    }

    @Test(arguments: [("250", 250_000), ("0.5", 500), ("0", 0)])
    func `milliseconds come first`(_ milliseconds: String, microseconds: Int) {
        #expect(RetryAfter.duration("9", milliseconds: milliseconds, unixTime: unixTime) == .microseconds(microseconds))
    }

    @Test func `unless they make no sense`() {
        #expect(RetryAfter.duration("9", milliseconds: "x", unixTime: unixTime) == .seconds(9))
        #expect(RetryAfter.duration(nil, unixTime: unixTime) == nil)
    }

    @Test(arguments: [("01-Jan-44", 2044), ("01-Jan-45", 1945), ("01-Jan-99", 1999), ("01-Jan-94", 1994), ("01-Jan-00", 2000)])
    func `a year of two digits is at most fifty ahead`(_ date: String, year: Int) throws {
        let seconds = try #require(unixSeconds("Sunday, \(date) 00:00:00 GMT"))
        #expect(unixSeconds("Sun, 01 Jan \(year) 00:00:00 GMT") == seconds)
    }

    @Test(arguments: [
        ("Sat, 01 Jan 2000 00:00:00 GMT", 946_684_800), ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
        ("Sun, 01 Mar 2100 00:00:00 GMT", 4_107_542_400), ("Fri, 31 Dec 2038 23:59:60 GMT", 2_177_452_800),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ])
    func `dates are counted by the calendar`(_ date: String, seconds: Int64) {
        #expect(unixSeconds(date) == seconds)
    }

    @Test func `marks without end are no time, and cost no more than others`() {
        let marks = String(repeating: "\u{301}\u{327}", count: 1 << 16)
        #expect(RetryAfter.duration(marks, milliseconds: marks, unixTime: unixTime) == nil)
        #expect(RetryAfter.duration("Sun, " + marks, unixTime: unixTime) == nil)
    }

    private func unixSeconds(_ date: String) -> Int64? { HTTPDate.unixSeconds([UInt8](date.utf8)[...], unixTime: unixTime) }
}
