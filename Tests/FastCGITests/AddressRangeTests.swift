import Testing

@testable import FastCGI

@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.2", "::1", "::127.0.0.1"]),
        ("::ffff:127.0.0.1", ["127.0.0.1"], ["127.0.0.2"]),
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["9.255.255.255", "11.0.0.0", "::10.1.2.3"]),
        ("192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127", "192.0.3.128"]),
        ("192.0.2.6/31", ["192.0.2.6", "192.0.2.7"], ["192.0.2.5", "192.0.2.8"]),
        ("192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:192.0.2.7"], ["::", "::1", "fd00::1"]),
        ("::ffff:0:0/96", ["0.0.0.0", "255.255.255.255"], ["::1"]),
        ("::ffff:10.0.0.0/104", ["10.1.2.3"], ["11.0.0.0"]),
        ("::1", ["::1"], ["::2", "127.0.0.1", "0.0.0.1"]),
        ("fd00::/8", ["fd00::1", "fdff:ffff::1"], ["fc00::1", "fe00::1", "253.0.0.1"]),
        ("2001:db8:0:8000::/49", ["2001:db8:0:8000::1", "2001:db8:0:ffff::"], ["2001:db8:0:7fff::", "2001:db8:1:8000::"]),
        ("::/0", ["::", "::1", "ffff::"], ["0.0.0.0", "127.0.0.1"]),
        ("::/64", ["::1", "::fffe:127.0.0.1"], ["127.0.0.1", "0:0:0:1::"]),
    ])
    func `a range has all addresses that begin with its bits, each family for itself`(
        text: String, inside: [String], outside: [String]
    ) throws {
        let range = try AddressRange(text)
        for address in inside { #expect(range.contains(try #require(IPAddress(address))), "\(address)") }
        for address in outside { #expect(!range.contains(try #require(IPAddress(address))), "\(address)") }
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.7/32", "192.0.2.7"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("::1", "::1"), ("::1/128", "::1"), ("FD00:0::/8", "fd00::/8"), ("::/0", "::/0"), ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("::ffff:c000:0207", "192.0.2.7"),
    ])
    func `a range is told as it can be written`(text: String, told: String) throws {
        let range = try AddressRange(text)
        #expect(range.description == told)
        #expect(try AddressRange(range.description) == range)
    }

    @Test(arguments: [
        "", " ", "localhost", "10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.1", "0x0a.0.0.1", "167772161", " 10.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1\0", "10.0.0.1\n", "10.0.0.1:9000", "[::1]", "::1%lo", ":::", "1::2::3", "12345::", "/8", "*", "10.0.0.*",
        "１0.0.0.1",
    ])
    func `what is no address is none`(text: String) {
        let error = #expect(throws: AddressRangeError.self) { try AddressRange(text) }
        #expect(error?.reason == "is no address of IP")
    }

    @Test(arguments: [
        ("10.0.0.0/", 32), ("10.0.0.0/33", 32), ("10.0.0.0/-1", 32), ("10.0.0.0/+8", 32), ("10.0.0.0/08", 32),
        ("10.0.0.0/8/8", 32),
        ("10.0.0.0/255.0.0.0", 32), ("10.0.0.0/8 ", 32), ("10.0.0.0/99999999999999999999", 32), ("::/129", 128), ("::/x", 128),
    ])
    func `what stands behind the slash is a number of bits that there are`(text: String, bitsMax: Int) {
        let error = #expect(throws: AddressRangeError.self) { try AddressRange(text) }
        #expect(error?.reason == "has no number of bits from 0 to \(bitsMax) behind its '/'")
    }

    @Test(arguments: [
        ("10.0.0.1/8", "10.0.0.0/8", "10.0.0.1"), ("192.0.2.7/31", "192.0.2.6/31", "192.0.2.7"),
        ("0.0.0.1/0", "0.0.0.0/0", "0.0.0.1"),
        ("fd00::1/8", "fd00::/8", "fd00::1"), ("::ffff:10.0.0.0/64", "::/64", "10.0.0.0"),
    ])
    func `an address with the bits of its range is a mistake that names both`(text: String, range: String, address: String) {
        let error = #expect(throws: AddressRangeError.self) { try AddressRange(text) }
        #expect(error?.reason == "is either the range \(range) or the address \(address): name one of them")
    }

    @Test(arguments: [
        ("tcp:127.0.0.1:9000", false), ("tcp:127.9.9.9:9000", false), ("tcp:[::1]:9000", false),
        ("tcp:[::ffff:127.0.0.1]:9000", false),
        ("tcp:localhost:9000", false), ("unix:/s", false), ("fd:0", false), ("systemd", false), ("tcp:0.0.0.0:9000", true),
        ("tcp:[::]:9000", true), ("tcp:10.0.0.7:9000", true), ("tcp:machine:9000", true), ("tcp:128.0.0.1:9000", true),
    ])
    func `an address is open to other machines unless it is this one's own`(text: String, isOpen: Bool) throws {
        #expect(try ListenAddress(text).isOpenToOthers == isOpen)
    }
}
