// One request between its check and the end of its answer.

/// What a request is doing: asking, then being answered. The race is given up once it is won, so that a stream holds nothing of it.
final class Answering {
    private var race: Race?
    private var winner: Attempt?
    private(set) var tried: [RequestRecord.Try] = []

    init(_ race: Race) { self.race = race }

    /// Returns when a target answers; throws as `Race.run`.
    func begin(_ reply: inout Reply) async throws -> Attempt {
        guard let race else { throw CancellationError() }
        defer {
            race.end()
            tried = race.tried
            self.race = nil
        }
        let attempt = try await race.run(&reply)
        winner = attempt
        return attempt
    }

    /// Ends all attempts, or the answer, at once.
    func cancel() {
        race?.cancel()
        winner?.stream.cancel()
    }

    /// The answer is over.
    func end() {
        winner?.end()
        winner = nil
    }
}
