import Chat
import TestSupport
import Testing

/// The data that a client would dispatch: what the splitter is compared with.
func reference(_ stream: [UInt8]) -> [String] { DispatchedEvent.all(in: stream).map(\.data) }

/// Feeds the parts one after another in the relay's way.
struct Relay {
    var splitter = EventSplitter(eventBytesMax: 1 << 20)
    var forwarded: [UInt8] = []
    var dispatched: [String] = []

    mutating func feed(_ part: some Sequence<UInt8>) throws {
        splitter.append(Array(part))
        while let event = try splitter.next() {
            // JSON without a field is no event to a client.
            guard event.data != .none, splitter.kind != .bare else { continue }
            dispatched.append(String(decoding: splitter.data(of: event), as: UTF8.self))
        }
        forwarded += splitter.buffer[..<splitter.takenCount]
        splitter.discard()
    }
}

enum EventVectors {
    /// Streams with LF line ends, of which every line end is varied. ⏎ of a vector stays what it is.
    static let streams = [
        "data: a\n\n", "data:a\n\n", "data:  two spaces\n\n", "data: a\ndata: b\n\n", "data: a\ndata: b\ndata\ndata: \n\n",
        "data\n\n", "data:\n\n",
        ": comment\n\n", ": comment\ndata: a\n\n", ":\n\n", "event: ping\ndata: {}\n\n", "event: x\n\ndata: y\n\n",
        "event\ndata: z\n\n",
        "id: 1\nretry: 10\ndata: a\nid: 2\n\n", "data: a\n\ndata: b\n\ndata: [DONE]\n\n", "\n\n\ndata: a\n\n\n\n",
        "\u{FEFF}data: a\n\ndata: b\n\n",
        "\u{FEFF}\n\ndata: \u{FEFF}b\n\n", "data: \u{2028}x\u{2029}\u{85}y\u{0B}\u{0C}\n\n", "data: é😀\n\n",
        "datax: a\ndat: b\n data: c\nData: d\n\n",
        "data : a\n\n", "data: a: b:c\n\n", "data: a\n\ndata: incomplete", "data: a\n\ndata: incomplete\n",
        "data: a\n\n: incomplete",
        "event: a\nevent: b\ndata: c\n\n", "", "\n", "\u{FEFF}",
        "event: one\ndata: 1\n\ndata: 2\n\n", "data: 1\n\nevent: two\ndata: 2\n\n",
    ]
    static let lineEnds = ["\n", "\r", "\r\n"]

    static func stream(_ text: String, lineEnd: String) -> [UInt8] {
        text.unicodeScalars.flatMap { $0 == "\n" ? Array(lineEnd.utf8) : Array(String($0).utf8) }
    }

    /// What is to be forwarded: everything up to and with the last blank line, without the byte order mark.
    static func complete(_ stream: [UInt8]) -> [UInt8] {
        let bytes = stream.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(stream.dropFirst(3)) : stream
        var (end, isBlank, previous): (Int, Bool, UInt8) = (0, true, 0)
        for (offset, byte) in bytes.enumerated() {
            if byte == 0x0A && previous == 0x0D {
                if end == offset { end += 1 }
            } else if byte == 0x0A || byte == 0x0D {
                if isBlank { end = offset + 1 }
                isBlank = true
            } else {
                isBlank = false
            }
            previous = byte
        }
        return Array(bytes[..<end])
    }
}

@Suite struct EventSplitterTests {
    /// A caller may be slow to take it, and whoever waits for memory goes by this.
    @Test(arguments: [false, true])
    func `what several data fields say together counts until it is dropped`(isReleased: Bool) throws {
        var splitter = EventSplitter(eventBytesMax: 1 << 20)
        let event = Array("data: \(String(repeating: "a", count: 1_000))\ndata: b\n\n".utf8)
        splitter.append(event)
        let first = try splitter.next()
        #expect(first.map { splitter.data(of: $0).count } == 1_002)
        #expect(splitter.keptCount == event.count + 1_002)
        if isReleased { _ = splitter.discardAndRelease() } else { splitter.discard() }
        #expect(splitter.keptCount == 0)
    }

