@testable import HTTPClient
import TestSupport
import Testing

/// Which URLs from outside are asked.
@Suite(.ownThread, .timeLimit(.minutes(5))) struct `A URL from outside` {
    private static func allowed(_ texts: [String]) -> [AllowedHost] { texts.compactMap { AllowedHost($0) } }

    private static let hosts = ["*.vapi.ai", "api.example.com", "localhost:8443", "10.0.0.1:9", "[2001:db8::1]"]

    @Test(arguments: [
        ("https://phone.vapi.ai/1/control", "*.vapi.ai"), ("https://a.b.c.vapi.ai", "*.vapi.ai"),
        ("https://Phone.VAPI.ai:443/x?y#z", "*.vapi.ai"), ("https://api.example.com/", "api.example.com"),
        ("https://localhost:8443/x", "localhost:8443"), ("https://10.0.0.1:9", "10.0.0.1:9"),
        ("https://[2001:DB8::1]/", "[2001:db8::1]"), ("https://x.vapi.ai/a@b", "*.vapi.ai"),
        ("https://\(String(repeating: "a", count: 63)).vapi.ai/", "*.vapi.ai"),
    ])
    func `is asked where its host is allowed, and is told by what allows it`(url: String, allowance: String) throws {
        let found = try HTTPRequest.allowedHost(ofForeign: url, among: Self.allowed(Self.hosts)).entry
        #expect(found.description == allowance)
    }

    @Test(arguments: [
        // Another host.
        ("https://vapi.ai/", HTTPRequest.URLRefusal.notAllowed),
        ("https://evilvapi.ai/", .notAllowed),
        ("https://phone.vapi.ai.evil.com/", .notAllowed),
        ("https://evil.com/.vapi.ai", .notAllowed),
        ("https://evil.com?.vapi.ai", .notAllowed),
        ("https://evil.com#.vapi.ai", .notAllowed),
        ("https://x.api.example.com/", .notAllowed),
        // Names with nothing in a place.
        ("https://.vapi.ai/", .notAllowed), ("https://a..vapi.ai/", .notAllowed),
        ("https://.a.vapi.ai/", .notAllowed), ("https://a.vapi.ai./", .notAllowed),
        // Another port.
        ("https://phone.vapi.ai:8443/", .notAllowed),
        ("https://phone.vapi.ai:80/", .notAllowed),
        ("https://localhost/", .notAllowed), ("https://10.0.0.1/", .notAllowed),
        // Addresses, in whatever form the system would take them.
        ("https://127.0.0.1/", .notAllowed), ("https://2130706433/", .notAllowed),
        ("https://0x7f000001/", .notAllowed), ("https://127.1/", .notAllowed),
        ("https://[::1]/", .notAllowed),
        ("https://[::ffff:10.0.0.1]:9/", .notAllowed),
        // Without TLS, or with another scheme.
        ("http://phone.vapi.ai/", .notSecure), ("http://phone.vapi.ai:443/", .notSecure), ("unix:/run/x.sock:/", .notSecure),
        ("ftp://phone.vapi.ai/", .malformed), ("HTTPS://phone.vapi.ai/", .malformed), ("//phone.vapi.ai/", .malformed),
        ("phone.vapi.ai", .malformed), ("", .malformed),
        // With user information, and what may look like it.
        ("https://u:p@phone.vapi.ai/", .userinfo), ("https://@phone.vapi.ai/", .userinfo),
        ("https://phone.vapi.ai@evil.com/", .userinfo), ("https://evil.com\\@phone.vapi.ai/", .userinfo),
        ("https://evil.com\\.vapi.ai/", .malformed), ("https://evil.com%2f.vapi.ai/", .malformed),
        // What the request could not have.
        ("https://phone.vapi.ai/a b", .malformed), ("https://phone.vapi.ai/\r\nHost: evil.com", .malformed),
        ("https://phone.vapi.ai/\0", .malformed), ("https://ph\u{F6}ne.vapi.ai/", .malformed),
        ("https://phone.vapi.ai:0/", .malformed), ("https://phone.vapi.ai:443:443/", .malformed),
        ("https://phone.vapi.ai/\(String(repeating: "a", count: 16 << 10))", .malformed),
    ])
    func `is not asked otherwise, and nothing is told of it`(url: String, refusal: HTTPRequest.URLRefusal) {
        #expect(throws: refusal) { try HTTPRequest.allowedHost(ofForeign: url, among: Self.allowed(Self.hosts)) }
        #expect(!refusal.description.contains("vapi"))
    }

    @Test func `is asked nowhere where nothing is allowed`() {
        #expect(throws: HTTPRequest.URLRefusal.notAllowed) {
            try HTTPRequest.allowedHost(ofForeign: "https://a.vapi.ai/", among: [])
        }
    }

    @Test(arguments: [
        "", "*", "*.", "*.ai", "*:443", "**.vapi.ai", "*vapi.ai", "a.*.vapi.ai", "*.*.vapi.ai", "https://vapi.ai", "vapi.ai/x",
        "vapi.ai?", "vapi.ai#", "u@vapi.ai", ".vapi.ai", "vapi.ai.", "a..b", "*.10.0.0.1", "*.[::1]", "::1", "[::1", "vapi.ai:",
        "vapi.ai:0", "vapi.ai:65536", "vapi.ai:x", "va pi.ai", "v\u{E4}pi.ai",
    ])
    func `is not allowed by what names no host`(text: String) { #expect(AllowedHost(text) == nil) }

    @Test func `is allowed by a host as it was written`() {
        for text in Self.hosts + ["*.Vapi.AI:8443", "my_host", "localhost"] { #expect(AllowedHost(text)?.description == text) }
    }
}
