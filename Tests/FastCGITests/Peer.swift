// The web server's end of a connection. It shares the loop with Sluice's end: whoever blocked it would stop the test.

import EventLoop
import FastCGI
import Glibc

final class Peer {
    let loop: EventLoop
    private var descriptor: Descriptor?
    private let wakeup: Wakeup
    private var unread: ArraySlice<UInt8> = []
    /// The other end has closed.
    private(set) var hasEnded = false

    init(_ descriptor: consuming Descriptor, on loop: EventLoop) {
        self.descriptor = consume descriptor
        self.loop = loop
        wakeup = Wakeup(on: loop)
    }

    var number: Int32 { descriptor?.number ?? -1 }

    /// Leaves, as nginx does the moment that its client has left.
    func close() { descriptor = nil }

    func send(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(number, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try await wait(for: .writable)
            } else {
                throw SystemError("send")
            }
        }
    }

    /// Reads up to `bytesMax` bytes, waiting for the first of them; none at the end.
    func read(bytesMax: Int = 65536) async throws -> [UInt8] {
        while true {
            var buffer = [UInt8](repeating: 0, count: bytesMax)
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(number, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count > 0 { return [UInt8](buffer.prefix(count)) }
            // A close with unread bytes is told as a reset, after what was sent before it.
            if count == 0 || errno == ECONNRESET {
                hasEnded = true
                return []
            }
            guard errno == EAGAIN else { throw SystemError("recv") }
            try await wait(for: .readable)
        }
    }

    /// Whether something has come that has not been read.
    var hasBytes: Bool {
        var byte: UInt8 = 0
        return unsafe !unread.isEmpty || recv(number, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) > 0
    }

    /// Reads the next record; `nil` at the end, which must not come in the middle of one.
    func readRecord(bytesMax: Int = 65536) async throws -> (header: RecordHeader, content: [UInt8])? {
        while true {
            if let record = takeRecord(from: &unread) { return record }
            let bytes = try await read(bytesMax: bytesMax)
            guard !bytes.isEmpty else {
                if !unread.isEmpty { throw SystemError("a record is cut off", code: EPROTO) }
                return nil
            }
            unread += bytes
        }
    }

    /// Reads an answer up to its END_REQUEST, or as far as it came.
    func readAnswer() async throws -> Answer {
        var answer = Answer()
        while !answer.isComplete, let (header, content) = try await readRecord() { answer.add(header, content) }
        return answer
    }

    /// All bytes up to the end.
    func readToEnd() async throws -> [UInt8] {
        var bytes = [UInt8](unread)
        unread = []
        while !hasEnded { bytes += try await read() }
        return bytes
    }

    /// Waits until the other end has closed. Whether it sent nothing more.
    func waitForEnd() async throws -> Bool {
        let isSilent = try await readRecord() == nil
        while try await readRecord() != nil {}
        return isSilent
    }

    /// Whether the next record asks to close a connection that is kept: where the next request is on its way, it means nothing.
    func isAskedToClose() async throws -> Bool {
        guard let (header, content) = try await readRecord() else { return false }
        return header.type == RecordType.standardError.rawValue && header.requestID == 1 && content.isEmpty
    }

    private func wait(for interest: Readiness) async throws {
        let watch = try Watch(number, for: interest, on: loop) { [wakeup] _ in wakeup.wake() }
        await wakeup.wait()
        watch.cancel()
    }
}

/// What came back for one request.
struct Answer: Equatable {
    var id: UInt16 = 0
    var content: [UInt8] = []
    /// Management records that came in between.
    var management: [[UInt8]] = []
    /// The protocol status of END_REQUEST.
    var status: UInt8?
    /// The empty STDOUT record has come.
    var hasStreamEnd = false
    var records = 0
    /// What breaks FastCGI 1.0.
    var faults: [String] = []

    var isComplete: Bool { status != nil }
    var text: String { String(decoding: content, as: UTF8.self) }

    /// The bytes after the CGI header.
    var body: [UInt8] {
        let end = content.indices.first { content[$0...].starts(with: [13, 10, 13, 10]) }
        return end.map { [UInt8](content[($0 + 4)...]) } ?? []
    }

    mutating func add(_ header: RecordHeader, _ content: [UInt8]) {
        records += 1
        if header.version != 1 { faults.append("version \(header.version)") }
        if header.requestID == 0 { return management.append(content) }
        if id != 0 && header.requestID != id { faults.append("id \(header.requestID)") }
        id = header.requestID
        switch RecordType(rawValue: header.type) {
        case .standardOutput where !hasStreamEnd && status == nil:
            self.content += content
            hasStreamEnd = content.isEmpty
        case .endRequest where content.count == 8 && status == nil: status = content[4]
        default: faults.append("record of type \(header.type)")
        }
    }
}
