// Descriptors kept back so that a reload can ask every process.

import EventLoop

/// Streams that are open already for the questions of a reload: whoever else opens something meanwhile takes no descriptor from them.
/// Where the process is short of descriptors there are two, one for the reader and one for the next, and each further one is opened when
/// it is needed.
final class SpareDescriptors {
    private var streams: [LocalSocket.Pair] = []

    private static let leastCount = 2

    /// - Parameter questions: how many processes are to be asked.
    /// - Throws: `SystemError` when this process is out of descriptors.
    init(questions: Int) throws(SystemError) {
        for _ in 0..<min(questions, Self.leastCount) { streams.append(try LocalSocket.pair()) }
        while streams.count < questions {
            guard case .success(let stream) = Self.opened() else {
                // Others need some too.
                streams = Array(streams.prefix(Self.leastCount))
                return
            }
            streams.append(stream)
        }
    }

    /// The stream for the next question.
    ///
    /// - Throws: `SystemError` when this process is out of descriptors, and all that were held have been taken.
    func take() throws(SystemError) -> LocalSocket.Pair {
        if let stream = streams.popLast() { return stream }
        return try LocalSocket.pair()
    }

    /// Opens one for the next question, if it can by now.
    func refill() { if streams.isEmpty, case .success(let stream) = Self.opened() { streams.append(stream) } }

    private static func opened() -> Result<LocalSocket.Pair, SystemError> {
        Result { () throws(SystemError) in try LocalSocket.pair() }
    }
}
