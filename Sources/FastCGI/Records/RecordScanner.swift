// Takes a connection's bytes as they arrive and lets exactly one well-formed request through at a time.

/// Why a connection is closed: the peer broke the protocol, went over a limit, or may not connect.
package enum ConnectionRefusal: Error, Equatable, Sendable {
    case unsupportedVersion(UInt8)
    case malformedBeginRequest
    case unknownRole(UInt16)
    /// HAProxy sends the next request so where the caller of the one before has left: it is that which ends.
    case secondRequest
    case unexpectedRecord(type: UInt8)
    /// A length among the name-value pairs points beyond them.
    case malformedParameters
    /// Not begun, or not ended, in the time for it.
    case requestTimedOut
    /// The peer does not take the answers to its management records.
    case answersNotRead
    /// The peer is none of the users that may connect; nothing of it was read.
    case peerNotAllowed(userID: UInt32)
    /// The same of its address.
    case addressNotAllowed(String)
}

/// A request that the scanner has checked in full.
package struct ScannedRequest: Equatable, Sendable {
    /// The peer's name for it on this connection; not 0.
    package var id: UInt16
    /// `FCGI_KEEP_CONN`: the connection stays open after the answer.
    package var keepsConnection: Bool
    /// Name-value pairs, checked; none when they were dropped.
    package var parameters: [UInt8] = []
    /// The STDIN stream; empty when it was dropped.
    package var body: [UInt8] = []
    /// Why there is no body, and perhaps no parameter, when it was dropped as it came.
    package var dropped: DropReason?
}

/// Why a request, or its body alone, was read and not kept.
package enum DropReason: Equatable, Sendable {
    /// The body went over `RecordScanner.Limits.bodyBytesMax`.
    case bodyTooLarge
    /// There was no memory for the body in time.
    case noMemory
    /// The parameters went over `RecordScanner.Limits.parametersBytesMax`; neither they nor the body are there.
    case parametersTooLarge
    /// A parameter has what no variable of the form `NAME=value` can have; neither they nor the body are there.
    case unusableParameters
}

/// What a stretch of bytes amounted to.
package enum ScanResult: Equatable, Sendable {
    /// All bytes are taken, more are needed.
    case incomplete
    /// The body goes beyond `bodyRoom`. Nothing more is taken until that is more, or the body is dropped.
    case needsRoom
    /// A request is complete; nothing but an abort or its padding may follow until `requestAnswered()`.
    case request(ScannedRequest)
    /// The peer has taken back the request that is being sent or answered.
    case aborted
}

