@testable import HTTPClient
import Testing

/// What is looked at eight bytes at a time, against the plain definition, for each byte at each place.
@Suite(.timeLimit(.minutes(5))) struct FieldTextTests {
    private static let tokenBytes = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A text of so many letters with this byte at each place in turn.
    private func texts(_ count: Int, with byte: UInt8) -> [[UInt8]] {
        (0..<count).map { place in (0..<count).map { $0 == place ? byte : UInt8(ascii: "k") } }
    }

    @Test(arguments: [1, 7, 8, 9, 15, 16, 17, 24])
    func `a name is a token where all its bytes may stand in one`(_ count: Int) {
        for byte in UInt8.min...UInt8.max {
            for (place, text) in texts(count, with: byte).enumerated() {
                let isAllowed = Self.tokenBytes.contains(byte)
                #expect(text.isToken == isAllowed, "\(byte) at \(place)")
                #expect(text.tokenPrefixCount == (isAllowed ? count : place), "\(byte) at \(place)")
            }
        }
    }

    @Test func `an empty name is no token`() { #expect(![UInt8]().isToken) }

    @Test(arguments: [1, 7, 8, 9, 15, 16, 17, 24])
    func `a value is one unless it holds NUL, CR or LF`(_ count: Int) {
        for byte in UInt8.min...UInt8.max {
            for (place, text) in texts(count, with: byte).enumerated() {
                #expect(text.isFieldValue == ![0x00, 0x0A, 0x0D].contains(byte), "\(byte) at \(place)")
            }
        }
    }

    @Test(arguments: ["x", "age", "x-reques", "x-request-id", "~-request-id", "x-*", "x-reques*", "x-request-i*", "*"])
    func `a wanted header is found in any case, and no other`(_ pattern: String) {
        let names = ["x", "X", "Age", "x-reques", "X-Request", "X-Request-ID", "x-request-iD2", "x_request-id", "^-request-id"]
        for name in names + ["~-REQUEST-ID", "y-request-id", "x-request-iq", "etag"] {
            let (bytes, text) = (Array(name.utf8), name.lowercased())
            let isWanted = pattern.hasSuffix("*") ? text.hasPrefix(pattern.dropLast()) : text == pattern
            let match = HeaderPattern(pattern).match(bytes.span, bytes.span.firstWordLowercased)
            #expect(match == (isWanted ? text : nil), "\(name)")
        }
    }

    @Test func `an odd byte does not hide the next one`() {
        for odd in UInt8.min...UInt8.max where odd != 0x00 && odd != 0x0A && odd != 0x0D {
            for place in 0..<15 {
                var value = [UInt8](repeating: UInt8(ascii: "k"), count: 16)
                (value[place], value[place + 1]) = (odd, 0x0D)
                #expect(!value.isFieldValue, "\(odd) at \(place)")
                (value[place], value[place + 1]) = (odd, UInt8(ascii: ":"))
                let isAllowed = Self.tokenBytes.contains(odd)
                #expect(value.tokenPrefixCount == (isAllowed ? place + 1 : place), "\(odd) at \(place)")
            }
        }
    }
}

extension [UInt8] {
    fileprivate var isToken: Bool { span.isToken }

    fileprivate var tokenPrefixCount: Int { span.tokenPrefixCount }

    fileprivate var isFieldValue: Bool { span.isFieldValue }
}
