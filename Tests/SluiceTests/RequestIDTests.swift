import Testing

@testable import Sluice

@Suite struct RequestIDTests {
    @Test(arguments: ["abc", "0f1e-2d3c", "a.b_c:d", String(repeating: "x", count: 128)])
    func `a sane id of the caller is kept`(_ id: String) {
        #expect(RequestID(callers: id).description == id)
    }

    @Test(arguments: [nil, "", "a b", "a\r\nb", "é", "{}", String(repeating: "x", count: 129)])
    func `any other is replaced by a fresh one`(_ id: String?) {
        let made = RequestID(callers: id).description
        #expect(made.hasPrefix("req_"))
        #expect(made.count == 36)
        #expect(made != RequestID(callers: id).description)
    }

    @Test(arguments: ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "my id (2)", String(repeating: "x", count: 512)])
    func `a header of printable characters goes upstream as it is`(_ value: String) {
        #expect(Correlation.sane(value) == value)
    }

    @Test(arguments: [nil, "", "a\u{7F}", "é", "a\r\nb: c", String(repeating: "x", count: 513)])
    func `any other header does not go upstream`(_ value: String?) {
        #expect(Correlation.sane(value) == nil)
    }
}
