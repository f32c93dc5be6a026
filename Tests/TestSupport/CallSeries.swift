// Many calls over a few connections that are kept.

extension Site {
    /// Makes many calls over a few kept connections, on each one after another.
    ///
    /// - Returns: the responses, in the order of the calls.
    package func answers(to calls: [ChatCall], connections: Int = 16) async throws -> [Received] {
        try await withThrowingTaskGroup(of: [(Int, Received)].self) { group in
            for connection in 0..<min(connections, calls.count) {
                let numbers = stride(from: connection, to: calls.count, by: connections)
                let series = CallSeries(calls: numbers.map { calls[$0] }, port: server.plainPort)
                group.addTask { Array(zip(numbers, try await series.answers())) }
            }
            var answers = Array(repeating: Received(), count: calls.count)
            for try await answered in group {
                for (number, answer) in answered { answers[number] = answer }
            }
            return answers
        }
    }
}

/// Calls of one client that keeps its connection.
private struct CallSeries: Sendable {
    let calls: [ChatCall]
    let port: UInt16

    func answers() async throws -> [Received] {
        try await withCheckedThrowingContinuation { continuation in
            startThread("series of calls") {
                continuation.resume(with: Result { try answersHere() })
            }
        }
    }

    private func answersHere() throws -> [Received] {
        var socket = try connection()
        var reader = HTTPReader(socket)
        return try calls.map { call in
            try socket.write(call.message(isLast: false))
            let answer = try Received(&reader)
            if answer.end == .complete, answer.head?["Connection"]?.lowercased() != "close" { return answer }
            socket = try connection()
            reader = HTTPReader(socket)
            return answer
        }
    }

    /// One on which nothing for so long is an error, where a blocked thread would hold the tests up for ever.
    private func connection() throws -> Socket {
        let socket = try Socket.connected(port: port)
        socket.limitReads(seconds: 60)
        return socket
    }
}

extension Received {
    /// Reads the next response of a connection that is kept.
    fileprivate init(_ reader: inout HTTPReader) throws {
        guard let head = try reader.head() else {
            end = .cut("no response")
            return
        }
        self.head = head
        var body: [UInt8] = []
        let isComplete = try reader.body(of: head, endsWithConnection: true) { body += $0 }
        self.body = body
        end = isComplete ? .complete : .cut("the body is incomplete")
    }
}
