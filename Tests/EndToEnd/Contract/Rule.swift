// The shape of a rule of the contract.

import TestSupport
import Testing

/// One rule of the contract: what a caller sends, what reaches the upstream, what it answers, and what the caller gets.
struct Rule: Sendable {
    enum Outcome: Sendable {
        /// The upstream's own bytes, with their status.
        case same
        /// A stream of these bytes; `NUMBER` stands for the time of `created`.
        case stream(String)
        /// A JSON body, byte for byte, with `NUMBER` in the same way.
        case json(Int, String)
        /// An error object in a JSON body.
        case error(Int, type: String, code: String?, param: String? = nil)
        /// A whole stream that says this.
        case says(String)
        /// A stream of these bytes and an error frame after them, without `[DONE]`.
        case brokenStream(String, type: String, code: String?)
    }

    let name: String
    let call: ChatCall
    /// The body that the upstream must receive; nil when no request may reach it.
    let upstreamGets: String?
    /// Whether the upstream may get it twice: on a connection that it has kept and closes without a word, and on a fresh one.
    var mayComeTwice = false
    var upstreamPath = "/v1/chat/completions"
    /// Headers that the upstream must receive, or with nil must not.
    var upstreamFields: [String: String?] = [:]
    let answer: Reply
    let callerGets: Outcome
    /// Headers that the caller must get, or with nil must not.
    var callerFields: [String: String?] = [:]

    /// - Parameters:
    ///   - answer: an answer of one word when left out, streamed if the caller's is to be.
    init(
        _ name: String, sends body: String = streaming(), path: String = "/v1/chat/completions", method: String = "POST",
        fields: [(name: String, value: String)] = [], token: String? = RunningServer.token, upstreamGets: String? = nil,
        at upstreamPath: String = "/v1/chat/completions", upstreamFields: [String: String?] = [:], answer: Reply? = nil,
        callerGets: Outcome = .same, callerFields: [String: String?] = [:]
    ) {
        self.name = name
        var call = ChatCall(body, token: token, path: path, method: method)
        call.fields = fields
        self.call = call
        self.upstreamGets = upstreamGets
        self.upstreamPath = upstreamPath
        self.upstreamFields = upstreamFields
        let streams = upstreamGets?.contains(#""stream":true"#) == true
        self.answer = answer ?? (streams ? .stream(Chunks.stream(["Hello"])) : .json(Chunks.completion("Hello")))
        self.callerGets = callerGets
        self.callerFields = callerFields
    }
}

/// Rules that hold under the same settings.
struct Chapter: Sendable, CustomTestStringConvertible {
    let title: String
    /// A settings file without its heartbeat; `UPSTREAM` stands for the stub's URL.
    let settings: String
    var heartbeat = "0s"
    /// Whether the configuration of the web server has a part in it, so that each of them is tried.
    var isOfWebServers = false
    let rules: [Rule]

    var testDescription: String { title }

    static let all = [
        Chapter(title: "Paths", settings: plainSettings, isOfWebServers: true, rules: pathRules),
        Chapter(title: "Requests", settings: plainSettings, rules: requestRules),
        Chapter(title: "Platforms", settings: plainSettings, rules: platformRules),
        Chapter(title: "Parameters", settings: plainSettings, rules: parameterRules),
        Chapter(title: "Models and upstreams", settings: modelSettings, rules: modelRules),
        Chapter(title: "The caller's key", settings: passthroughSettings, isOfWebServers: true, rules: passthroughRules),
        Chapter(
            title: "The caller's key in a header of its own", settings: passthroughSettings + "\nauth = \"x-api-key\"",
            rules: otherKeyRules),
        Chapter(title: "Streams", settings: plainSettings, rules: streamRules),
        Chapter(title: "Whole answers", settings: plainSettings, rules: wholeRules),
        Chapter(title: "Errors", settings: plainSettings, rules: errorRules),
        Chapter(title: "Errors as events", settings: "errors = \"sse\"\n" + plainSettings, rules: eventErrorRules),
        Chapter(title: "Spoken errors", settings: spokenSettings, rules: spokenRules),
        Chapter(title: "Heartbeats", settings: spokenSettings, heartbeat: "20ms", rules: heartbeatRules),
        Chapter(
            title: "Silence", settings: "timeouts.first_token = \"2s\"\n" + spokenSettings, heartbeat: "20ms",
            rules: silenceRules),
    ]
}

/// One attempt each: what further ones do, other tests tell.
let plainSettings = """
    retries = 0
    [upstreams.stub]
    url = "UPSTREAM"
    key = "sk-stub"

    """

/// The same, for streams that wait for as long as a test takes.
let patientSettings = "timeouts = {first_token = \"10m\", idle = \"10m\"}\n" + plainSettings

// MARK: Bodies

let hi = #"{"role":"user","content":"Hi"}"#

/// A request for a stream with further members, each with a comma before it.
func streaming(_ members: String = "") -> String { #"{"model":"m","messages":[\#(hi)],"stream":true\#(members)}"# }

/// The same as the upstream gets it.
func asked(_ members: String = "") -> String { streaming(members + #","stream_options":{"include_usage":true}"#) }

/// A request that does not stream.
func whole(_ members: String = "") -> String { #"{"model":"m","messages":[\#(hi)]\#(members)}"# }
