// Three machines with a Sluice each, a web server on a fourth, and an upstream that all of them reach.

import Foundation
import TestSupport
import Testing

/// Whether there can be machines: root may make networks.
let mayMakeMachines = geteuid() == 0 && mayMakeNetworks

/// A machine with a Sluice, which listens on TCP for the web server's machine alone.
final class Responder: Sendable {
    let name: String
    private let machine: Machine
    private let number: Int
    private let upstream: String
    private let directory: TemporaryDirectory
    private let current: Observed<SluiceProcess?> = Observed(nil)

    /// For the front's upstream.
    var place: String { "10.\(number).0.2:9000" }
    var sluice: SluiceProcess { current.value! }

    init(_ name: String, number: Int, behind front: Machine, upstream: String) async throws {
        (self.name, self.number, self.upstream) = (name, number, upstream)
        directory = try TemporaryDirectory()
        machine = try await Machine(in: directory)
        try await front.connect(to: machine, number: number)
        try await start()
    }

    /// Also after it has ended. Without heartbeats nothing is on the way while it is cut off: the kernel would try each again later and later,
    /// and a test wait for that.
    func start() async throws {
        let settings = """
            allowed_addresses = ["10.\(number).0.1"]
            timeouts = {drain = "10m", first_token = "10m", idle = "10m"}
            heartbeat = "0s"
            [upstreams.stub]
            url = "unix:\(upstream):/v1"
            headers = {X-Machine = "\(name)"}

            """
        let sluice = try await SluiceProcess(
            .settings(settings), options: ["--listen", "tcp:\(place)"], launcher: machine.launcher, in: directory)
        current.update { $0 = sluice }
    }

    /// Its cable is pulled: nobody is told.
    func cutOff() async throws { try await machine.ip("link set cable down") }

    func plugIn() async throws { try await machine.ip("link set cable up") }
}

/// All of it, and streams through it.
struct MachinesSite {
    let responders: [Responder]
    let front: MachinesFront
    private let upstream: StubUpstream
    private let gates: [String: Gate]
    private let machine: Machine
    private let directory: TemporaryDirectory

    private static let names = ["a", "b", "c"]

    init(_ kind: WebServer) async throws {
        let directory = try TemporaryDirectory()
        self.directory = directory
        let gates = Dictionary(uniqueKeysWithValues: try Self.names.map { ($0, try Gate()) })
        self.gates = gates
        let path = directory.path("stub.sock")
        upstream = try StubUpstream(path: path) { request in
            let (name, text) = (request.head["X-Machine"] ?? "", request.text)
            guard let number = MachineStream.number(in: text) else { return .stream(MachineStream.frames(on: name, number: 0)) }
            let frames = MachineStream.frames(on: name, number: number)
            // The first tells the machine, and the others wait for the test.
            let steps = frames.map(Reply.Step.text)
            return Reply(steps.prefix(2) + [.wait(gates[name]!)] + steps.dropFirst(2))
        }
        let machine = try await Machine(in: directory)
        self.machine = machine
        var responders: [Responder] = []
        for (index, name) in Self.names.enumerated() {
            responders.append(try await Responder(name, number: 71 + index, behind: machine, upstream: path))
        }
        self.responders = responders
        front = try await MachinesFront(kind, responders: responders.map(\.place), on: machine, in: directory)
    }

    /// Opens streams, each of which has begun.
    func open(_ count: Int) async throws -> [MachineStream] {
        let begun = try (1...count).map { (number: $0, answer: try call(chat("number \($0),"))) }
        var streams: [MachineStream] = []
        for (number, answer) in begun { streams.append(try await MachineStream(number: number, answer)) }
        return streams
    }

    /// Lets streams of a machine go on, and expects each to be whole.
    func finish(_ streams: [MachineStream]) async throws {
        for stream in streams { gates[stream.machine]?.open() }
        for stream in streams {
            let answer = try await stream.answer.ended()
            #expect(answer.end == .complete, "stream \(stream.number) of \(stream.machine)")
            #expect(answer.content == MachineStream.frames(on: stream.machine, number: stream.number).joined())
        }
    }

    /// New calls, all at once, are all answered whole.
    ///
    /// - Returns: the machines that have answered.
    func answers(_ count: Int) async throws -> Set<String> {
        let calls = try (0..<count).map { _ in try call(chat()) }
        var machines: Set<String> = []
        for call in calls {
            let answer = try await call.ended()
            let name = Self.names.first { answer.content == MachineStream.frames(on: $0, number: 0).joined() }
            #expect(answer.status == 200 && answer.end == .complete && name != nil, "\(answer)")
            if let name { machines.insert(name) }
        }
        return machines
    }

    /// Waits until a machine answers calls; none of all that are made meanwhile is lost.
    func isBack(_ name: String) async throws {
        try await eventually("\(name) to get calls again") { try await answers(3).contains(name) }
    }

    private func call(_ call: ChatCall) throws -> HTTPStream { try .plain(call, over: Socket.connected(path: front.socket)) }

    func end() async throws {
        try await front.process.end()
        for responder in responders { try await responder.sluice.process.end() }
        try await upstream.stop()
    }
}

/// A stream that has begun.
struct MachineStream: Sendable {
    let number: Int
    /// The name of the one that brings it.
    let machine: String
    let answer: HTTPStream

    fileprivate init(number: Int, _ answer: HTTPStream) async throws {
        (self.number, self.answer) = (number, answer)
        machine = try await answer.received.wait(for: "stream \(number) to begin") { received in
            if received.end != nil { throw NotBegun(received: received) }
            guard received.frames.count >= 2 else { return nil }
            return received.text.split(separator: "on machine ").last.map { String($0.prefix(1)) }
        }
    }

    private struct NotBegun: Error { let received: Received }

    /// Each stream has its own.
    fileprivate static func frames(on machine: String, number: Int) -> [String] {
        Chunks.stream(["on machine \(machine)"] + (0..<10).map { "stream \(number), event \($0)" })
    }

    /// What a call of `open` has in its message; nil in others.
    fileprivate static func number(in text: String) -> Int? {
        let parts = text.split(separator: "number ")
        return parts.count > 1 ? Int(parts[1].prefix { $0.isNumber }) : nil
    }
}
