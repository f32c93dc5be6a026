// Everything that can be set, and its defaults. `SettingsSources` says where the values come from.

package import Chat
package import Choosing
import EventLoop
package import FastCGI
import Glibc

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
    /// Whether there is a page for browsers beside the status.
    package var hasPage = false
    /// Whether answers say where the time went until the first token.
    package var tellsTiming = false
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

    /// Read alone too, by those who ask at it.
    static var controlField: Field<Settings> {
        Field(
            "control", optional: \.control, .controlAddress,
            """
            Where sluice status, clients, reload, reopen and stop ask this process, as unix:PATH: a socket for its user and root alone, in a \
            folder that this user may write to. The service has /run/sluice/sluice for it.
            """,
            default: .words("none"), examples: [#""unix:/run/sluice/sluice/control.sock""#], option: "--control", needsStart: true
        )
    }

    private static var processFields: [Field<Settings>] {
        [
            Field(
                "listen", \.listen, .listenAddresses,
                """
                Where web servers connect: unix:PATH, tcp:HOST:PORT, fd:NUMBER for a listening socket that the parent process passes \
                on, "systemd" for all sockets of the service's socket units, or "systemd:NAME" for those with this \
                FileDescriptorName=. An array of them is served all at once: ["unix:/run/sluice/sluice.sock", "tcp:127.0.0.1:9000", \
                "tcp:[::1]:9000"]; the command line takes --listen several times, and the environment's variable commas between \
                addresses. Where nobody names one, a listening socket on descriptor 0 is taken, if there is one.
                """,
                environment: EnvironmentVariable.listen, option: "--listen", needsStart: true),
            Field(
                "allowed_addresses", optional: \.socket.allowedAddresses, .addressRanges,
                """
                The machines that may connect over TCP, each by its address or in a range of them: the web servers, and whoever else \
                asks how Sluice does. All others are closed before a byte of theirs is read. IPv4 that comes over IPv6 is IPv4 here; \
                "::/0" is IPv6 alone. The environment's variable, FastCGI's own, has commas between them.
                """,
                default: .words("whoever reaches the port, and a warning where other machines do"),
                examples: [#"["10.0.0.0/8", "::1"]"#], environment: EnvironmentVariable.allowedAddresses, needsStart: true),
            controlField,
            Field(
                "page", \.hasPage, .boolean,
                """
                Whether there is a page for browsers beside the status, on a path that ends in /sluice/: a chat with this Sluice, with each \
                event and its time, and how the upstreams do. It is there for those whom the web server lets ask for the status; a chat takes \
                a token all the same.
                """),
            Field(
                "workers", \.workers, .workers,
                """
                Threads that serve in each process, each on its own: "auto" for one per core that Sluice may run on, divided among the \
                processes, or a number.
                """,
                default: .value(#""auto""#), option: "--workers", needsStart: true),
            Field(
                "processes", \.processes, .number(in: processesRange),
                """
                Processes that serve. With more than one, a master starts them: it holds the sockets and starts another in the place of \
                one that dies, which ends that one's requests alone. limits.requests holds for all of them together; limits.memory and \
                an upstream's concurrent are divided among them; rests, and what retries and hedges may spend, are each process's own.
                """,
                option: "--processes", needsStart: true),
            Field(
                "supervise", \.isSupervised, .boolean, "Whether there is a master for a single process too.", needsStart: true),
            Field(
                "idle_exit", \.idleExit, .duration(in: .upToADay),
                """
                Ends the process, as SIGTERM does, when for so long nobody has connected and no request was there: for sockets that are \
                passed on ("systemd", "fd:0"), where the next call has it started again. With addresses that Sluice opens itself, or \
                with a master, it is an error. "0s" is for never.
                """, needsStart: true),
            Field(
                "core_dumps", \.dumpsCore, .boolean,
                """
                Whether a process that crashes may leave a core dump, as the limit of the system says (ulimit -c). In it are prompts, \
                answers and keys. Without it debuggers of other users than root do not reach the process either.
                """,
                needsStart: true),
            Field(
                "authorities_file", optional: \.authoritiesFile, .file,
                """
                A PEM file of the authorities that vouch for upstreams, instead of the system's: where some have a private \
                authority and some a public one it must hold both. An authority below another counts without that one, and so \
                does a server's own certificate. A relative path begins at the directory of this file.
                """,
                default: .words("the system's"), examples: [#""/etc/ssl/certs/ca-certificates.crt""#],
                environment: EnvironmentVariable.authoritiesFile),
            Field(
                "budgets_file", optional: \.budgetsFile, .writtenFile,
                """
                Where what clients have used of their budgets is kept, so that it outlives a restart and a crash, but for the last \
                second of that: a small file, which is made where there is none, in a folder that Sluice may write. A relative path begins \
                at the directory of this file.
                """,
                default: .words("\"budgets\" in StateDirectory= of the service of systemd, else none: in memory alone"),
                examples: [#""/var/lib/sluice/budgets""#], needsStart: true),
        ] + storeFields + [nameLifetimeField]
    }

    private static var nameLifetimeField: Field<Settings> {
        Field(
            "dns_ttl", \.nameLifetime, .duration(in: .secondToADay),
            "How long the addresses of an upstream's name are used before they are looked up again.")
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
                What callers who stream hear while the model is silent, as the beginning of its answer, for voice. Retries, fallbacks and \
                hedges go on meanwhile; if all fail, spoken_error or an error follows, so that no filler is ever the whole answer. Not for \
                several choices, nor with a response_format other than text.
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
            timingField,
        ]
    }
}

extension SocketAccess {
    fileprivate static var fields: [Field<SocketAccess>] {
        [
            Field("mode", \.mode, .fileMode, #"The permissions of unix:PATH, at least "0600"."#, needsStart: true),
            Field(
                "group", optional: \.group, .text, "The group of unix:PATH.", default: .words("that of the process"),
                examples: [#""www-data""#], needsStart: true),
            Field(
                "allowed_users", \.allowedUsers, .texts,
                """
                The users whose processes may connect, to sockets of systemd and of the parent process too. TCP tells no user: \
                allowed_addresses is for that.
                """,
                default: .words("anyone whom the mode lets in"), examples: [#"["www-data"]"#],
                needsStart: true),
        ]
    }
}

extension FieldKind<mode_t> {
    /// Octal digits, as chmod takes them.
    fileprivate static var fileMode: Self {
        FieldKind(
            form: .other("octal digits"),
            read: { reader, node throws(SettingsProblem) in
                let text = try reader.text(node)
                guard (3...4).contains(text.utf8.count), !text.hasPrefix("+"), let mode = UInt32(text, radix: 8), mode <= 0o777
                else {
                    throw SettingsProblem(node, "must be octal digits up to \"0777\", as \"0660\"")
                }
                guard mode & 0o600 == 0o600 else {
                    throw SettingsProblem(node, "must let the owner read and write, as \"0660\"")
                }
                return mode
            }, write: { TOMLText.string("0\(String($0, radix: 8))") })
    }
}

extension FieldKind<Int> {
    /// `"auto"`, which is 0 until all is known, or how many.
    fileprivate static var workers: Self {
        let range = Settings.workersRange
        return FieldKind(
            form: .other("\"auto\", or a whole number", in: range),
            read: { _, node throws(SettingsProblem) in
                if case .string("auto") = node.value { return 0 }
                guard case .integer(let count) = node.value, range.contains(count) else {
                    throw SettingsProblem(
                        node, "must be \"auto\" or a number from \(range.lowerBound) to \(range.upperBound)")
                }
                return count
            }, write: { "\($0)" })
    }
}

extension FieldKind<String> {
    /// `unix:PATH`; the value is the path.
    static var controlAddress: Self {
        FieldKind(
            form: .other("unix:PATH"),
            read: { reader, node throws(SettingsProblem) in
                let text = try reader.text(node)
                do throws(ListenAddressError) { return try ListenAddress.controlPath(text) } catch {
                    throw SettingsProblem(node, error.advice)
                }
            }, write: { TOMLText.string("unix:\($0)") })
    }

    /// The path of a file that Sluice makes.
    fileprivate static var writtenFile: Self {
        FieldKind(
            form: .other("the path of a file"),
            read: { reader, node throws(SettingsProblem) in
                let path = try reader.text(node)
                guard !SettingsReader.isCredential(path), path.utf8.last != UInt8(ascii: "/") else {
                    throw SettingsProblem(node, "must be the path of a file that can be written")
                }
                return reader.file(path, of: node)
            }, write: TOMLText.string)
    }
}

extension FieldKind<[ListenAddress]> {
    /// One, or an array of them.
    fileprivate static var listenAddresses: Self {
        let range = Settings.listenRange
        return FieldKind(
            form: .other("an address, or an array of \(range.lowerBound) to \(range.upperBound)"),
            read: { reader, node throws(SettingsProblem) in
                guard case .array(let elements) = node.value else {
                    return [try reader.listenAddress(node, "an address, or an array of them")]
                }
                guard range.contains(elements.count) else {
                    throw SettingsProblem(node, "must have \(range.lowerBound) to \(range.upperBound) addresses")
                }
                var addresses: [ListenAddress] = []
                for element in elements {
                    let address = try reader.listenAddress(element, "an address")
                    guard !addresses.contains(address) else {
                        throw SettingsProblem(element, "is an address that stands before it already")
                    }
                    addresses.append(address)
                }
                return addresses
            },
            write: {
                $0.count == 1 ? TOMLText.string($0[0].description) : TOMLText.array($0.map(\.description))
            })
    }
}

extension FieldKind<[AddressRange]> {
    /// Never none: that would be a way to let nobody in, or all.
    fileprivate static var addressRanges: Self {
        let range = Settings.allowedAddressesRange
        return FieldKind(
            form: .other("an array of \(range.lowerBound) to \(range.upperBound) addresses or ranges of IP"),
            read: { reader, node throws(SettingsProblem) in
                guard case .array(let elements) = node.value, range.contains(elements.count) else {
                    throw SettingsProblem(node, "must be an array of \(range.lowerBound) to \(range.upperBound) strings")
                }
                var ranges: [AddressRange] = []
                for element in elements {
                    let text = try reader.text(element)
                    do throws(AddressRangeError) { ranges.append(try AddressRange(text)) } catch {
                        throw SettingsProblem(element, error.advice)
                    }
                }
                return ranges
            }, write: { TOMLText.array($0.map(\.description)) })
    }
}

extension SettingsReader {
    fileprivate func listenAddress(_ node: SettingsNode, _ wanted: String) throws(SettingsProblem) -> ListenAddress {
        guard case .string = node.value else {
            let hint = KeyPlaces.hint(forMembers: node.ownMembers.map(\.key), of: node.path.text)
            throw SettingsProblem(node, "must be \(wanted); \(hint ?? ListenAddressError.forms)")
        }
        let text = try text(node)
        do throws(ListenAddressError) { return try ListenAddress(text) } catch { throw SettingsProblem(node, error.advice) }
    }
}
