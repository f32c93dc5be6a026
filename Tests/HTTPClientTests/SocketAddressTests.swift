import Glibc
import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", AF_INET, true), ("127.255.0.9", AF_INET, true), ("128.0.0.1", AF_INET, false), ("0.0.0.0", AF_INET, false),
        ("::1", AF_INET6, true), ("::", AF_INET6, false), ("::2", AF_INET6, false), ("::ffff:127.0.0.1", AF_INET6, true),
        ("::ffff:1.0.0.127", AF_INET6, false), ("2001:db8::1", AF_INET6, false), ("fe80::1%lo", AF_INET6, false),
        ("fe80::1%1", AF_INET6, false),
    ])
    func `a numeric host is an address`(text: String, family: Int32, isLoopback: Bool) throws {
        let address = try #require(SocketAddress(numeric: text, port: 8080))
        #expect(address.family == family)
        #expect(address.isLoopback == isLoopback)
        #expect(address.isIP)
        #expect(address.with(port: 1) != address)
        #expect(address.with(port: 1).with(port: 8080) == address)
    }

    @Test(arguments: [
        "", "localhost", "example.com", "127.0.0.1.", "127.0.0", "256.0.0.1", "[::1]", "::1%", "::g", "127.0.0.1%lo",
        "127.0.0.1\0", "fe80::1%nosuchinterface", "fe80::1%lo\0", "1",
    ])
    func `anything else is none`(text: String) {
        #expect(SocketAddress(numeric: text, port: 80) == nil)
    }

    @Test(arguments: ["10.1.2.3", "::1", "2001:db8:1:2:3:4:5:6", "fe80::1%lo"])
    func `the kernel's form holds the whole of an address`(text: String) throws {
        let address = try #require(SocketAddress(numeric: text, port: 0x1234))
        let again = unsafe address.withPointer { pointer, length in
            #expect(length == (address.family == AF_INET ? 16 : 28))
            return unsafe SocketAddress(pointer)
        }
        #expect(again == address)
    }

    @Test func `the bytes are in the network's order`() throws {
        let address = try #require(SocketAddress(numeric: "1.2.3.4", port: 0x0506))
        let bytes = unsafe address.withPointer { unsafe Array(UnsafeRawBufferPointer(start: $0, count: Int($1))) }
        #expect(bytes[2..<8] == [5, 6, 1, 2, 3, 4])
    }

    @Test func `the zone of a link-local address is part of it`() throws {
        #expect(SocketAddress(numeric: "fe80::1%lo", port: 1) == SocketAddress(numeric: "fe80::1%1", port: 1))
        #expect(SocketAddress(numeric: "fe80::1%lo", port: 1) != SocketAddress(numeric: "fe80::1", port: 1))
    }

    @Test func `a unix socket's path has at most 107 bytes and no NUL`() throws {
        let longest = String(repeating: "p", count: SocketAddress.unixBytesMax)
        let address = try SocketAddress(path: longest)
        #expect(address.family == AF_UNIX)
        #expect(address.isLoopback)
        #expect(!address.isIP)
        #expect(address.with(port: 80) == address)
        for path in ["", longest + "p", "a\0b"] {
            #expect(throws: HTTPError.self) { try SocketAddress(path: path) }
        }
        for name in ["", longest + "p"] {
            #expect(throws: HTTPError.self) { try SocketAddress(abstractName: name) }
        }
    }

    @Test func `an abstract name ends where it ends`() throws {
        let (short, long) = (try SocketAddress(abstractName: "ab"), try SocketAddress(abstractName: "ab\0"))
        #expect(short != long)
        let path = try SocketAddress(path: "ab")
        #expect(short != path)
        let bytes = unsafe short.withPointer { unsafe Array(UnsafeRawBufferPointer(start: $0, count: Int($1))) }
        #expect(bytes.dropFirst(2) == [0, UInt8(ascii: "a"), UInt8(ascii: "b")])
    }
}