    @Test(arguments: EventVectors.streams, EventVectors.lineEnds)
    func `an event split anywhere arrives whole`(_ text: String, lineEnd: String) throws {
        let stream = EventVectors.stream(text, lineEnd: lineEnd)
        let complete = EventVectors.complete(stream)
        for first in 0...stream.count {
            for second in first...stream.count {
                var relay = Relay()
                try relay.feed(stream[..<first])
                try relay.feed(stream[first..<second])
                try relay.feed(stream[second...])
                #expect(relay.dispatched == reference(stream))
                #expect(relay.forwarded == complete)
            }
        }
    }

    @Test(arguments: EventVectors.streams, EventVectors.lineEnds)
    func `events fed one byte at a time arrive whole`(_ text: String, lineEnd: String) throws {
        let stream = EventVectors.stream(text, lineEnd: lineEnd)
        var relay = Relay()
        for byte in stream { try relay.feed([byte]) }
        #expect(relay.dispatched == reference(stream))
        #expect(relay.forwarded == EventVectors.complete(stream))
    }

    @Test(arguments: EventVectors.lineEnds, ["a", "é", "😀"])
    func `a line of any length ends where it ends`(lineEnd: String, letter: String) throws {
        for count in 0...50 {
            let stream = Array(
                "data: \(String(repeating: letter, count: count))\(lineEnd)\(lineEnd)data: x\(lineEnd)\(lineEnd)".utf8)
            var relay = Relay()
            try relay.feed(stream[...])
            #expect(relay.dispatched == reference(stream), "\(count)")
            #expect(relay.forwarded == EventVectors.complete(stream), "\(count)")
        }
    }

    @Test(arguments: EventVectors.streams) func `line ends mixed at random end lines`(_ text: String) throws {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<200 {
            let stream = text.unicodeScalars.flatMap {
                Array(($0 == "\n" ? EventVectors.lineEnds.randomElement(using: &random)! : String($0)).utf8)
            }
            let split = Int.random(in: 0...stream.count, using: &random)
            var relay = Relay()
            try relay.feed(stream[..<split])
            try relay.feed(stream[split...])
            #expect(relay.dispatched == reference(stream))
            #expect(relay.forwarded == EventVectors.complete(stream))
        }
    }

    @Test func `what a client gets is the same whether or not a comment of ours comes between two reads`() throws {
        for text in EventVectors.streams {
            for lineEnd in EventVectors.lineEnds {
                let stream = EventVectors.stream(text, lineEnd: lineEnd)
                for split in 0...stream.count {
                    var relay = Relay()
                    try relay.feed(stream[..<split])
                    relay.forwarded += Array(": keep-alive\n\n".utf8)
                    try relay.feed(stream[split...])
                    #expect(reference(relay.forwarded) == reference(stream))
                }
            }
        }
    }

    @Test func `random streams give what the reference gives`() throws {
        var random = SeededGenerator(seed: 96)
        let pieces = ["data", "data: x", "event: e", ":", " ", "\n", "\r", "\r\n", "\n\n", "\r\r", "id", "{}", "\u{2028}"]
        for _ in 0..<3_000 {
            let stream = (0..<Int.random(in: 1...20, using: &random)).flatMap { _ in
                Array(pieces.randomElement(using: &random)!.utf8)
            }
            var relay = Relay()
            var rest = stream[...]
            while !rest.isEmpty {
                let part = rest.prefix(Int.random(in: 1...9, using: &random))
                try relay.feed(part)
                rest = rest.dropFirst(part.count)
            }
            #expect(relay.dispatched == reference(stream))
            #expect(relay.forwarded + relay.splitter.buffer == stream)
        }
    }

    @Test func `an event that a CR completes does not wait for an LF`() throws {
        var relay = Relay()
        try relay.feed(bytes("data: a\r\n\r"))
        #expect(relay.dispatched == ["a"])
        #expect(relay.forwarded == bytes("data: a\r\n\r"))
        try relay.feed(bytes("\n"))
        #expect(relay.forwarded == bytes("data: a\r\n\r\n"))
        #expect(relay.splitter.partialCount == 0)
        #expect(relay.dispatched.count == 1)
    }

