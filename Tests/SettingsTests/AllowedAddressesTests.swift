import FastCGI
import Testing

@testable import Settings

/// Who may connect over TCP.
@Suite struct AllowedAddressesTests {
    private static let forms = #"use an address or a range, as "192.0.2.7", "10.0.0.0/8" or "fd00::/8""#
    private static let advice = "where whoever reaches the port may call: name the web servers in allowed_addresses"

    @Test func `the environment says it where the file does not, with commas between addresses`() throws {
        let environment = ["FCGI_WEB_SERVER_ADDRS": "199.170.183.28, 199.170.183.71,10.0.0.0/8"]
        let expected = try ["199.170.183.28", "199.170.183.71", "10.0.0.0/8"].map { try AddressRange($0) }
        #expect(try settings("", environment: environment).socket.allowedAddresses == expected)
        let file = "allowed_addresses = ['::1']"
        #expect(try settings(file, environment: environment).socket.allowedAddresses == [try AddressRange("::1")])
        #expect(try settings("", environment: ["FCGI_WEB_SERVER_ADDRS": ""]).socket.allowedAddresses == nil)
    }

    @Test(arguments: [
        ("10.0.0.1,", "FCGI_WEB_SERVER_ADDRS: '' is no address of IP; \(forms)"),
        ("10.0.0.1 10.0.0.2", "FCGI_WEB_SERVER_ADDRS: '10.0.0.1 10.0.0.2' is no address of IP; \(forms)"),
        (
            repeatElement("::1", count: 257).joined(separator: ","),
            "FCGI_WEB_SERVER_ADDRS names 257 addresses, and may name 256"
        ),
    ])
    func `what the environment says wrong is told`(list: String, problem: String) {
        #expect(SettingsCase(text: "", environment: ["FCGI_WEB_SERVER_ADDRS": list]).problems == [problem])
    }

    /// With what stands in the file, in the environment's variable, and on the command line.
    @Test(
        arguments: [
            ("\nlisten = 'tcp:0.0.0.0:9000'", nil, [], "dir/sluice.toml:2: listen names tcp:0.0.0.0:9000, \(advice)"),
            (
                "listen = ['tcp:[::]:9000', 'unix:/s', 'tcp:127.0.0.1:9000', 'tcp:host:9000']", nil, [],
                "dir/sluice.toml:1: listen names tcp:[::]:9000, tcp:host:9000, \(advice)"
            ),
            ("", "tcp:0.0.0.0:9000", [], "SLUICE_LISTEN names tcp:0.0.0.0:9000, \(advice)"),
            ("listen = 'unix:/s'", nil, ["tcp:10.0.0.7:9000"], "--listen names tcp:10.0.0.7:9000, \(advice)"),
            ("listen = 'tcp:0.0.0.0:9000'", nil, ["unix:/s"], nil),
            ("listen = 'tcp:127.0.0.1:9000'", nil, [], nil), ("listen = ['tcp:[::1]:9000', 'tcp:localhost:9']", nil, [], nil),
            ("listen = ['systemd', 'fd:3', 'unix:/s']", nil, [], nil),
            ("listen = 'tcp:0.0.0.0:9000'\nallowed_addresses = ['0.0.0.0/0']", nil, [], nil),
        ] as [(String, String?, [String], String?)])
    func `where others reach a port and nobody says who may, somebody is told`(
        text: String, variable: String?, options: [String], warning: String?
    ) throws {
        let settings = SettingsCase(
            text: text, environment: variable.map { ["SLUICE_LISTEN": $0] } ?? [:], options: SettingsOptions(listen: options))
        #expect(try settings.loaded().warnings == (warning.map { [$0] } ?? []))
    }

    @Test func `beside a mistake it is called what it is`() {
        let settings = SettingsCase(text: "listen = 'tcp:0.0.0.0:9000'\nworkers = 0")
        #expect(
            settings.problems == [
                "warning: dir/sluice.toml:1: listen names tcp:0.0.0.0:9000, \(Self.advice)",
                "dir/sluice.toml:2: workers must be \"auto\" or a number from 1 to 256",
            ])
    }

    @Test func `a change takes a restart`() throws {
        let former = try settings("listen = 'tcp:0.0.0.0:9000'\nallowed_addresses = ['10.0.0.0/8']")
        var present = try settings("listen = 'tcp:0.0.0.0:9000'")
        #expect(present.restoreStartOnlySettings(of: former) == ["allowed_addresses"])
        #expect(present.socket == former.socket)
        #expect(try Settings(startOnlyText: former.startOnlyText).socket == former.socket)
    }
}
