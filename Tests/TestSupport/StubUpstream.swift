// An upstream that does as a test's script says.

import Clock
import Foundation
import Synchronization

/// A request as the stub upstream received it.
package final class UpstreamRequest: Sendable {
    package enum Ending: Sendable, Equatable {
        /// The script ran to its end.
        case finished
        /// The peer closed the connection first.
        case closedByPeer
        case stubStopped
    }

    package let head: HTTPHead
    package let body: [UInt8]
    package let arrived: ContinuousClock.Instant
    package let ending = Observed<(Ending, at: ContinuousClock.Instant)?>(nil)

    init(head: HTTPHead, body: [UInt8]) {
        self.head = head
        self.body = body
        arrived = .now
    }

    package var method: String { head.words.first ?? "" }
    package var path: String { head.words.dropFirst().first ?? "" }
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// Waits until the peer closes the connection before the reply is over; returns when it did.
    ///
    /// - Throws: ``NotClosed`` when the script ran to its end instead.
    @discardableResult
    package func closedByPeer(within limit: Duration = .seconds(30)) async throws -> ContinuousClock.Instant {
        try await ending.wait(for: "the peer to close the upstream connection", within: limit) { ending in
            guard let ending else { return nil }
            guard ending.0 == .closedByPeer else { throw NotClosed(ending: ending.0) }
            return ending.at
        }
    }

    package func finished() async throws {
        try await ending.wait(for: "the upstream's script to end") { $0?.0 == .finished }
    }

    package struct NotClosed: Error { package let ending: Ending }
}

