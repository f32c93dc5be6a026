import Chat
import Testing

/// The data of all events of a stream that is whole.
func eventData(of stream: [UInt8]) throws -> [[UInt8]] {
    var splitter = EventSplitter(eventBytesMax: 1 << 20)
    splitter.append(stream)
    var data: [[UInt8]] = []
    while let event = try splitter.next() { data.append(Array(splitter.data(of: event))) }
    #expect(splitter.partialCount == 0)
    return data
}

@Suite struct EventWriterTests {
    @Test(arguments: [
        ("{}", "{}"), ("[DONE]", "[DONE]"), ("{\r\n\"a\":\n\n1\r}", "{  \"a\":  1 }"),
        (#"{"a":"\n\r\u2028"}"#, #"{"a":"\n\r\u2028"}"#),
    ])
    func `JSON of several lines becomes one data line`(_ json: String, line: String) throws {
        #expect([UInt8](eventWithData: bytes(json)) == bytes("data: \(line)\n\n"))
        #expect(try eventData(of: [UInt8](eventWithData: bytes(json))) == [bytes(line)])
    }
}
