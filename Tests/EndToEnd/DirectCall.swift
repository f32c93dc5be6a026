// A request by FastCGI itself, as web servers send it, for what no shipped configuration says.

import TestSupport

/// A connection to Sluice with one request on it, which the test may hold up.
final class DirectCall: Sendable {
    private let socket: Socket
    /// What has not been sent yet.
    private let rest: [UInt8]

    /// - Parameters:
    ///   - parameters: besides the method and the path.
    ///   - leavingOut: parameters that it goes without.
    ///   - heldBack: how many bytes are sent by `complete` alone.
    init(
        to path: String, _ method: String, _ uri: String, _ parameters: [(name: String, value: String)] = [], body: String = "",
        leavingOut: [String] = [], heldBack: Int = 0
    ) throws {
        socket = try .connected(path: path)
        let query = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first ?? ""
        let all = [("REQUEST_METHOD", method), ("REQUEST_URI", uri), ("QUERY_STRING", String(query))] + parameters
        let pairs = all.filter { !leavingOut.contains($0.0) }.flatMap { name, value in
            Self.length(name) + Self.length(value) + Array(name.utf8) + Array(value.utf8)
        }
        let begin: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0]
        let parameterRecords = stride(from: 0, to: pairs.count, by: 0xFFFF).flatMap { start in
            Self.record(4, Array(pairs[start..<min(start + 0xFFFF, pairs.count)]))
        }
        let bytes =
            Self.record(1, begin) + parameterRecords + Self.record(4) + Self.record(5, Array(body.utf8))
            + (body.isEmpty ? [] : Self.record(5))
        rest = Array(bytes.suffix(heldBack))
        try socket.write(bytes.dropLast(heldBack))
    }

    func complete() throws { try socket.write(rest) }

    func close() { socket.close() }

    /// The response, up to its end. Tests are few threads: none of them waits for it.
    func response() async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            startThread("direct call") { continuation.resume(with: Result { try self.read() }) }
        }
    }

    private func read() throws -> String {
        var (bytes, output) = ([UInt8](), [UInt8]())
        while true {
            let part = try socket.read()
            if part.isEmpty { break }
            bytes += part
        }
        var rest = bytes[...]
        while rest.count >= 8 {
            let header = Array(rest.prefix(8))
            let count = Int(header[4]) << 8 | Int(header[5])
            if header[1] == 6 { output += rest.dropFirst(8).prefix(count) }
            rest = rest.dropFirst(8 + count + Int(header[6]))
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func record(_ type: UInt8, _ content: [UInt8] = []) -> [UInt8] {
        [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
    }

    private static func length(_ text: String) -> [UInt8] {
        let count = text.utf8.count
        return count < 128
            ? [UInt8(count)]
            : [UInt8(count >> 24) | 0x80, UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    }
}
