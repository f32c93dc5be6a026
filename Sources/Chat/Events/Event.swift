/// One complete block of an event stream, up to and with the blank line that ends it (WHATWG HTML §9.2.6).
package struct Event: Sendable {
    /// Where the whole block stands in ``EventSplitter/buffer``: comments, all fields, all line ends.
    package let bytes: Range<Int>
    /// What the block's `data` fields hold.
    package let data: Data
    /// Whether there is any: else a client dispatches nothing.
    package var hasData: Bool { if case .none = data { false } else { true } }
    /// What a block says by other means than its `data` fields.
    package enum Kind: Sendable, Equatable {
        case plain
        /// One `data` field with nothing in it: some gateways keep a connection alive by it, and clients break on it.
        case blank
        /// `event: error`, or a field `error` (llama.cpp), whose value then is the data.
        case error
        /// JSON without any field: its lines, from the first that begins with a brace or a bracket, are the data.
        case bare
    }

    /// The values of an event's `data` fields.
    package enum Data: Sendable, Equatable {
        /// No `data` field: a client dispatches nothing. A lone comment, or a stray blank line.
        case none
        /// One `data` field, the usual case: where its value stands in ``EventSplitter/buffer``.
        case line(Range<Int>)
        /// Several, whose values ``EventSplitter/data(of:)`` has joined by LF until the next event is asked for.
        case joined
    }
}

/// An event stream that cannot be relayed.
package enum EventError: Error, Equatable, Sendable {
    /// An event, complete or not, has more than so many bytes.
    case eventTooLarge(bytesMax: Int)
}
