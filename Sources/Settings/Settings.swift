// Everything that can be set, and its defaults. `SettingsSources` says where the values come from.

package import Chat
package import Choosing
import EventLoop
package import FastCGI

/// The settings in force. What each means, its field says, behind the values.
package struct Settings: Equatable, Sendable {
    /// Where the web server connects when nobody says where, and descriptor 0 is no listening socket.
    package static let defaultListen = "unix:/run/sluice/sluice.sock"
    /// OpenAI's own API, for upstreams of kind `openai` that have no URL.
    package static let defaultBaseURL = "https://api.openai.com/v1"
    /// How many workers there may be.
    package static let workersRange = 1...256
    /// How many processes there may be.
    package static let processesRange = 1...64
    /// How many addresses there may be.
    package static let listenRange = 1...16
    /// How many addresses may be allowed.
    package static let allowedAddressesRange = 1...256

    /// At least one, each once.
    package var listen: [ListenAddress]
    /// Who may connect to them.
    package var socket = SocketAccess()
    /// The path of the socket that `sluice reload` and its like ask at; nil for none.
    package var control: String?
    /// How many threads serve in each process, each with an event loop of its own.
    package var workers: Int
    /// How many processes serve.
    package var processes = 1
    /// Whether a master watches over a single process too.
    package var isSupervised = false
    /// After how long without a call the process ends; zero for never.
    package var idleExit = Duration.zero
    /// Whether the kernel may write down the memory of a process that crashes.
    package var dumpsCore = false
    /// After how much silence a caller who streams gets a comment; zero for never.
    package var heartbeat = Duration.seconds(10)
    /// What requests and answers may take.
    package var limits = Limits()
    /// How long parts of a request may take, where no model or target says otherwise.
    package var timeouts = Timeouts()
    /// How often a request is tried, for each model that says nothing else.
    package var attempts = AttemptSettings()
    /// When targets rest, for each upstream that says nothing else.
    package var rest = RestPlan()
    /// The process's log.
    package var log = Log()
    /// What is counted.
    package var metrics = MetricsSettings()
    /// Whom traces are sent to; nil for nobody.
    package var traces: TraceSettings?
    /// Whether there is a page for browsers beside the status.
    package var hasPage = false
    /// Whether answers say where the time went until the first token.
    package var tellsTiming = false
    /// Whether there is the model by which `sluice probe` measures.
    package var hasProbe = false
    /// The path of a PEM file of the authorities that vouch for upstreams; nil for the system's.
    package var authoritiesFile: String?
    /// How long the addresses of an upstream's name are used before they are looked up again.
    package var nameLifetime = Duration.seconds(60)
    /// The model for requests that name none; nil leaves that to the upstream.
    package var defaultModel: String?
    /// How callers are told of errors.
    package var errors = ErrorForm.json
    /// What callers who stream get as an answer in place of an error ahead of the first token; nil for the error.
    package var spokenError: String?
    /// What callers get of a model's refusal.
    package var refusal = Refusal.pass
    /// What is left out of answers' texts, for each model that says nothing else.
    package var speech: SpeechParts = []
    /// What callers hear while there is no token, for each model that says nothing else; nil for nothing.
    package var filler: FillerSettings?
    /// What goes out ahead of callers' messages, for each model that says nothing else; nil for nothing.
    package var prepend: PrependSettings?
    /// What is asked before each turn, for each model that says nothing else; nil for nothing.
    package var hook: HookSettings?
    /// What becomes of an answer that breaks off, for each model that says nothing else.
    package var onCut = CutForm.error
    /// The sentence for that, for each model that has none of its own.
    package var spokenCut: String?
    /// Whether reasoning counts as a first token, for each model that says nothing else.
    package var countsReasoning = false
    /// What is done for a caller who has left.
    package var onDisconnect = Disconnect.cancel
    /// In the file's order; names are unique.
    package var upstreams: [UpstreamSettings]
    /// The first that matches a request's model counts.
    package var models: [ModelSettings]
    /// What clients may use, in the file's order; their names are unique.
    package var clients: [ClientSettings] = []
    /// The path of the file that keeps what clients have used; nil for none.
    package var budgetsFile: String?
    /// Where several machines count together what clients use; nil where each counts for itself.
    package var budgetStore: BudgetStoreSettings?
    /// What is done while that is away.
    package var onStoreFailure = StoreFailure.local
    /// The settings file, for whoever wants to name upstreams; nil when there is none, and when the command line names the one, so that
    /// those of a file would not count.
    package var upstreamsFile: String?

    /// How errors of a stream are told.
    package enum ErrorForm: String, CaseIterable, Sendable {
        /// By status before the first token, and as OpenAI's error object inside the stream.
        case json
        /// As `data: {"error":"text"}` behind a status of 200.
        case sse
    }

    /// What becomes of a stream that breaks off, or stalls, after it has begun.
    package enum CutForm: String, CaseIterable, Sendable {
        /// It ends with an error.
        case error
        /// It ends with a sentence of the settings, as if it were whole.
        case speak
        /// Another target goes on with it; where none does it ends as by the others.
        case goOn = "continue"
    }

    /// What becomes of a delta's `refusal`.
    package enum Refusal: String, CaseIterable, Sendable {
        /// It stays in its own field.
        case pass
        /// Its text stands in `content` too.
        case speak
    }

    /// What becomes of the upstream's answer when the caller leaves.
    package enum Disconnect: String, CaseIterable, Sendable {
        /// The upstream's work ends at once.
        case cancel
        /// It is read to its end, so that its usage is known.
        case drain
    }
}

