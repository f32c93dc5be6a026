/// Cuts the bytes of an upstream into complete server-sent events (WHATWG HTML §9.2.6) and holds back a part of one.
///
///     splitter.append(bytes)
///     while let event = try splitter.next() {
///         look(at: splitter.data(of: event))
///     }
///     forward(splitter.buffer[..<splitter.takenCount])     // every complete event, in its original bytes, in one flush
///     splitter.discard()                                   // the part of an event stays
///
/// To forward a prefix only (nothing from an error on), forward `buffer[..<event.bytes.lowerBound]` of the first event to stop at.
///
/// Each byte is scanned once, also when they come one at a time. LF, CR and CRLF end lines, mixed as they like; U+2028 does not.
///
/// - A blank line that is a CR at the end of what has arrived completes its event at once. Should the LF of a CRLF follow, it
///   belongs to no event and counts as taken when `next` is called again: the client gets the upstream's bytes, each in its
///   place. If something of ours went between the two, the LF is one more blank line there, which dispatches nothing.
/// - A leading byte order mark is dropped: it would not be leading once Sluice has sent a comment of its own.
/// - What is left at the end of the stream was never an event (§9.2.6: "the event is discarded") and is not to be forwarded.
package struct EventSplitter: Sendable {
    /// What has arrived and was not discarded. Offsets in events are offsets into it, valid until the next `discard`.
    package private(set) var buffer: [UInt8] = []
    /// How many bytes at the buffer's start belong to events that `next` has returned.
    package private(set) var takenCount = 0

    /// The limit for one event in bytes, its blank line included.
    package var eventBytesMax: Int
    /// Everything before this offset has been looked at.
    private var scanned = 0
    private var lineStart = 0
    private var isFirstLine: Bool
    /// The last byte scanned was a CR: an LF that follows belongs to it.
    private var isAfterCarriageReturn = false
    /// Of the event that is being read. Offsets count from the event's start, so that `discard` leaves them right.
    private var partialData = Event.Data.none
    private var partialKind = Event.Kind.plain
    /// The values of its `data` fields, if it has several.
    private var partialJoined: [UInt8] = []
    /// The same of the event that `next` has returned last.
    private var joined: [UInt8] = []
    /// What the event that `next` has returned last is besides its data.
    package private(set) var kind = Event.Kind.plain
    /// Where the first line stands that is JSON instead of a field.
    private var bareStart: Int?

    /// The buffer's capacity, in bytes, that a silent stream may keep.
    private static let idleBytesMax = 1024

    /// - Parameters:
    ///   - eventBytesMax: the limit for one event in bytes, its blank line included.
    ///   - isAtStart: whether a stream begins here, with a byte order mark perhaps; in its midst the same bytes are a field's name.
    package init(eventBytesMax: Int, isAtStart: Bool = true) {
        (self.eventBytesMax, isFirstLine) = (eventBytesMax, isAtStart)
    }

    /// Takes bytes as they arrived, cut anywhere.
    package mutating func append(_ bytes: consuming [UInt8]) {
        if buffer.isEmpty {
            buffer = bytes
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    /// The next complete event; nil when more bytes are needed.
    /// - Throws: ``EventError/eventTooLarge(bytesMax:)`` once the events before the large one have been returned, whether that
    ///   one is complete or not. A stream that ends inside an event is *not* an error here; see ``partialCount``.
    package mutating func next() throws(EventError) -> Event? {
        releaseData()
        while let lineEnd = nextLineEnd() {
            let line = lineStart..<lineEnd
            stepOverLineEnd(at: lineEnd)
            if takeByteOrderMark(before: line) { continue }
            guard line.isEmpty else {
                readField(line)
                continue
            }
            return try takeEvent()
        }
        guard buffer.count - takenCount <= eventBytesMax else { throw .eventTooLarge(bytesMax: eventBytesMax) }
        return nil
    }

    /// The event's data, the values of its `data` fields joined by LF; empty when there are none.
    package func data(of event: Event) -> ArraySlice<UInt8> {
        switch event.data {
        case .none: []
        case .line(let range): buffer[range]
        case .joined: joined[...]
        }
    }

    /// Lets go of what several `data` fields have said together: `data(of:)` has it no more.
    package mutating func releaseData() { if !joined.isEmpty { joined = [] } }

    /// Drops the bytes of all events that `next` has returned, and what `data(of:)` has given.
    package mutating func discard() {
        releaseData()
        guard takenCount > 0 else { return }
        let rest = buffer.count - takenCount
        if rest <= Self.idleBytesMax, buffer.capacity > Self.idleBytesMax {
            buffer = Array(buffer[takenCount...])
        } else {
            buffer.removeSubrange(..<takenCount)
        }
        scanned -= takenCount
        lineStart -= takenCount
        takenCount = 0
    }

    /// `discard`, and gives the buffer up for others to use when no part of an event is left in it; else an empty array.
    package mutating func discardAndRelease() -> [UInt8] {
        guard takenCount == buffer.count else {
            discard()
            return []
        }
        releaseData()
        (scanned, lineStart, takenCount) = (scanned - takenCount, lineStart - takenCount, 0)
        return exchange(&buffer, with: [])
    }

    /// The size in bytes of the part of an event that has arrived: not 0 at the end of the stream means that it broke off inside one.
    package var partialCount: Int { buffer.count - takenCount }

    /// How many bytes are kept: an event of several `data` fields has their values a second time.
    package var keptCount: Int { buffer.count + partialJoined.count + joined.count }
}

private let lineFeed = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")

extension EventSplitter {
    /// The offset of the CR or LF that ends the current line; nil when it has not arrived.
    private mutating func nextLineEnd() -> Int? {
        skipLineFeedOfPair()
        scanned = Self.lineEnd(from: scanned, in: buffer.span)
        return scanned < buffer.count ? scanned : nil
    }

    /// The offset of the first CR or LF from `start` on, or the count.
    static func lineEnd(from start: Int, in span: Span<UInt8>) -> Int {
        var rest = span.extracting(start...)
        // Most lines are JSON, which has controls between its tokens only, if at all.
        while rest.count >= 64, !rest.beginsWithControls { rest = rest.extracting(64...) }
        while rest.count >= 16 {
            let block = rest.block()
            let feeds = (block ^ SIMD16<UInt8>(repeating: lineFeed)).markingZeros
            let ends = feeds | (block ^ SIMD16<UInt8>(repeating: carriageReturn)).markingZeros
            if let length = ends.firstMarked { return span.count &- rest.count &+ length }
            rest = rest.extracting(16...)
        }
        var length = 0
        while length < rest.count, rest[length] != lineFeed, rest[length] != carriageReturn { length &+= 1 }
        return span.count &- rest.count &+ length
    }

    /// Steps over the LF of a CRLF whose CR has already ended a line, and counts it as taken when that line ended an event.
    private mutating func skipLineFeedOfPair() {
        guard isAfterCarriageReturn, scanned < buffer.count else { return }
        isAfterCarriageReturn = false
        guard buffer[scanned] == lineFeed else { return }
        if takenCount == scanned { takenCount += 1 }
        scanned += 1
        lineStart = scanned
    }

    private mutating func stepOverLineEnd(at lineEnd: Int) {
        isAfterCarriageReturn = buffer[lineEnd] == carriageReturn
        scanned = lineEnd + 1
        lineStart = scanned
        skipLineFeedOfPair()
    }

    /// Removes the mark that may stand before the very first line, and has that line read again.
    private mutating func takeByteOrderMark(before line: Range<Int>) -> Bool {
        guard isFirstLine else { return false }
        isFirstLine = false
        guard UTF8Mark.begins(buffer.span.extracting(line)) else { return false }
        buffer.removeFirst(UTF8Mark.bytes.count)
        (scanned, lineStart, isAfterCarriageReturn) = (0, 0, false)
        return true
    }

    /// Reads one line that is not blank: a comment, `name: value`, `name:value` or `name`. All but `data` is for the client, and
    /// for what upstreams say of errors.
    private mutating func readField(_ line: Range<Int>) {
        if let value = Self.value(of: "data", in: line, buffer.span) { addData(value) } else { readOtherLine(line) }
    }

    private mutating func readOtherLine(_ line: Range<Int>) {
        switch buffer[line.lowerBound] {
        case UInt8(ascii: "e"):
            if let type = Self.value(of: "event", in: line, buffer.span) {
                if buffer[type].elementsEqual("error".utf8) { partialKind = .error }
            } else if let value = Self.value(of: "error", in: line, buffer.span) {
                partialKind = .error
                addData(value)
            }
        case UInt8(ascii: "{"), UInt8(ascii: "["): bareStart = bareStart ?? line.lowerBound - takenCount
        default: break
        }
    }

    /// The line's value when its field has this name: what follows the colon and one space after it.
    @inline(__always)
    private static func value(of name: String, in line: Range<Int>, _ span: Span<UInt8>) -> Range<Int>? {
        var offset = line.lowerBound
        for character in name.utf8 {
            guard offset < line.upperBound, span[offset] == character else { return nil }
            offset += 1
        }
        guard offset < line.upperBound else { return offset..<offset }
        guard span[offset] == UInt8(ascii: ":") else { return nil }
        offset += 1
        if offset < line.upperBound, span[offset] == UInt8(ascii: " ") { offset += 1 }
        return offset..<line.upperBound
    }

    private mutating func addData(_ value: Range<Int>) {
        switch partialData {
        case .none:
            partialData = .line(value.lowerBound - takenCount..<value.upperBound - takenCount)
        case .line(let first):
            let start = first.lowerBound + takenCount
            partialJoined = buffer[start..<start + first.count] + [lineFeed] + buffer[value]
            partialData = .joined
        case .joined:
            partialJoined.append(lineFeed)
            partialJoined.append(contentsOf: buffer[value])
        }
    }

    /// Ends the event before the current line.
    private mutating func takeEvent() throws(EventError) -> Event {
        let start = takenCount
        guard lineStart - start <= eventBytesMax else { throw .eventTooLarge(bytesMax: eventBytesMax) }
        var data = exchange(&partialData, with: .none)
        switch data {
        case .none: if let bareStart { (data, partialKind) = (.line(bareStart + start..<lineStart), .bare) }
        case .line(let range):
            data = .line(range.lowerBound + start..<range.upperBound + start)
            if range.isEmpty, partialKind == .plain { partialKind = .blank }
        case .joined: joined = exchange(&partialJoined, with: [])
        }
        takenCount = lineStart
        bareStart = nil
        kind = partialKind
        partialKind = .plain
        return Event(bytes: start..<lineStart, data: data)
    }
}