/// An HTTP/1.1 upstream on 127.0.0.1 or a unix socket that answers each request by a script, on one thread per connection.
package final class StubUpstream: Sendable {
    package typealias Script = @Sendable (UpstreamRequest) -> Reply

    /// What it does with a request's body.
    package enum Taking: Sendable {
        case atOnce
        /// The upstream's own pace, between the head and the body.
        case after(Duration)
        /// Answers as soon as it has the head, and then reads and forgets the body.
        case behindAnswer
    }

    private let listener: Socket
    private let taking: Taking
    private let script: Script
    private let connections = Mutex<(open: [UInt64: Socket], ever: UInt64, stopped: Bool)>(([:], 0, false))
    private let threads = Observed(0)

    /// 0 on a unix socket.
    package let port: UInt16
    package let requests = Observed<[UpstreamRequest]>([])

    /// Listens from now on.
    ///
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - taking: bodies.
    package convenience init(port: UInt16 = 0, taking: Taking = .atOnce, _ script: @escaping Script) throws {
        let listener = try Socket.listening(port: port)
        self.init(listener, port: listener.port, taking, script)
    }

    /// Listens on a unix socket from now on.
    package convenience init(path: String, _ reply: Reply) throws {
        try self.init(path: path) { _ in reply }
    }

    /// The same by a script.
    package convenience init(path: String, _ script: @escaping Script) throws {
        self.init(try Socket.listening(path: path), port: 0, .atOnce, script)
    }

    private init(_ listener: Socket, port: UInt16, _ taking: Taking = .atOnce, _ script: @escaping Script) {
        (self.listener, self.port, self.taking, self.script) = (listener, port, taking, script)
        threads.update { $0 += 1 }
        startThread("stub upstream") { self.acceptAll() }
    }

    package convenience init(_ reply: Reply) throws {
        try self.init { _ in reply }
    }

    /// For `--upstream`.
    package var url: String { "http://127.0.0.1:\(port)/v1" }

    /// Waits for the request with that number, from 0, in the order of arrival.
    package func request(_ number: Int = 0) async throws -> UpstreamRequest {
        try await requests.wait(for: "request \(number) at the upstream") { $0.count > number ? $0[number] : nil }
    }

    /// Waits for a request whose body contains `text`.
    package func request(containing text: String) async throws -> UpstreamRequest {
        try await requests.wait(for: "a request containing \(text) at the upstream") { requests in
            requests.first { $0.text.contains(text) }
        }
    }

    package func peerClosed(_ number: Int = 0) async throws {
        try await request(number).closedByPeer()
    }

    /// How many connections there have been.
    package var connectionsEver: Int { Int(connections.withLock { $0.ever }) }

    /// Waits until so many connections are open.
    package func connectionsOpen(_ count: Int) async throws {
        // One thread accepts.
        try await threads.wait(for: "\(count) open connections") { $0 == count + 1 }
    }

    /// Closes every connection and waits until every thread has ended.
    package func stop() async throws {
        let open = connections.withLock { connections in
            connections.stopped = true
            return connections.open.values.map { $0 }
        }
        listener.shutdown()
        for connection in open { connection.shutdown() }
        try await threads.wait(for: "the stub's threads to end") { $0 == 0 }
    }

    private func acceptAll() {
        defer { threads.update { $0 -= 1 } }
        do {
            while let connection = try listener.accept() {
                guard let key = register(connection) else { return }
                startThread("stub connection") { self.serve(connection, key) }
            }
        } catch {
            print("the stub upstream stopped accepting: \(error)")
        }
    }

    private func register(_ connection: Socket) -> UInt64? {
        connections.withLock { connections in
            if connections.stopped { return nil }
            connections.ever += 1
            connections.open[connections.ever] = connection
            threads.update { $0 += 1 }
            return connections.ever
        }
    }

    private func serve(_ connection: Socket, _ key: UInt64) {
        defer {
            connections.withLock { $0.open[key] = nil }
            connection.close()
            threads.update { $0 -= 1 }
        }
        var reader = HTTPReader(connection)
        // A peer that breaks off while it sends its request is no event of this stub; the test awaits the request.
        while let request = try? receive(from: connection, &reader) {
            requests.update { $0.append(request) }
            let reply = script(request)
            var exchange = Exchange(connection: connection, reply: request.method == "HEAD" ? reply.withoutBody : reply)
            let ending = exchange.run()
            let stopped = connections.withLock { $0.stopped }
            request.ending.update { $0 = (stopped ? .stubStopped : ending, .now) }
            if case .behindAnswer = taking {
                try? reader.rest { _ in }
                return
            }
            guard exchange.keepsConnection, ending == .finished else { return }
        }
    }

    private func receive(from connection: Socket, _ reader: inout HTTPReader) throws -> UpstreamRequest? {
        guard let head = try reader.head() else { return nil }
        if head["Expect"]?.lowercased() == "100-continue" { try connection.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
        var body: [UInt8] = []
        switch taking {
        case .atOnce: break
        case .after(let pause): Thread.sleep(forTimeInterval: Double(pause.milliseconds) / 1000)
        case .behindAnswer: return UpstreamRequest(head: head, body: [])
        }
        guard try reader.body(of: head, endsWithConnection: false, each: { body += $0 }) else { return nil }
        return UpstreamRequest(head: head, body: body)
    }
}

/// One reply on its way.
private struct Exchange {
    let connection: Socket
    let reply: Reply
    private(set) var keepsConnection = false

    init(connection: Socket, reply: Reply) {
        self.connection = connection
        self.reply = reply
    }

    mutating func run() -> UpstreamRequest.Ending {
        do {
            // In one write with what comes at once: Sluice does not wait for an error's text for long.
            var (head, steps) = (reply.headText.map { Array($0.utf8) } ?? [], reply.steps[...])
            if !reply.lacksBody, case .bytes(let bytes)? = steps.first {
                (head, steps) = (head + framed(bytes), steps.dropFirst())
            }
            if !head.isEmpty { try connection.write(head) }
            for step in steps where !reply.lacksBody {
                guard try perform(step) else { return .finished }
                if closedByPeer { return .closedByPeer }
            }
            if reply.head?.framing == .chunked, !reply.lacksBody { try connection.write(Array("0\r\n\r\n".utf8)) }
            keepsConnection = reply.head.map { $0.framing != .untilClose } ?? false
            return .finished
        } catch {
            return .closedByPeer
        }
    }

    private var closedByPeer = false

    /// False when the script ends the connection here.
    private mutating func perform(_ step: Reply.Step) throws -> Bool {
        switch step {
        case .bytes(let bytes): try connection.write(framed(bytes))
        case .pause(let duration): closedByPeer = try connection.wait(milliseconds: duration.milliseconds) == .closedByPeer
        case .read: closedByPeer = try !waitForRead()
        case .wait(let gate): closedByPeer = try !pass(gate)
        case .silence: closedByPeer = try connection.wait() == .closedByPeer
        case .close: return false
        case .reset:
            connection.reset()
            return false
        }
        return true
    }

    private func waitForRead() throws -> Bool {
        // No event tells that a peer has read. The last wait lets it look at what it has.
        var isRead = false
        while true {
            if try connection.wait(milliseconds: 1) == .closedByPeer { return false }
            if isRead { return true }
            isRead = try connection.peerHasReadAll()
        }
    }

    private func pass(_ gate: Gate) throws -> Bool {
        while true {
            if gate.take() { return true }
            if try connection.wait(gate: gate) != .gate { return false }
        }
    }

    private func framed(_ bytes: [UInt8]) -> [UInt8] {
        guard reply.head?.framing == .chunked, !bytes.isEmpty else { return bytes }
        return Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8)
    }
}

/// A port whose queue of connections is full: whoever connects hears nothing at all.
package final class DeafPort: Sendable {
    private let listener: Socket
    private let waiting: [Socket]

    package var port: UInt16 { listener.port }

    package init() throws {
        let listener = try Socket.listening(backlog: 0)
        self.listener = listener
        waiting = try (0..<4).map { _ in try Socket.connecting(port: listener.port) }
    }
}
