import EventLoop
import FastCGI
import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1)), .ownThread) struct `A client of the control socket` {
    private static let patience = ControlClient.Patience(answer: .milliseconds(1), rest: .milliseconds(1))

    private static let commands: [ControlCommand] = [
        .reload, .reloadAndWait, .status(StatusForm()), .reopenLog, .stop, .stopAtOnce, .clients(isJSON: true),
    ]

    @Test(arguments: commands, [nil, Duration.milliseconds(1)])
    func `says so when nobody has answered in time, and has nobody killed`(command: ControlCommand, reading: Duration?) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("control.sock")
        // Nobody accepts what connects.
        let sockets = try ListeningSocket.open([.unix(path)])
        var patience = Self.patience
        patience.reading = reading
        let failure = #expect(throws: ControlFailure.self) { try ControlClient(path: path).ask(command, patience) }
        #expect(failure?.sentences == [Self.noAnswer.replacing("PATH", with: path)])
        #expect(failure?.status == EX_UNAVAILABLE)
        withExtendedLifetime(sockets) {}
    }

    /// It answers others, and this one at last.
    @Test func `tells one that reads its settings from one that stands still`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("control.sock")
        let sockets = try ListeningSocket.open([.unix(path)])
        try startThread(named: "server") {
            guard let reload = sockets[0].accept(), let status = sockets[0].accept() else { return }
            _ = status.sendAtOnce(ControlAnswer(.ok).bytes)
            // For as long as the client is there.
            _ = reload.isReadable(within: nil)
            var part = [UInt8](repeating: 0, count: 64)
            while case .bytes = reload.receive(into: &part) {}
            _ = reload.isReadable(within: nil)
        }
        let patience = ControlClient.Patience(answer: .seconds(3), reading: .milliseconds(1), rest: nil)
        let failure = #expect(throws: ControlFailure.self) { try ControlClient(path: path).ask(.reload, patience) }
        let text = "not finished yet: the Sluice at unix:\(path) reads its settings; its log will say what came of it"
        #expect(failure?.sentences == [text])
    }

    /// As it is when a process stands still.
    @Test(arguments: commands)
    func `says so when so many wait already that nobody else may`(command: ControlCommand) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("control.sock")
        let address = try #require(UnixAddress(path: path))
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let listening = Descriptor(owning: try SystemError.check("socket", socket(AF_UNIX, type, 0)))
        let results = [address.bind(listening), listen(listening.number, 0)]
        try #require(results == [0, 0])
        let waiting = try address.connectedStream(within: .seconds(60))
        let failure = #expect(throws: ControlFailure.self) { try ControlClient(path: path).ask(command, Self.patience) }
        #expect(failure?.sentences == [Self.noAnswer.replacing("PATH", with: path)])
        #expect(failure?.status == EX_UNAVAILABLE)
        _ = waiting.number
    }

    private static let noAnswer = """
        no answer at unix:PATH: that is no control socket of Sluice, but perhaps the one for web servers (listen); or Sluice is \
        too busy, has no descriptors left, or has ended just now
        """

    @Test func `does not wait without end for the rest of an answer`() throws {
        let (server, client) = try LocalSocket.pair()
        server.send(Array("ok 9\nhalf\n".utf8))
        let (bytes, end) = ControlClient.answer(over: client.takeDescriptor(), Self.patience)
        #expect((ControlAnswer(bytes: bytes), end) == (nil, .late))
    }

    /// As when one of its processes, or the machine, holds it up.
    @Test func `names the process that was told to end at once, and is still there`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("control.sock")
        let sockets = try ListeningSocket.open([.unix(path)])
        try startThread(named: "server") {
            guard let stop = sockets[0].accept() else { return }
            _ = stop.sendAtOnce(ControlAnswer(.ok).bytes)
            // For as long as the client is there.
            var part = [UInt8](repeating: 0, count: 64)
            repeat { _ = stop.isReadable(within: nil) } while stop.receive(into: &part) != .endOfFile
        }
        let patience = ControlClient.Patience(answer: .seconds(60), rest: .milliseconds(1))
        let failure = #expect(throws: ControlFailure.self) { try ControlClient(path: path).ask(.stopAtOnce, patience) }
        #expect(failure?.status == EX_UNAVAILABLE)
        let sentence = try #require(failure?.sentences.first)
        #expect(
            sentence.hasPrefix(
                "the Sluice at unix:\(path) was told to end at once, and has not: process \(getpid()) is still there"))
        #expect(sentence.hasSuffix("kill -KILL \(getpid()) ends it"))
    }

    @Test func `has its answer where the connection ends`() throws {
        let (server, client) = try LocalSocket.pair()
        server.send(ControlAnswer(.ok, ["a"]).bytes)
        _ = server.takeDescriptor()
        let (bytes, end) = ControlClient.answer(
            over: client.takeDescriptor(), ControlClient.Patience(answer: .seconds(60), rest: nil))
        #expect((ControlAnswer(bytes: bytes), end) == (ControlAnswer(.ok, ["a"]), .closed))
    }
}
