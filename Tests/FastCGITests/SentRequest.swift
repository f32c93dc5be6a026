// Requests as web servers send them, and as no web server should.

import TestSupport

@testable import FastCGI

/// A request in bytes: any size of record, any padding.
struct SentRequest {
    var id: UInt16 = 1
    var role: UInt16 = 1
    var keepsConnection = true
    var parameters: [(name: String, value: String)] = [("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/chat/completions")]
    var body: [UInt8] = []
    var padding = 0
    var recordBytesMax = RecordHeader.contentBytesMax

    var parameterBytes: [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in parameters { bytes.appendPair(name: [UInt8](name.utf8), value: [UInt8](value.utf8)) }
        return bytes
    }

    var bytes: [UInt8] {
        record(.beginRequest, id: id, begin(role: role, keepsConnection: keepsConnection), padding: padding)
            + stream(.parameters, parameterBytes) + stream(.standardInput, body)
    }

    /// What the scanner should make of it.
    var scanned: ScannedRequest {
        ScannedRequest(id: id, keepsConnection: keepsConnection, parameters: parameterBytes, body: body)
    }

    func stream(_ type: RecordType, _ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: content.count, by: recordBytesMax) {
            let end = min(start + recordBytesMax, content.count)
            bytes += record(type, id: id, [UInt8](content[start..<end]), padding: padding)
        }
        return bytes + record(type, id: id, padding: padding)
    }
}

func begin(role: UInt16 = 1, keepsConnection: Bool = true) -> [UInt8] {
    [UInt8(role >> 8), UInt8(role & 0xFF), keepsConnection ? 1 : 0, 0, 0, 0, 0, 0]
}

/// One record. The padding is not zero: nobody may look at it.
func record(_ type: RecordType, id: UInt16, _ content: [UInt8] = [], padding: Int = 0) -> [UInt8] {
    record(rawType: type.rawValue, id: id, content, padding: padding)
}

func record(rawType type: UInt8, id: UInt16, _ content: [UInt8] = [], padding: Int = 0, version: UInt8 = 1) -> [UInt8] {
    var header = RecordHeader(.data, requestID: id, contentLength: content.count, paddingLength: padding)
    header.type = type
    header.version = version
    var bytes: [UInt8] = []
    header.append(to: &bytes)
    return bytes + content + [UInt8](repeating: 1, count: padding)
}

func endRequest(id: UInt16, _ status: ProtocolStatus) -> [UInt8] {
    record(.endRequest, id: id, [0, 0, 0, 0, status.rawValue, 0, 0, 0])
}

/// Takes the first whole record from `bytes`.
func takeRecord(from bytes: inout ArraySlice<UInt8>) -> (header: RecordHeader, content: [UInt8])? {
    guard bytes.count >= RecordHeader.size else { return nil }
    let header = RecordHeader([UInt8](bytes.prefix(RecordHeader.size)).span)
    let size = RecordHeader.size + header.contentLength + header.paddingLength
    guard bytes.count >= size else { return nil }
    let content = [UInt8](bytes.dropFirst(RecordHeader.size).prefix(header.contentLength))
    bytes = bytes.dropFirst(size)
    return (header, content)
}

/// Bytes that differ from one another and from their shifts, so that none can go missing unseen.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    // A block of odd length, repeated: random bytes all the way would take a debug build seconds.
    let block = (0..<min(count, 9973)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count { bytes += block.prefix(count - bytes.count) }
    return bytes
}
