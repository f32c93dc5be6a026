import Testing

@testable import Sluice

@Suite struct CallerTests {
    @Test(arguments: ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "my id (2)", String(repeating: "x", count: 512)])
    func `a header of printable characters goes upstream as it is`(_ value: String) {
        #expect(Caller.sane(value) == value)
    }

    @Test(arguments: [nil, "", "a\u{7F}", "é", "a\r\nb: c", String(repeating: "x", count: 513)])
    func `any other header does not go upstream`(_ value: String?) {
        #expect(Caller.sane(value) == nil)
    }

    @Test(arguments: [
        ("custom_session_id=abc", "abc"), ("a=b&custom_session_id=abc&c=d", "abc"), ("custom_session_id=a%20b+c%C3%A9", "a b cé"),
        ("custom%5Fsession_id=abc", "abc"), ("custom_session_id=a=b", "a=b"), ("custom_session_id=%", "%"),
        ("custom_session_id=%4", "%4"), ("custom_session_id=%+1", "% 1"), ("custom_session_id=%ff", "\u{FFFD}"),
        ("custom_session_id", ""), ("custom_session_id=1&custom_session_id=2", "1"), ("", nil), ("&&", nil),
        ("xcustom_session_id=abc", nil),
    ])
    func `a session's id is found in the query`(_ query: String, id: String?) {
        #expect(Query(query)["custom_session_id"] == id)
    }
}
