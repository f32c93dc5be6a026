import FastCGI
import Testing

@Suite(.timeLimit(.minutes(5))) struct ListenAddressTests {
    private static let forms = "use unix:PATH, tcp:HOST:PORT, fd:NUMBER, systemd or systemd:NAME"

    @Test(arguments: [
        ("unix:/run/sluice.sock", ListenAddress.unix("/run/sluice.sock")),
        ("unix:relative.sock", .unix("relative.sock")),
        ("unix:/with:colon", .unix("/with:colon")),
        ("unix:" + String(repeating: "x", count: 107), .unix(String(repeating: "x", count: 107))),
        ("tcp:127.0.0.1:9000", .tcp(host: "127.0.0.1", port: 9000)),
        ("tcp:localhost:0", .tcp(host: "localhost", port: 0)),
        ("tcp:localhost:65535", .tcp(host: "localhost", port: 65535)),
        ("tcp:[::1]:9000", .tcp(host: "::1", port: 9000)),
        ("fd:0", .inherited(0)),
        ("fd:17", .inherited(17)),
        ("systemd", .systemd(name: nil)),
        ("systemd:web", .systemd(name: "web")),
        ("systemd:sluice.socket", .systemd(name: "sluice.socket")),
    ])
    func `an address is read and written back`(text: String, address: ListenAddress) throws {
        #expect(try ListenAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        ("", "has no scheme"),
        ("http://x", "has an unknown scheme"),
        ("Unix:/x", "has an unknown scheme"),
        (":x", "has an unknown scheme"),
        ("/run/", "has no scheme"),
        ("example.com:9000", "has an unknown scheme"),
        ("::1:9000", "has an unknown scheme"),
        ("65536", "has no scheme"),
        ("Systemd", "has no scheme"),
        ("systemd:", "has no name of a descriptor"),
        ("systemd:a:b", "has no name of a descriptor"),
        ("systemd:ü", "has no name of a descriptor"),
        ("systemd:" + String(repeating: "x", count: 256), "has no name of a descriptor"),
        ("unix:/run/", "names a folder"),
        ("unix:", "names no path"),
        ("unix:" + String(repeating: "x", count: 108), "has a path of more than 107 bytes"),
        ("unix:" + String(repeating: "ü", count: 54), "has a path of more than 107 bytes"),
        ("unix:/a\0b", "has a NUL in its path"),
        // What the bytes of another encoding become on their way here.
        (String(decoding: Array("unix:/caf".utf8) + [0xE9], as: UTF8.self), "has a path that is not UTF-8"),
        ("tcp:", "needs a host and a port"),
        ("tcp:9000", "needs a host and a port"),
        ("tcp::9000", "needs a host and a port"),
        ("tcp:[]:9000", "needs a host and a port"),
        ("tcp:localhost:", "has no port from 0 to 65535"),
        ("tcp:localhost:65536", "has no port from 0 to 65535"),
        ("tcp:localhost:-1", "has no port from 0 to 65535"),
        ("tcp:localhost:+80", "has no port from 0 to 65535"),
        ("tcp:localhost:http", "has no port from 0 to 65535"),
        ("tcp:::1:9000", "needs brackets around its IPv6 host"),
        ("fd:", "has no descriptor number"),
        ("fd:-1", "has no descriptor number"),
        ("fd:+1", "has no descriptor number"),
        ("fd:x", "has no descriptor number"),
        ("fd:2147483648", "has no descriptor number"),
    ])
    func `an address that cannot be read says why`(text: String, reason: String) {
        let error = #expect(throws: ListenAddressError.self) { try ListenAddress(text) }
        #expect(error?.reason == reason)
        #expect(error?.description == "listen address '\(text)' \(reason); \(Self.forms)")
    }

    @Test(arguments: [
        ("127.0.0.1:9000", "tcp:127.0.0.1:9000"), ("0.0.0.0:9000", "tcp:0.0.0.0:9000"), ("[::1]:9000", "tcp:[::1]:9000"),
        ("localhost:9000", "tcp:localhost:9000"), ("9000", "tcp:127.0.0.1:9000"), ("/run/sluice.sock", "unix:/run/sluice.sock"),
        ("/run/with:colon", "unix:/run/with:colon"),
    ])
    func `an address as php-fpm has it is told with the scheme that it lacks`(text: String, meant: String) {
        let error = #expect(throws: ListenAddressError.self) { try ListenAddress(text) }
        #expect(error?.description.hasSuffix("has no scheme; \(Self.forms); did you mean \"\(meant)\"?") == true)
    }

    @Test(arguments: [("/run/sluice.sock", #"; did you mean "unix:/run/sluice.sock"?"#), ("127.0.0.1:9000", "")])
    func `a control socket without its scheme is told as the one form that it has`(text: String, hint: String) {
        let error = #expect(throws: ListenAddressError.self) { try ListenAddress.controlPath(text) }
        #expect(error?.advice == "has no scheme; use unix:PATH\(hint)")
    }
}
