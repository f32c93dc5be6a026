// A web server's side of FastCGI, so that a test sees what becomes of the connection itself.

import Foundation
import TestSupport

/// One request over a connection of its own.
final class FastCGICaller: Sendable {
    struct Answer: Sendable {
        /// What the application wrote: head and body.
        fileprivate(set) var output: [UInt8] = []
        /// Whether the application said that the request is over (FastCGI 1.0 §5.5).
        fileprivate(set) var isOver = false
        /// Whether the connection has ended.
        fileprivate(set) var isClosed = false

        var text: String { String(decoding: output, as: UTF8.self) }
        /// An answer that any web server can tell from a whole one.
        var isBroken: Bool { isClosed && !isOver }
        var isWhole: Bool { isOver && text.contains("data: [DONE]") }
    }

    let answer = Observed(Answer())
    private let socket: Socket

    /// Asks for a stream.
    ///
    /// - Throws: when nobody takes the connection.
    init(path: String, _ call: ChatCall) throws {
        socket = try Socket.connected(path: path)
        var request = Self.record(type: 1, [0, 1, 0, 0, 0, 0, 0, 0])
        let parameters = [
            ("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/v1/chat/completions"), ("CONTENT_TYPE", "application/json"),
            ("CONTENT_LENGTH", "\(call.body.count)"), ("SLUICE_CLIENT", "test"),
        ]
        request += Self.record(
            type: 4,
            parameters.flatMap { name, value in
                [UInt8(name.utf8.count), UInt8(value.utf8.count)] + Array(name.utf8) + Array(value.utf8)
            })
        request += Self.record(type: 4, []) + Self.record(type: 5, call.body) + Self.record(type: 5, [])
        try socket.write(request)
        let thread = Thread { [socket, answer] in Self.read(socket, answer) }
        thread.start()
    }

    deinit { socket.shutdown() }

    private static func record(type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
    }

    private static func read(_ socket: Socket, _ answer: Observed<Answer>) {
        var bytes: [UInt8] = []
        while let part = try? socket.read(), !part.isEmpty {
            bytes += part
            while bytes.count >= 8 {
                let (length, padding) = (Int(bytes[4]) << 8 | Int(bytes[5]), Int(bytes[6]))
                guard bytes.count >= 8 + length + padding else { break }
                let (type, content) = (bytes[1], Array(bytes[8..<(8 + length)]))
                bytes.removeFirst(8 + length + padding)
                answer.update { answer in
                    if type == 6 { answer.output += content }
                    if type == 3 { answer.isOver = true }
                }
            }
        }
        answer.update { $0.isClosed = true }
    }

    /// Waits until the stream has begun.
    func begun() async throws {
        try await answer.wait(for: "the stream's first event") { answer in
            if answer.text.contains("assistant") { return true }
            if answer.isClosed { throw Ended(text: answer.text) }
            return false
        }
    }

    func ended() async throws -> Answer {
        try await answer.wait(for: "the end of the connection") { $0.isClosed ? $0 : nil }
    }

    struct Ended: Error { let text: String }
}
