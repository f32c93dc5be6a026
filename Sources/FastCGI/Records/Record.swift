// FastCGI 1.0 records: their header, their types, and the few that Sluice writes itself.

/// Record types (FastCGI 1.0 §8).
package enum RecordType: UInt8, Sendable {
    case beginRequest = 1
    case abortRequest = 2
    case endRequest = 3
    case parameters = 4
    case standardInput = 5
    case standardOutput = 6
    case standardError = 7
    case data = 8
    case getValues = 9
    case getValuesResult = 10
    case unknownType = 11
}

/// How an `END_REQUEST` record says that a request ended (FastCGI 1.0 §5.5).
package enum ProtocolStatus: UInt8, Sendable {
    case requestComplete = 0
    case cannotMultiplex = 1
    case overloaded = 2
    case unknownRole = 3
}

/// A record's first eight bytes (FastCGI 1.0 §3.3).
package struct RecordHeader: Equatable, Sendable {
    /// In bytes.
    package static let size = 8
    /// The only version of the protocol.
    package static let version: UInt8 = 1
    /// What two bytes of length can say.
    package static let contentBytesMax = 65_535

    /// As it came; the scanner refuses any but the one above.
    package var version = RecordHeader.version
    /// A `RecordType`, or a number that is none.
    package var type: UInt8
    /// 0 marks a management record.
    package var requestID: UInt16
    /// In bytes, up to `contentBytesMax`.
    package var contentLength: Int
    /// Bytes behind the content that mean nothing, up to 255.
    package var paddingLength: Int

    /// A header of this version; lengths in bytes.
    package init(_ type: RecordType, requestID: UInt16, contentLength: Int, paddingLength: Int = 0) {
        self.type = type.rawValue
        self.requestID = requestID
        self.contentLength = contentLength
        self.paddingLength = paddingLength
    }

    /// Reads a header, whatever is in it.
    ///
    /// - Precondition: eight bytes.
    package init(_ bytes: Span<UInt8>) {
        version = bytes[0]
        type = bytes[1]
        requestID = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        contentLength = Int(bytes[4]) << 8 | Int(bytes[5])
        paddingLength = Int(bytes[6])
    }

    /// Appends its eight bytes.
    ///
    /// - Precondition: the lengths are in their ranges.
    package func append(to bytes: inout [UInt8]) {
        bytes.append(version)
        bytes.append(type)
        bytes.append(UInt8(requestID >> 8))
        bytes.append(UInt8(requestID & 0xFF))
        bytes.append(UInt8(contentLength >> 8))
        bytes.append(UInt8(contentLength & 0xFF))
        bytes.append(UInt8(paddingLength))
        bytes.append(0)
    }
}

extension [UInt8] {
    /// Appends `content` as a stream's records (FastCGI 1.0 §3.3), as many as it needs, and the empty one that ends it.
    package mutating func appendStream(_ type: RecordType, requestID: UInt16, content: [UInt8]) {
        var start = 0
        while start < content.count {
            let end = Swift.min(start + RecordHeader.contentBytesMax, content.count)
            appendRecord(type, requestID: requestID, content: content[start..<end])
            start = end
        }
        appendRecord(type, requestID: requestID)
    }

    /// Appends one record without padding; without content it ends a stream.
    ///
    /// - Precondition: at most `RecordHeader.contentBytesMax` bytes.
    package mutating func appendRecord(_ type: RecordType, requestID: UInt16, content: ArraySlice<UInt8> = []) {
        RecordHeader(type, requestID: requestID, contentLength: content.count).append(to: &self)
        append(contentsOf: content)
    }

    /// `BEGIN_REQUEST` (FastCGI 1.0 §5.1).
    package mutating func appendBeginRequest(_ requestID: UInt16, role: UInt16, keepsConnection: Bool) {
        appendRecord(
            .beginRequest, requestID: requestID,
            content: [UInt8(role >> 8), UInt8(role & 0xFF), keepsConnection ? 1 : 0, 0, 0, 0, 0, 0])
    }

    /// `END_REQUEST` with application status 0 (FastCGI 1.0 §5.5).
    package mutating func appendEndRequest(_ requestID: UInt16, _ status: ProtocolStatus) {
        RecordHeader(.endRequest, requestID: requestID, contentLength: 8).append(to: &self)
        for _ in 0..<4 { append(0) }
        append(status.rawValue)
        for _ in 0..<3 { append(0) }
    }

    /// The last bytes of an answer, the empty record that ends its stream, and `END_REQUEST`. Each record is filled up to a multiple of
    /// eight bytes, which the peer may read faster (FastCGI 1.0 §3.3).
    ///
    /// - Precondition: at most `RecordHeader.contentBytesMax` bytes.
    package mutating func appendEndOfAnswer(_ bytes: ArraySlice<UInt8>, requestID: UInt16) {
        let padding = -bytes.count & 7
        reserveCapacity(bytes.count + padding + 4 * RecordHeader.size)
        if !bytes.isEmpty {
            RecordHeader(.standardOutput, requestID: requestID, contentLength: bytes.count, paddingLength: padding)
                .append(to: &self)
            append(contentsOf: bytes)
            for _ in 0..<padding { append(0) }
        }
        RecordHeader(.standardOutput, requestID: requestID, contentLength: 0).append(to: &self)
        appendEndRequest(requestID, .requestComplete)
    }

    /// `UNKNOWN_TYPE` (FastCGI 1.0 §4.2).
    package mutating func appendUnknownType(_ type: UInt8) {
        appendRecord(.unknownType, requestID: 0, content: [type, 0, 0, 0, 0, 0, 0, 0])
    }
}