extension Settings {
    /// The defaults.
    package init(listen: [ListenAddress], workers: Int, upstreams: [UpstreamSettings], models: [ModelSettings]) {
        (self.listen, self.workers, self.upstreams, self.models) = (listen, workers, upstreams, models)
    }

    /// Puts what only a start can change back to what it was.
    ///
    /// - Returns: the keys of what would have changed.
    package mutating func restoreStartOnlySettings(of former: Settings) -> [String] {
        Self.sections.flatMap(\.fields).restore(former, in: &self)
    }

    /// Takes what the file says of the process as a whole; upstreams, models and clients are others' business.
    mutating func take(_ file: SettingsReader) {
        file.take(Self.sections.flatMap(\.fields), into: &self)
        rest.check(file)
        log.check(file)
    }

    /// Whether there is a master, which starts the processes that serve.
    package var hasMaster: Bool { processes > 1 || isSupervised }

    /// What one of the processes has of it, where what is for all of them together is divided among them. `limits.requests` is not: they
    /// count in common.
    package var ofOneProcess: Settings {
        guard processes > 1 else { return self }
        var own = self
        own.limits.memoryBytes = max(1, limits.memoryBytes / processes)
        for index in upstreams.indices {
            own.upstreams[index].concurrentMax = upstreams[index].concurrentMax.map { max(1, $0 / processes) }
        }
        return own
    }

    /// Those of the file's top.
    static var keys: [String] { sections.flatMap(\.fields).map(\.key) + ["upstreams", "models", "clients"] }

    /// The keys of the file, but for `upstreams`, `models` and `clients`.
    static var sections: [FieldSection<Settings>] {
        [
            FieldSection(nil, fields: processFields),
            FieldSection("Included files", fields: [includeField]),
            FieldSection(
                "The log", "Nobody who is answered waits for it.", fields: [Field("log", table: \.log, Log.fields)]),
            FieldSection("Metrics", fields: [Field("metrics", table: \.metrics, MetricsSettings.fields)]),
            FieldSection("Traces", fields: [tracesField]),
            FieldSection(
                "The unix sockets that listen names", fields: [Field("socket", table: \.socket, SocketAccess.fields)]),
            FieldSection("What callers get", fields: callerFields),
            FieldSection("Limits", fields: [Field("limits", table: \.limits, Limits.fields)]),
            FieldSection(
                "Timeouts", "A model, or a target of it, can have its own connect, first_token, idle and total.",
                fields: [Field("timeouts", table: \.timeouts, Timeouts.fields)]),
            FieldSection(
                "Retries, hedges and rests", "For all models and upstreams. Each can have its own.",
                fields: AttemptSettings.fields.map { $0.lifted(\.attempts) } + RestPlan.fields.map { $0.lifted(\.rest) }),
        ]
    }

