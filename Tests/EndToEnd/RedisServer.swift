// A real Redis, and servers that only look like one.

import Clock
import Foundation
import TestSupport

/// A redis-server that keeps nothing, on a unix socket or on a port of 127.0.0.1.
final class RedisServer: Sendable {
    let directory: TemporaryDirectory
    let process: ChildProcess
    private let port: UInt16?
    private let password: String?

    /// - Parameters:
    ///   - port: nil for a unix socket.
    ///   - directory: where a former one was, or nil for a new one.
    init(port: UInt16? = nil, password: String? = nil, in directory: TemporaryDirectory? = nil) async throws {
        let directory = try directory ?? TemporaryDirectory()
        (self.directory, self.port, self.password) = (directory, port, password)
        let socket = directory.path("redis.sock")
        let place = port.map { ["--bind", "127.0.0.1", "--port", "\($0)"] } ?? ["--port", "0", "--unixsocket", socket]
        process = try ChildProcess(
            "redis-server",
            place + ["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", directory.path]
                + (password.map { ["--requirepass", $0] } ?? []), in: directory)
        try await process.accepts { try port.map { try Socket.connected(port: $0) } ?? Socket.connected(path: socket) }
    }

    /// For `budget_store`.
    func url(user: String = "", password: String? = nil, database: Int = 0) -> String {
        let userPart = password.map { "\(user):\($0)@" } ?? ""
        guard let port else { return "redis+unix://\(userPart)\(directory.path("redis.sock"))?db=\(database)" }
        return "redis://\(userPart)127.0.0.1:\(port)/\(database)"
    }

    /// What it answers to a command, by its own client.
    @discardableResult func ask(_ words: String...) async throws -> String { try await ask(words) }

    func ask(_ words: [String]) async throws -> String {
        let place = port.map { ["-p", "\($0)"] } ?? ["-s", directory.path("redis.sock")]
        let login = password.map { ["--no-auth-warning", "-a", $0] } ?? []
        return try await ChildProcess.run("redis-cli", place + login + words, in: directory)
            .trimmingCharacters(in: .newlines)
    }

    /// The key in which a client's tokens of today are counted.
    func day(of client: String) -> String { "sluice:{\(client)}:\(timestamp(ofSecond: secondsSince1970()).prefix(10))" }

    /// What is counted for a client today becomes something else.
    func set(_ client: String, _ value: String) async throws { try await ask("SET", day(of: client), value) }

    /// The tokens that are counted for a client, of all days that it has.
    func tokens(of client: String) async throws -> Int {
        let keys = try await ask("KEYS", "sluice:{\(client)}:*").split(separator: "\n").filter { !$0.contains("T") }
        var sum = 0
        for key in keys { sum += Int(try await ask("GET", String(key))) ?? 0 }
        return sum
    }

    func end() async throws { try await process.end() }
}

/// Answers each part that it reads with the next of its texts, and all further ones with the last. To an empty one it says nothing.
final class RedisLookalike: Sendable {
    let port: UInt16
    /// The parts that it has read, of all connections.
    let read = Observed<[String]>([])
    private let listener: Socket

    /// - Parameters:
    ///   - answers: on the first connection.
    ///   - later: on all others; nil for the same.
    init(_ answers: [String], then later: [String]? = nil) throws {
        let listener = try Socket.listening()
        (self.listener, port) = (listener, listener.port)
        startThread("redis lookalike") { [read] in
            var answers = answers
            while let connection = try? listener.accept() {
                startThread("redis lookalike's answers") { [answers] in
                    var rest = answers[...]
                    while let part = try? connection.read(), !part.isEmpty {
                        read.update { $0.append(String(decoding: part, as: UTF8.self)) }
                        guard let answer = rest.count > 1 ? rest.popFirst() : rest.first else { return }
                        try? connection.write(Array(answer.utf8))
                    }
                }
                answers = later ?? answers
            }
        }
    }

    var url: String { "redis://127.0.0.1:\(port)" }

    deinit { listener.shutdown() }
}
