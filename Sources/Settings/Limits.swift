// What requests and answers may take.

extension Settings {
    /// Each in the unit of its name: bytes, a count, a depth. What each is for, its field says, behind them.
    package struct Limits: Equatable, Sendable {
        /// Requests that are answered at once, over all workers.
        package var requests = 4096
        /// The body of one request, as it is received (`FCGI_STDIN`).
        package var bodyBytes = 8 << 20
        /// The parameters of one request, with their lengths, as they are received (`FCGI_PARAMS`).
        package var parametersBytes = 64 << 10
        /// One event of an upstream's stream, its blank line included.
        package var eventBytes = 1 << 20
        /// The body of an upstream's answer that does not stream.
        package var answerBytes = 32 << 20
        /// What bodies and kept answers take, of all workers together.
        package var memoryBytes = MachineMemory.unknownLimit
        /// How deep objects and arrays may be nested, in requests and in answers.
        package var jsonDepth = 64
    }
}

extension Settings.Limits {
    static var fields: [Field<Self>] {
        [
            Field(
                "requests", \.requests, .number(in: 1...1_000_000),
                "Requests that are answered at once, by all processes together; one more gets 503."),
            Field(
                "body", \.bodyBytes, .size(in: 1 << 10...1 << 30),
                """
                A request's body. nginx's client_max_body_size and lighttpd's server.max-request-size must be as large, or the web \
                server refuses the request itself.
                """),
            Field(
                "parameters", \.parametersBytes, .size(in: 1 << 10...16 << 20),
                "A request's FastCGI parameters: its headers, and what the web server adds."),
            Field("event", \.eventBytes, .size(in: 1 << 10...1 << 30), "One event of an upstream's stream."),
            Field("answer", \.answerBytes, .size(in: 1 << 10...1 << 30), "An upstream's answer that is not streamed."),
            Field(
                "memory", \.memoryBytes, .size(in: 1 << 20...1 << 50),
                """
                What the bodies of all requests, and answers that are collected or wait for slow callers, may hold together; at \
                least twice limits.body. A body for which there is no room waits, for at most timeouts.first_token, and then gets \
                503. Each process has its share of it.
                """,
                default: .words("a quarter of the memory of the machine, or of the control group if that is smaller"),
                examples: [#""1GiB""#]),
            // A message with parts of content is five deep.
            Field(
                "json_depth", \.jsonDepth, .number(in: 8...10_000), "How deep a request's objects and arrays may be nested."),
        ]
    }

    /// Three quarters of the memory are for bodies: those must hold one, in each process. The default grows for that, what is set does
    /// not.
    ///
    /// - Parameter file: the settings file's table, if there is one.
    mutating func makeRoomForBodies(_ file: SettingsReader?, processes: Int) {
        let needed = max(2 * bodyBytes, 1 << 20) * processes
        guard memoryBytes < needed else { return }
        guard let file, let node = file.node("limits")?.member("memory") else { return memoryBytes = needed }
        let share = processes > 1 ? " for each of the \(processes) processes" : ""
        let text = "must be at least twice limits.body, which is \(Size.setting(bodyBytes))\(share)"
        file.problems.add(SettingsProblem(node, text, needsWhole: true))
    }
}
