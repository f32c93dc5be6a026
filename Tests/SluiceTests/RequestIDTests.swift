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
}
