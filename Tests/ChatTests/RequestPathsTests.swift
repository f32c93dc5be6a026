import Testing

@testable import Chat

@Suite struct RequestPathsTests {
    private func texts(_ paths: [String], _ members: String) throws -> [String?] {
        let body = [UInt8](#"{"messages":[{"role":"user"}]\#(members.isEmpty ? "" : ",")\#(members)}"#.utf8)
        return RequestPaths(paths.compactMap(RequestPath.init)).texts(in: try ChatRequest(body: body, depthMax: 64))
    }

    @Test(arguments: [
        "a", "call.assistantId", "a.b.c.d.e.f.g.h", "x-y_9.-", String(repeating: "a", count: 64), "stream", "client.x",
    ])
    func `a path is names with dots between them`(_ path: String) {
        #expect(RequestPath(path)?.description == path)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "a b", "a[0]", "é", "a.\u{0}", "a.b.c.d.e.f.g.h.i", String(repeating: "a", count: 65), "a/b",
        "\"a\"",
    ])
    func `all else is no path`(_ path: String) {
        #expect(RequestPath(path) == nil)
    }

    @Test func `several paths are found together, each in its place`() throws {
        let members = #""call":{"id":"c","assistantId":"a","x":{"y":1}},"metadata":{"tenant":"t","deep":{"er":true}},"n":2"#
        let paths = [
            "metadata.deep.er", "call.assistantId", "n", "call.id", "metadata.tenant", "call.x.y", "call.x", "nowhere", "call.no",
        ]
        #expect(try texts(paths, members) == ["true", "a", "2", "c", "t", "1", nil, nil, nil])
    }

    @Test func `a path may be the beginning of another, and stand twice`() throws {
        #expect(try texts(["a", "a.b", "a.b", "a"], #""a":{"b":"c"}"#) == [nil, "c", "c", nil])
        #expect(try texts(["a", "a.b"], #""a":"x""#) == ["x", nil])
    }

    @Test(arguments: [
        (#""a":{"b":"x"}"#, "x"), (#""a":{"b":"x","b":"y"}"#, "y"), (#""a":{"b":"y","\u0062":"x"}"#, "x"),
        (#""a":{"b":"x"},"a":{"b":"y"}"#, "y"), (#""a":{"b":"x"},"a":{}"#, nil), (#""a":{"b":"x"},"\u0061":1"#, nil),
        (#""a":{"b":"x","b":{"c":"y"}}"#, nil), (#""a":[{"b":"x"}]"#, nil), (#""a":"{\"b\":\"x\"}""#, nil), (#""a":null"#, nil),
        (#""a":{"b":null}"#, nil), (#""a":{"b":[]}"#, nil), (#""a":{"b":-0.50e+1}"#, "-0.50e+1"), (#""a":{"b":false}"#, "false"),
        (#""a":{"b":"\u00e9\n\ud83d\ude00"}"#, "é\n😀"), (#""a":{"b":"\ud83d"}"#, "\u{FFFD}"), (#""a":{"b":"x\u0000"}"#, nil),
        (#""a":{"b\u0000":"x"}"#, nil), (#""a.b":"x""#, nil), (#""a":{"b":""}"#, ""), (#""A":{"b":"x"}"#, nil),
        (#"  "a" : { "c" : [ "b" , { "b" : "y" } ] , "b" : "x" } "#, "x"), ("", nil),
    ])
    func `what stands there is a text without its escapes, or a word as it is written`(members: String, text: String?) throws {
        #expect(try texts(["a.b"], members) == [text])
    }

    @Test(arguments: [1023, 1024, 1025]) func `a text of more than 1,024 bytes is none`(count: Int) throws {
        let text = String(repeating: "é", count: count / 2) + (count % 2 == 1 ? "x" : "")
        #expect(try texts(["a"], "\"a\":\"\(text)\"") == [count > 1024 ? nil : text])
        #expect(
            try texts(["a"], "\"a\":\"\(String(repeating: #"\u0078"#, count: count))\"")[0]?.utf8.count
                == (count > 1024 ? nil : count))
        #expect(try texts(["a"], "\"a\":\(String(repeating: "1", count: count))")[0]?.utf8.count == (count > 1024 ? nil : count))
    }

    @Test(arguments: [1024, 1025]) func `an object of more than 1,024 members is not looked into`(count: Int) throws {
        let others = (1..<count).map { "\"n\($0)\":0," }.joined()
        #expect(try texts(["a.b", "c"], "\"a\":{\(others)\"b\":\"x\"},\"c\":1") == [count > 1024 ? nil : "x", "1"])
    }

    @Test(arguments: [256 << 10, 256 << 10 + 1]) func `an object of more than 256 KiB in another is not looked into`(count: Int)
        throws
    {
        let around = #"{"b":"x","c":""}"#.utf8.count
        let object = #"{"b":"x","c":"\#(String(repeating: "y", count: count - around))"}"#
        let paths = ["a.b", "d.e.b", "d.f"]
        #expect(
            try texts(paths, #""a":\#(object),"d":{"e":\#(object),"f":1}"#) == ["x", count > 256 << 10 ? nil : "x", "1"])
    }
}
