import EventLoop
@testable import HTTPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct LocalConnectionTests {
    @Test func `a local session connects to its socket, whatever host the URL names`() async throws {
        try await LoopActor.run { worker in
            let listener = try LocalListener()
            var server: LocalSocket?
            let watch = try Watch(listener.number, for: .readable, on: worker.loop) { _ in
                server = listener.accept()
                server?.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".utf8))
            }
            defer { watch.cancel() }
            let session = Session(on: worker.loop, .patient)
            session.connectLocally(to: listener.name)
            let (head, body) = try await session.fetch(.post("http://no.such.host.invalid/chat", "Hi"))
            #expect(head?.status == 200)
            #expect(body == "hello")
            let request = String(decoding: server?.receive() ?? [], as: UTF8.self)
            #expect(request.hasPrefix("POST /chat HTTP/1.1\r\n"))
            #expect(request.hasSuffix("\r\n\r\nHi"))
        }
    }

    @Test func `what one end of a local connection sends, the other has at once`() throws {
        let (one, other) = try LocalSocket.pair()
        #expect(other.receive() == [])
        #expect(one.send([1, 2, 3]))
        #expect(other.receive() == [1, 2, 3])
        let descriptor = other.takeDescriptor()
        #expect(descriptor.number >= 0)
        #expect(other.number == -1)
    }
}