    private static var callerFields: [Field<Settings>] {
        [
            Field(
                "heartbeat", \.heartbeat, .duration(in: .upToADay),
                """
                A comment line goes to the caller after this much silence of the upstream, so that nobody takes the connection for \
                dead. "0s" turns it off. LiveKit's plugin gives up after 5 s without a byte: "4s" suits it.
                """),
            Field(
                "default_model", optional: \.defaultModel, .text, "The model for requests that name none.",
                default: .words("such requests go out as they are"), examples: [#""gpt-4o-mini""#]),
            prependField,
            Field(
                "errors", \.errors, .choice,
                """
                How errors are told: "json" by the HTTP status before the first token, and by an error object inside the stream; \
                "sse" always as an event {"error": "text"} behind a status of 200.
                """),
            Field(
                "spoken_error", optional: \.spokenError, .text,
                """
                For voice calls: a sentence that callers who stream get as the assistant's answer, in place of an error that \
                comes before the first token.
                """,
                default: .words("none"), examples: [#""Sorry, I cannot answer right now.""#]),
            Field(
                "refusal", \.refusal, .choice,
                """
                What becomes of a model's refusal: "pass" leaves it in its own field, "speak" puts it into the content too, for \
                voice.
                """),
            speechField,
            FillerSettings.field(
                \.filler,
                """
                What callers who stream hear while the model is silent, as the beginning of its answer, for voice; with by = "control" the \
                call's platform says it. Retries, fallbacks and hedges go on meanwhile; if all fail, spoken_error or an error follows, so \
                that no filler is ever the whole answer. Not for several choices, nor with a response_format other than text.
                """,
                default: .nothing, examples: [#"{after = "900ms", texts = ["One moment.", "Let me check."], mark = "vapi"}"#]),
            HookSettings.field(
                \.hook,
                """
                What is asked before each turn: it gets the user's message, and may put messages in, answer itself, or refuse.
                """,
                default: .nothing, examples: [#"{url = "http://127.0.0.1:9000/turn", timeout = "150ms"}"#]),
            Field(
                "on_cut", \.onCut, .choice,
                """
                What becomes of a stream that breaks off, or stalls, after it has begun: "error" ends it with an error; "speak" with the \
                sentence of spoken_cut, a finish reason and [DONE], for voice; "continue" has the next target, or the same where it is \
                alone, go on with the text so far, once for each request, and ends it with that sentence, or the error where there is none, \
                if that fails. One that has begun a tool call ends with the error all the same, and so does one with several choices or a \
                response_format other than text.
                """),
            Field(
                "spoken_cut", optional: \.spokenCut, .text,
                #"The sentence for on_cut = "speak"; for "continue" too, where nobody can go on."#, default: .words("none"),
                examples: [#""Sorry, I lost my train of thought.""#]),
            Field(
                "reasoning_counts", \.countsReasoning, .boolean,
                """
                Whether reasoning (reasoning_content, reasoning) counts as a first token. Without it a stream is an answer, and its \
                status goes out, with the first text, tool call or refusal; what a model thinks aloud before waits for that, and \
                timeouts.first_token goes on. Set it for models that think for longer, and for callers who show what they think.
                """),
            Field(
                "on_disconnect", \.onDisconnect, .choice,
                """
                When the caller leaves: "cancel" ends the upstream's answer at once, "drain" reads it to its end, so that its \
                usage is known.
                """),
            timingField, probeField,
        ]
    }
}
