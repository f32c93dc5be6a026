// Descriptors for what comes later.

import EventLoop

/// As many descriptors as a question to a process needs, which nobody else of this process gets meanwhile: whoever is asked last can be
/// asked too.
final class SpareDescriptors {
    /// Both ends of the stream for the answer.
    private static let count = 2
    private var held: [MemoryFile] = []

    /// - Throws: `SystemError` when this process is out of descriptors.
    init() throws(SystemError) { try hold() }

    private func hold() throws(SystemError) {
        while held.count < Self.count { held.append(try MemoryFile("sluice spare")) }
    }

    /// Lets `body` have them, and holds as many again as there are then.
    func lend<Value>(to body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
        held = []
        defer {
            // The others come back with what `body` has opened.
            do throws(SystemError) { try hold() } catch {}
        }
        return try body()
    }
}