    @Test func `a prefix of the events can be forwarded`() throws {
        var splitter = EventSplitter(eventBytesMax: 100)
        splitter.append(bytes("data: a\n\ndata: [DONE]\n\ndata: b\n\n"))
        var events: [Event] = []
        while let event = try splitter.next() { events.append(event) }
        #expect(splitter.buffer[..<events[1].bytes.lowerBound] == bytes("data: a\n\n")[...])
        #expect(splitter.buffer[events[1].bytes] == bytes("data: [DONE]\n\n")[...])
        #expect(events.map(\.bytes) == [0..<9, 9..<23, 23..<32])
    }

    @Test func `a single data line is a range and not a copy`() throws {
        var splitter = EventSplitter(eventBytesMax: 100)
        splitter.append(bytes("data: a\n\n"))
        #expect(try splitter.next()?.data == .line(6..<7))
    }

    @Test func `what is left of a broken stream is counted`() throws {
        var relay = Relay()
        try relay.feed(bytes("data: a\n\ndata: b\n"))
        #expect(relay.splitter.partialCount == 8)
        #expect(relay.forwarded == bytes("data: a\n\n"))
    }

    @Test(arguments: [false, true]) func `an event larger than the limit is an error, after the events before it`(
        _ isComplete: Bool
    ) throws {
        let small = bytes("data: a\n\n")
        let large = bytes("data: " + String(repeating: "x", count: 100) + (isComplete ? "\n\n" : ""))
        for split in 0...small.count + large.count {
            var splitter = EventSplitter(eventBytesMax: 64)
            var taken = 0
            let error = #expect(throws: EventError.self) {
                splitter.append(Array((small + large).prefix(split)))
                while try splitter.next() != nil { taken += 1 }
                splitter.append(Array((small + large).dropFirst(split)))
                while try splitter.next() != nil { taken += 1 }
            }
            #expect(error == .eventTooLarge(bytesMax: 64))
            #expect(taken == 1)
        }
    }

    @Test func `an event of exactly the limit passes`() throws {
        var splitter = EventSplitter(eventBytesMax: 9)
        splitter.append(bytes("data: a\n\n"))
        #expect(try splitter.next()?.bytes == 0..<9)
        #expect(try splitter.next() == nil)
    }

    @Test func `the buffer of a silent stream is small`() throws {
        var relay = Relay()
        try relay.feed(bytes("data: " + String(repeating: "x", count: 100_000) + "\n\n"))
        #expect(relay.splitter.buffer.capacity <= 1024)
        try relay.feed(bytes("data: a\n\n: part"))
        #expect(relay.splitter.buffer.capacity <= 1024)
    }

    @Test(
        arguments: [
            ("data: {}\n\n", .plain, "{}"), ("data:\n\n", .blank, ""), ("data: \n\n", .blank, ""), ("data\n\n", .blank, ""),
            ("event: error\ndata: {}\n\n", .error, "{}"), ("data: {}\nevent:error\n\n", .error, "{}"),
            ("event: errors\ndata: {}\n\n", .plain, "{}"), ("event\ndata: {}\n\n", .plain, "{}"),
            ("error: {}\n\n", .error, "{}"), ("error\n\n", .error, ""), ("errors: {}\n\n", .plain, nil),
            ("{\"a\":1}\n\n", .bare, "{\"a\":1}\n\n"), (": c\n[1,\n2]\n\n", .bare, "[1,\n2]\n\n"),
            ("{}\ndata: x\n\n", .plain, "x"), (": c\n\n", .plain, nil),
        ] as [(String, Event.Kind, String?)])
    func `an event says by what means it speaks`(_ stream: String, kind: Event.Kind, data: String?) throws {
        // Behind another event, whose state must be forgotten, and in two parts.
        let whole = Array("event: error\ndata: x\n\n{}\n\n\(stream)data: y\n\n".utf8)
        for cut in whole.indices {
            var splitter = EventSplitter(eventBytesMax: 1024)
            var events: [(Event.Kind, String?)] = []
            for part in [whole[..<cut], whole[cut...]] {
                splitter.append(Array(part))
                while let event = try splitter.next() {
                    let data = String(decoding: splitter.data(of: event), as: UTF8.self)
                    events.append((splitter.kind, event.data == .none ? nil : data))
                }
                splitter.discard()
            }
            #expect(events.map(\.0) == [.error, .bare, kind, .plain])
            #expect(events.map(\.1) == ["x", "{}\n\n", data, "y"])
        }
    }
}
