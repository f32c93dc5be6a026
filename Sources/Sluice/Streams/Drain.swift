// What is left of a stream when its caller has left, and the operator wants to know what it cost.

import EventLoop

/// Reads an answer to its end for nobody (`on_disconnect = "drain"`): for the usage, and for a connection that can serve again.
struct Drain {
    private let stream: AnswerStream
    private let loop: EventLoop

    /// - Parameter stream: open, and read by nobody else.
    init(_ stream: AnswerStream, on loop: EventLoop) { (self.stream, self.loop) = (stream, loop) }

    /// Returns when the answer is over, whatever its end is like.
    func run() async {
        do {
            while true {
                while try stream.next() != nil {}
                if stream.isDone { return await stream.settle() }
                switch try stream.readable {
                case nil where loop.now >= stream.deadline: return
                case nil: await stream.wakeup.wait(until: stream.deadline)
                case .end: return
                case .bytes: stream.takeBytes()
                }
            }
        } catch {
            // Nobody waits for the answer any more; the log has the connection's failure.
        }
    }
}
