import Testing

@testable import Sluice

@Suite struct RequestIDTests {
    @Test(arguments: [
        "abc", "0f1e-2d3c", "a.b_c:d", "1234567", "1763853334123456789", "20241129T10-17", String(repeating: "x", count: 128),
    ])
    func `a sane id of the caller is kept`(_ id: String) {
        #expect(RequestID(callers: id).description == id)
    }

    @Test(arguments: [
        nil, "", "15551234567", "1-555.123:4567", "0049_30_1234567", "a b", "a\r\nb", "é", "{}",
        String(repeating: "x", count: 129),
    ])
    func `any other is replaced by a fresh one`(_ id: String?) {
        let made = RequestID(callers: id).description
        #expect(made.hasPrefix("req_"))
        #expect(made.count == 36)
        #expect(made != RequestID(callers: id).description)
    }
}
