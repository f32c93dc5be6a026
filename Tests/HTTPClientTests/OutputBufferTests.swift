import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct OutputBufferTests {
    @Test func `bytes and texts are appended at the end`() {
        let output = OutputBuffer()
        output.append(utf8: "GET ")
        output.append(utf8: "/ü")
        unsafe [UInt8(1), 2].withUnsafeBytes { unsafe output.append($0) }
        #expect(output.bytes == Array("GET /ü".utf8) + [1, 2])
        output.removeAll()
        output.append(utf8: "x")
        #expect(output.bytes == Array("x".utf8))
    }

    @Test func `an emptied buffer keeps little memory`() {
        let output = OutputBuffer()
        output.append(utf8: String(repeating: "x", count: 100 << 10))
        output.removeAll()
        #expect(output.bytes.capacity >= 100 << 10)
        output.append(utf8: String(repeating: "x", count: 300 << 10))
        output.removeAll()
        #expect(output.bytes.capacity == 0)
    }
}
