import Chat
import Testing

@Suite struct CallIDTests {
    @Test(arguments: [
        "3f2b8c1e-1111-4222-8333-1234567890ab", "conv_01jxd5y165f62a0v7gtr6bkg56", "a", "CA.1:b-2_c",
        "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
        "0123456789abcdef0123456789abcdef:9z", "12345678-1234-4234-8234-12345678901a", "12345678a1234-4234-8234-123456789012",
        "CA12345678901234567890123456789012", "req_0123456", "call-2024-11", "call_a12345678b90123456c78901234d",
        String(repeating: "a", count: 64),
    ])
    func `an id fit for a log is taken as it is`(_ text: String) {
        #expect(CallID(text)?.text == text)
    }

    @Test(arguments: [
        "", "12345", "555-123-4567", "+15551234567", "1.555.123:4567", "tel:15551234567", "sip:user:1-555", "x15551234567",
        "15551234567x",
        "call-1.555.123.4567", "caller:1-555-123-4567:a", "tel15551234", "phone_number_15551234567", "a:", "a b", "a\nb",
        "\"a\"", "{{call}}", "é1", "a/b", "a@b", String(repeating: "a", count: 65),
    ])
    func `a phone number and what is unfit for a log are not`(_ text: String) {
        #expect(CallID(text) == nil)
    }

    @Test(
        arguments: [
            (#""call":{"id":"c-1","orgId":"o"}"#, "c-1"), (#""call":{"x":{"id":"no"},"id":"c\u002d2"}"#, "c-2"),
            (#""elevenlabs_extra_body":{"conversation_id":"conv_1"}"#, "conv_1"),
            (#""elevenlabs_extra_body":{"system__conversation_id":"conv_2"}"#, "conv_2"),
            (#""elevenlabs_extra_body":{"system__conversation_id":"conv_2","conversation_id":"conv_1"}"#, "conv_1"),
            (#""elevenlabs_extra_body":{"system__conversation_id":"conv_2","conversation_id":"+1555"}"#, "conv_2"),
            (#""call":{"id":"12345"},"elevenlabs_extra_body":{"conversation_id":"conv_1"}"#, "conv_1"),
            (#""call":{"id":"first"},"call":{"id":"last"}"#, "last"),
            (#""call":{"id":7}"#, nil), (#""call":{"id":null}"#, nil), (#""call":{}"#, nil), (#""call":"c-1""#, nil),
            (#""call":{"id":"+15551234567"}"#, nil), (#""call":null,"id":"c-1""#, nil), (#""elevenlabs_extra_body":[]"#, nil),
            (#""user_id":"u1","elevenlabs_extra_body":{}"#, nil),
        ] as [(String, String?)])
    func `a platform's call id is found`(_ members: String, id: String?) throws {
        #expect(try parsed(request(members)).callID == id)
    }
}