/// FastCGI 1.0 as a responder sees it, for one connection and one request at a time. Values only: no I/O.
///
/// libfcgi trusts its peer: a repeated name in GET_VALUES or a huge length ends the process, and an answer given before the
/// body was read lets body bytes be parsed as records. So it sees no record of a peer.
package struct RecordScanner: Sendable {
    /// What a peer may send at most.
    package struct Limits: Equatable, Sendable {
        /// The PARAMS stream of one request. Above it the request is dropped as it comes, and still answered.
        package var parametersBytesMax: Int
        /// The STDIN stream of one request. Above it the body is dropped as it comes, and the request is still answered.
        package var bodyBytesMax: Int
        /// Told to a server that asks with GET_VALUES; nothing else hangs on it here.
        package var requestsMax: Int

        /// 64 KiB of parameters, 8 MiB of body and 4096 requests, unless told otherwise.
        package init(parametersBytesMax: Int = 64 << 10, bodyBytesMax: Int = 8 << 20, requestsMax: Int = 4096) {
            self.parametersBytesMax = parametersBytesMax
            self.bodyBytesMax = bodyBytesMax
            self.requestsMax = requestsMax
        }
    }

    private enum Phase { case idle, parameters, body, answering }

    /// Records for the peer: answers to management records, or the reason of a refusal. The caller sends and empties them.
    package var answers: [UInt8] = []
    /// How many bytes of the present request's body may be kept. Each request begins with `firstRoom`.
    package var bodyRoom: Int
    /// What the present request's `CONTENT_LENGTH` says (RFC 3875 §4.1.2), which need not be true; `nil` when it says nothing.
    package private(set) var announcedBytes: Int?

    /// Changed between requests only.
    var limits: Limits
    private let firstRoom: Int
    private var phase = Phase.idle
    private var request = ScannedRequest(id: 0, keepsConnection: false)
    private var header: [UInt8] = []
    private var record: RecordHeader?
    private var contentRemaining = 0
    private var paddingRemaining = 0
    /// The content of a record that is looked at as a whole: BEGIN_REQUEST or a management record.
    private var content: [UInt8] = []

    /// A scanner for a fresh connection.
    ///
    /// - Parameter firstRoom: see `bodyRoom`.
    package init(limits: Limits, firstRoom: Int = .max) {
        self.limits = limits
        self.firstRoom = firstRoom
        bodyRoom = firstRoom
    }

    /// Between requests, with no byte of the next one taken. Padding that is still due changes nothing about that.
    package var isIdle: Bool { phase == .idle && header.isEmpty && (record == nil || contentRemaining == 0) }

    /// Whether what comes next is no body yet.
    package var isBeforeBody: Bool { phase == .idle || phase == .parameters }

    /// The request's answer has been written: the next one may come.
    package mutating func requestAnswered() {
        precondition(phase == .answering)
        phase = .idle
    }

    /// Takes bytes up to the end of a request; `taken` counts them.
    ///
    /// - Throws: `ConnectionRefusal`; the connection must then be closed after `answers` have been sent.
    package mutating func scan(_ bytes: Span<UInt8>, taken: inout Int) throws(ConnectionRefusal) -> ScanResult {
        while true {
            if record == nil {
                guard let record = takeHeader(bytes, &taken) else { return .incomplete }
                if let result = try begin(record) { return result }
            }
            if contentRemaining > 0 {
                if needsRoom(for: bytes.count - taken) { return .needsRoom }
                try takeContent(bytes, &taken)
                guard contentRemaining == 0 else { return .incomplete }
                try contentEnded()
            }
            let padding = min(paddingRemaining, bytes.count - taken)
            taken += padding
            paddingRemaining -= padding
            guard paddingRemaining == 0 else { return .incomplete }
            record = nil
        }
    }

    // MARK: Headers

    /// The next header, when all of it has come; nearly all come in one piece.
    private mutating func takeHeader(_ bytes: Span<UInt8>, _ taken: inout Int) -> RecordHeader? {
        if header.isEmpty, bytes.count - taken >= RecordHeader.size {
            defer { taken += RecordHeader.size }
            return RecordHeader(bytes.extracting(taken..<taken + RecordHeader.size))
        }
        while header.count < RecordHeader.size, taken < bytes.count {
            header.append(bytes[taken])
            taken += 1
        }
        guard header.count == RecordHeader.size else { return nil }
        defer { header.removeAll(keepingCapacity: true) }
        return RecordHeader(header.span)
    }

    /// Checks a header against the phase; a result when the record completes or aborts a request.
    private mutating func begin(_ record: RecordHeader) throws(ConnectionRefusal) -> ScanResult? {
        guard record.version == RecordHeader.version else { throw .unsupportedVersion(record.version) }
        self.record = record
        contentRemaining = record.contentLength
        paddingRemaining = record.paddingLength
        if !content.isEmpty { content.removeAll(keepingCapacity: content.capacity < 64) }

        if record.requestID == 0 {
            guard record.type > RecordType.data.rawValue else { throw .unexpectedRecord(type: record.type) }
            if contentRemaining == 0 { try managementRecordEnded(record) }
            return nil
        }
        switch RecordType(rawValue: record.type) {
        case .beginRequest: try checkBeginRequest(record)
        case .abortRequest where record.contentLength == 0:
            guard record.requestID == request.id, phase != .idle else { break }  // it crossed the answer on its way
            if phase != .answering { answers.appendEndRequest(request.id, .requestComplete) }
            return .aborted
        case _ where record.requestID != request.id && record.contentLength == 0: break
        case .parameters where phase == .parameters && record.requestID == request.id:
            if contentRemaining == 0 { try parametersEnded() }
        case .standardInput where phase == .body && record.requestID == request.id:
            if contentRemaining == 0 { return bodyEnded() }
        case .data where record.contentLength == 0: break  // a filter's (FastCGI 1.0 §6.4); flup's client ends it here, too
        default: throw .unexpectedRecord(type: record.type)
        }
        return nil
    }

    private mutating func checkBeginRequest(_ record: RecordHeader) throws(ConnectionRefusal) {
        guard phase == .idle else {
            if record.requestID != request.id { answers.appendEndRequest(record.requestID, .cannotMultiplex) }
            throw .secondRequest
        }
        guard record.contentLength == 8 else { throw .malformedBeginRequest }
    }

    // MARK: Content

    private mutating func takeContent(_ bytes: Span<UInt8>, _ taken: inout Int) throws(ConnectionRefusal) {
        let count = min(contentRemaining, bytes.count - taken)
        let stretch = bytes.extracting(taken..<taken + count)
        taken += count
        contentRemaining -= count
        guard let record, record.requestID != 0, record.type != RecordType.beginRequest.rawValue else {
            return content.append(stretch)
        }
        switch phase {
        case .parameters:
            guard request.dropped == nil else { return }
            guard request.parameters.count + count <= limits.parametersBytesMax else { return dropAll(.parametersTooLarge) }
            request.parameters.append(stretch)
        case .body: takeBody(stretch)
        case .idle, .answering: preconditionFailure("begin lets no stream content through in this phase")
        }
    }

    /// Whether more of the body is here than may be kept.
    private func needsRoom(for arrived: Int) -> Bool {
        guard phase == .body, record?.requestID != 0, request.dropped == nil else { return false }
        let count = request.body.count + min(contentRemaining, arrived)
        return count > bodyRoom && count <= limits.bodyBytesMax && arrived > 0
    }

    /// What is over a limit is read to its end all the same, and dropped: only then can the peer take the answer, and no
    /// byte of it can be mistaken for a record.
    private mutating func takeBody(_ stretch: Span<UInt8>) {
        guard request.dropped == nil else { return }
        guard request.body.count + stretch.count <= limits.bodyBytesMax else { return dropBody(.bodyTooLarge) }
        makeCapacity(for: request.body.count + stretch.count)
        request.body.append(stretch)
    }

    /// Growing step by step, a body would take twice its room. The kernel gives memory for what is written only.
    private mutating func makeCapacity(for count: Int) {
        guard count > request.body.capacity else { return }
        let room = min(bodyRoom, limits.bodyBytesMax)
        if let announcedBytes, count <= announcedBytes {
            request.body.reserveCapacity(min(announcedBytes, room))
        } else if count > Self.smallBytesMax {
            request.body.reserveCapacity(room)
        }
    }

    fileprivate static let smallBytesMax = 64 << 10

    /// Keeps nothing of the present request's body, which is read to its end.
    package mutating func dropBody(_ reason: DropReason) {
        request.dropped = reason
        request.body = []
    }

    /// Keeps nothing of the present request, which is read to its end.
    private mutating func dropAll(_ reason: DropReason) {
        dropBody(reason)
        request.parameters = []
    }

    /// Whether the present request's body is read and not kept.
    package var dropsBody: Bool { phase == .body && request.dropped != nil }

    /// Only records that are looked at as a whole have something to do at their end.
    private mutating func contentEnded() throws(ConnectionRefusal) {
        guard let record else { return }
        if record.requestID == 0 {
            try managementRecordEnded(record)
        } else if record.type == RecordType.beginRequest.rawValue {
            try beginRequestEnded(record)
        }
    }

    private mutating func beginRequestEnded(_ record: RecordHeader) throws(ConnectionRefusal) {
        let role = UInt16(content[0]) << 8 | UInt16(content[1])
        let responder: UInt16 = 1
        guard role == responder else {
            answers.appendEndRequest(record.requestID, .unknownRole)
            throw .unknownRole(role)
        }
        request = ScannedRequest(id: record.requestID, keepsConnection: content[2] & 1 != 0)
        phase = .parameters
    }

    private mutating func managementRecordEnded(_ record: RecordHeader) throws(ConnectionRefusal) {
        if record.type == RecordType.getValues.rawValue {
            try answers.appendValuesResult(query: content, requestsMax: limits.requestsMax)
        } else {
            answers.appendUnknownType(record.type)
        }
    }

    private mutating func parametersEnded() throws(ConnectionRefusal) {
        switch request.dropped == nil ? try NameValuePairs.check(request.parameters) : .usable(contentLength: nil) {
        case .usable(let contentLength): announcedBytes = contentLength
        case .unusable:
            announcedBytes = nil
            dropAll(.unusableParameters)
        }
        phase = .body
        bodyRoom = firstRoom
    }

    private mutating func bodyEnded() -> ScanResult {
        phase = .answering
        var complete = request
        request.parameters = []
        request.body = []
        complete.body.giveSpareBack()
        return .request(complete)
    }
}

extension [UInt8] {
    /// Moves to memory of its own size, when it has much more.
    fileprivate mutating func giveSpareBack() {
        guard capacity > 2 * Swift.max(count, RecordScanner.smallBytesMax) else { return }
        var moved: [UInt8] = []
        moved.reserveCapacity(count)
        moved.append(contentsOf: self)
        self = moved
    }

    fileprivate mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
