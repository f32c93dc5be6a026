import Testing

@testable import Sluice

/// The bytes of a line in the making.
@Suite struct LineBytesTests {
    private func text(_ append: (inout LineBytes) -> Void) -> String {
        var bytes = LineBytes()
        // Behind what is left of a longer line.
        for _ in 0..<100 { bytes.append("\"\u{7F}\\") }
        bytes.removeAll()
        append(&bytes)
        return String(decoding: bytes.bytes, as: UTF8.self)
    }

    @Test(arguments: [
        (0, 1, "0"), (9, 1, "9"), (10, 1, "10"), (999, 3, "999"), (7, 3, "007"), (1000, 3, "1000"), (-42, 1, "42"),
        (999_999_999_999_999_999, 1, "999999999999999999"), (1_000_000_000_000_000_000, 1, "1000000000000000000"),
        (.max, 1, "9223372036854775807"), (.min, 1, "9223372036854775808"),
    ])
    func `a number has its digits, and zeros ahead of them`(number: Int, digits: Int, expected: String) {
        #expect(text { $0.append(decimal: number, digits: digits) } == expected)
    }

    @Test(
        arguments: [
            (.zero, "0.000", "0.000"), (.nanoseconds(-1), "0.000", "0.000"), (.microseconds(999), "0.000", "0.999"),
            (.milliseconds(10), "0.010", "10.000"), (.microseconds(12_345_678), "12.345", "12345.678"),
            (.seconds(86_400), "86400.000", "86400000.000"),
        ] as [(Duration, String, String)])
    func `a duration has three digits behind its point`(duration: Duration, seconds: String, milliseconds: String) {
        #expect(text { $0.append(seconds: duration) } == seconds)
        #expect(text { $0.append(milliseconds: duration) } == milliseconds)
    }

    @Test func `what does not stand for itself is seen at each place of a text of any length`() {
        for length in 1...17 {
            let plain = [UInt8](repeating: UInt8(ascii: "x"), count: length)
            #expect(text { $0.appendQuoted(String(decoding: plain, as: UTF8.self)) }.utf8.count == length + 2)
            for place in 0..<length {
                for byte in UInt8(0)..<0x80 {
                    var bytes = plain
                    bytes[place] = byte
                    let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
                    let quoted = text { $0.appendQuoted(String(decoding: bytes, as: UTF8.self)) }
                    #expect((quoted.utf8.count == length + 2) == isPlain, "\(byte) at \(place) of \(length)")
                }
            }
        }
    }

    @Test func `text is as long as it is, and what is behind a place goes`() {
        let long = String(repeating: "0123456789", count: 1000)
        #expect(text { $0.append(long) } == long)
        let cut = text { bytes in
            bytes.append("kept")
            let place = bytes.count
            bytes.append(long)
            bytes.removeAll(from: place)
            bytes.append(" too")
        }
        #expect(cut == "kept too")
    }
}
