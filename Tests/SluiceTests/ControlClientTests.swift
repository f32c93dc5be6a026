import EventLoop
import FastCGI
import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1)), .ownThread) struct `A client of the control socket` {
    private static let patience = ControlClient.Patience(answer: .milliseconds(1), rest: .milliseconds(1))

    @Test(arguments: [
        (ControlCommand.reload, "not finished yet: the Sluice at unix:PATH reads its settings; its log will say what came of it"),
        (.reloadAndWait, "not finished yet: the Sluice at unix:PATH reads its settings; its log will say what came of it"),
        (.status(StatusForm()), noAnswer), (.stop, noAnswer),
    ])
    func `says so when nobody has answered in time`(command: ControlCommand, sentence: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("control.sock")
        // Nobody accepts what connects.
        let sockets = try ListeningSocket.open([.unix(path)])
        let failure = #expect(throws: ControlFailure.self) { try ControlClient(path: path).ask(command, Self.patience) }
        #expect(failure?.sentences == [sentence.replacing("PATH", with: path)])
        #expect(failure?.status == EX_UNAVAILABLE)
        withExtendedLifetime(sockets) {}
    }

    /// As it is when a process stands still.
    @Test(arguments: [ControlCommand.reload, .reloadAndWait, .status(StatusForm()), .stop])
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
        no answer at unix:PATH: it is no control socket of Sluice, or Sluice stands still, has no descriptors left, or has ended \
        just now
        """

    @Test func `does not wait without end for the rest of an answer`() throws {
        let (server, client) = try LocalSocket.pair()
        server.send(Array("ok 9\nhalf\n".utf8))
        let (bytes, isLate) = ControlClient.answer(over: client.takeDescriptor(), Self.patience)
        #expect((ControlAnswer(bytes: bytes), isLate) == (nil, true))
    }

    @Test func `has its answer where the connection ends`() throws {
        let (server, client) = try LocalSocket.pair()
        server.send(ControlAnswer(.ok, ["a"]).bytes)
        _ = server.takeDescriptor()
        let (bytes, isLate) = ControlClient.answer(
            over: client.takeDescriptor(), ControlClient.Patience(answer: .seconds(60), rest: nil))
        #expect((ControlAnswer(bytes: bytes), isLate) == (ControlAnswer(.ok, ["a"]), false))
    }
}
