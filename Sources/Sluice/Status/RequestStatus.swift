// What a request is doing at a moment, in words of the settings and of the web server, and in none of its caller's.

import Chat
import Clock
import FastCGI

extension Status {
    /// The requests that are being answered or on their way in, the oldest first.
    struct Requests: Sendable {
        /// As many as are told of at once.
        static let countMax = 2000

        var listed: [Request] = []
        /// How many there are, with those that are not listed.
        var count = 0
        /// How many workers have not told of theirs in time.
        var silentWorkers = 0

        var leftOut: Int { count - listed.count }

        /// All together.
        init(_ parts: [Requests] = [], silentWorkers: Int = 0) {
            listed = Array(parts.flatMap(\.listed).sorted { $0.age > $1.age }.prefix(Self.countMax))
            count = parts.reduce(0) { $0 + $1.count }
            self.silentWorkers = silentWorkers
        }
    }

    struct Request: Sendable {
        enum State: String, CaseIterable {
            /// It is on its way in.
            case reading
            /// Its body waits for room in `limits.memory`.
            case memory
            /// It waits for a place at its upstream.
            case queued
            /// It waits for a connection to its upstream.
            case connecting
            /// It waits for the first token.
            case waiting
            /// It waits for the hook, for the time of another attempt, or for what several machines count together.
            case pausing
            /// Events go on.
            case streaming
            /// The caller takes less than there is.
            case sending
            /// The caller has left, and the answer is read to its end.
            case draining
            /// The last bytes are on their way out.
            case finishing
        }

        /// Nil while it is on its way in.
        var id: MaskedID?
        let age: Duration
        /// By the web server's name.
        var client: String?
        var call: MaskedID?
        /// As the log has it; nil before that is known.
        var route: String?
        /// Who of it is asked, or answers; nil for nobody.
        var target: Sluice.Target?
        let state: State
        var events = 0
        /// To the caller.
        var bytes = 0
        /// Since the last event; nil before there was one.
        var silence: Duration?
    }
}

/// An id that a caller may have chosen, of which it shows nothing but the form that ids have: this process's own, and UUIDs. Of any other
/// word it shows a hash, by which it is told from others for as long as the process lives, and by which nobody guesses it.
struct MaskedID: Sendable {
    private let text: String
    private let isID: Bool

    init(_ text: String) {
        self.text = text
        isID = RequestID.isOwn(text) || Self.isUUID(text)
    }

    /// The whole id, or the hash.
    var description: String { isID ? text : hash }

    /// What of it is enough to find it in a log: one's own ids differ at their end, UUIDs anywhere.
    var short: String {
        guard isID else { return hash }
        return RequestID.isOwn(text) ? "…" + text.suffix(8) : text.prefix(8) + "…"
    }

    private static let seed = UInt64.random(in: .min ... .max)

    private var hash: String {
        var hasher = Hasher()
        hasher.combine(Self.seed)
        for byte in text.utf8 { hasher.combine(byte) }
        let digits = String(UInt32(truncatingIfNeeded: hasher.finalize()), radix: 16)
        return "#" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    /// Of 8, 4, 4, 4 and 12 hexadecimal digits (RFC 9562).
    private static func isUUID(_ text: String) -> Bool {
        let bytes = text.utf8
        guard bytes.count == 36 else { return false }
        return zip(bytes, 0...).allSatisfy { byte, place in
            [8, 13, 18, 23].contains(place) ? byte == UInt8(ascii: "-") : byte.isHexadecimal
        }
    }
}

extension Status.Request {
    /// One that is being answered.
    init(_ answering: Answering, at now: Instant) {
        let (record, phase) = (answering.record, answering.phase)
        id = MaskedID(record.id.description)
        age = now - record.start
        client = record.client
        call = record.call.map(MaskedID.init)
        (route, target) = (record.route, phase?.target ?? record.target)
        if let relay = answering.relay {
            state = answering.isDraining ? .draining : relay.isBlocked ? .sending : .streaming
            (events, bytes, silence) = (relay.eventsCount, relay.bytesCount, now - relay.lastEvent)
        } else {
            state = phase?.state ?? .finishing
            (events, bytes) = (record.answer.eventsCount, record.answer.bytesCount)
        }
        if let cut = record.cut {
            events += cut.answer.eventsCount
            bytes += cut.answer.bytesCount
        }
    }

    /// One that is on its way in.
    init(_ arrival: Connection.Arrival, at now: Instant) {
        age = now - arrival.start
        state = arrival.waitsForMemory ? .memory : .reading
    }
}
